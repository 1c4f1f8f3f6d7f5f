"""Films with a server behind an OpenAI-style videos API, such as vLLM-Omni."""

"""Talking to language models behind OpenAI-compatible endpoints. Needs the kit's extra
[languagemodel]."""

"""The planner: where a song is cut and how long each shot lasts. Pure and deterministic."""

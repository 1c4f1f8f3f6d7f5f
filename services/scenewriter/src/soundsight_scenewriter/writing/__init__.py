"""The rules writer: from what is heard to a treatment and scenes, by tables and seeded chance."""

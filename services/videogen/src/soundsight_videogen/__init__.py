"""Soundsight videogen: films one scene into one clip."""

"""Soundsight analyzer: listens to a song and says what is in it."""

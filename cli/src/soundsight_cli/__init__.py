"""Turns a song into a music video: the Soundsight command line."""

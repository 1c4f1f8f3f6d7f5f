"""Soundsight scene writer: turns what is heard into a storyboard."""

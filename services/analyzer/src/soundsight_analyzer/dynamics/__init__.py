"""Loudness, curves and events."""

"""Pulse: tempo, beats, downbeats, metre."""

"""The contracts of the Soundsight services and their generated Python code."""

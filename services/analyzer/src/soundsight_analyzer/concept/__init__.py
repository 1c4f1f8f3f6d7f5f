"""The second pipeline: a concept that an audio language model writes straight from the sound."""

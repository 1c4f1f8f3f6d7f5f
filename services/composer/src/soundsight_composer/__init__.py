"""Soundsight composer: joins clips and song into the finished video."""

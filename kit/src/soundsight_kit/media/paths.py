"""Paths as ffmpeg and PyAV must be given them."""

from __future__ import annotations

from pathlib import Path


def file_url(path: Path) -> str:
    """A path with its protocol: in a bare one, what stands before a colon would name another."""
    return f"file:{path}"

"""Names a Whisper model by what is in its folder, without reading gigabytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from soundsight_analyzer.words.whisper import WEIGHTS

_SAMPLE_BYTES = 1 << 20


def whisper_revision(folder: Path) -> str:
    """A digest of the configuration, the size of the weights, and their first and last MiB."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    weights = folder / WEIGHTS
    size = weights.stat().st_size
    digest.update(str(size).encode())
    with weights.open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(0, size - _SAMPLE_BYTES))
        digest.update(file.read(_SAMPLE_BYTES))
    return f"sample-sha256:{digest.hexdigest()}"

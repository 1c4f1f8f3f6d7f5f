"""Beat This!, a transformer that hears beats and downbeats, in place of the built-in network.

Foscarin, Schlueter and Widmer ("Beat This! Accurate beat tracking without DBN postprocessing",
ISMIR 2024). Its package (MIT) comes without weights: it is used when a checkpoint lies in the
folder of models and the package and PyTorch are installed. Both are imported here alone, when used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.rhythm.crnn import BeatActivations
from soundsight_analyzer.spectra import RATE_HZ

CHECKPOINTS = "beat_this*.ckpt"
SOURCE = "beat_this"
_HOP_S = 0.02
_CHUNK_S, _OVERLAP_S = 600, 10
"""A longer song is heard in pieces, so that its spectrogram need not be held whole."""


@dataclass(frozen=True)
class BeatModel:
    """A checkpoint, where it runs (``auto`` is a GPU when there is one), and its digest."""

    checkpoint: str
    device: str
    revision: str

    def __call__(self, samples: Floats) -> BeatActivations:
        """Activations of ``samples`` (n,) at RATE_HZ."""
        import torch
        from beat_this.inference import Audio2Frames

        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        hear = Audio2Frames(checkpoint_path=self.checkpoint, device=device)
        pieces: list[Floats] = []
        for first in range(0, max(1, len(samples)), _CHUNK_S * RATE_HZ):
            lead = min(first, _OVERLAP_S * RATE_HZ)
            end = first + (_CHUNK_S + _OVERLAP_S) * RATE_HZ
            heard = hear(np.asarray(samples[first - lead : end], dtype=np.float64), RATE_HZ)
            both = np.stack([np.asarray(logits.float().cpu()) for logits in heard], axis=1)
            start = round(lead / RATE_HZ / _HOP_S)
            pieces.append(both[start : start + round(_CHUNK_S / _HOP_S)])
        logits = np.clip(np.concatenate(pieces), -30.0, 30.0)
        beat, downbeat = (1.0 / (1.0 + np.exp(-logits))).T
        # Its beats include the downbeats.
        return BeatActivations(np.maximum(0.0, beat - downbeat), downbeat, _HOP_S, SOURCE)


def find_beat_model(models_dir: Path | None, device: str) -> BeatModel | None:
    """The checkpoint in the folder of models, when there is one and the package to run it."""
    if models_dir is None or find_spec("beat_this") is None or find_spec("torch") is None:
        return None
    found = sorted(models_dir.glob(CHECKPOINTS))
    if not found:
        return None
    with found[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BeatModel(str(found[0]), device, f"sha256:{digest}")

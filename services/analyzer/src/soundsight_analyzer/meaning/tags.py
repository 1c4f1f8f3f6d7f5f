"""Tags by musicnn: what the song is called, window by window.

The mel spectrogram is computed here, in float32 and as the original does it with librosa, and the
networks run in essentia's TensorFlow. Fed that way they agree with the original to six digits;
essentia's own input stage differs from it in the third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import scipy.fft
import soxr

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.meaning.labels import MSD_LABELS, MTT_LABELS
from soundsight_analyzer.quiet import essentia_standard

MODEL_RATE_HZ = 16_000
_FFT, _HOP, _MEL = 512, 256, 96
PATCH_FRAMES = 187
PATCH_S = PATCH_FRAMES * _HOP / MODEL_RATE_HZ
_OVERLAP_UP_TO_S = 120.0
"""Windows of short songs overlap by half; in longer ones there are enough without."""
_BATCH = 8
_SHORTEST_S = 0.5


@dataclass(frozen=True)
class Tagger:
    """One of the two networks."""

    id: str
    file: str
    labels: tuple[str, ...]


TAGGERS = (
    Tagger("musicnn-msd", "musicnn-msd.pb", MSD_LABELS),
    Tagger("musicnn-mtt", "musicnn-mtt.pb", MTT_LABELS),
)


@dataclass(frozen=True)
class TagWindows:
    """Probabilities of each model's tags in windows of PATCH_S, ``hop_s`` apart.

    ``probabilities[tagger.id]`` has the shape (windows, 50); window i begins at i * hop_s.
    """

    hop_s: float
    probabilities: dict[str, Floats]

    def mean(self, tagger: Tagger, start_s: float, end_s: float) -> Floats:
        """Mean probabilities (50,) of the windows whose middles lie within a stretch of the song.

        A stretch too short to hold one gets the nearest.
        """
        values = self.probabilities[tagger.id]
        middles = np.arange(len(values)) * self.hop_s + PATCH_S / 2
        inside = (middles >= start_s) & (middles < end_s)
        if not inside.any():
            inside = np.zeros(len(values), dtype=bool)
            inside[np.abs(middles - (start_s + end_s) / 2).argmin()] = True
        return np.asarray(values[inside].mean(axis=0))


def hear_tags(
    samples: Floats, rate_hz: int, progress: Callable[[int, int], None] | None = None
) -> TagWindows | None:
    """Tags of ``samples`` (n,), or None when there is too little to hear.

    ``progress`` is told windows done and windows in all, over both models.
    """
    duration_s = len(samples) / rate_hz
    if duration_s < _SHORTEST_S or not samples.any():
        return None
    mel = mel_spectrogram(soxr.resample(samples, rate_hz, MODEL_RATE_HZ))
    hop = PATCH_FRAMES // 2 if duration_s <= _OVERLAP_UP_TO_S else PATCH_FRAMES
    starts = patch_starts(len(mel), hop)
    total = len(starts) * len(TAGGERS)
    done = 0
    probabilities = {}
    for tagger in TAGGERS:
        rows = []
        for patches in _batches(mel, starts):
            rows.append(run_network(tagger, patches))
            done += len(patches)
            if progress:
                progress(done, total)
        probabilities[tagger.id] = np.concatenate(rows)
    return TagWindows(hop_s=hop * _HOP / MODEL_RATE_HZ, probabilities=probabilities)


def mel_spectrogram(samples: Floats) -> Floats:
    """log10(10000 mel + 1) (frames, 96), float32, of ``samples`` (n,) at MODEL_RATE_HZ.

    As librosa.feature.melspectrogram(n_fft=512, hop_length=256, n_mels=96): power, periodic Hann
    window, frames centred, Slaney's mel scale and area normalisation.
    """
    padded = np.pad(np.asarray(samples, dtype=np.float32), _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)).astype(np.float32)
    filters = _mel_filters()
    blocks = []
    for first in range(0, len(frames), 4096):
        spectrum = scipy.fft.rfft(frames[first : first + 4096] * taper, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        blocks.append(np.log10(10_000.0 * (power @ filters) + 1.0).astype(np.float32))
    return np.concatenate(blocks)


def patch_starts(frames: int, hop: int) -> list[int]:
    """First frames of the patches; what does not fill one at the end of the song is left out."""
    if frames <= PATCH_FRAMES:
        return [0]
    return list(range(0, frames - PATCH_FRAMES + 1, hop))


def run_network(tagger: Tagger, patches: Floats) -> Floats:
    """Probabilities (batch, 50) of patches (batch, 187, 96)."""
    import essentia

    # essentia ignores strides: what it is given must be contiguous.
    pool = essentia.Pool()
    pool.set("model/Placeholder", np.ascontiguousarray(patches[:, None], dtype=np.float32))
    answer = _network(tagger.file)(pool)["model/Sigmoid"]
    return np.nan_to_num(np.array(answer, dtype=np.float32)).reshape(len(patches), -1)


def _batches(mel: Floats, starts: list[int]) -> Iterator[Floats]:
    if len(mel) < PATCH_FRAMES:
        mel = np.pad(mel, ((0, PATCH_FRAMES - len(mel)), (0, 0)))
    for first in range(0, len(starts), _BATCH):
        yield np.stack([mel[s : s + PATCH_FRAMES] for s in starts[first : first + _BATCH]])


@cache
def _network(file: str) -> Any:
    with as_file(files("soundsight_analyzer") / "weights" / file) as path:
        return essentia_standard().TensorflowPredict(
            graphFilename=str(path), inputs=["model/Placeholder"], outputs=["model/Sigmoid"]
        )


@cache
def _mel_filters() -> Floats:
    """Slaney's mel filters (257, 96): linear below 1 kHz, logarithmic above, of equal area."""
    step = np.log(6.4) / 27.0
    top = 15.0 + np.log(MODEL_RATE_HZ / 2 / 1000.0) / step
    mels = np.linspace(0.0, top, _MEL + 2)
    hz = np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(step * (mels - 15.0)))
    bins = np.arange(_FFT // 2 + 1) * (MODEL_RATE_HZ / _FFT)
    low, centre, high = hz[:-2], hz[1:-1], hz[2:]
    rising = (bins[:, None] - low) / (centre - low)
    falling = (high - bins[:, None]) / (high - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    return filters.astype(np.float32)

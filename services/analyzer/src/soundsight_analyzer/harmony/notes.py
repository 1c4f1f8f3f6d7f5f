"""Which notes sound, and how strongly: approximate transcription for hearing chords and keys.

A spectrum of long windows is laid out by pitch, evened out, and explained as a sum of notes with
decaying overtones by non-negative least squares (Mauch and Dixon, "Approximate note transcription
for the improved identification of difficult chords", ISMIR 2010). Overtones so count for the note
they belong to, and the bass is told from what lies above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.spectra import RATE_HZ, stft_blocks

NOTES_HOP_S = 0.1
_WINDOW = 16_384
_BLOCK_FRAMES = 256
_BINS_PER_SEMITONE = 3
_LOWEST, _HIGHEST = 28, 95
"""MIDI pitches of the notes looked for: E1 to B6."""
_OVERTONES_REACH = 12
"""Semitones above the highest note that are still listened to."""
_OVERTONE_DECAY = 0.7
_OVERTONES = 10
_ROUNDS = 40
_AUDIBLE = 1e-5
_BASS = ((40.0, 1.0), (52.0, 1.0), (58.0, 0.0))
_TREBLE = ((46.0, 0.0), (54.0, 1.0), (78.0, 1.0), (90.0, 0.0))
"""How much notes count for the bass and for the harmony above it: (MIDI pitch, weight)."""


@dataclass(frozen=True)
class Notes:
    """How strongly each pitch class sounds in the bass and above it, C first, at NOTES_HOP_S.

    ``bass``, ``treble`` (frames, 12): at least 0; the strongest of the song lie near 1.
    ``tuning_semitones`` is how far the song lies above 440 Hz, between -0.5 and 0.5.
    """

    bass: Floats
    treble: Floats
    tuning_semitones: float

    def __len__(self) -> int:
        return len(self.treble)


def hear_notes(samples: Floats) -> Notes:
    """Hears the notes of ``samples`` (n,) at RATE_HZ; memory is that of the frames by pitch."""
    layout = _pitch_layout()
    pitches = np.concatenate([block @ layout for block in _spectra(samples)])
    tuning = _tuning(pitches)
    strength = _explain(_even_out(pitches), _dictionary(layout, tuning))
    loud = float(np.percentile(strength.max(axis=1), 95))
    strength = strength / loud if loud > 0 else strength
    return Notes(
        bass=strength @ _fold(_BASS),
        treble=strength @ _fold(_TREBLE),
        tuning_semitones=tuning,
    )


def _spectra(samples: Floats) -> Iterator[Floats]:
    """Blocks (frames, bins) of magnitudes up to the highest overtone that counts."""
    bins = _used_bins()
    hop = round(NOTES_HOP_S * RATE_HZ)
    for block in stft_blocks(samples, window=_WINDOW, hop=hop, block_frames=_BLOCK_FRAMES):
        yield block[:, :bins]


def _used_bins() -> int:
    highest_hz = 440.0 * 2.0 ** ((_HIGHEST + _OVERTONES_REACH + 1 - 69) / 12)
    return int(np.ceil(highest_hz * _WINDOW / RATE_HZ))


def _grid() -> Floats:
    """MIDI pitches of the bins by pitch (bins,), _BINS_PER_SEMITONE of them to a semitone."""
    count = (_HIGHEST + _OVERTONES_REACH - _LOWEST + 2) * _BINS_PER_SEMITONE
    return np.asarray(_LOWEST - 1 + np.arange(count) / _BINS_PER_SEMITONE)


def _pitch_layout() -> Floats:
    """Matrix (FFT bins, bins by pitch): each takes the mean of what lies in its third of a
    semitone, and between FFT bins what a line from one to the next gives."""
    grid = _grid()
    half = 0.5 / _BINS_PER_SEMITONE
    edges = 440.0 * 2.0 ** ((np.append(grid - half, grid[-1] + half) - 69) / 12)
    edges *= _WINDOW / RATE_HZ
    low, high = edges[:-1], edges[1:]
    # At least as wide as an FFT bin, so that the low pitches see more than one point.
    middle, width = (low + high) / 2, np.maximum(high - low, 1.0)
    distance = np.abs(np.arange(_used_bins())[:, None] - middle) / width
    weights = np.maximum(0.0, 1.0 - distance)
    return np.asarray(weights / np.maximum(weights.sum(axis=0), 1e-9), dtype=np.float32)


def _tuning(pitches: Floats) -> float:
    """How far the song lies above 440 Hz, in semitones: the phase of the mean pitch spectrum."""
    folded = pitches.mean(axis=0).reshape(-1, _BINS_PER_SEMITONE).sum(axis=0)
    turns = np.exp(2j * np.pi * np.arange(_BINS_PER_SEMITONE) / _BINS_PER_SEMITONE)
    return float(np.angle(folded @ turns) / (2 * np.pi)) if folded.any() else 0.0


def _even_out(pitches: Floats) -> Floats:
    """Evens the spectra out over an octave: what stands out of its surroundings, by how much."""
    octave = 12 * _BINS_PER_SEMITONE + 1
    mean = scipy.ndimage.uniform_filter1d(pitches, octave, axis=1, mode="nearest")
    square = scipy.ndimage.uniform_filter1d(pitches**2, octave, axis=1, mode="nearest")
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    above = np.maximum(pitches - mean, 0.0)
    quiet = max(_AUDIBLE, 0.01 * float(np.percentile(spread.max(axis=1), 95)))
    return np.asarray(above / (spread + quiet), dtype=np.float32)


def _dictionary(layout: Floats, tuning: float) -> Floats:
    """What one note of each pitch looks like (bins by pitch, notes), evened out likewise."""
    pitches = np.arange(_LOWEST, _HIGHEST + 1)
    fundamentals = 440.0 * 2.0 ** ((pitches + tuning - 69) / 12) * _WINDOW / RATE_HZ
    bins = np.arange(layout.shape[0])[:, None]
    spectra = np.zeros((layout.shape[0], len(pitches)))
    for overtone in range(_OVERTONES):
        spectra += _OVERTONE_DECAY**overtone * _main_lobe(bins - (overtone + 1) * fundamentals)
    notes = layout.T @ spectra
    return np.asarray(notes / np.linalg.norm(notes, axis=0), dtype=np.float32)


def _main_lobe(distance: Floats) -> Floats:
    """A Hann window's spectrum at distances in bins, 1 at 0, without its side lobes."""
    inside = np.abs(distance) < 2.0
    near = np.where(inside, distance, 0.0)
    # The formula has a hole at one bin, where its limit is one half.
    denominator = 1.0 - near**2
    hole = np.abs(denominator) < 1e-6
    lobe = np.where(hole, 0.5, np.sinc(near) / np.where(hole, 1.0, denominator))
    return np.where(inside, lobe, 0.0)


def _explain(spectra: Floats, dictionary: Floats) -> Floats:
    """Non-negative strengths (frames, notes) whose sum of notes comes near to the spectra.

    Multiplicative updates (Lee and Seung, 2000), which never leave the non-negative.
    """
    aim = spectra @ dictionary
    overlaps = dictionary.T @ dictionary
    strength = np.maximum(aim, 0.0)
    for _ in range(_ROUNDS):
        strength *= aim / (strength @ overlaps + 1e-6)
    return strength


def _fold(weights: tuple[tuple[float, float], ...]) -> Floats:
    """Matrix (notes, 12) from notes to pitch classes."""
    pitches = np.arange(_LOWEST, _HIGHEST + 1)
    at, values = zip(*weights, strict=True)
    counts = np.interp(pitches, at, values)
    return np.asarray((pitches[:, None] % 12 == np.arange(12)) * counts[:, None], dtype=np.float32)

"""The network that hears beats, against the original's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight_analyzer.rhythm import crnn
from soundsight_analyzer.rhythm.beatthis import find_beat_model
from soundsight_analyzer.rhythm.crnn import hear_activations, log_spectrogram
from soundsight_analyzer.spectra import RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

    from services.analyzer.tests.conftest import Samples


@pytest.fixture(scope="module")
def clicks() -> Samples:
    """Sixteen seconds at 120 BPM: a low thump on every fourth beat, clicks on the others, chords
    that change with the thumps."""
    times = np.arange(16 * RATE_HZ) / RATE_HZ
    beat = np.floor(times / 0.5)
    age = times - 0.5 * beat
    strong = beat % 4 == 0
    click = np.sin(2 * np.pi * np.where(strong, 80, 1800) * age) * np.exp(-age * 60)
    click *= np.where(strong, 1.0, 0.5)
    root = 3 * (np.floor(beat / 4) % 2)
    tones = [np.sin(2 * np.pi * 220 * 2 ** ((tone + root) / 12) * times) for tone in (0, 4, 7)]
    sound: Samples = (0.5 * click + 0.1 * np.sum(tones, axis=0) / 3).astype(np.float32)
    return sound


def test_the_spectrogram_is_the_originals(clicks: Samples) -> None:
    """Bands and their rise agree with madmom's filters, by madmom_infer 0.2.0 on the same sound at
    22,050 Hz; over all values the difference was below 1e-6."""
    heard = log_spectrogram(clicks)
    assert heard.shape == (800, 272)
    columns = [5, 30, 60, 100, 141, 196, 236]
    golden = {
        100: [1.22897, 0.29013, 0.04976, 0.0051, 0.53371, 0.03377, 0.00352],
        125: [0.1719, 0.1842, 0.28611, 0.05334, 0.11274, 0.17661, 0.03621],
        400: [1.24109, 0.08836, 0.0234, 0.00556, 0.53649, 0.01601, 0.00383],
    }
    for frame, values in golden.items():
        assert heard[frame, columns] == pytest.approx(values, abs=1e-4)


def test_the_activations_are_the_originals(clicks: Samples) -> None:
    """Beat and downbeat agree with the published weights run by PyTorch 2.13, the mean of all
    three; over all frames the difference was below 3e-4."""
    heard = hear_activations(clicks)
    golden = {
        100: (0.227, 0.685),
        175: (0.656, 0.205),
        300: (0.136, 0.809),
        350: (0.358, 0.542),
        525: (0.654, 0.224),
        775: (0.642, 0.219),
    }
    for frame, (beat, downbeat) in golden.items():
        assert heard.beat[frame] == pytest.approx(beat, abs=2e-3)
        assert heard.downbeat[frame] == pytest.approx(downbeat, abs=2e-3)


def test_stretches_and_pieces_hear_what_the_whole_does(
    clicks: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cutting a song changes activations by less than a hundredth, and their number not at all."""
    song = np.tile(clicks, 2)
    monkeypatch.setattr(crnn, "_STRETCH_FRAMES", 10_000)
    whole = hear_activations(song)
    monkeypatch.setattr(crnn, "_STRETCH_FRAMES", 500)
    for piece in (30_000, 900):
        monkeypatch.setattr(crnn, "_PIECE_FRAMES", piece)
        cut = hear_activations(song)
        assert cut.beat == pytest.approx(whole.beat, abs=0.01)
        assert cut.downbeat == pytest.approx(whole.downbeat, abs=0.01)


def test_silence_and_scraps_have_no_beats() -> None:
    """Silence activates nothing for long, and a sound shorter than a frame is no trouble."""
    silence = hear_activations(np.zeros(10 * RATE_HZ, dtype=np.float32))
    assert (silence.beat + silence.downbeat)[100:].max() < 0.3
    assert len(hear_activations(np.zeros(10, dtype=np.float32)).beat) == 1


def test_without_a_checkpoint_the_network_is_the_built_in_one(tmp_path: Path) -> None:
    """No folder of models, or none in it for beats, means no other model."""
    assert find_beat_model(None, "cpu") is None
    assert find_beat_model(tmp_path, "cpu") is None

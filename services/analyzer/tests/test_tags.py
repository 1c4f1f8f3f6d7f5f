"""Tags: the weights are those of musicnn, and so are the numbers."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight_analyzer.meaning.labels import MSD_LABELS, MTT_LABELS, group_of
from soundsight_analyzer.meaning.musicnn import BLOCK_FRAMES, MEL_BANDS, PATCH_FRAMES
from soundsight_analyzer.meaning.tags import (
    BLOCK_S,
    MODEL_RATE_HZ,
    PATCH_S,
    TAGGERS,
    Tagger,
    TagWindows,
    cut_patches,
    hear_tags,
    mel_spectrogram,
    run_network,
)
from soundsight_analyzer.spectra import RATE_HZ

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples

# Probabilities of two patches of `plucks()`. Made with a forward pass in numpy, in float64,
# straight from the checkpoints of musicnn 0.1.0 (PyPI), without TensorFlow, essentia or this
# package.
GOLDEN = json.loads((Path(__file__).parent / "musicnn_golden.json").read_text())


def plucks() -> Samples:
    """Six seconds at 16 kHz of plucked strings and bursts of noise, the same on every machine."""
    count = 96_000
    times = np.arange(count) / MODEL_RATE_HZ
    sound = np.zeros(count)
    for number, hz in enumerate((110.0, 164.81, 220.0, 277.18, 329.63)):
        decay = np.exp(-2.0 * ((times + 0.1 * number) % 0.5))
        sound += 0.12 * np.sin(2 * np.pi * hz * times) * decay
    mixed = np.arange(count, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(12345)
    noise = (mixed % np.uint64(65536)).astype(np.float64) / 32768 - 1
    return (sound + 0.1 * noise * np.exp(-30.0 * (times % 0.25))).astype(np.float32)


def patches_of(samples: Samples) -> Samples:
    mel = mel_spectrogram(samples)
    return np.stack([mel[:PATCH_FRAMES], mel[PATCH_FRAMES : 2 * PATCH_FRAMES]])


@pytest.mark.parametrize("tagger", TAGGERS, ids=lambda tagger: tagger.id)
def test_numbers_are_those_of_the_original(tagger: Tagger) -> None:
    """Every probability agrees with the original network's to 1e-5."""
    found = run_network(tagger, patches_of(plucks()))
    assert np.abs(found - np.asarray(GOLDEN[tagger.id])).max() < 1e-5


def test_strides_do_not_matter() -> None:
    """Patches that are views into a larger array give the same numbers as copies."""
    patches = patches_of(plucks())
    strided = np.repeat(patches, 2, axis=2)[:, :, ::2]
    assert not strided.flags["C_CONTIGUOUS"]
    for tagger in TAGGERS:
        assert np.array_equal(run_network(tagger, strided), run_network(tagger, patches))


def test_weights_are_those_that_are_named() -> None:
    """SHA256SUMS names all weights as they lie there."""
    folder = files("soundsight_analyzer") / "weights"
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    named = {line.split()[1] for line in lines}
    assert named == {file.name for file in folder.iterdir() if file.name.endswith(".npz")}
    assert named >= {tagger.file for tagger in TAGGERS}
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_labels_are_complete() -> None:
    """Each model has fifty different tags, in lower case, each in a group of the contract."""
    groups = {"genre", "mood", "instrument", "voice", "era"}
    for labels in (MSD_LABELS, MTT_LABELS):
        assert len(set(labels)) == 50
        assert all(label == label.lower() and group_of(label) in groups for label in labels)


def test_the_example_song_is_electronic(example_song: KnownSong) -> None:
    """Synthesisers are heard as such, and progress ends when all windows are done."""
    steps: list[tuple[int, int]] = []
    heard = hear_tags(example_song.samples, RATE_HZ, lambda done, all_: steps.append((done, all_)))
    assert heard is not None
    best = {
        tagger.id: tagger.labels[int(heard.mean(tagger, 0.0, 47.0).argmax())] for tagger in TAGGERS
    }
    assert best["musicnn-msd"] == "electronic"
    assert best["musicnn-mtt"] in {"electronic", "synth", "techno"}
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


@pytest.mark.parametrize("seconds", [0.6, 2.9, 3.1])
def test_short_sounds_have_tags(noise: Samples, seconds: float) -> None:
    """A sound shorter than a window is heard as one; values are probabilities."""
    heard = hear_tags(noise[: round(seconds * RATE_HZ)], RATE_HZ)
    assert heard is not None
    for values in heard.probabilities.values():
        assert values.shape == (1, 50)
        assert ((values >= 0) & (values <= 1)).all()


def test_nothing_has_no_tags(noise: Samples) -> None:
    """Silence and a moment are not tagged."""
    assert hear_tags(0 * noise, RATE_HZ) is None
    assert hear_tags(noise[:100], RATE_HZ) is None


def test_sections_get_the_windows_inside_them() -> None:
    """The mean over a stretch is that of the windows in it, or of the nearest."""
    values = np.zeros((10, 50))
    values[:, 0] = np.arange(10)
    windows = TagWindows(hop_s=PATCH_S, probabilities={TAGGERS[0].id: values})
    assert windows.mean(TAGGERS[0], 0.0, 2 * PATCH_S)[0] == 0.5
    assert windows.mean(TAGGERS[0], 7.1 * PATCH_S, 7.2 * PATCH_S)[0] == 7
    assert windows.mean(TAGGERS[0], 99.0, 100.0)[0] == 9


def test_windows_between_patches_are_nearly_those_of_the_network() -> None:
    """A window pooled from blocks of two patches is named nearly as the same stretch by itself."""
    sound = np.concatenate([plucks(), 0.3 * plucks()[::-1], plucks()])
    heard = hear_tags(np.asarray(sound, dtype=np.float32), MODEL_RATE_HZ)
    assert heard is not None
    number = 5
    start = number * round(heard.hop_s / BLOCK_S) * BLOCK_FRAMES
    assert start % PATCH_FRAMES
    alone = mel_spectrogram(sound)[None, start : start + PATCH_FRAMES]
    for tagger in TAGGERS:
        pooled = heard.probabilities[tagger.id][number]
        assert np.abs(pooled - run_network(tagger, alone)[0]).mean() < 0.01


@pytest.mark.parametrize(("frames", "patches"), [(5, 1), (187, 1), (203, 1), (204, 2), (374, 2)])
def test_the_end_of_the_song_is_heard(frames: int, patches: int) -> None:
    """What fills at least a block at the end gets a patch of its own, filled up with silence."""
    cut = cut_patches(np.ones((frames, MEL_BANDS), dtype=np.float32))
    assert cut.shape == (patches, PATCH_FRAMES, MEL_BANDS)
    assert cut.sum() == min(frames, patches * PATCH_FRAMES) * MEL_BANDS

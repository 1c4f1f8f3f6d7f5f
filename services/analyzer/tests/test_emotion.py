"""Valence and arousal move the way music moves people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight_analyzer.harmony.key import Key
from soundsight_analyzer.meaning.emotion import feel
from soundsight_analyzer.meaning.tags import PATCH_S, TAGGERS, TagWindows
from soundsight_analyzer.rhythm.tracking import NO_RHYTHM
from soundsight_analyzer.spectra import RATE_HZ, analyse_frames

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples


def tagged(**scores: float) -> TagWindows:
    """Windows for ten seconds in which exactly these tags are heard."""
    probabilities = {}
    for tagger in TAGGERS:
        row = [scores.get(label.replace(" ", "_"), 0.0) for label in tagger.labels]
        probabilities[tagger.id] = np.tile(np.asarray(row), (4, 1))
    return TagWindows(hop_s=PATCH_S, probabilities=probabilities)


def sound(amplitude: float, noise: Samples) -> Samples:
    return amplitude * noise[: 10 * RATE_HZ]


def test_loud_and_busy_is_aroused(example_song: KnownSong) -> None:
    """The choruses of the example song are more exciting than its intro and outro."""
    felt = feel(example_song.frames, None)
    by_function: dict[str, list[float]] = {}
    for section in example_song.truth.sections:
        _, arousal = felt.mean(section.start_s, section.end_s)
        by_function.setdefault(section.function, []).append(arousal)
    assert min(by_function["chorus"]) > max(by_function["intro"] + by_function["outro"])


def test_louder_is_more_arousing(noise: Samples) -> None:
    """The same sound, louder, has more arousal."""
    quiet, loud = (feel(analyse_frames(sound(a, noise)), None) for a in (0.05, 1.0))
    assert loud.arousal.mean() > quiet.arousal.mean() + 0.2


def test_words_place_the_emotion(noise: Samples) -> None:
    """Happy is pleasant, sad is not; metal excites, ambient calms."""
    frames = analyse_frames(sound(0.5, noise))
    happy, sad = (feel(frames, tagged(**{word: 0.4})) for word in ("happy", "sad"))
    assert happy.valence.mean() > 0.1 > -0.1 > sad.valence.mean()
    metal, ambient = (feel(frames, tagged(**{word: 0.6})) for word in ("metal", "ambient"))
    assert metal.arousal.mean() > ambient.arousal.mean() + 0.4


def test_minor_is_darker(noise: Samples) -> None:
    """Minor lowers valence against major, and more so the surer the key is."""
    frames = analyse_frames(sound(0.5, noise))

    def valence(*, minor: bool, confidence: float) -> float:
        return float(feel(frames, None, [Key("C", minor, confidence)]).valence.mean())

    assert valence(minor=True, confidence=1.0) < valence(minor=True, confidence=0.2) < 0
    assert valence(minor=False, confidence=1.0) > 0
    assert valence(minor=False, confidence=0.0) == 0


@pytest.mark.parametrize("length", [1, 1000, 3 * RATE_HZ])
@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_values_stay_on_the_circumplex(noise: Samples, length: int, gain: float) -> None:
    """However short or quiet the sound, there is at least one value, and all lie in [-1, 1]."""
    felt = feel(analyse_frames(gain * noise[:length]), None)
    assert len(felt.valence) == len(felt.arousal) >= 1
    for values in (felt.valence, felt.arousal):
        assert np.isfinite(values).all()
        assert np.abs(values).max() <= 1


def test_fast_is_more_arousing(noise: Samples) -> None:
    """The same sound has more arousal at a faster tempo, and the surer the tempo the more so."""
    frames = analyse_frames(sound(0.5, noise))

    def arousal(tempo_bpm: float, confidence: float) -> float:
        rhythm = replace(NO_RHYTHM, tempo_bpm=tempo_bpm, tempo_confidence=confidence)
        return float(feel(frames, None, rhythm=rhythm).arousal.mean())

    without = float(feel(frames, None).arousal.mean())
    assert arousal(70, 1.0) < arousal(70, 0.3) < without < arousal(170, 0.3) < arousal(170, 1.0)
    assert arousal(170, 0.0) == without


def test_mode_counts_where_it_holds(noise: Samples) -> None:
    """A song that turns from minor to major grows brighter there."""
    frames = analyse_frames(sound(0.5, noise))
    felt = feel(frames, None, [Key("A", True, 1.0), Key("C", False, 1.0, start_s=5.0)])
    before, _ = felt.mean(0.0, 3.0)
    after, _ = felt.mean(7.0, 10.0)
    assert before < 0 < after


def test_less_evidence_is_less_sure(noise: Samples) -> None:
    """Without tags confidence is lower, and valence is never as sure as arousal."""
    frames = analyse_frames(sound(0.5, noise))
    tagless, with_tags = feel(frames, None), feel(frames, tagged(happy=0.4))
    assert tagless.valence_confidence < with_tags.valence_confidence
    assert tagless.arousal_confidence < with_tags.arousal_confidence
    assert with_tags.valence_confidence < with_tags.arousal_confidence

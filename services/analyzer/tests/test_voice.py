"""Voices are heard where they are, and not where they are not; instruments lead for phrases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from speaking import Note, speak

from songsmith import compose, render
from soundsight_analyzer.meaning.instruments import hear_instruments
from soundsight_analyzer.meaning.tags import BLOCK_S, PATCH_S, TAGGERS, TagWindows, hear_tags
from soundsight_analyzer.meaning.voice import Register, Voice, hear_voice
from soundsight_analyzer.spectra import RATE_HZ

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import Samples

HOP_S = 3 * BLOCK_S
SUNG_FROM_S, SUNG_TO_S = 12.0, 26.0


def windows(*stretches: tuple[int, dict[str, float]]) -> TagWindows:
    """So many windows each in which these tags have these probabilities, others none."""
    probabilities = {}
    for tagger in TAGGERS:
        rows = [
            [scores.get(label, 0.0) for label in tagger.labels]
            for count, scores in stretches
            for _ in range(count)
        ]
        probabilities[tagger.id] = np.asarray(rows)
    return TagWindows(hop_s=HOP_S, probabilities=probabilities)


def length_s(tags: TagWindows) -> float:
    return (len(tags) - 1) * HOP_S + PATCH_S


# Of about the sizes that the taggers give.
VOICED = {
    "vocal": 0.3, "vocals": 0.2, "voice": 0.1, "singing": 0.2, "no vocals": 0.02,
    "instrumental": 0.02, "female vocalists": 0.2,
}  # fmt: skip
UNVOICED = {
    "vocal": 0.005, "no vocals": 0.15, "no vocal": 0.1, "instrumental": 0.2,
    "female vocalists": 0.03,
}  # fmt: skip


@pytest.fixture(scope="module")
def backing() -> Samples:
    """Forty seconds of a song without a voice."""
    form = (("intro", 4), ("verse", 8), ("outro", 8))
    song = compose(seed=5, tempo_bpm=120.0, form=form)
    return np.asarray(render(song).mean(axis=1) / 32768.0, dtype=np.float32)


def with_a_voice(backing: Samples, *, pitch: int) -> Samples:
    """The same song with words sung over its middle, as loud as itself."""
    words = ("morning", "light", "falling", "river", "waiting", "open", "summer", "home") * 3
    step_s = (SUNG_TO_S - SUNG_FROM_S) / len(words)
    notes = [
        Note(SUNG_FROM_S + number * step_s, pitch=pitch + 3 * (number % 4), pace_wpm=110)
        for number in range(len(words))
    ]
    said = speak(words, notes, melodic=True).samples[: len(backing)]
    voice = np.pad(said, (0, len(backing) - len(said)))
    sounding = voice[np.abs(voice) > 0.01]
    loudness = float(np.sqrt(np.mean(backing**2)) / np.sqrt(np.mean(sounding**2)))
    return backing + loudness * voice


def heard(samples: Samples) -> Voice:
    tags = hear_tags(samples, RATE_HZ)
    assert tags is not None
    return hear_voice(tags, len(samples) / RATE_HZ)


def test_a_song_without_a_voice_is_instrumental(backing: Samples) -> None:
    """No voice, no spans, no register; and the verdict is more than a guess."""
    voice = heard(backing)
    assert voice.instrumental
    assert voice.confidence > 0.5
    assert voice.spans == ()
    assert voice.register is Register.UNSPECIFIED


def test_a_voice_is_heard_where_it_is(backing: Samples) -> None:
    """Most of what is sung is heard as voice, and little of what is not."""
    voice = heard(with_a_voice(backing, pitch=50))
    assert not voice.instrumental
    moments = np.arange(0.0, len(backing) / RATE_HZ, 0.1)
    found = np.any([(moments >= s.start_s) & (moments < s.end_s) for s in voice.spans], axis=0)
    sung = (moments >= SUNG_FROM_S) & (moments < SUNG_TO_S)
    assert found[sung].mean() > 0.7
    # A window hears a second and a half to either side.
    far = (moments < SUNG_FROM_S - 2.0) | (moments >= SUNG_TO_S + 2.0)
    assert found[far].mean() < 0.2


def test_spans_lie_in_the_song_in_order() -> None:
    """Two sung stretches are two spans, without overlap, from the first sample to the last."""
    tags = windows((10, VOICED), (10, UNVOICED), (10, VOICED))
    voice = hear_voice(tags, length_s(tags))
    first, second = voice.spans
    assert first.start_s == 0.0 and second.end_s == pytest.approx(length_s(tags))
    assert first.end_s < second.start_s
    assert min(first.probability, second.probability) > 0.5


def test_no_voice_words_mean_no_voice() -> None:
    """What both taggers call instrumental is, surely; what neither does is not."""
    empty, full = (
        hear_voice(tags, length_s(tags))
        for tags in (windows((20, UNVOICED)), windows((20, VOICED)))
    )
    assert empty.instrumental and not full.instrumental
    assert min(empty.confidence, full.confidence) > 0.6


@pytest.mark.parametrize(
    ("tags", "register"),
    [
        ({"female": 0.3, "woman": 0.2, "male": 0.02}, Register.HIGH),
        ({"male": 0.3, "man": 0.2, "female": 0.02}, Register.LOW),
        ({"male": 0.1, "female": 0.1}, Register.UNSPECIFIED),
        ({"hip-hop": 0.7, "male": 0.3}, Register.UNPITCHED),
    ],
)
def test_registers(tags: dict[str, float], register: Register) -> None:
    """Women's words make a high voice, men's a low one, and rap has no pitch to speak of."""
    sung = windows((20, VOICED | tags))
    assert hear_voice(sung, length_s(sung)).register is register


def test_growls_have_no_pitch() -> None:
    """Metal with a voice that no listener would call singing is growled."""
    growled = {"metal": 0.7, "vocal": 0.03, "male": 0.02, "no vocals": 0.05, "instrumental": 0.02}
    tags = windows((20, growled))
    voice = hear_voice(tags, length_s(tags))
    assert not voice.instrumental
    assert voice.register is Register.UNPITCHED


def test_instruments_lead_for_phrases() -> None:
    """A piano leads, then a flute; a moment of something else changes nothing; nobody may lead."""
    piano, flute = {"piano": 0.6, "strings": 0.1}, {"flute": 0.5, "piano": 0.1}
    tags = windows((8, piano), (1, {"piano": 0.3, "harp": 0.35}), (8, piano), (8, flute), (8, {}))
    first, second = hear_instruments(tags, length_s(tags))
    assert (first.instrument, second.instrument) == ("piano", "flute")
    assert first.start_s == 0.0
    assert first.end_s == second.start_s
    assert second.end_s < length_s(tags)
    assert 0.3 < second.confidence < first.confidence < 0.7


def test_a_rare_instrument_needs_less() -> None:
    """Where a guitar and a harp are as likely, the harp leads: guitars are everywhere."""
    tags = windows((8, {"guitar": 0.3, "harp": 0.3}))
    (only,) = hear_instruments(tags, length_s(tags))
    assert only.instrument == "harp"

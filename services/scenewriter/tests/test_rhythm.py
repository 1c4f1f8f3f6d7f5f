"""The rhythm of editing: it builds up, holds its breath, and lets people finish their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_scenewriter.planning.passages import Passage, PassageKind, passages
from soundsight_scenewriter.planning.planner import plan
from soundsight_scenewriter.planning.types import ClipLimits, Pace, Plan, Shot
from soundsight_scenewriter.planning.words import EDGE_S, SungWords
from soundsight_scenewriter.song import (
    Curve,
    CurveName,
    Event,
    EventName,
    Floats,
    Function,
    Section,
    Song,
)
from soundsight_scenewriter.timeline import Timeline

RATE = 24
ROOMY = ClipLimits(1, 100_000)
HOP_S = 0.1
BUILD_UP, BREAK, DROP = EventName.BUILD_UP, EventName.BREAK, EventName.DROP


def song(bpm: float, parts: Sequence[tuple[int, float, float]], *events: Event) -> Song:
    """A song in 4/4 of parts (bars, energy at their start, energy at their end), all of one kind.

    Events are in bars.
    """
    bar_s = 240.0 / bpm
    bounds = np.cumsum([0, *(bars for bars, _, _ in parts)]) * bar_s
    energy = np.concatenate(
        [np.linspace(low, high, round(bars * bar_s / HOP_S)) for bars, low, high in parts]
    )
    beats = np.arange(round(bounds[-1] / bar_s) * 4) * bar_s / 4
    return Song(
        duration_s=float(bounds[-1]),
        beats_s=beats,
        positions=np.arange(beats.size) % 4 + 1,
        beats_confidence=0.9,
        beats_per_bar=4,
        tempo_bpm=bpm,
        sections=tuple(
            Section(
                index, float(start), float(end), "ABCDEFGH"[index], 1, Function.UNKNOWN,
                (low + high) / 2, 0.0, 0.5,
            )
            for index, ((_, low, high), (start, end)) in enumerate(
                zip(parts, pairwise(bounds), strict=True)
            )
        ),
        sections_found=True,
        events=tuple(replace(e, time_s=e.time_s * bar_s, duration_s=e.duration_s * bar_s)
                     for e in events),
        curves={CurveName.ENERGY: Curve(HOP_S, energy)},
        arousal=0.5,
    )  # fmt: skip


def planned(heard: Song, *, pace: Pace = Pace.STANDARD, early: int = 0, seed: int = 0) -> Plan:
    """The plan of a song at 24 frames per second."""
    return plan(heard, timeline(heard), ROOMY, pace=pace, anticipation_frames=early, seed=seed)


def timeline(heard: Song) -> Timeline:
    """The video over a song."""
    return Timeline(max(1, round(heard.duration_s * RATE)), RATE, 1)


def between(made: Plan, start_s: float, end_s: float) -> list[Shot]:
    """The shots that start within a stretch of the song, give or take five frames."""
    low, high = start_s * RATE - 5.0, end_s * RATE - 5.0
    return [shot for shot in made.shots if low <= shot.start_frame < high]


@given(
    bpm=st.sampled_from([84.0, 100.0, 120.0, 128.0, 140.0, 174.0]),
    bars=st.sampled_from([4, 8, 16]),
    pace=st.sampled_from(Pace),
    early=st.sampled_from([0, 2]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_a_build_up_accelerates_into_its_drop(
    bpm: float, bars: int, pace: Pace, early: int, seed: int
) -> None:
    """Over a build-up no shot is longer than the one before it, the last ones are far shorter than
    the first, and the drop is cut to the frame."""
    heard = song(
        bpm, [(16, 0.4, 0.4), (bars, 0.3, 0.8), (16, 0.95, 0.95)],
        Event(BUILD_UP, 16, bars), Event(DROP, 16 + bars, 0),
    )  # fmt: skip
    made = planned(heard, pace=pace, early=early, seed=seed)
    build_up, drop = heard.events
    lengths = [shot.frames for shot in between(made, build_up.time_s, drop.time_s)]
    # Beats do not lie on frames: equal shots may differ by one.
    assert all(after <= before + 1 for before, after in pairwise(lengths)), lengths
    assert len(lengths) >= 2
    assert lengths[-1] <= 0.67 * lengths[0], lengths
    on_drop = round(drop.time_s * RATE) - early
    assert on_drop in {shot.start_frame for shot in made.shots}


@given(
    bpm=st.sampled_from([84.0, 100.0, 120.0, 140.0, 174.0]),
    bars=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_a_break_is_one_held_shot(bpm: float, bars: int, seed: int) -> None:
    """A break of up to nine seconds is a shot of its own: cut as it comes, held until it ends."""
    heard = song(
        bpm, [(17, 0.9, 0.9), (min(bars, int(9.0 * bpm / 240.0)), 0.2, 0.2), (16, 0.95, 0.95)]
    )
    quiet = heard.sections[1]
    # Without section starts to help: the events alone say it.
    whole = replace(heard.sections[0], end_s=heard.duration_s)
    lasts_s = quiet.end_s - quiet.start_s
    events = (Event(BREAK, quiet.start_s, lasts_s), Event(DROP, quiet.end_s, 0.0))
    heard = replace(heard, sections=(whole,), events=events)
    (held,) = between(planned(heard, seed=seed), quiet.start_s, quiet.end_s)
    assert held.frames == pytest.approx(lasts_s * RATE, abs=1)


def test_a_long_break_is_held_in_few_shots() -> None:
    """Sixteen seconds of break are two shots of eight."""
    parts = [(16, 0.9, 0.9), (8, 0.2, 0.2), (16, 0.9, 0.9)]
    heard = song(120.0, parts, Event(BREAK, 16, 8), Event(DROP, 24, 0))
    assert [shot.frames for shot in between(planned(heard), 32.0, 48.0)] == [192, 192]


def test_the_quiet_before_the_climax_is_held() -> None:
    """Bars that fall quiet before the climax are held, though the analysis calls them no break."""
    parts = [(16, 0.7, 0.7), (4, 0.25, 0.25), (16, 0.95, 0.95)]
    climax = Event(EventName.CLIMAX, 20, 0)
    heard = song(120.0, parts, climax)
    assert passages(heard) == (Passage(PassageKind.BREATH, 32.0, 40.0),)
    whole = replace(heard.sections[0], end_s=heard.duration_s)
    made = planned(replace(heard, sections=(whole,)))
    held, loud = between(made, 32.0, 40.0), between(made, 40.0, 72.0)
    assert sum(shot.frames for shot in held) == len(held) * 8 * RATE
    assert np.mean([shot.frames for shot in loud]) < 4 * RATE


def test_a_build_up_ends_where_it_leads() -> None:
    """It reaches its drop though the analysis ends it a bar early; without a goal it says so."""
    parts = [(8, 0.4, 0.4), (8, 0.4, 0.7), (8, 0.4, 0.4)]
    leading = song(120.0, parts, Event(BUILD_UP, 8, 7), Event(DROP, 16, 0))
    assert passages(leading) == (Passage(PassageKind.BUILD_UP, 16.0, 32.0, leads=True),)
    idle = song(120.0, parts, Event(BUILD_UP, 8, 7))
    assert passages(idle) == (Passage(PassageKind.BUILD_UP, 16.0, 30.0, leads=False),)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_passages_never_overlap(data: st.DataObject) -> None:
    """Passages follow each other within the song, whatever events the analysis holds."""
    events = data.draw(
        st.lists(
            st.builds(Event, st.sampled_from(EventName), st.floats(-5, 50), st.floats(0, 50)),
            max_size=8,
        )
    )
    heard = song(120.0, [(20, 0.2, 0.9), (20, 0.3, 0.9)], *events)
    found = passages(heard)
    assert all(0.0 <= each.start_s < each.end_s <= heard.duration_s for each in found)
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))


def sung(heard: Song, word_s: float, rest_s: float, words: int) -> Song:
    """The song with lines of words that follow each other without a gap, with rests between."""
    line_s = word_s * words + rest_s
    starts = np.arange(0.13, heard.duration_s - line_s, line_s)
    begins = (starts[:, None] + np.arange(words) * word_s).ravel()
    return replace(heard, words_s=np.stack([begins, begins + word_s], axis=1), lines_s=starts)


POP = song(120.0, [(16, 0.6, 0.6), (16, 0.9, 0.9), (16, 0.6, 0.6), (16, 0.95, 0.95)])


def torn(words_s: Floats, made: Plan) -> list[Shot]:
    """Shots that begin within a word, further from its edges than half a frame and 20 ms."""
    starts_s, ends_s = words_s.T
    edge_s = 0.5 / RATE + EDGE_S
    return [
        shot
        for shot in made.shots[1:]
        if np.any(
            (shot.start_frame / RATE > starts_s + edge_s)
            & (shot.start_frame / RATE < ends_s - edge_s)
        )
    ]


@pytest.mark.parametrize("early", [0, 2])
def test_nobody_is_cut_off(early: int) -> None:
    """Cuts that tear a word move to other beats: only section starts with no such beat are left,
    and the film keeps its pace."""
    plain, heard = planned(POP, early=early), sung(POP, 0.37, 0.7, 6)
    made = planned(heard, early=early)
    assert len(torn(heard.words_s, plain)) > 5
    assert len(torn(heard.words_s, made)) <= len(POP.sections) - 1
    assert len(made.shots) > 0.8 * len(plain.shots)
    on_beat = {round(beat * RATE) - early for beat in POP.beats_s}
    assert all(shot.start_frame in on_beat for shot in made.shots[1:])


def test_a_section_starts_beside_a_word_if_it_can() -> None:
    """A section's cut moves from its downbeat to a near beat that tears no word, or stays."""

    def second_section_s(start_s: float, end_s: float) -> float:
        heard = replace(POP, words_s=np.array([[start_s, end_s]]))
        made = planned(heard)
        return next(shot.start_frame for shot in made.shots if shot.section_index == 1) / RATE

    assert second_section_s(10.0, 11.0) == 32.0
    assert second_section_s(31.8, 32.7) == 31.5
    assert second_section_s(31.3, 32.2) == 32.5
    assert second_section_s(31.3, 32.7) == 32.0


def test_shots_open_with_lines() -> None:
    """More lines begin with a shot, at most a beat before the first word, when lines are known."""
    heard = sung(POP, 0.3, 2.0, 6)

    def opened(made: Plan) -> int:
        cuts_s = np.array([shot.start_frame / RATE for shot in made.shots])
        ahead_s = heard.lines_s[:, None] - cuts_s
        return int(np.any((ahead_s > -0.03) & (ahead_s <= POP.beat_s), axis=1).sum())

    deaf = replace(heard, lines_s=np.empty(0))
    assert sum(opened(planned(heard, seed=s)) - opened(planned(deaf, seed=s)) for s in range(5)) > 0


def test_words_of_several_singers_may_overlap() -> None:
    """A short word within a long one does not open the long one to cuts."""
    words = SungWords(np.array([[1.0, 3.0], [1.2, 1.5]]), Timeline(240, RATE, 1))
    frames = np.array([24, 34, 40, 60, 72])
    assert words.torn_by(frames).tolist() == [False, True, True, True, False]
    assert not SungWords(np.empty((0, 2)), Timeline(240, RATE, 1)).torn_by(frames).any()

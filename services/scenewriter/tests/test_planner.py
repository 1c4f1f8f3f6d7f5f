"""The planner: what holds for every song, rate and backend, and its taste in ordinary songs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_scenewriter.planning.anchors import (
    SECTION_ERROR_S,
    drops,
    section_starts,
    snap_to_pulse,
)
from soundsight_scenewriter.planning.cues import SongMusic
from soundsight_scenewriter.planning.planner import LOW_CONFIDENCE, MOST_SHOTS, plan
from soundsight_scenewriter.planning.types import (
    CUT,
    SHORTEST_SHOT_S,
    Candidate,
    ClipLimits,
    Pace,
    Plan,
    Reason,
)
from soundsight_scenewriter.planning.words import SungWords
from soundsight_scenewriter.reading import read_song
from soundsight_scenewriter.song import (
    Curve,
    CurveName,
    Event,
    EventName,
    Function,
    Section,
    Song,
)
from soundsight_scenewriter.timeline import Timeline

ROOMY = ClipLimits(1, 100_000)
LONGEST_VIDEO_FRAMES = 300_000


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Videos from one frame to two hours, at any rational rate that keeps them small."""
    num = draw(st.one_of(st.sampled_from([24, 24_000, 30_000, 60, 1, 25]), st.integers(1, 240_000)))
    den = draw(st.one_of(st.sampled_from([1, 1001]), st.integers(1, 5_000)))
    longest = min(7200.0 * num / den, float(LONGEST_VIDEO_FRAMES))
    frames = draw(st.one_of(st.integers(1, 40), st.integers(1, max(1, int(longest)))))
    return Timeline(frames, num, den)


@st.composite
def songs(draw: st.DrawFn, duration_s: float) -> Song:
    """Songs with steady, wandering, sparse or no beats, known bars or not, any sections."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    beat_s = draw(st.floats(0.2, 3.0))
    per_bar = draw(st.sampled_from([2, 3, 4, 5, 7]))
    count = min(int(duration_s / beat_s), 20_000) if draw(st.booleans()) else 0
    steps = beat_s * (1.0 + draw(st.sampled_from([0.0, 0.05, 0.9])) * chance.uniform(-1, 1, count))
    beats = np.cumsum(steps)
    beats = beats[beats < duration_s]
    if draw(st.booleans()):
        beats = beats[beats > duration_s * draw(st.floats(0.0, 1.0))]
    positions = np.arange(beats.size) % per_bar + 1
    if draw(st.booleans()):
        positions[:] = 0
    edges = np.sort(chance.uniform(0, duration_s, draw(st.integers(0, 12))))
    bounds = [0.0, *edges.tolist(), duration_s]
    sections = tuple(
        Section(
            index, start, end, "ABCD"[index % 4], index // 4 + 1, Function.UNKNOWN,
            float(chance.uniform()), float(chance.uniform(-1, 1)), float(chance.uniform(-1, 1)),
        )
        for index, (start, end) in enumerate(itertools.pairwise(bounds))
    )  # fmt: skip
    hop_s = max(0.02, duration_s / 5_000)
    size = int(duration_s / hop_s) + 1
    curves = {}
    if draw(st.booleans()):
        for name in (CurveName.ENERGY, CurveName.ONSET):
            curves[name] = Curve(hop_s, chance.uniform(0, 1, size))
    gaps = chance.exponential(draw(st.sampled_from([0.1, 0.4, 4.0])), (min(500, count + 8), 2))
    words = np.cumsum(gaps).reshape(-1, 2) if draw(st.booleans()) else np.empty((0, 2))
    events = tuple(
        Event(name, float(chance.uniform(0, duration_s)), float(chance.uniform(0, 20)))
        for name in draw(st.lists(st.sampled_from(list(EventName)), max_size=4))
    )
    return Song(
        duration_s=duration_s,
        beats_s=beats,
        positions=positions,
        beats_confidence=draw(st.one_of(st.none(), st.floats(0, 1))),
        beats_per_bar=per_bar,
        tempo_bpm=60.0 / beat_s,
        sections=sections,
        sections_found=True,
        events=events,
        curves=curves,
        words_s=words[words[:, 0] < duration_s],
        lines_s=words[::6, 0][words[::6, 0] < duration_s],
        arousal=draw(st.floats(-1, 1)),
    )


@st.composite
def limits_for(draw: st.DrawFn, timeline: Timeline) -> ClipLimits:
    """Limits of any backend that could film the video in some thousand clips."""
    least = max(1, timeline.frames // 2_000)
    most = draw(st.one_of(st.integers(least, least + 200), st.integers(least, least + 100_000)))
    return ClipLimits(draw(st.integers(1, most)), most)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that `plan` takes."""
    timeline = draw(timelines())
    return {
        "song": draw(songs(timeline.duration_s)),
        "timeline": timeline,
        "limits": draw(limits_for(timeline)),
        "pace": draw(st.sampled_from(list(Pace))),
        "anticipation_frames": draw(st.integers(0, 3)),
        "seed": draw(st.integers(0, 2**63 - 1)),
    }


@given(case=cases())
@settings(max_examples=120, deadline=None)
def test_every_plan_keeps_its_invariants(case: dict[str, Any]) -> None:
    """Contiguous from 0, exact sum, limits kept, no short shot, every reason true."""
    timeline, limits, song = case["timeline"], case["limits"], case["song"]
    made = plan(**case)

    end = 0
    for take in made.takes:
        assert take.start_frame == end
        assert take.frames >= 1
        assert take.clip_frames <= limits.max_frames
        end += take.frames
    assert end == timeline.frames
    last_takes = [
        take
        for take, following in itertools.pairwise([*made.takes, None])
        if take is not None and (following is None or following.take_index == 0)
    ]
    assert all(take.clip_frames >= limits.min_frames for take in last_takes)
    assert all(take.frames >= limits.min_frames for take in made.takes if take not in last_takes)

    for take, following in itertools.pairwise(made.takes):
        if following.take_index > 0:
            assert following.take_index == take.take_index + 1
            assert following.section_index == take.section_index
            assert following.transition == CUT
            assert following.handle_in_frames == 0

    shortest = _shortest(case)
    assert all(shot.frames >= min(shortest, timeline.frames) for shot in made.shots)
    assert all(0 <= shot.section_index < len(song.sections) for shot in made.shots)
    _assert_reasons_true(made, song, timeline, case["anticipation_frames"])


def _shortest(case: dict[str, Any]) -> int:
    timeline, limits = case["timeline"], case["limits"]
    assert isinstance(timeline, Timeline) and isinstance(limits, ClipLimits)
    return max(limits.min_frames, timeline.length_frames(SHORTEST_SHOT_S))


def _assert_reasons_true(made: Plan, song: Song, timeline: Timeline, early_frames: int) -> None:
    """Each cut lies within half a frame of what it says it is cut on, less the anticipation."""
    moments = {
        Reason.DOWNBEAT: song.downbeats_s,
        Reason.BEAT: song.beats_s,
        # A section may start on a drop, or on a beat beside its downbeat for the sake of a word.
        Reason.SECTION: np.concatenate(
            [
                [snap_to_pulse(song, part.start_s)[0] for part in song.sections],
                [snap_to_pulse(song, event.time_s)[0] for event in song.events],
                song.beats_s,
            ]
        ),
        Reason.EVENT: np.array([snap_to_pulse(song, event.time_s)[0] for event in song.events]),
    }
    previous = 0
    for shot in made.shots[1:]:
        assert shot.start_frame > previous
        previous = shot.start_frame
        if shot.reason.on_pulse:
            moment = timeline.start_s(shot.start_frame + early_frames)
            error = np.min(np.abs(moments[shot.reason] - moment))
            # A section start that would lie before the video's first frame is held at it.
            assert error <= timeline.frame_s / 2 + 1e-6
        else:
            assert shot.reason is Reason.LENGTH


@given(case=cases())
@settings(max_examples=25, deadline=None)
def test_same_arguments_same_plan(case: dict[str, Any]) -> None:
    """Planning twice gives the same plan."""
    assert plan(**case) == plan(**case)


@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_boundaries_of_long_sections_are_cut(case: dict[str, Any]) -> None:
    """Where two sections are long enough, a shot starts on the boundary between them, and a chain
    of takes with it."""
    made, timeline = plan(**case), case["timeline"]
    starts = [0, *(start.frame for start in _section_starts(case)), timeline.frames]
    cut = {shot.start_frame for shot in made.shots}
    first_takes = {take.start_frame for take in made.takes if take.take_index == 0}
    shortest = _shortest(case)
    for before, start, after in zip(starts, starts[1:], starts[2:], strict=False):
        if start - before >= shortest and after - start >= shortest:
            assert start in cut & first_takes


def _section_starts(case: dict[str, Any]) -> list[Candidate]:
    words = SungWords(case["song"].words_s, case["timeline"])
    return section_starts(case["song"], case["timeline"], case["anticipation_frames"], words)


@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_section_starts_stay_near_what_was_heard(case: dict[str, Any]) -> None:
    """A section is cut at most a bar, or half a second, from where the analysis has it start."""
    song, timeline = case["song"], case["timeline"]
    before = 0
    for section, start in zip(song.sections[1:], _section_starts(case), strict=True):
        moment = timeline.start_s(start.frame + case["anticipation_frames"])
        reach_s = max(song.bar_s, SECTION_ERROR_S) + 5.0 * timeline.frame_s
        assert abs(moment - section.start_s) <= reach_s or start.frame == before
        before = start.frame


@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_drops_are_cut_to_the_frame(case: dict[str, Any]) -> None:
    """There is a cut on each drop, unless a section start or an end leaves no room for a shot."""
    song, timeline = case["song"], case["timeline"]
    made, shortest = plan(**case), _shortest(case)
    cut = {shot.start_frame for shot in made.shots[1:]}
    for drop in drops(song, timeline, case["anticipation_frames"]):
        near = {frame for frame in cut if abs(frame - drop.frame) < shortest}
        at_an_end = drop.frame < shortest or timeline.frames - drop.frame < shortest
        assert drop.frame in cut or at_an_end or near


@given(case=cases())
@settings(max_examples=120, deadline=None)
def test_words_are_torn_only_where_it_cannot_be_helped(case: dict[str, Any]) -> None:
    """A cut within a word is on a drop, or where a section starts and every near beat tears one."""
    song, timeline, early = case["song"], case["timeline"], case["anticipation_frames"]
    on_drops = {drop.frame for drop in drops(song, timeline, early)}
    sections = dict(zip((c.frame for c in _section_starts(case)), song.sections[1:], strict=True))
    for shot in plan(**case).shots[1:]:
        if not _tears(song, timeline, shot.start_frame) or shot.start_frame in on_drops:
            continue
        assert shot.reason is Reason.SECTION
        start_s = sections[shot.start_frame].start_s
        near = song.beats_s[np.abs(song.beats_s - start_s) <= SECTION_ERROR_S]
        assert all(_tears(song, timeline, timeline.nearest_frame(b) - early) for b in near)


def _tears(song: Song, timeline: Timeline, frame: int) -> bool:
    """Whether a cut on a frame lies within a word, further from its edges than beats are judged."""
    cut_s, edge_s = timeline.start_s(frame), timeline.frame_s / 2 + 0.020
    starts_s, ends_s = song.words_s.T
    return bool(np.any((cut_s > starts_s + edge_s + 1e-9) & (cut_s < ends_s - edge_s - 1e-9)))


@given(case=cases())
@settings(max_examples=40, deadline=None)
def test_cues_have_a_value_for_each_frame(case: dict[str, Any]) -> None:
    """Every clip of any plan has exactly as many values as frames, and its beats lie within it."""
    song, timeline = case["song"], case["timeline"]
    takes = plan(**case).takes
    music = SongMusic(song, timeline)
    for take in takes[:: max(1, len(takes) // 50)]:
        clip = music.clip(take)
        assert set(clip.curves) == set(song.curves)
        assert all(len(values) == take.clip_frames for values in clip.curves.values())
        for beats in (clip.beat_frames, clip.downbeat_frames):
            assert list(beats) == sorted(set(beats))
            assert all(0 <= beat < take.clip_frames for beat in beats)


@pytest.mark.parametrize("style", ["metal", "ambient", "pop", "orchestral"])
@pytest.mark.parametrize("rate", [(24, 1), (30_000, 1001), (25, 1)])
def test_cuts_lie_on_beats(style: str, rate: tuple[int, int], styles: Any, frames_of: Any) -> None:
    """With a steady pulse every cut is within half a frame of a beat, most are on downbeats."""
    analysis = styles[style].analysis()
    timeline = Timeline(frames_of(analysis, *rate), *rate)
    song = read_song(analysis, timeline)
    made = plan(song, timeline, ROOMY, seed=3)
    cuts = np.array([timeline.start_s(shot.start_frame) for shot in made.shots[1:]])
    to_beat = np.abs(cuts[:, None] - song.beats_s).min(axis=1)
    to_downbeat = np.abs(cuts[:, None] - song.downbeats_s).min(axis=1)
    half = timeline.frame_s / 2 + 1e-9
    assert np.mean(to_beat <= half) == 1.0
    assert np.mean(to_downbeat <= half) >= 0.9


@pytest.mark.parametrize("early", [1, 2, 3])
def test_anticipation_moves_cuts_ahead_of_their_beats(
    early: int, styles: Any, frames_of: Any
) -> None:
    """With anticipation every cut on the pulse comes exactly that many frames early."""
    analysis = styles["pop"].analysis()
    timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
    song = read_song(analysis, timeline)
    made = plan(song, timeline, ROOMY, anticipation_frames=early, seed=1)
    on_beat = {timeline.nearest_frame(float(beat)) for beat in song.beats_s}
    pulsed = [shot for shot in made.shots if shot.reason.on_pulse]
    assert len(pulsed) > 20
    assert all(shot.start_frame + early in on_beat for shot in pulsed)


def _lengths_s(made: Plan, song: Song, timeline: Timeline, low: float, high: float) -> list[float]:
    return [
        shot.frames * timeline.frame_s
        for shot in made.shots
        if low <= song.sections[shot.section_index].energy <= high
    ]


def test_loud_fast_parts_are_cut_quickly_and_quiet_ones_held(styles: Any, frames_of: Any) -> None:
    """About 2 s in metal's choruses, 4 to 8 s in an ambient song's quiet sections."""
    means = {}
    for style in ("metal", "ambient"):
        analysis = styles[style].analysis()
        timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
        song = read_song(analysis, timeline)
        made = plan(song, timeline, ROOMY, seed=11)
        means[style, "loud"] = np.mean(_lengths_s(made, song, timeline, 0.75, 1.0))
        means[style, "quiet"] = np.mean(_lengths_s(made, song, timeline, 0.0, 0.5))
    assert 1.3 <= means["metal", "loud"] <= 2.3
    assert means["metal", "quiet"] > 1.4 * means["metal", "loud"]
    assert 4.0 <= means["ambient", "quiet"] <= 9.0
    assert means["ambient", "loud"] > 1.5 * means["metal", "loud"]


def test_pace_shortens_and_lengthens_shots(styles: Any, frames_of: Any) -> None:
    """A calm video has fewer shots than a standard one, a fast one more."""
    analysis = styles["pop"].analysis()
    timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
    song = read_song(analysis, timeline)
    counts = [len(plan(song, timeline, ROOMY, pace=pace, seed=5).shots) for pace in Pace]
    assert counts[0] < 0.8 * counts[1] < 0.7 * counts[2]


def test_shots_beyond_the_backends_maximum_become_takes(styles: Any, frames_of: Any) -> None:
    """With five-second clips at 16 fps a slow song's long shots are filmed as chained takes."""
    analysis = styles["ambient"].analysis()
    timeline = Timeline(frames_of(analysis, 16, 1), 16, 1)
    made = plan(read_song(analysis, timeline), timeline, ClipLimits(5, 81), pace=Pace.CALM, seed=2)
    chained = [take for take in made.takes if take.take_index > 0]
    assert chained
    assert all(take.reason is Reason.TAKE for take in chained)
    assert all(take.frames <= 81 for take in made.takes)


def test_without_beats_cuts_fall_on_onsets(styles: Any, frames_of: Any) -> None:
    """A song without a pulse is cut by length, where more happens than elsewhere."""
    analysis = replace(styles["pop"], beats=False).analysis()
    timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
    song = read_song(analysis, timeline)
    made = plan(song, timeline, ROOMY, seed=9)
    by_length = [shot for shot in made.shots if shot.reason is Reason.LENGTH]
    assert len(by_length) > 30
    onset = song.curves[CurveName.ONSET]
    at_cuts = onset.at(np.array([timeline.start_s(shot.start_frame) for shot in by_length]))
    assert at_cuts.mean() > 1.5 * onset.values.mean()
    assert any("No beats" in note for note in made.notes)


def test_a_weak_pulse_is_said(styles: Any, frames_of: Any) -> None:
    """The notes name a pulse below the confidence bound, and only such a one."""
    for confidence, expected in ((LOW_CONFIDENCE - 0.05, True), (LOW_CONFIDENCE + 0.05, False)):
        analysis = replace(styles["pop"], beats_confidence=confidence).analysis()
        timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
        made = plan(read_song(analysis, timeline), timeline, ROOMY)
        assert any("pulse is weak" in note for note in made.notes) is expected


def test_two_hours_stay_within_the_shot_budget(handmade: Any, frames_of: Any) -> None:
    """A two-hour set is planned with longer shots instead of too many, and says so."""
    parts = [("AB"[i % 2], "chorus", 60, 0.9) for i in range(60)]
    analysis = handmade(bpm=128.0, parts=parts, arousal=0.9, hop_s=0.2).analysis()
    timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
    made = plan(read_song(analysis, timeline), timeline, ROOMY, pace=Pace.FAST)
    assert timeline.duration_s > 6_700
    assert len(made.shots) < 1.15 * MOST_SHOTS
    assert any("times longer than usual" in note for note in made.notes)


def test_the_frame_grid_bounds_the_clips() -> None:
    """A backend of 4k + 1 frames up to 82 never gets more than the 81 that its grid holds."""
    assert ClipLimits.on_grid(5, 82, 4, 1) == ClipLimits(5, 81)
    assert ClipLimits.on_grid(1, 120, 1, 0) == ClipLimits(1, 120)
    assert ClipLimits.on_grid(80, 80, 7, 0) == ClipLimits(80, 80)

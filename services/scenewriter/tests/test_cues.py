"""Music cues: one byte per frame of the clip, true to the curves, silent outside the song."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_scenewriter.planning.cues import SongMusic, frame_maxima, quantise
from soundsight_scenewriter.planning.types import CUT, Reason, Take
from soundsight_scenewriter.song import Curve, CurveName, Function, Section, Song
from soundsight_scenewriter.timeline import Timeline


def song_with(curves: dict[CurveName, Curve], beats: list[float], duration_s: float) -> Song:
    """A song that has only curves and beats; every fourth beat is a downbeat."""
    section = Section(0, 0.0, duration_s, "A", 1, Function.UNKNOWN, 0.5, 0.0, 0.0)
    return Song(
        duration_s=duration_s,
        beats_s=np.array(beats, dtype=np.float64),
        positions=np.arange(len(beats)) % 4 + 1,
        beats_confidence=None,
        beats_per_bar=4,
        tempo_bpm=120.0,
        sections=(section,),
        sections_found=False,
        curves=curves,
    )


def take(start: int, frames: int, handle_in: int = 0, handle_out: int = 0) -> Take:
    """A take with handles."""
    return Take(start, frames, 0, Reason.START, 0, 0, CUT, handle_in, handle_out)


def test_a_curve_is_sampled_at_frame_times() -> None:
    """A ramp of one per second at 10 fps gives a step of a tenth per frame."""
    timeline = Timeline(10, 10, 1)
    ramp = Curve(0.05, np.linspace(0.0, 1.0, 21))
    music = SongMusic(song_with({CurveName.ENERGY: ramp}, [], 1.0), timeline)
    expected = quantise(np.arange(10) / 10.0).tobytes()
    assert music.clip(take(0, 10)).curves[CurveName.ENERGY] == expected
    assert music.clip(take(3, 4)).curves[CurveName.ENERGY] == expected[3:7]


def test_handles_outside_the_song_are_silent() -> None:
    """What lies before the first or after the last frame is zero in every array."""
    timeline = Timeline(6, 24, 1)
    loud = Curve(0.02, np.ones(50))
    music = SongMusic(song_with({CurveName.BASS: loud}, [0.0], 0.25), timeline)
    clip = music.clip(take(0, 6, handle_in=3, handle_out=4))
    assert clip.curves[CurveName.BASS] == bytes([0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0])
    assert clip.beat_frames == (3,)


def test_beats_are_relative_to_the_clip() -> None:
    """Beats fall on the nearest frame; downbeats are among them; neighbours' beats are left out."""
    timeline = Timeline(240, 24, 1)
    beats = [index * 0.5 for index in range(20)]
    music = SongMusic(song_with({}, beats, 10.0), timeline)
    clip = music.clip(take(24, 48, handle_in=2, handle_out=3))
    assert clip.beat_frames == (2, 14, 26, 38, 50)
    assert clip.downbeat_frames == (26,)


def test_a_short_onset_is_not_lost_between_frames() -> None:
    """One loud value between two frame times shows in the frame it falls into, and only there."""
    timeline = Timeline(24, 24, 1)
    values = np.zeros(101)
    values[33] = 1.0  # 0.33 s lies in frame 7, which starts at 0.2917 s
    onset = Curve(0.01, values)
    maxima = frame_maxima(onset, timeline)
    assert np.argmax(maxima) == 7
    assert np.count_nonzero(maxima) == 1


@given(
    frames=st.integers(1, 400),
    rate=st.sampled_from([(24, 1), (30_000, 1001), (240, 1), (1, 2), (7, 3)]),
    hop_s=st.sampled_from([0.005, 0.02, 0.3, 2.0]),
    size=st.integers(1, 500),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_onsets_are_the_maximum_of_each_frame(
    frames: int, rate: tuple[int, int], hop_s: float, size: int, seed: int
) -> None:
    """Each frame has its largest value, else the curve's height at its start."""
    timeline = Timeline(frames, *rate)
    values = np.random.default_rng(seed).uniform(0, 1, size)
    curve = Curve(hop_s, values)
    maxima = frame_maxima(curve, timeline)
    for frame in range(0, frames, max(1, frames // 20)):
        start, end = timeline.start_s(frame), timeline.start_s(frame + 1)
        inside = [
            float(value)
            for index, value in enumerate(values)
            if start - 1e-9 <= index * hop_s < end - 1e-9
        ]
        expected = max(inside) if inside else float(curve.at(np.array([start]))[0])
        assert maxima[frame] == pytest.approx(expected)

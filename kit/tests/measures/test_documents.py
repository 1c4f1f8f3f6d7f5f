"""What is read from analyses and storyboards, and a film seen frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight.analyzer.v1.analysis_pb2 import (
    Audio,
    Beat,
    Curve,
    CurveKind,
    Dynamics,
    Emotion,
    Rhythm,
    Section,
    SectionFunction,
    SongAnalysis,
)
from soundsight.common.v1.common_pb2 import FrameRate
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight_kit.measures.documents import planned_shots, song_facts
from soundsight_kit.measures.watch import Watcher

SONG = SongAnalysis(
    audio=Audio(duration_s=10.0),
    rhythm=Rhythm(beats=[Beat(time_s=0.5 * i, position=1 + i % 4) for i in range(20)]),
    sections=[
        Section(
            start_s=0.0, end_s=4.0, label="A", energy=0.2,
            function=SectionFunction.SECTION_FUNCTION_PRE_CHORUS,
            emotion=Emotion(valence=-0.3, arousal=0.4),
        ),
        Section(start_s=4.0, end_s=10.0, label="B", energy=0.8),
    ],
    dynamics=Dynamics(
        curves=[
            Curve(kind=CurveKind.CURVE_KIND_BASS, hop_s=0.02, values=[9.0]),
            Curve(kind=CurveKind.CURVE_KIND_ONSET, hop_s=0.04, values=[0.5, 1.0]),
        ]
    ),
)  # fmt: skip


def test_a_song_is_read() -> None:
    """Beats, downbeats, sections and the onset curve; a mood that was not heard is not known."""
    song = song_facts(SONG)
    assert song.beats_s == pytest.approx(np.linspace(0.0, 9.5, 20))
    assert song.downbeats_s == pytest.approx(np.array([0.0, 2.0, 4.0, 6.0, 8.0]))
    assert song.sections_s.tolist() == [0.0, 4.0, 10.0]
    assert song.names == ("A pre-chorus", "B")
    assert song.energy.tolist() == [0.2, 0.8]
    assert (song.valence[0], song.arousal[0]) == (-0.3, 0.4)
    assert np.isnan(song.valence[1])
    assert (song.onsets.tolist(), song.onset_hop_s) == ([0.5, 1.0], 0.04)


def test_a_song_without_sections_is_one() -> None:
    """What was not asked of the analyzer is empty; the whole song is a section."""
    song = song_facts(SongAnalysis(audio=Audio(duration_s=10.0)))
    assert song.sections_s.tolist() == [0.0, 10.0]
    assert len(song.names) == len(song.energy) == len(song.valence) == 1
    assert song.beats_s.size == song.onsets.size == 0


def test_takes_of_one_shot_are_one_shot() -> None:
    """Nothing is cut where a scene continues the one before."""
    board = Storyboard(
        frames=100,
        frame_rate=FrameRate(num=25, den=1),
        cut_anticipation_frames=2,
        scenes=[
            Scene(start_frame=0, frames=30),
            Scene(start_frame=30, frames=20, continues_previous=True),
            Scene(start_frame=50, frames=50),
        ],
    )
    shots = planned_shots(board)
    assert shots.bounds_s == pytest.approx(np.array([0.0, 2.0, 4.0]))
    assert shots.cuts_s == pytest.approx(np.array([2.0]))
    assert shots.anticipation_s == pytest.approx(0.08)


def test_a_film_is_watched() -> None:
    """Change is the mean difference of luma; every frame has a look; flashes are counted."""
    watcher = Watcher(24.0)
    for number in range(48):
        level = 200 if number // 3 % 2 else 0
        watcher.add(np.full((36, 64, 3), level, dtype=np.uint8))
    seen = watcher.seen()
    assert np.isnan(seen.change[0])
    assert seen.change[1:7] == pytest.approx(np.array([0, 0, 200, 0, 0, 200.0]), abs=1e-3)
    assert len(seen.looks) == 48
    assert seen.looks[3].brightness == pytest.approx(200 / 255)
    assert seen.flashes.general.most == 4
    assert not seen.flashes.safe

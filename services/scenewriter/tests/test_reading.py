"""Reading analyses: what is tolerated, what is derived, and tables that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from soundsight.analyzer.v1 import analysis_pb2 as apb
from soundsight.videogen.v1 import profile_pb2
from soundsight_kit.errors import InvalidArgument
from soundsight_scenewriter.backend import read_profile
from soundsight_scenewriter.reading import MOST_EVENTS, read_song
from soundsight_scenewriter.song import CurveName
from soundsight_scenewriter.timeline import Timeline
from soundsight_scenewriter.writing.taste import backend_worlds, taste
from soundsight_scenewriter.writing.vocabulary import vocabulary
from soundsight_scenewriter.writing.wishes import Understood

TEN_SECONDS = Timeline(240, 24, 1)


def test_beats_outside_the_song_are_dropped() -> None:
    """Beats before 0 or after the end do not count, equal ones are one."""
    analysis = apb.SongAnalysis()
    for time_s in (-0.2, 0.5, 0.5, 1.0, 9.99, 10.0, 12.0):
        analysis.rhythm.beats.add(time_s=time_s)
    song = read_song(analysis, TEN_SECONDS)
    assert song.beats_s.tolist() == [0.5, 1.0, 9.99]


def test_small_gaps_between_sections_are_closed() -> None:
    """Sections may miss each other by a tenth of a second; the last one reaches the end."""
    analysis = apb.SongAnalysis()
    analysis.sections.add(start_s=0.05, end_s=4.0, label="A")
    analysis.sections.add(start_s=4.08, end_s=9.0, label="B")
    song = read_song(analysis, TEN_SECONDS)
    assert [(part.start_s, part.end_s) for part in song.sections] == [(0.0, 4.08), (4.08, 10.0)]


def test_words_that_are_sung_within_the_video_are_read() -> None:
    """Words come in order of time, without those that have no time or lie outside the song."""
    analysis = apb.SongAnalysis()
    late = analysis.lyrics.lines.add(start_s=4.0, end_s=5.0)
    late.words.add(start_s=4.5, end_s=5.0)
    late.words.add(start_s=4.0, end_s=4.5)
    early = analysis.lyrics.lines.add(start_s=1.0, end_s=2.0)
    for start_s, end_s in ((1.0, 2.0), (3.0, 3.0), (-1.0, 0.0), (10.0, 11.0), (9.5, 12.0)):
        early.words.add(start_s=start_s, end_s=end_s)
    analysis.lyrics.lines.add(start_s=0.0, end_s=0.0, text="not timed")
    song = read_song(analysis, TEN_SECONDS)
    assert song.words_s.tolist() == [[1.0, 2.0], [4.0, 4.5], [4.5, 5.0], [9.5, 12.0]]
    assert song.lines_s.tolist() == [1.0, 4.0]


def test_a_word_at_no_time_is_refused() -> None:
    """A time that no song has is named with its line and word."""
    analysis = apb.SongAnalysis()
    analysis.lyrics.lines.add(start_s=0.0, end_s=1.0).words.add(start_s=0.0, end_s=float("nan"))
    with pytest.raises(InvalidArgument) as refused:
        read_song(analysis, TEN_SECONDS)
    assert refused.value.field_violations[0][0] == "analysis.lyrics.lines[0].words[0].end_s"


def test_more_events_than_any_song_has_are_refused() -> None:
    """Events are bounded, since each of them shapes the whole plan."""
    analysis = apb.SongAnalysis()
    for _ in range(MOST_EVENTS + 1):
        analysis.dynamics.events.add(kind=apb.MUSIC_EVENT_KIND_DROP, time_s=1.0)
    with pytest.raises(InvalidArgument, match="events"):
        read_song(analysis, TEN_SECONDS)


def test_curves_are_clipped_and_energy_is_measured() -> None:
    """Values outside [0, 1] are clipped; a section's energy is its part of the curve."""
    analysis = apb.SongAnalysis()
    values = [-1.0] * 250 + [3.0] * 250
    analysis.dynamics.curves.add(kind=apb.CURVE_KIND_ENERGY, hop_s=0.02, values=values)
    analysis.sections.add(start_s=0.0, end_s=5.0, label="A", energy=0.9)
    analysis.sections.add(start_s=5.0, end_s=10.0, label="B")
    song = read_song(analysis, TEN_SECONDS)
    assert set(np.unique(song.curves[CurveName.ENERGY].values)) == {0.0, 1.0}
    assert song.sections[0].energy < 0.05
    assert song.sections[1].energy > 0.95


def test_emotion_is_guessed_when_absent() -> None:
    """A fast loud song in minor is aroused and not glad, without any emotion given."""
    analysis = apb.SongAnalysis()
    analysis.rhythm.tempo_bpm = 180.0
    analysis.dynamics.integrated_lufs = -6.0
    analysis.harmony.keys.add(tonic="E", mode=apb.MODE_MINOR)
    song = read_song(analysis, TEN_SECONDS)
    assert song.arousal > 0.5
    assert song.valence < 0.0


def test_the_main_key_lasts_longest() -> None:
    """A key that holds for most of the song outweighs the one it starts in."""
    analysis = apb.SongAnalysis()
    analysis.harmony.keys.add(start_s=0.0, tonic="C", mode=apb.MODE_MAJOR)
    analysis.harmony.keys.add(start_s=2.0, tonic="A", mode=apb.MODE_MINOR)
    song = read_song(analysis, TEN_SECONDS)
    assert (song.tonic, song.mode) == ("A", -1)


def test_waltzes_have_three_beats(styles: Any, frames_of: Any) -> None:
    """The bar's length is read from the downbeats, else from the metre."""
    analysis = styles["orchestral"].analysis()
    timeline = Timeline(frames_of(analysis, 24, 1), 24, 1)
    assert read_song(analysis, timeline).beats_per_bar == 3
    empty = apb.SongAnalysis()
    empty.rhythm.metres.add(beats_per_bar=6)
    assert read_song(empty, TEN_SECONDS).beats_per_bar == 6


@pytest.mark.parametrize(
    ("words", "genre", "family"),
    [
        (["heavy metal", "guitar"], "", "metal"),
        (["ambient", "chillout"], "", "ambient"),
        (["strings", "violin", "classical"], "", "classical"),
        (["guitar"], "Progressive Rock", "rock"),
        (["female vocalists", "pop"], "", "pop"),
        ([], "Hip-Hop", "hiphop"),
        (["happy"], "", "other"),
    ],
)
def test_genre_families_are_heard(words: list[str], genre: str, family: str) -> None:
    """Tags and the file's own genre lead to the family that a listener would name."""
    analysis = apb.SongAnalysis()
    analysis.metadata.genre = genre
    for rank, word in enumerate(words):
        analysis.tags.add(group="genre", label=word, score=0.9 - 0.2 * rank)
    families = taste(read_song(analysis, TEN_SECONDS), vocabulary(), Understood()).families
    assert max(families, key=lambda name: families[name]) == family


def test_backends_settings_are_matched_with_worlds() -> None:
    """A backend's own words find their world; an unknown one gets places of its own name."""
    worlds = backend_worlds(vocabulary(), ["night_city", "Mountain", "swamp land"])
    assert worlds["night_city"].name == "city"
    assert worlds["Mountain"].name == "mountains"
    assert "swamp land" in worlds["swamp land"].places[0].name or (
        worlds["swamp land"].name == "forest"
    )


def test_an_absent_profile_has_no_limits() -> None:
    """Without a profile words decide and clips may have any length."""
    backend = read_profile(profile_pb2.VideoGenProfile())
    assert backend.limits.min_frames == 1
    assert backend.reads_words
    assert not backend.settings


def test_the_tables_are_rich_enough() -> None:
    """Every world has places and vignettes for quiet and loud music at several sizes."""
    tables = vocabulary()
    assert {"city", "ocean", "forest", "mountains", "desert", "space", "abstract"} <= set(
        tables.worlds
    )
    assert len(tables.concepts) >= 20
    for world in tables.worlds.values():
        assert len(world.places) >= 4
        drawn = [vignette for vignette in world.vignettes if vignette.drawn]
        for drive in (0.1, 0.5, 0.9):
            fitting = [v for v in drawn if v.energy[0] <= drive <= v.energy[1]]
            assert len(fitting) >= 4, (world.name, drive)
    for drama in tables.arcs:
        if drama != "again":
            assert {"intro", "verse", "pre_chorus", "chorus", "bridge", "solo", "break", "outro",
                    "silence"} <= set(tables.arcs[drama])  # fmt: skip

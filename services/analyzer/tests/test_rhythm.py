"""Tempo, beats and bars against songs whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from songsmith import TempoMark, Truth, compose, render, truth_of
from soundsight_analyzer.harmony.chroma import chroma
from soundsight_analyzer.messages.rhythm import rhythm_message
from soundsight_analyzer.onsets import FINE_HOP_S
from soundsight_analyzer.rhythm.beatalign import align_beats
from soundsight_analyzer.rhythm.beattrack import track_beats
from soundsight_analyzer.rhythm.tracking import NO_RHYTHM, OtherTracker, Rhythm, hear_rhythm
from soundsight_analyzer.spectra import RATE_HZ, analyse_frames

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples


def hear(samples: Samples) -> Rhythm:
    """The rhythm of mono samples, without a second opinion."""
    return hear_rhythm(samples, analyse_frames(samples), chroma(samples))


def share_within(found_s: Samples, truth_s: Samples, tolerance_s: float) -> float:
    """The share of true moments that something was found at."""
    return float(np.mean(np.abs(found_s[:, None] - truth_s).min(axis=0) <= tolerance_s))


def test_beats_of_the_example_song(example_song: KnownSong) -> None:
    """At least 97 % of its beats are found within 20 ms, hardly any other, and all its
    downbeats."""
    heard, truth = example_song.rhythm(), example_song.truth
    beats_s, downbeats_s = np.asarray(truth.beats_s), np.asarray(truth.downbeats_s)
    assert share_within(heard.beats_s, beats_s, 0.020) >= 0.97
    # The last chord rings on after the last beat: a tracker may go on for a bar.
    assert len(heard.beats_s) <= len(beats_s) + 4
    assert share_within(heard.downbeats_s, downbeats_s, 0.020) >= 0.97
    assert heard.tempo_bpm == pytest.approx(truth.tempo_bpm, rel=0.005)
    assert heard.beats_confidence > 0.6


@pytest.mark.parametrize(("seed", "tempo_bpm"), [(1, 76.0), (2, 104.0), (3, 138.0), (4, 176.0)])
def test_slow_and_fast_songs(
    invent: Callable[[int, float], KnownSong], seed: int, tempo_bpm: float
) -> None:
    """Beats and downbeats are right at tempi where trackers halve or double."""
    song = invent(seed, tempo_bpm)
    heard = song.rhythm()
    assert heard.tempo_bpm == pytest.approx(tempo_bpm, rel=0.01)
    assert share_within(heard.beats_s, np.asarray(song.truth.beats_s), 0.025) >= 0.95
    assert share_within(heard.downbeats_s, np.asarray(song.truth.downbeats_s), 0.025) >= 0.95


def test_a_song_that_starts_later_has_later_beats(example_song: KnownSong) -> None:
    """Silence before a song moves its beats by that much, and none fall into it."""
    lead_in_s = 0.777
    silence = np.zeros(round(lead_in_s * RATE_HZ), dtype=np.float32)
    plain, moved = hear(example_song.samples), hear(np.concatenate([silence, example_song.samples]))
    # There may be half a second of beats that count in.
    assert moved.beats_s[0] >= lead_in_s - 0.55
    assert share_within(moved.beats_s, plain.beats_s + lead_in_s, 0.012) >= 0.97


def test_positions_count_through_the_bar(example_song: KnownSong) -> None:
    """Beats increase, stay inside the song, and are numbered 1 to 4."""
    heard = example_song.rhythm()
    assert (np.diff(heard.beats_s) > 0.1).all()
    assert heard.beats_s[0] >= 0
    assert heard.beats_s[-1] < len(example_song.samples) / RATE_HZ
    assert set(heard.positions.tolist()) == {1, 2, 3, 4}
    assert ((heard.beat_confidences >= 0) & (heard.beat_confidences <= 1)).all()


def test_no_beats_where_there_is_no_pulse(noise: Samples) -> None:
    """Noise, silence, a drone, notes at random and a single second have no beats."""
    times = np.arange(20 * RATE_HZ) / RATE_HZ
    drone = (0.3 * np.sin(2 * np.pi * 110 * times)).astype(np.float32)
    rng = np.random.default_rng(3)
    scattered = np.zeros(22 * RATE_HZ)
    for start_s in np.sort(rng.uniform(0, 20, 60)):
        pluck = np.sin(2 * np.pi * rng.uniform(100, 900) * times[:RATE_HZ])
        at = round(start_s * RATE_HZ)
        scattered[at : at + RATE_HZ] += 0.2 * pluck * np.exp(-5 * times[:RATE_HZ])
    for sound in (noise, 0 * noise, drone, scattered.astype(np.float32), noise[:RATE_HZ]):
        heard = hear(sound)
        assert len(heard.beats_s) == 0
        assert heard.tempo_bpm == 0
        assert heard.beats_confidence == 0


def test_no_beats_in_a_long_silence(example_song: KnownSong) -> None:
    """A pause in the middle of a song has no beats, but for those that fade into it."""
    half = len(example_song.samples) // 2
    pause_s = 8.0
    silence = np.zeros(round(pause_s * RATE_HZ), dtype=np.float32)
    paused = [example_song.samples[:half], silence, example_song.samples[half:]]
    heard = hear(np.concatenate(paused))
    start_s = half / RATE_HZ
    inside = (heard.beats_s > start_s + 0.6) & (heard.beats_s < start_s + pause_s - 0.6)
    assert not inside.any()


def test_tempo_bounds_are_obeyed(example_song: KnownSong) -> None:
    """A caller who knows that a song is slow is told a slow tempo."""
    song = example_song
    heard = hear_rhythm(song.samples, song.frames, song.chroma, bounds_bpm=(50.0, 90.0))
    assert 50 <= heard.tempo_bpm <= 90


@settings(max_examples=25, deadline=None)
@given(period=st.floats(25, 120), phase=st.floats(0, 1))
def test_the_search_finds_a_steady_pulse(period: float, phase: float) -> None:
    """A regular row of onsets is followed whatever its period and phase."""
    truth = np.arange(phase * period, 2000, period)
    frames = np.arange(2000)
    activation = np.exp(-0.5 * ((frames[:, None] - truth).T / 2.0) ** 2).max(axis=0)
    beats = track_beats(activation, period=period * 1.02)
    inner = truth[(truth > period) & (truth < 2000 - period)]
    # A step of the search is a 48th of a period.
    assert np.abs(beats[:, None] - inner).min(axis=0).max() <= 2.0 + 2 * period / 48


@pytest.mark.parametrize("late_s", [-0.02, 0.0, 0.02])
def test_a_trackers_latency_is_taken_out(late_s: float) -> None:
    """Beats that are all late or early by a constant end on the attacks, whatever the constant."""
    truth_s = np.arange(0.5, 30, 0.5)
    envelope = np.zeros(round(31 / FINE_HOP_S))
    envelope[np.rint(truth_s / FINE_HOP_S).astype(int)] = 1.0
    assert align_beats(truth_s + late_s, envelope) == pytest.approx(truth_s, abs=0.004)


@cache
def compose_and_hear(tempo_bpm: float, metre: str, *later: TempoMark) -> tuple[Rhythm, Truth]:
    """The rhythm of a short song, and what is so."""
    form = (("intro", 2), ("verse", 4), ("chorus", 4), ("verse", 4), ("outro", 2))
    song = compose(5, tempo_bpm=tempo_bpm, metre=metre, form=form, later_tempi=later)
    return hear(render(song).astype(np.float32).mean(axis=1) / 32768.0), truth_of(song)


@pytest.mark.parametrize(("metre", "tempo_bpm", "beats"), [("3/4", 150.0, 3), ("6/8", 96.0, 2)])
def test_other_metres(metre: str, tempo_bpm: float, beats: int) -> None:
    """A waltz has three beats to a bar, and 6/8 two, which are dotted quarters."""
    heard, truth = compose_and_hear(tempo_bpm, metre)
    assert [str(span.metre) for span in heard.metres] == [metre]
    assert heard.tempo_bpm == pytest.approx(tempo_bpm, rel=0.01)
    assert set(heard.positions.tolist()) == set(range(1, beats + 1))
    assert share_within(heard.downbeats_s, np.asarray(truth.downbeats_s), 0.025) >= 0.95


def test_a_new_tempo_is_followed_and_told() -> None:
    """Where a song slows down, the beats do within some beats, and the tempo curve says so."""
    heard, truth = compose_and_hear(150.0, "4/4", TempoMark(8, 126.0))
    assert share_within(heard.beats_s, np.asarray(truth.beats_s), 0.07) >= 0.95
    starts_s, tempi = zip(*heard.tempi, strict=True)
    assert starts_s[0] == 0
    assert tempi[0] == pytest.approx(150.0, rel=0.01)
    assert tempi[-1] == pytest.approx(126.0, rel=0.01)
    leap = int(np.abs(np.diff(np.log(tempi))).argmax()) + 1
    assert starts_s[leap] == pytest.approx(truth.tempi[1].start_s, abs=2.0)


def test_other_tempi_are_named(example_song: KnownSong) -> None:
    """Half or double the tempo is told as a less likely alternative; likelihoods stay within 1."""
    heard = example_song.rhythm()
    assert heard.alternatives
    ratios = [bpm / heard.tempo_bpm for bpm, _ in heard.alternatives]
    assert any(min(abs(ratio - 0.5), abs(ratio - 2.0)) < 0.05 for ratio in ratios)
    likely = [likelihood for _, likelihood in heard.alternatives]
    assert likely == sorted(likely, reverse=True)
    assert sum(likely) <= 1.0


def test_a_second_opinion_is_named_and_counts(example_song: KnownSong) -> None:
    """Another tracker that agrees makes the beats surer than one that does not, and is a source."""
    song = example_song

    def confidence(beats_s: NDArray[np.float64]) -> float:
        heard = hear_rhythm(
            song.samples,
            song.frames,
            song.chroma,
            other_tracker=lambda _: OtherTracker(beats_s, "someone"),
        )
        assert heard.source.split("+")[-1] == "someone"
        return heard.beats_confidence

    beats_s = np.asarray(song.truth.beats_s)
    assert confidence(beats_s) > confidence(beats_s[:-1] + np.diff(beats_s) / 2)


def test_the_message_tells_all() -> None:
    """Metre, tempo curve, alternatives and sources are told; without a pulse nothing is."""
    heard, _ = compose_and_hear(96.0, "6/8")
    message = rhythm_message(heard)
    assert [(m.beats_per_bar, m.beat_unit) for m in message.metres] == [(6, 8)]
    assert message.tempo_curve[0].start_s == 0
    assert message.tempo_curve[0].tempo_bpm == pytest.approx(96.0, rel=0.01)
    assert message.beats_evidence.source.startswith("soundsight.bar-tracker+beatnet.crnn")
    assert len(message.alternatives) == len(heard.alternatives)
    assert not rhythm_message(NO_RHYTHM).metres

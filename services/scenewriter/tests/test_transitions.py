"""Transitions: hard cuts in loud music, dissolves in quiet music, black where it falls away."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight_scenewriter.planning.transitions import wanted_transitions
from soundsight_scenewriter.planning.types import Reason, Shot, TransitionKind
from soundsight_scenewriter.song import Curve, CurveName, Function, Section, Song
from soundsight_scenewriter.timeline import Timeline

RATE = 24
PART_S = 16.0


def song(*energies: float, arousal: float = -0.4, curve: bool = True) -> Song:
    """A song of 16 s parts of even energy at 90 BPM."""
    sections = tuple(
        Section(i, i * PART_S, (i + 1) * PART_S, "AB"[i % 2], i // 2 + 1, Function.VERSE,
                energy, 0.0, arousal)
        for i, energy in enumerate(energies)
    )  # fmt: skip
    duration_s = PART_S * len(energies)
    beats = np.arange(0.0, duration_s, 60.0 / 90.0)
    values = np.repeat(np.array(energies), round(PART_S / 0.1))
    return Song(
        duration_s=duration_s,
        beats_s=beats,
        positions=np.arange(beats.size) % 4 + 1,
        beats_confidence=0.9,
        beats_per_bar=4,
        tempo_bpm=90.0,
        sections=sections,
        sections_found=True,
        curves={CurveName.ENERGY: Curve(0.1, values)} if curve else {},
        arousal=arousal,
    )


def kinds(heard: Song, shot_s: float = 8.0) -> list[TransitionKind]:
    """The transitions into even shots of a song."""
    frames, length = round(heard.duration_s * RATE), round(shot_s * RATE)
    per_section = round(PART_S * RATE)
    shots = [
        Shot(start, min(start + length, frames), start // per_section,
             Reason.SECTION if start % per_section == 0 else Reason.DOWNBEAT)
        for start in range(0, frames, length)
    ]  # fmt: skip
    timeline = Timeline(frames, RATE, 1)
    return [each.kind for each in wanted_transitions(heard, timeline, shots)]


@pytest.mark.parametrize("curve", [True, False])
def test_loud_music_is_cut_hard(curve: bool) -> None:
    """Where the music drives there is nothing but cuts, from the first frame on."""
    assert set(kinds(song(0.9, 0.8, 0.9, arousal=0.5, curve=curve))) == {TransitionKind.CUT}


def test_quiet_music_dissolves_between_long_shots_only() -> None:
    """Calm shots of some length flow into each other; short ones are cut."""
    assert kinds(song(0.3, 0.3))[1:] == [TransitionKind.CROSS_FADE] * 3
    assert set(kinds(song(0.3, 0.3), shot_s=2.0)[1:]) == {TransitionKind.CUT}


def test_an_excited_song_keeps_its_edge_in_quiet_parts() -> None:
    """What is quiet in an aroused song is tension, not rest: it is cut."""
    assert set(kinds(song(0.3, 0.3, arousal=0.5))[1:]) == {TransitionKind.CUT}


def test_a_fall_goes_through_black() -> None:
    """From a loud part into a quiet one the film dips to black, at the boundary alone."""
    found = kinds(song(0.9, 0.2, 0.9, arousal=0.3))
    assert found[2] is TransitionKind.DIP_TO_BLACK
    assert found.count(TransitionKind.DIP_TO_BLACK) == 1


def test_a_quiet_beginning_comes_out_of_black() -> None:
    """The film fades in with a quiet intro and opens at once with a loud one."""
    assert kinds(song(0.2, 0.9))[0] is TransitionKind.DIP_TO_BLACK
    assert kinds(song(0.9, 0.2))[0] is TransitionKind.CUT

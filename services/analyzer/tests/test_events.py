"""Breaks, build-ups, drops and the climax, and the percussive and harmonic parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight_analyzer.dynamics.curves import HOP_S, Curves
from soundsight_analyzer.dynamics.events import Event, EventKind, find_events
from soundsight_analyzer.dynamics.parts import hear_parts
from soundsight_analyzer.spectra import RATE_HZ

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import Samples

BAR_S = 2.0


def events_of(strengths: list[float], *, bars_are_real: bool = True) -> list[Event]:
    """The events of a song whose bars have these strengths in all that counts."""
    values = np.repeat(strengths, round(BAR_S / HOP_S)).astype(np.float64)
    curves = Curves(hop_s=HOP_S, energy=values, bass=values, onset=values, brightness=values)
    edges_s = np.arange(len(strengths) + 1) * BAR_S
    return list(find_events(curves, edges_s, bars_are_real=bars_are_real))


def bars_of(events: list[Event], kind: EventKind) -> list[tuple[float, float]]:
    """First bar and length in bars of the events of a kind."""
    return [(e.time_s / BAR_S, e.duration_s / BAR_S) for e in events if e.kind is kind]


def test_a_break_lasts_until_the_sound_returns() -> None:
    """Four quiet bars in a loud song are a break, and the song drops back in after them."""
    events = events_of([0.8] * 8 + [0.15] * 4 + [0.9] * 8)
    assert bars_of(events, EventKind.BREAK) == [(8, 4)]
    assert bars_of(events, EventKind.DROP) == [(12, 0)]
    assert not bars_of(events, EventKind.BUILD_UP)


def test_a_build_up_rises_into_a_drop() -> None:
    """Six bars that grow louder one by one are a build-up, and what comes at once is a drop."""
    rising = [0.2, 0.28, 0.36, 0.44, 0.52, 0.6]
    events = events_of([0.6] * 4 + rising + [0.95] * 8)
    assert bars_of(events, EventKind.BUILD_UP) == [(4, 6)]
    assert bars_of(events, EventKind.DROP) == [(10, 0)]


def test_a_quiet_ending_is_no_break() -> None:
    """What falls away and never returns is no break."""
    events = events_of([0.8] * 10 + [0.1] * 6)
    assert not bars_of(events, EventKind.BREAK)


def test_one_climax_in_the_strongest_bars() -> None:
    """There is one climax, where the song is strongest; of equals, the later one."""
    events = events_of([0.4] * 6 + [0.9] * 4 + [0.4] * 6 + [0.9] * 4 + [0.3] * 2)
    assert bars_of(events, EventKind.CLIMAX) == [(16, 0)]


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_nothing_happens_where_nothing_changes(level: float) -> None:
    """A level song and a silent one have no events; neither has one of a few bars."""
    assert events_of([level] * 32) == []
    assert events_of([0.1, 0.9]) == []


def test_events_are_in_order_and_modest_without_bars() -> None:
    """Events come in order of time, and are less sure where units merely stand in for bars."""
    strengths = [0.8] * 8 + [0.15] * 4 + [0.9] * 8
    sure, unsure = events_of(strengths), events_of(strengths, bars_are_real=False)
    assert [e.time_s for e in sure] == sorted(e.time_s for e in sure)
    assert all(0 < e.confidence <= 1 for e in sure)
    assert all(u.confidence < s.confidence for s, u in zip(sure, unsure, strict=True))


def test_clicks_are_percussive_and_tones_harmonic() -> None:
    """Two seconds of a chord, then two of clicks: each part has its own half."""
    times = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = 0.2 * sum(np.sin(2 * np.pi * hz * times) for hz in (220.0, 330.0, 440.0))
    clicks = np.zeros(2 * RATE_HZ)
    rng = np.random.default_rng(3)
    for start in range(0, 2 * RATE_HZ - 400, RATE_HZ // 4):
        clicks[start : start + 400] += 0.5 * rng.standard_normal(400) * np.linspace(1, 0, 400) ** 2
    parts = hear_parts(np.concatenate([tone, clicks]).astype(np.float32))
    half = round(2.0 / parts.hop_s)
    assert parts.harmonic[10 : half - 10].mean() > 0.8
    assert parts.harmonic[half + 20 : -10].mean() < 0.2
    assert parts.percussive[half:].max() > 0.9
    assert parts.percussive[20 : half - 20].max() < 0.3


@pytest.mark.parametrize("length", [1, 441, 5_000, RATE_HZ])
@pytest.mark.parametrize("gain", [0.0, 1e-6, 1.0])
def test_parts_are_finite_and_within_the_unit_range(
    noise: Samples, length: int, gain: float
) -> None:
    """However short or quiet the sound, its parts lie in [0, 1] and cover it."""
    parts = hear_parts(gain * noise[:length])
    for values in (parts.percussive, parts.harmonic):
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1
        assert len(values) * parts.hop_s > length / RATE_HZ - 1e-9

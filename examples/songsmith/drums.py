"""Drum sounds: each is made once a song, from sine sweeps and filtered noise.

Every sound starts at full strength on its first sample, so that the stroke is heard where it is
written; only the swell, which announces the next section, grows.
"""

from collections.abc import Callable

import numpy as np

from songsmith.score import SAMPLE_RATE_HZ
from songsmith.signals import Signal, decay, high_pass, low_pass, noise, panned, seconds

TAU = 2 * np.pi

# Where noise rolls off, lest cymbals hiss.
AIR_HZ = 10_500.0

# Without a common measure, as of a struck metal plate.
METAL_HZ = (3170.0, 4230.0, 5470.0, 6790.0, 8210.0, 9610.0)


def sweep(duration_s: float, from_hz: float, to_hz: float, bend_s: float, ring_s: float) -> Signal:
    """A decaying sine whose pitch falls; mono."""
    samples = round(duration_s * SAMPLE_RATE_HZ)
    hz = to_hz + (from_hz - to_hz) * decay(samples, bend_s)
    phase = TAU * np.cumsum(hz) / SAMPLE_RATE_HZ
    # The last tenth fades to nothing, lest the cut be heard.
    fade = np.minimum(1.0, np.linspace(10.0, 0.0, samples))
    return (np.sin(phase) * decay(samples, ring_s) * fade).astype(np.float32)


def burst(duration_s: float, ring_s: float, cutoff_hz: float, rng: np.random.Generator) -> Signal:
    """Decaying noise above the cutoff, wide in stereo, with peak near 1."""
    samples = round(duration_s * SAMPLE_RATE_HZ)
    fade = np.minimum(1.0, np.linspace(10.0, 0.0, samples))
    # The filters come first: they would smear a decay that is there already.
    hiss = low_pass(high_pass(noise(samples, rng), cutoff_hz), AIR_HZ) / 3.0
    return (hiss * (decay(samples, ring_s) * fade)[:, np.newaxis]).astype(np.float32)


def metal(duration_s: float, ring_s: float) -> Signal:
    """Inharmonic partials of a cymbal; mono."""
    time_s = seconds(round(duration_s * SAMPLE_RATE_HZ))
    partials = sum(np.sin(TAU * hz * time_s + hz) for hz in METAL_HZ)
    return (partials * np.exp(-time_s / ring_s) / len(METAL_HZ)).astype(np.float32)


def add(longer: Signal, level: float, shorter: Signal, late_s: float = 0.0) -> Signal:
    """The first sound with a second one, no longer than what remains, mixed in `late_s` after."""
    mixed = longer.copy()
    start = round(late_s * SAMPLE_RATE_HZ)
    mixed[start : start + len(shorter)] += np.float32(level) * shorter
    return mixed


def kick(rng: np.random.Generator) -> Signal:
    body = np.tanh(2.2 * sweep(0.38, 210.0, 47.0, 0.022, 0.16))
    drum = panned(body.astype(np.float32), 0.0) * 1.3
    click = burst(0.012, 0.003, 2500.0, rng)
    return add(drum, 0.5, click)


def snare(rng: np.random.Generator) -> Signal:
    wires = low_pass(burst(0.3, 0.085, 900.0, rng), 9500.0)
    body = panned(sweep(0.2, 260.0, 182.0, 0.015, 0.06), 0.0)
    return add(wires, 0.7, body)


def rim(rng: np.random.Generator) -> Signal:
    knock = panned(sweep(0.09, 900.0, 430.0, 0.006, 0.02), 0.15)
    tick = burst(0.07, 0.018, 1800.0, rng)
    return add(knock, 0.6, tick)


def clap(rng: np.random.Generator) -> Signal:
    """Several hands: the first exactly on time, the others just after."""
    hands = burst(0.28, 0.07, 1100.0, rng) * 0.7
    for late_s in (0.011, 0.021):
        hands = add(hands, 0.6, burst(0.05, 0.01, 1100.0, rng), late_s)
    return low_pass(hands, 8000.0)


def hat(rng: np.random.Generator) -> Signal:
    closed = burst(0.09, 0.022, 7500.0, rng)
    return add(closed, 0.4, panned(metal(0.09, 0.02), 0.2))


def open_hat(rng: np.random.Generator) -> Signal:
    ringing = burst(0.26, 0.09, 6500.0, rng)
    return add(ringing, 0.4, panned(metal(0.26, 0.08), 0.2))


def crash(rng: np.random.Generator) -> Signal:
    ringing = burst(2.6, 0.65, 3200.0, rng)
    return add(ringing, 0.3, panned(metal(2.6, 0.5), -0.2))


def beater_kick(rng: np.random.Generator) -> Signal:
    """A tight metal kick: much click, little body, as fast feet need it."""
    body = panned(sweep(0.14, 150.0, 58.0, 0.012, 0.045), 0.0) * 1.2
    click = burst(0.02, 0.004, 3000.0, rng)
    return add(body, 0.9, click)


def tight_snare(rng: np.random.Generator) -> Signal:
    """A high, dry snare that does not cover the next stroke."""
    wires = low_pass(burst(0.16, 0.045, 1500.0, rng), 9500.0)
    body = panned(sweep(0.12, 320.0, 225.0, 0.01, 0.04), 0.0)
    return add(wires, 0.9, body)


def ride(rng: np.random.Generator) -> Signal:
    """A stick on a large cymbal: a ping over a long shimmer."""
    shimmer = burst(0.9, 0.3, 5000.0, rng) * 0.35
    return add(shimmer, 0.7, panned(metal(0.5, 0.12), 0.35))


def china(rng: np.random.Generator) -> Signal:
    """A trashy cymbal that dies soon."""
    trash = burst(1.0, 0.22, 2600.0, rng)
    return add(trash, 0.25, panned(metal(0.8, 0.15), 0.5))


def brush(rng: np.random.Generator) -> Signal:
    """Wire brushes that slap the snare."""
    return low_pass(burst(0.16, 0.04, 1500.0, rng), 7000.0)


def tom(from_hz: float, to_hz: float, position: float) -> Callable[[np.random.Generator], Signal]:
    """A tom tuned to fall from one pitch to another, at a place in the stereo field."""

    def sound(rng: np.random.Generator) -> Signal:
        drum = panned(sweep(0.35, from_hz, to_hz, 0.03, 0.13), position) * 1.1
        stick = burst(0.02, 0.005, 1500.0, rng)
        return add(drum, 0.4, stick)

    return sound


def swell(samples: int, rng: np.random.Generator) -> Signal:
    """Noise that grows and brightens until it breaks off after `samples`; shape (samples, 2)."""
    hiss = noise(samples, rng) / 3.0
    grown = np.linspace(0.0, 1.0, samples, dtype=np.float32)[:, np.newaxis]
    dark, bright = low_pass(high_pass(hiss, 400.0), 1500.0), high_pass(hiss, 2500.0)
    end = np.minimum(1.0, np.arange(samples, 0, -1) / (0.004 * SAMPLE_RATE_HZ))[:, np.newaxis]
    blend = (1.0 - grown) * dark + grown * bright
    return np.asarray(blend * grown**2.5 * end, dtype=np.float32)


DRUMS: dict[str, Callable[[np.random.Generator], Signal]] = {
    "kick": kick,
    "snare": snare,
    "rim": rim,
    "clap": clap,
    "hat": hat,
    "open_hat": open_hat,
    "crash": crash,
    "beater_kick": beater_kick,
    "tight_snare": tight_snare,
    "ride": ride,
    "china": china,
    "brush": brush,
    "high_tom": tom(260.0, 170.0, -0.4),
    "mid_tom": tom(210.0, 130.0, 0.0),
    "low_tom": tom(170.0, 92.0, 0.4),
}

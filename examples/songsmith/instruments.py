"""Pitched instruments: each turns one note into stereo samples, its own release included."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from songsmith.score import SAMPLE_RATE_HZ
from songsmith.signals import Signal, decay, gate, high_pass, low_pass, panned, saw, seconds

Instrument = Callable[[float, int, float, np.random.Generator], Signal]
"""(pitch in Hz, samples held, brightness 0 to 1, randomness) -> stereo (n, 2), n >= held."""

TAU = 2 * np.pi

# Detuning in cents and place between left and right of the seven saws of a "supersaw".
SUPERSAW = ((-17, -0.9), (-11, 0.7), (-5, -0.45), (0, 0.0), (6, 0.45), (12, -0.7), (18, 0.9))


def supersaw_pad(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """Seven detuned saws behind a filter that brightness opens."""
    cutoff_hz = 350.0 * 22.0**brightness
    samples = held + round(0.25 * SAMPLE_RATE_HZ)
    pad = supersaw(hz, samples, cutoff_hz, rng)
    return pad * gate(samples, held, release_s=0.25)[:, np.newaxis]


def supersaw_stab(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A supersaw whose filter snaps open and closes again."""
    samples = held + round(0.2 * SAMPLE_RATE_HZ)
    state = rng.bit_generator.state
    bright = supersaw(hz, samples, 1500.0 + 7000.0 * brightness, rng)
    rng.bit_generator.state = state
    dark = supersaw(hz, samples, 600.0, rng)
    opening = decay(samples, 0.09)[:, np.newaxis]
    level = gate(samples, held, release_s=0.2) * (0.35 + 0.65 * decay(samples, 0.18))
    return (opening * bright + (1.0 - opening) * dark) * level[:, np.newaxis]


def supersaw(hz: float, samples: int, cutoff_hz: float, rng: np.random.Generator) -> Signal:
    """Seven saws with random phases, spread over the stereo field; unit-ish level."""
    time_s = seconds(samples)
    stereo = np.zeros((samples, 2), dtype=np.float32)
    for cents, position in SUPERSAW:
        phase = hz * 2.0 ** (cents / 1200) * time_s + rng.random()
        stereo += panned(saw(hz, phase, cutoff_hz), position)
    return stereo / np.float32(np.sqrt(len(SUPERSAW)))


def organ(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """Drawbars in slow rotation; the upper ones come in with brightness."""
    samples = held + round(0.12 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    drawbars = ((0.5, 0.5), (1, 1.0), (1.5, 0.4), (2, 0.6), (3, brightness), (4, 0.7 * brightness))
    mono = np.zeros(samples)
    for ratio, level in drawbars:
        if hz * ratio < SAMPLE_RATE_HZ / 2:
            mono += level * np.sin(TAU * (hz * ratio * time_s + rng.random()))
    sway = 0.25 * np.sin(TAU * 0.8 * time_s + TAU * rng.random())
    stereo = np.stack([mono * (1.0 + sway), mono * (1.0 - sway)], axis=1) / 3.0
    return (stereo * gate(samples, held, release_s=0.12)[:, np.newaxis]).astype(np.float32)


def plucked_string(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A string plucked at a fifth of its length; high partials die first; a doubled stereo pair."""
    samples = held + round(0.9 * SAMPLE_RATE_HZ)
    time_s = seconds(samples).astype(np.float32)
    partials = min(14, int(0.45 * SAMPLE_RATE_HZ / hz))
    left_and_right = []
    for cents in (-3.0, 3.0):
        base_hz = hz * 2.0 ** (cents / 1200)
        mono = np.zeros(samples, dtype=np.float32)
        for order in range(1, partials + 1):
            strength = np.sin(np.pi * order / 5) / order ** (1.7 - 0.7 * brightness)
            loss = 3.0 + 0.7 * order**1.5
            phase = np.float32(TAU * base_hz * order) * time_s
            mono += (np.float32(strength) * np.sin(phase) * np.exp(-loss * time_s)).astype(
                np.float32
            )
        left_and_right.append(mono)
    ringing = gate(samples, samples - round(0.2 * SAMPLE_RATE_HZ), release_s=0.2)
    return np.stack(left_and_right, axis=1) * ringing[:, np.newaxis]


def glass_bell(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """Frequency modulation at two to one and a little at seven: a bell that rings on."""
    samples = held + round(1.2 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    index = (0.6 + 1.2 * brightness) * np.exp(-time_s / 0.35)
    tine = 0.25 * np.exp(-time_s / 0.05) * np.sin(TAU * hz * 7 * time_s)
    level = decay(samples, 0.7) * gate(samples, samples - round(0.3 * SAMPLE_RATE_HZ), 0.3)
    return fm_pair(hz, 2.0, index, tine, level)


def electric_piano(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """Frequency modulation at one to one, warm, with a short tine on top; stops when let go."""
    samples = held + round(0.35 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    index = (0.7 + 1.6 * brightness) * np.exp(-time_s / 0.25)
    tine = 0.18 * np.exp(-time_s / 0.04) * np.sin(TAU * hz * 14 * time_s) * (hz < 1400)
    level = decay(samples, 0.9) * gate(samples, held, release_s=0.35)
    return fm_pair(hz, 1.0, index, tine, level)


def fm_pair(
    hz: float,
    ratio: float,
    index: NDArray[np.float64],
    extra: NDArray[np.float64],
    level: Signal,
) -> Signal:
    """Two slightly detuned FM voices, left and right."""
    time_s = seconds(len(level))
    voices = []
    for cents in (-2.0, 2.0):
        phase = TAU * hz * 2.0 ** (cents / 1200) * time_s
        voices.append((np.sin(phase + index * np.sin(ratio * phase)) + extra) * level)
    return np.stack(voices, axis=1).astype(np.float32)


def saw_lead(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """Three saws and an octave below, a filter that settles, and vibrato on long notes."""
    samples = held + round(0.12 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    depth = 0.006 * np.clip((time_s - 0.25) / 0.3, 0.0, 1.0)
    warped = time_s - depth / (TAU * 5.4) * np.cos(TAU * 5.4 * time_s)
    settling = decay(samples, 0.12)
    stereo = np.zeros((samples, 2), dtype=np.float32)
    for cents, position in ((-7, -0.5), (0, 0.0), (7, 0.5)):
        phase = hz * 2.0 ** (cents / 1200) * warped + rng.random()
        bright = saw(hz, phase, 3500.0 + 5000.0 * brightness)
        dark = saw(hz, phase, 1800.0)
        stereo += panned(settling * bright + (1.0 - settling) * dark, position)
    stereo += panned((0.5 * np.sin(TAU * hz / 2 * warped)).astype(np.float32), 0.0)
    return 0.5 * stereo * gate(samples, held, release_s=0.12)[:, np.newaxis]


def flute(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A few soft partials with vibrato and a breath of noise at the start."""
    samples = held + round(0.15 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    depth = 0.005 * np.clip((time_s - 0.2) / 0.3, 0.0, 1.0)
    phase = TAU * hz * (time_s - depth / (TAU * 5.0) * np.cos(TAU * 5.0 * time_s))
    tone = np.sin(phase) + 0.35 * np.sin(2 * phase) + 0.25 * brightness * np.sin(3 * phase)
    breath = 0.12 * rng.standard_normal(samples) * np.exp(-time_s / 0.03)
    mono = (0.7 * tone + breath).astype(np.float32) * gate(samples, held, release_s=0.15)
    return panned(mono, 0.0)


def synth_bass(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A sine below, a dark saw above whose filter closes on each note, gently overdriven."""
    samples = held + round(0.06 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    phase = hz * time_s
    closing = decay(samples, 0.1)
    bright = saw(hz, phase, 400.0 + 1800.0 * brightness)
    dark = saw(hz, phase, 260.0)
    mono = 0.8 * np.sin(TAU * phase) + 0.5 * (closing * bright + (1.0 - closing) * dark)
    driven = np.tanh(1.4 * mono) * gate(samples, held, release_s=0.06)
    return panned(driven.astype(np.float32), 0.0)


def sub_bass(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A round bass: a sine with a second and third partial."""
    samples = held + round(0.08 * SAMPLE_RATE_HZ)
    phase = TAU * hz * seconds(samples)
    mono = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.3 * brightness * np.sin(3 * phase)
    return panned((0.7 * mono).astype(np.float32) * gate(samples, held, release_s=0.08), 0.0)


def piano(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """Stiff strings whose partials are stretched and die in two stages, after a knock."""
    samples = held + round(0.25 * SAMPLE_RATE_HZ)
    time_s = seconds(samples).astype(np.float32)
    partials = min(12, int(0.4 * SAMPLE_RATE_HZ / hz))
    sides = [np.zeros(samples, dtype=np.float32) for _ in range(2)]
    for order in range(1, partials + 1):
        strength = np.sin(np.pi * order / 8) / order ** (1.6 - 0.6 * brightness)
        stretched_hz = hz * order * np.sqrt(1.0 + 4e-4 * order**2)
        loss = (0.6 + hz / 700.0) * (1.0 + 0.25 * order)
        fading = 0.75 * np.exp(-3.0 * loss * time_s) + 0.25 * np.exp(-0.6 * loss * time_s)
        for side, cents in zip(sides, (-0.8, 0.8), strict=True):
            phase = np.float32(TAU * stretched_hz * 2.0 ** (cents / 1200)) * time_s
            side += (np.float32(strength) * np.sin(phase) * fading).astype(np.float32)
    knock = 0.06 * rng.standard_normal(samples) * np.exp(-time_s / 0.008)
    stereo = np.stack(sides, axis=1) + knock[:, np.newaxis].astype(np.float32)
    return stereo * gate(samples, held, release_s=0.25)[:, np.newaxis]


def strings(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A section of bowed strings: six saws, each with a vibrato of its own, that swell at first."""
    samples = held + round(0.3 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    stereo = np.zeros((samples, 2), dtype=np.float32)
    for position in np.linspace(-0.8, 0.8, 6):
        cents, rate_hz = 5.0 * rng.standard_normal(), 4.5 + 1.5 * rng.random()
        depth = 0.003 * np.clip(time_s / 0.4, 0.0, 1.0)
        swayed = time_s - depth / (TAU * rate_hz) * np.cos(TAU * (rate_hz * time_s + rng.random()))
        phase = hz * 2.0 ** (cents / 1200) * swayed + rng.random()
        stereo += panned(saw(hz, phase, 900.0 + 3500.0 * brightness), float(position))
    swelling = np.minimum(1.0, 0.15 + time_s / 0.08).astype(np.float32)
    level = swelling * gate(samples, held, release_s=0.3)
    return 0.45 * stereo * level[:, np.newaxis]


def distorted_guitar(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """A power chord through an overdriven amplifier and its loudspeaker, played twice.

    Below a brightness of 0.45 the palm mutes the strings.
    """
    muted = brightness < 0.45
    samples = held + round(0.04 * SAMPLE_RATE_HZ)
    time_s = seconds(samples)
    ringing = decay(samples, 0.07 if muted else 1.2)
    pick = 1.0 + 1.5 * decay(samples, 0.006)
    stereo = np.zeros((samples, 2), dtype=np.float32)
    for side in (-0.9, 0.9):
        chord = np.zeros(samples, dtype=np.float32)
        for ratio, level in ((1.0, 1.0), (1.5, 0.8), (2.0, 0.6)):
            cents = 3.0 * rng.standard_normal()
            phase = hz * ratio * 2.0 ** (cents / 1200) * time_s + rng.random()
            chord += np.float32(level) * saw(hz * ratio, phase, 1200.0 if muted else 3000.0)
        driven = np.tanh(5.0 * chord * ringing * pick).astype(np.float32)
        cabinet = low_pass(high_pass(driven, 95.0), 2200.0 if muted else 4300.0)
        stereo += panned(low_pass(cabinet, 5000.0), side)
    envelope = gate(samples, held, release_s=0.04)
    if muted:
        envelope = envelope * decay(samples, 0.09)
    return 0.8 * stereo * envelope[:, np.newaxis]


def lead_guitar(hz: float, held: int, brightness: float, rng: np.random.Generator) -> Signal:
    """The saw lead through the same kind of amplifier, with little of its lowest octave."""
    sung = saw_lead(hz, held, brightness, rng)
    driven = np.tanh(4.0 * high_pass(sung, 200.0)).astype(np.float32)
    return 0.6 * low_pass(driven, 4500.0)


INSTRUMENTS: dict[str, Instrument] = {
    "supersaw_pad": supersaw_pad,
    "supersaw_stab": supersaw_stab,
    "organ": organ,
    "plucked_string": plucked_string,
    "glass_bell": glass_bell,
    "electric_piano": electric_piano,
    "saw_lead": saw_lead,
    "flute": flute,
    "synth_bass": synth_bass,
    "sub_bass": sub_bass,
    "piano": piano,
    "strings": strings,
    "distorted_guitar": distorted_guitar,
    "lead_guitar": lead_guitar,
}

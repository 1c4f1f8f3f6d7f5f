"""The mixing desk: levels, the pump of the kick, echo and room."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from songsmith.score import SAMPLE_RATE_HZ
from songsmith.signals import Signal, decay, fft_length, high_pass, low_pass, noise


@dataclass(frozen=True)
class Strip:
    """One part's place in the mix; sends and `duck` are shares from 0 to 1."""

    gain_db: float
    room: float = 0.0
    echo: float = 0.0
    duck: float = 0.0


STRIPS: dict[str, Strip] = {
    "pad": Strip(-21.5, room=0.35, duck=0.6),
    "stabs": Strip(-15.5, room=0.25, duck=0.45),
    "arpeggio": Strip(-14.0, room=0.3, echo=0.15, duck=0.15),
    "bass": Strip(-12.0, duck=0.55),
    "quiet_lead": Strip(-16.0, room=0.4, echo=0.35),
    "verse_lead": Strip(-12.0, room=0.3, echo=0.3, duck=0.1),
    "chorus_lead": Strip(-11.5, room=0.25, echo=0.3, duck=0.2),
    "doubling": Strip(-20.5, room=0.35, echo=0.2),
    "second_voice": Strip(-13.0, room=0.25, echo=0.2, duck=0.2),
    "kick": Strip(-6.5),
    "snare": Strip(-6.5, room=0.14),
    "clap": Strip(-4.0, room=0.2),
    "rim": Strip(-4.0, room=0.2),
    "hat": Strip(-6.5, room=0.03),
    "open_hat": Strip(-9.5, room=0.06),
    "crash": Strip(-12.5, room=0.15),
    "high_tom": Strip(-9.0, room=0.15),
    "mid_tom": Strip(-9.0, room=0.15),
    "low_tom": Strip(-9.0, room=0.15),
    "riff": Strip(-13.5, room=0.08),
    "beater_kick": Strip(-8.0),
    "tight_snare": Strip(-6.5, room=0.12),
    "ride": Strip(-12.0, room=0.1),
    "china": Strip(-13.0, room=0.15),
    "brush": Strip(-9.0, room=0.2),
    "swell": Strip(-11.5, room=0.2),
}


def mix(
    tracks: Mapping[str, Signal],
    kicks: Iterable[tuple[int, float]],
    echo_samples: int,
    rng: np.random.Generator,
) -> Signal:
    """Sum stereo tracks of equal length, named as in `STRIPS`, into one stereo signal.

    `kicks` are (sample, velocity); `echo_samples` is the distance between two echoes.
    """
    samples = len(next(iter(tracks.values())))
    pump = pump_curve(samples, kicks)[:, np.newaxis]
    dry, to_room, to_echo = (np.zeros((samples, 2), dtype=np.float32) for _ in range(3))
    for name, track in tracks.items():
        strip = STRIPS[name]
        level = np.float32(10.0 ** (strip.gain_db / 20))
        channel = track * level
        if strip.duck:
            channel *= 1.0 - np.float32(strip.duck) * pump
        dry += channel
        if strip.room:
            to_room += np.float32(strip.room) * channel
        if strip.echo:
            to_echo += np.float32(strip.echo) * channel
    echoes = ping_pong(to_echo, echo_samples)
    to_room += 0.3 * echoes
    # Low notes would turn the room to mud.
    return dry + echoes + room(high_pass(to_room, 220.0), rng)


def pump_curve(samples: int, kicks: Iterable[tuple[int, float]]) -> Signal:
    """How far the kick pushes the others down: 1 just after a full stroke, 0 at rest."""
    attack = np.linspace(0.0, 1.0, round(0.002 * SAMPLE_RATE_HZ), dtype=np.float32)
    release = decay(round(0.4 * SAMPLE_RATE_HZ), 0.11)
    shape = np.concatenate([attack, release * np.linspace(1.0, 0.0, len(release))])
    curve = np.zeros(samples + len(shape), dtype=np.float32)
    for start, velocity in kicks:
        pushed = curve[start : start + len(shape)]
        np.maximum(pushed, (velocity * shape).astype(np.float32), out=pushed)
    return curve[:samples]


def ping_pong(signal: Signal, echo_samples: int, echoes: int = 4, loss: float = 0.55) -> Signal:
    """Echoes that fade, darken and change sides."""
    source = low_pass(high_pass(signal, 300.0), 4500.0)
    total = np.zeros_like(signal)
    level = 1.0
    for number in range(1, echoes + 1):
        late = number * echo_samples
        if late >= len(signal):
            break
        wide = source[: len(signal) - late] * np.float32(level)
        sides = np.array([1.0, 0.35] if number % 2 else [0.35, 1.0], dtype=np.float32)
        total[late:] += wide * sides
        level *= loss
    return total


def room(signal: Signal, rng: np.random.Generator) -> Signal:
    """Convolve with a decaying noise tail, a different one for each side."""
    tail = room_response(rng)
    length = fft_length(len(signal) + len(tail))
    spectrum = np.fft.rfft(signal, length, axis=0) * np.fft.rfft(tail, length, axis=0)
    return np.fft.irfft(spectrum, length, axis=0)[: len(signal)].astype(np.float32)


def room_response(
    rng: np.random.Generator,
    pre_delay_s: float = 0.022,
    bright_s: float = 0.22,
    dark_s: float = 0.42,
) -> Signal:
    """An impulse response of unit energy whose highs die sooner than its lows; shape (n, 2)."""
    samples = round(2.4 * SAMPLE_RATE_HZ)
    hiss = noise(samples, rng)
    dark = low_pass(hiss, 1800.0) * decay(samples, dark_s)[:, np.newaxis]
    bright = high_pass(hiss, 1800.0) * decay(samples, bright_s)[:, np.newaxis]
    tail = low_pass(dark + 0.6 * bright, 9000.0)
    late = np.zeros((round(pre_delay_s * SAMPLE_RATE_HZ), 2), dtype=np.float32)
    return np.concatenate([late, tail / np.sqrt(np.sum(tail**2, axis=0))])

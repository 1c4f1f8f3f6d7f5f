"""From a mix to a finished master: loudness, ceiling and 16 bits."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from songsmith.score import SAMPLE_RATE_HZ
from songsmith.signals import Signal, filtered, high_pass, high_shelf

TARGET_LUFS = -14.0
# Room above the samples for the peaks between them and for lossy encoders.
CEILING_DB = -2.0

# Synthesised sounds come out darker than recorded ones.
SHELF_HZ = 1500.0
SHELF_DB = 5.0

# K-weighting of ITU-R BS.1770-5, given there as filters at 48 kHz: (b, a) of two biquads.
K_WEIGHTING_RATE_HZ = 48_000
K_WEIGHTING = (
    (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    ),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)

LIMITER_BLOCK = 64
LIMITER_REACH_BLOCKS = 24


def master(
    mix: Signal, tail_samples: int, target_lufs: float = TARGET_LUFS, drive_db: float = 0.0
) -> Signal:
    """Bring a stereo mix to a loudness under the ceiling, and fade its tail to silence.

    `drive_db` is how far the mix is pushed into a waveshaper first.
    """
    if drive_db > 0.0:
        mix = driven(mix, drive_db)
    clean = high_shelf(high_pass(mix, 28.0), SHELF_HZ, SHELF_DB)
    fade = np.linspace(1.0, 0.0, tail_samples, dtype=np.float32) ** 2
    clean[len(clean) - tail_samples :] *= fade[:, np.newaxis]
    gain_db = target_lufs - loudness_lufs(clean)
    finished = limited(clean * db_to_gain(gain_db))
    # The limiter takes some loudness away; asking for that much more converges quickly.
    for _ in range(2):
        gain_db += target_lufs - loudness_lufs(finished)
        finished = limited(clean * db_to_gain(gain_db))
    return finished


def driven(mix: Signal, drive_db: float) -> Signal:
    """The mix through a waveshaper that its loud moments overdrive by `drive_db`."""
    loud = max(float(np.percentile(np.abs(mix), 99.0)), 1e-6)
    return np.tanh(mix * (db_to_gain(drive_db) / np.float32(loud))).astype(np.float32)


def db_to_gain(db: float) -> np.float32:
    return np.float32(10.0 ** (db / 20))


def k_weighting(hz: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Frequency response of the K-weighting filter."""
    z = np.exp(-2j * np.pi * hz / K_WEIGHTING_RATE_HZ)
    response = np.ones(z.shape, dtype=np.complex128)
    for numerator, denominator in K_WEIGHTING:
        response *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    return response


def loudness_lufs(stereo: Signal) -> float:
    """Gated integrated loudness as in ITU-R BS.1770-5; at least 0.4 s, not silent."""
    hop = SAMPLE_RATE_HZ // 10
    weighted = filtered(stereo, k_weighting)
    hops = len(weighted) // hop
    power = np.mean(weighted[: hops * hop].reshape(hops, hop, 2).astype(np.float64) ** 2, axis=1)
    # Blocks of 400 ms that overlap by three quarters; both channels weigh 1.
    blocks = sliding_window_view(power.sum(axis=1), 4).mean(axis=1)
    loud = blocks[blocks > power_of(-70.0)]
    kept = loud[loud > loud.mean() * 10.0**-1.0]
    return float(-0.691 + 10.0 * np.log10(kept.mean()))


def power_of(lufs: float) -> float:
    return float(10.0 ** ((lufs + 0.691) / 10))


def limited(stereo: Signal) -> Signal:
    """Turn loud passages down smoothly, about 35 ms ahead, so that no sample passes the ceiling."""
    ceiling = db_to_gain(CEILING_DB)
    blocks = -(-len(stereo) // LIMITER_BLOCK)
    padded = np.zeros(blocks * LIMITER_BLOCK, dtype=np.float32)
    padded[: len(stereo)] = np.abs(stereo).max(axis=1)
    peaks = padded.reshape(blocks, LIMITER_BLOCK).max(axis=1)
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, ceiling))

    # A mean over lows that each reach as wide as the mean (and, for the interpolation between
    # block centres, one block wider) is nowhere above the gain that is needed.
    lows = windows(needed, LIMITER_REACH_BLOCKS + 1).min(axis=1)
    smooth = windows(lows, LIMITER_REACH_BLOCKS).mean(axis=1)
    centres = (np.arange(blocks) + 0.5) * LIMITER_BLOCK
    gain = np.interp(np.arange(len(stereo)), centres, smooth).astype(np.float32)
    finished: Signal = stereo * gain[:, np.newaxis]
    return finished


def windows(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Each value with `reach` neighbours on both sides; shape (n, 2 reach + 1)."""
    return sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1)


def to_int16(stereo: Signal, rng: np.random.Generator) -> NDArray[np.int16]:
    """Round to 16 bits with triangular dither, so that the tail fades into noise, not buzz."""
    dither = rng.random(stereo.shape, dtype=np.float32) - rng.random(stereo.shape, dtype=np.float32)
    return np.clip(np.rint(stereo * 32767.0 + dither), -32768, 32767).astype(np.int16)

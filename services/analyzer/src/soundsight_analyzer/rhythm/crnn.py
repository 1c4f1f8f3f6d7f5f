"""A recurrent network that has learned from people where beats and downbeats are.

It is the network of Heydari, Cwitkowitz and Duan ("BeatNet: CRNN and particle filtering for online
joint beat, downbeat and meter tracking", ISMIR 2021) with its three published sets of weights, run
in numpy alone. It reads a logarithmic spectrogram and its rise, and hears no future: what it says
of a moment depends on what came before. The three sets of weights were trained on different
collections; the mean of their opinions is used.

A song is cut into stretches that run side by side as one batch, each begun some seconds early so
that its memory has filled: the steps do not grow with the song, and neither does their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

import numpy as np
import scipy.fft
import soxr

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.spectra import RATE_HZ

ACTIVATION_HOP_S = 0.02
WEIGHTS_FILE = "beatnet.npz"
SOURCE = "beatnet.crnn"

_NET_RATE_HZ = 22_050
_HOP = 441
_WINDOW = 1411
_BANDS_PER_OCTAVE = 24
_LOW_HZ, _HIGH_HZ = 30.0, 17_000.0
_TUNING_HZ = 440.0
_UNITS = 150
_BLOCK_FRAMES = 1024
_STRETCH_FRAMES = 1000
_WARM_UP_FRAMES = 500
_PIECE_FRAMES = 30_000
_TAIL_FRAMES = 3
_FED_STEPS = 100


@dataclass(frozen=True)
class BeatActivations:
    """How likely each frame is a beat that is no downbeat, and a downbeat: two arrays (frames,) in
    [0, 1], ``hop_s`` apart, the first at the song's first sample. ``source`` names the network."""

    beat: Floats
    downbeat: Floats
    hop_s: float
    source: str


@dataclass(frozen=True)
class _Weights:
    """One network: names and shapes are PyTorch's; LSTM gates come as input, forget, cell,
    output."""

    kernel: Floats  # (2, 10)
    kernel_bias: Floats  # (2,)
    dense: Floats  # (150, 262)
    dense_bias: Floats  # (150,)
    layers: tuple[tuple[Floats, Floats, Floats], ...]  # input (600, 150), recurrent, bias (600,)
    output: Floats  # (3, 150)
    output_bias: Floats  # (3,)

    @cached_property
    def convolution(self) -> tuple[Floats, Floats]:
        """Two matrices (272, 262): the convolution along the bands as products, its even and its
        odd outputs, of which the pooling takes the greater."""
        maps, taps = self.kernel.shape
        outputs = self.dense.shape[1] // maps * 2
        matrix = np.zeros((outputs + taps, maps, outputs), dtype=np.float32)
        for tap in range(taps):
            matrix[np.arange(outputs) + tap, :, np.arange(outputs)] = self.kernel[:, tap]
        even, odd = (matrix[:, :, half::2].reshape(len(matrix), -1) for half in (0, 1))
        return np.ascontiguousarray(even), np.ascontiguousarray(odd)


def hear_activations(samples: Floats) -> BeatActivations:
    """Activations of ``samples`` (n,) at RATE_HZ; memory does not grow with a long song."""
    hop = round(ACTIVATION_HOP_S * RATE_HZ)
    pieces: list[Floats] = []
    for first in range(0, len(samples), _PIECE_FRAMES * hop):
        lead = min(first // hop, _WARM_UP_FRAMES)
        end = first + (_PIECE_FRAMES + _TAIL_FRAMES) * hop
        spectrogram = log_spectrogram(samples[first - lead * hop : end])
        means = np.mean([_run(network, spectrogram) for network in _networks()], axis=0)
        pieces.append(means[lead : lead + _PIECE_FRAMES, :2])
    beat, downbeat = np.concatenate([np.zeros((0, 2)), *pieces]).T
    return BeatActivations(beat, downbeat, ACTIVATION_HOP_S, SOURCE)


def log_spectrogram(samples: Floats) -> Floats:
    """What the network reads: (frames, 272), 136 bands and how much each has risen in one frame.

    24 triangular filters an octave on magnitudes of a Hann window of 64 ms, log10(1 + x).
    """
    sound = soxr.resample(np.ascontiguousarray(samples, dtype=np.float32), RATE_HZ, _NET_RATE_HZ)
    taper = np.hanning(_WINDOW).astype(np.float32)
    filters = _filterbank()
    frames = -(-len(sound) // _HOP)
    half = _WINDOW // 2
    padded = np.pad(sound, (half, _WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    bands = np.empty((frames, filters.shape[1]), dtype=np.float32)
    for first in range(0, frames, _BLOCK_FRAMES):
        piece = windows[first : min(first + _BLOCK_FRAMES, frames)]
        spectrum = np.abs(scipy.fft.rfft(piece * taper, axis=1))[:, : _WINDOW // 2]
        bands[first : first + len(piece)] = np.log10(1.0 + spectrum @ filters)
    rise = np.zeros_like(bands)
    np.maximum(0.0, bands[1:] - bands[:-1], out=rise[1:])
    return np.concatenate([bands, rise], axis=1)


def _filterbank() -> Floats:
    """Filters (bins, 136): triangles between neighbouring bins of a quarter-tone scale, of sum 1.

    The scale is rounded to bins, and bins that it names twice count once.
    """
    count = _WINDOW // 2
    # The window has an odd length; the network was trained with bins named as if it were even.
    bins_hz = np.arange(count) * (_NET_RATE_HZ / (2 * count))
    lowest = np.floor(np.log2(_LOW_HZ / _TUNING_HZ) * _BANDS_PER_OCTAVE)
    highest = np.ceil(np.log2(_HIGH_HZ / _TUNING_HZ) * _BANDS_PER_OCTAVE)
    scale_hz = _TUNING_HZ * 2.0 ** (np.arange(lowest, highest) / _BANDS_PER_OCTAVE)
    scale_hz = scale_hz[(scale_hz >= _LOW_HZ) & (scale_hz <= _HIGH_HZ)]
    above = np.clip(np.searchsorted(bins_hz, scale_hz), 1, count - 1)
    below_is_nearer = scale_hz - bins_hz[above - 1] < bins_hz[above] - scale_hz
    corners = np.unique(above - below_is_nearer)
    filters = np.zeros((count, len(corners) - 2), dtype=np.float32)
    for band, (start, centre, stop) in enumerate(
        zip(corners[:-2], corners[1:-1], corners[2:], strict=True)
    ):
        if stop - start < 2:
            centre, stop = start, start + 1
        rising = np.linspace(0.0, 1.0, centre - start, endpoint=False)
        falling = np.linspace(1.0, 0.0, stop - centre, endpoint=False)
        triangle = np.concatenate([rising, falling])
        filters[start:stop, band] = triangle / triangle.sum()
    return filters


@lru_cache(maxsize=1)
def _networks() -> tuple[_Weights, ...]:
    path = files("soundsight_analyzer") / "weights" / WEIGHTS_FILE
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    prefixes = sorted({name.split("/")[0] for name in arrays})
    return tuple(_weights(arrays, prefix) for prefix in prefixes)


def _weights(arrays: dict[str, Floats], prefix: str) -> _Weights:
    def get(name: str) -> Floats:
        return arrays[f"{prefix}/{name}"]

    return _Weights(
        kernel=get("conv1.weight")[:, 0],
        kernel_bias=get("conv1.bias"),
        dense=get("linear0.weight"),
        dense_bias=get("linear0.bias"),
        layers=tuple(
            (
                get(f"lstm.weight_ih_l{layer}"),
                get(f"lstm.weight_hh_l{layer}"),
                get(f"lstm.bias_ih_l{layer}") + get(f"lstm.bias_hh_l{layer}"),
            )
            for layer in range(2)
        ),
        output=get("linear.weight"),
        output_bias=get("linear.bias"),
    )


def _run(network: _Weights, spectrogram: Floats) -> Floats:
    """Probabilities (frames, 3) of beat, downbeat and neither."""
    hidden = np.concatenate(
        [
            _convolve(network, spectrogram[first : first + _BLOCK_FRAMES])
            for first in range(0, len(spectrogram), _BLOCK_FRAMES)
        ]
    )
    stretches = _stretches(hidden)
    for into, recurrent, bias in network.layers:
        stretches = _recur(stretches, into, recurrent, bias)
    logits = stretches @ network.output.T + network.output_bias
    logits = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities = logits / logits.sum(axis=2, keepdims=True)
    # (steps, stretches, 3) to (frames, 3), without what was heard to warm up.
    heard = probabilities[_WARM_UP_FRAMES:].transpose(1, 0, 2).reshape(-1, 3)
    return np.asarray(heard[: len(spectrogram)])


def _convolve(network: _Weights, spectrogram: Floats) -> Floats:
    """The layers (frames, 150) before the recurrent ones."""
    even, odd = network.convolution
    # The bias is that of all bands, so that it can wait for the pooling.
    pooled = np.maximum(spectrogram @ even, spectrogram @ odd)
    pooled += np.repeat(network.kernel_bias, even.shape[1] // len(network.kernel))
    np.maximum(0.0, pooled, out=pooled)
    return np.asarray(pooled @ network.dense.T + network.dense_bias, dtype=np.float32)


def _stretches(hidden: Floats) -> Floats:
    """``hidden`` (frames, units) as (steps, stretches, units), each with its warm-up before it."""
    count = -(-len(hidden) // _STRETCH_FRAMES)
    missing = count * _STRETCH_FRAMES - len(hidden)
    padded = np.pad(hidden, ((_WARM_UP_FRAMES, missing), (0, 0)))
    steps = _WARM_UP_FRAMES + _STRETCH_FRAMES
    return np.stack(
        [padded[i * _STRETCH_FRAMES : i * _STRETCH_FRAMES + steps] for i in range(count)], axis=1
    )


def _recur(inputs: Floats, into: Floats, recurrent: Floats, bias: Floats) -> Floats:
    """One LSTM layer over ``inputs`` (steps, batch, units), from a state of nothing."""
    steps, batch, _ = inputs.shape
    outputs = np.empty((steps, batch, _UNITS), dtype=np.float32)
    state = np.zeros((batch, _UNITS), dtype=np.float32)
    cell = np.zeros_like(state)
    feedback = np.ascontiguousarray(recurrent.T)
    feed = np.ascontiguousarray(into.T)
    for step in range(steps):
        if step % _FED_STEPS == 0:
            # What comes from below needs no earlier step: one product for many of them.
            fed = inputs[step : step + _FED_STEPS] @ feed
            fed += bias
        if step == _WARM_UP_FRAMES:  # nothing comes before the song's first stretch
            state[0], cell[0] = 0.0, 0.0
        gates = fed[step % _FED_STEPS]
        gates += state @ feedback
        wish = np.tanh(gates[:, 2 * _UNITS : 3 * _UNITS])
        # Sigmoids of all gates at once; the third quarter is not used.
        np.clip(gates, -30.0, 30.0, out=gates)
        np.negative(gates, out=gates)
        np.exp(gates, out=gates)
        gates += 1.0
        np.reciprocal(gates, out=gates)
        cell = gates[:, _UNITS : 2 * _UNITS] * cell + gates[:, :_UNITS] * wish
        state = gates[:, 3 * _UNITS :] * np.tanh(cell)
        outputs[step] = state
    return outputs

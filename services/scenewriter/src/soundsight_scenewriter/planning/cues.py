"""The music of each clip, per frame and quantised, so that equal music gives equal clip keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from soundsight_scenewriter.planning.types import Take
from soundsight_scenewriter.song import Curve, CurveName, Floats, Song, steps
from soundsight_scenewriter.timeline import Timeline

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipMusic:
    """Cues of one clip: bytes per frame (empty where the analysis has no such curve)."""

    curves: dict[CurveName, bytes] = field(default_factory=dict)
    beat_frames: tuple[int, ...] = ()
    downbeat_frames: tuple[int, ...] = ()


def quantise(values: Floats) -> Bytes:
    """[0, 1] to 0..255; what lies outside is clipped."""
    return np.asarray(np.floor(np.clip(values, 0.0, 1.0) * 255.0 + 0.5), dtype=np.uint8)


def frame_maxima(curve: Curve, timeline: Timeline) -> Floats:
    """The curve's maximum within each frame's time, shape (frames,).

    A frame without a value of its own, because the curve is coarser than the frame rate, gets
    the curve's height at its start.
    """
    starts = steps(timeline.frames + 1, timeline.frame_s)
    maxima = curve.at(starts[:-1])
    # Values i with start <= i * hop < end; the small term absorbs rounding at equal times.
    edges = np.ceil(starts / curve.hop_s - 1e-9).astype(np.int64)
    edges = np.minimum(edges, curve.values.size)
    filled = np.flatnonzero(edges[1:] > edges[:-1])
    if filled.size:
        # Up to the last edge: beyond it reduceat would run on to the curve's end.
        values = curve.values[: edges[-1]]
        maxima[filled] = np.maximum.reduceat(values, edges[filled])
    return maxima


class SongMusic:
    """A song's cues per frame of the whole video, cut into clips by `clip`."""

    def __init__(self, song: Song, timeline: Timeline) -> None:
        self._frames = timeline.frames
        starts = steps(timeline.frames, timeline.frame_s)
        self._curves: dict[CurveName, Bytes] = {}
        for name, curve in song.curves.items():
            values = frame_maxima(curve, timeline) if name is CurveName.ONSET else curve.at(starts)
            self._curves[name] = quantise(values)
        frames = timeline.nearest_frames(song.beats_s)
        inside = (frames >= 0) & (frames < timeline.frames)
        self._beats = np.unique(frames[inside])
        self._downbeats = np.unique(frames[inside & (song.positions == 1)])

    def clip(self, take: Take) -> ClipMusic:
        """The cues of one clip; frames outside the song are silent."""
        first = take.start_frame - take.handle_in_frames
        end = first + take.clip_frames
        curves = {}
        for name, values in self._curves.items():
            window = np.zeros(take.clip_frames, dtype=np.uint8)
            low, high = max(0, first), min(self._frames, end)
            if low < high:
                window[low - first : high - first] = values[low:high]
            curves[name] = window.tobytes()
        return ClipMusic(
            curves, _within(self._beats, first, end), _within(self._downbeats, first, end)
        )


def _within(frames: NDArray[np.int64], first: int, end: int) -> tuple[int, ...]:
    low, high = np.searchsorted(frames, [first, end])
    return tuple(int(frame) - first for frame in frames[low:high])

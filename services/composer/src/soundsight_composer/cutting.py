"""Where an H.264 clip can be cut without decoding, found from the order of its packets."""

from __future__ import annotations

from collections.abc import Sequence

from soundsight_composer.splice import CutPoints


def display_order(timestamps: Sequence[int]) -> list[int]:
    """The frame that each packet shows, from the packets' presentation times in decoding order."""
    ranks = sorted(range(len(timestamps)), key=timestamps.__getitem__)
    frames = [0] * len(timestamps)
    for frame, packet in enumerate(ranks):
        frames[packet] = frame
    return frames


def cut_points(frames: Sequence[int], idr: Sequence[bool]) -> CutPoints:
    """Cut points of a clip.

    Args:
        frames: the frame that each packet shows, in decoding order.
        idr: whether each packet holds an IDR picture, which no later one looks behind.
    """
    starts: list[int] = []
    ends: list[int] = []
    latest = -1
    for packet, frame in enumerate([*frames, len(frames)]):
        # Exactly the frames before this one have come: nothing straddles the point.
        if latest == packet - 1:
            if packet > 0:
                ends.append(packet)
            if packet < len(frames) and idr[packet] and frame == packet:
                starts.append(packet)
        latest = max(latest, frame)
    return CutPoints(starts, ends)

"""Where the time of a render went: the stages it recorded, and what the command itself measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from soundsight.render.v1.resources_pb2 import Render, RenderState
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_cli.summaries import STATES

STARTING = "starting the suite"
SENDING = "sending the song"
RENDERING = "rendering"
FETCHING = "fetching the video"

SHORTEST_WAIT_S = 0.05
"""A shorter rest of the render's time belongs to no stage worth a line."""


@dataclass(frozen=True)
class Stage:
    """A line of the table."""

    name: str
    taken_s: float
    frames_per_s: float = 0.0
    """Frames that were made in a second; 0 for stages that make none."""


class Stopwatch:
    """Measures one thing after another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Gives `name` the seconds since the last lap."""
        now = self._clock()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began


def stages(
    laps: Mapping[str, float], found: Render, ended: Render, storyboard: Storyboard
) -> list[Stage]:
    """Returns the stages in the order in which they ran.

    A render that was under way before, such as after Ctrl-C, counts from when this command found
    it; one that had ended counts whole, as it was recorded then.

    Args:
        laps: what the command measured, by name.
        found: the render as it was when the command asked for it.
        ended: the same render at its end.
        storyboard: its storyboard, for the frames that were filmed.
    """
    over = found.state == RenderState.RENDER_STATE_SUCCEEDED
    resumed = found.sequence > 1 and not over
    since_s = _seconds(found.update_time) if resumed else 0.0
    recorded = []
    for timing in ended.timings:
        start_s = max(_seconds(timing.start_time), since_s)
        taken_s = _seconds(timing.end_time) - start_s
        if taken_s > 0:
            filming = timing.state == RenderState.RENDER_STATE_FILMING
            frames = frames_filmed(found, ended, storyboard) if filming else 0
            recorded.append(Stage(STATES[timing.state], taken_s, frames / taken_s))
    before = [Stage(name, laps[name]) for name in (STARTING, SENDING) if name in laps]
    after = [Stage(FETCHING, laps[FETCHING])] if FETCHING in laps else []
    waited_s = laps.get(RENDERING, 0.0) - sum(stage.taken_s for stage in recorded)
    if waited_s > SHORTEST_WAIT_S and not over:
        before.append(Stage("waiting", waited_s))
    return [*before, *recorded, *after]


def frames_filmed(found: Render, ended: Render, storyboard: Storyboard) -> int:
    """Returns the frames that were filmed since a render was found: not those of scenes that were
    done by then, nor of those whose clips were in the store."""
    kept = {scene.scene_id for scene in ended.scenes if scene.reused}
    if found.state != RenderState.RENDER_STATE_SUCCEEDED:
        kept |= {scene.scene_id for scene in found.scenes if scene.HasField("clip")}
    return sum(
        scene.handle_in_frames + scene.frames + scene.handle_out_frames
        for scene in storyboard.scenes
        if scene.id not in kept
    )


def table(rows: Sequence[Stage]) -> list[str]:
    """Returns the lines of the table: heading, a line per stage, sum."""
    total_s = sum(row.taken_s for row in rows)
    width = max(len(name) for name in ("stage", *(row.name for row in rows)))
    lines = [f"{'stage':<{width}}  {'time':>9}  {'share':>5}"]
    for row in rows:
        share = row.taken_s / total_s if total_s > 0 else 0.0
        speed = f"  {row.frames_per_s:.1f} frames/s" if row.frames_per_s > 0 else ""
        lines.append(f"{row.name:<{width}}  {row.taken_s:>7.1f} s  {share:>5.0%}{speed}")
    return [*lines, f"{'in all':<{width}}  {total_s:>7.1f} s"]


def _seconds(moment: Timestamp) -> float:
    return moment.seconds + moment.nanos / 1e9

"""Storyboards and states in a few lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from google.protobuf import json_format

from soundsight.common.v1.common_pb2 import FrameRate, Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight.render.v1.resources_pb2 import Render, RenderState, SceneState, StateChange
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_cli import naming
from soundsight_cli.cleaning import Plan
from soundsight_cli.display import size

STATES: Mapping[int, str] = {
    RenderState.RENDER_STATE_QUEUED: "waiting",
    RenderState.RENDER_STATE_INGESTING: "decoding the song",
    RenderState.RENDER_STATE_ANALYZING: "listening",
    RenderState.RENDER_STATE_WRITING: "writing the storyboard",
    RenderState.RENDER_STATE_AWAITING_APPROVAL: "waiting for approval",
    RenderState.RENDER_STATE_FILMING: "filming",
    RenderState.RENDER_STATE_COMPOSING: "cutting the video",
    RenderState.RENDER_STATE_PUBLISHING: "putting it in place",
    RenderState.RENDER_STATE_SUCCEEDED: "done",
    RenderState.RENDER_STATE_FAILED: "failed",
    RenderState.RENDER_STATE_CANCELLED: "cancelled",
}


def counted(progress: Progress, scenes_done: int = 0, scenes: int = 0) -> str:
    """Returns how far a stage is: its message, or such as `join 120 of 1080`; while scenes are
    filmed such as `2 of 9 scenes, frame 120 of 1080`."""
    if progress.message:
        return progress.message
    if progress.stage == "film" and progress.total:
        of_scenes = f"{scenes_done} of {scenes} scenes, " if scenes else ""
        return f"{of_scenes}frame {progress.done} of {progress.total}"
    # Work in one piece has nothing to count, and what has not begun neither.
    counts = progress.done > 0 and progress.total > 1
    how_far = f" {progress.done} of {progress.total}" if counts else ""
    return progress.stage + how_far


def tried_again(change: StateChange) -> str:
    """Returns what is tried again after it failed, and why it failed; empty when nothing is."""
    if not change.HasField("error"):
        return ""
    why = " ".join(change.error.message.split())
    if change.HasField("scene"):
        if change.scene.state != SceneState.SCENE_STATE_PENDING:
            return ""  # It failed for good: the render's end tells.
        which = f" (attempt {change.scene.attempts} failed)" if change.scene.attempts else ""
        return f"scene {change.scene.scene_id} is tried again{which}: {why}"
    if change.state == RenderState.RENDER_STATE_FAILED:
        return ""
    return f"{STATES[change.state]} is tried again: {why}"


def failure(render: Render) -> str:
    """Returns why a render failed, with what of it failed how often."""
    why = " ".join(render.error.message.split())
    for scene in render.scenes:
        if scene.state == SceneState.SCENE_STATE_FAILED:
            return f"scene {scene.scene_id} failed in {_attempts(scene.attempts)}: {why}"
    if render.timings and render.timings[-1].attempts > 1:
        stage = render.timings[-1]
        return f"{STATES[stage.state]} failed in {_attempts(stage.attempts)}: {why}"
    return why


def _attempts(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"


def storyboard(document: bytes) -> str:
    """Returns the treatment and a line per scene of a storyboard document (protobuf JSON)."""
    board = json_format.Parse(document, Storyboard())
    treatment = board.treatment
    palette = ", ".join(colour.name or _hexadecimal(colour) for colour in treatment.palette)
    lines = [treatment.title, treatment.logline, "", f"look     {treatment.look}"]
    lines += [f"palette  {palette}", ""]
    rate = board.frame_rate.num / board.frame_rate.den
    for scene in board.scenes:
        start = naming.clock(scene.start_frame / rate, decimals=2)
        length = scene.frames / rate
        lines.append(f"{scene.id}  {start}  {length:5.2f} s  {scene.description}")
    lines.extend(f"note: {note}" for note in board.notes)
    return "\n".join(lines)


def plan(planned: Plan, folder: Path) -> list[str]:
    """Returns what would be removed from a state folder, a line per kind, and how much stays."""
    rows = planned.by_kind()
    left_bytes = planned.present_bytes - planned.freed_bytes
    if not rows:
        return [f"nothing to remove: {folder} has {size(left_bytes)}, all of it needed"]
    rows.append(("in all", sum(number for _, number, _ in rows), planned.freed_bytes))
    width = max(len(kind) for kind, _, _ in rows)
    lines = [f"{kind:<{width}}  {number:>6}  {size(freed):>9}" for kind, number, freed in rows]
    return [f"to be removed from {folder}:", *lines, f"{size(left_bytes)} stay"]


def implementations(answers: Mapping[str, GetInfoResponse | str]) -> str:
    """Returns what each service is; a service that does not answer is named with the reason."""
    lines = []
    for name, answer in answers.items():
        if isinstance(answer, str):
            lines.append(f"{name:<12} does not answer: {answer}")
            continue
        lines.append(f"{name:<12} {answer.implementation} {answer.version}")
        lines.append(f"{'':<12} {answer.description}")
        for model in answer.models:
            lines.append(f"{'':<12} model {model.id} {model.revision[:12]} ({model.licence})")
    return "\n".join(lines)


def frame_rate(rate: FrameRate) -> str:
    """Returns frames per second, such as `24` or `29.970`."""
    return str(rate.num) if rate.den == 1 else f"{rate.num / rate.den:.3f}"


def _hexadecimal(colour: object) -> str:
    red, green, blue = (getattr(colour, part) for part in ("red", "green", "blue"))
    return f"#{red:02x}{green:02x}{blue:02x}"

"""Brings a song as far as its render goes, and shows how that is getting on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1.resources_pb2 import Render, RenderGoal, RenderState, SceneState
from soundsight_cli import summaries
from soundsight_cli.display import Display
from soundsight_cli.spec import VideoOptions, render_spec
from soundsight_cli.supervisor import SuiteError
from soundsight_cli.timings import RENDERING, SENDING, Stopwatch
from soundsight_client import Client
from soundsight_kit.errors import SoundsightError, error_from_status

UPLOAD_SHARE = 0.02
"""Share of the bar that the upload takes; the rest is the render's own fraction."""

CANCEL_PATIENCE_S = 1.0
"""So long a command that was stopped waits for its render to stop. Without an answer the render
ends all the same: with the suite, when nobody uses it any more."""


@dataclass(frozen=True)
class Rendered:
    """A render that went as far as it should."""

    found: Render
    """As it was when it was asked for: new, under way, or finished before."""
    ended: Render


async def render_song(
    client: Client,
    song: Path,
    options: VideoOptions,
    goal: RenderGoal.ValueType,
    display: Display,
    stopwatch: Stopwatch,
) -> Rendered:
    """Uploads the song, starts its render and watches it to its end.

    A cancelled wait (Ctrl-C) cancels the render; what is finished stays for the next time.
    """
    render_spec(ArtifactRef(), options, goal)  # Bad options are told before anything is sent.
    display.step(SENDING, 0.0)
    uploaded = await client.upload(
        song, lambda done, total: display.step(SENDING, UPLOAD_SHARE * done / total)
    )
    stopwatch.lap(SENDING)
    found = await client.ensure_render(render_spec(uploaded, options, goal))
    try:
        if found.state != RenderState.RENDER_STATE_SUCCEEDED:
            await _watch(client, found.name, display)
    except asyncio.CancelledError:
        with suppress(SoundsightError, grpc.RpcError, TimeoutError):
            cancelling = asyncio.shield(client.cancel_render(found.name))
            await asyncio.wait_for(cancelling, CANCEL_PATIENCE_S)
        raise
    ended = await client.get_render(found.name)
    stopwatch.lap(RENDERING)
    if ended.state == RenderState.RENDER_STATE_FAILED:
        raise error_from_status(ended.error)
    if ended.state == RenderState.RENDER_STATE_CANCELLED:
        raise SuiteError("the render was cancelled by another command; give it again to go on")
    return Rendered(found, ended)


async def _watch(client: Client, name: str, display: Display) -> None:
    """Shows a render's events until its final one."""
    what = "waiting"
    fraction = UPLOAD_SHARE
    scenes, done = 0, set[str]()
    async for event in client.watch_render(name):
        if event.HasField("progress"):
            moved = event.progress
            fraction = UPLOAD_SHARE + (1 - UPLOAD_SHARE) * moved.fraction
            counted = summaries.counted(moved.progress, len(done), scenes)
            display.step(f"{what}: {counted}" if counted else what, fraction, moved.remaining_s)
            continue
        change = event.state_change
        if change.HasField("scene"):
            if change.scene.state == SceneState.SCENE_STATE_DONE:
                done.add(change.scene.scene_id)
        elif change.state != RenderState.RENDER_STATE_SUCCEEDED:
            what = summaries.STATES[change.state]
            display.step(what, fraction)
            if change.state == RenderState.RENDER_STATE_FILMING:
                scenes = len((await client.get_render(name)).scenes)

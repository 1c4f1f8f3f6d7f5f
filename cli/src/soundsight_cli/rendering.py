"""Brings a song as far as its render goes, and shows how that is getting on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from soundsight.render.v1.resources_pb2 import Render, RenderGoal, RenderState, SceneState
from soundsight_cli import summaries
from soundsight_cli.display import Display
from soundsight_cli.resuming import is_film
from soundsight_cli.spec import VideoOptions, render_spec, typed_brief
from soundsight_cli.supervisor import SuiteError
from soundsight_cli.timings import RENDERING, SENDING, Stopwatch
from soundsight_client import Client
from soundsight_kit.errors import SoundsightError, error_from_status

UPLOAD_SHARE = 0.02
"""Share of the bar that the upload takes; the rest is the render's own fraction."""

WRONGLY_ASKED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED)
"""After these the same command fails again: something else must be asked for."""

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
    begun: Callable[[Render], None] = lambda _: None,
) -> Rendered:
    """Uploads the song, starts its render and watches it to its end, as `see_through` does.

    `begun` is told of the render as soon as there is one.
    """
    display.step(SENDING, 0.0)
    uploaded = await client.upload(
        song, lambda done, total: display.step(SENDING, UPLOAD_SHARE * done / total)
    )
    brief = typed_brief(options)
    wanted = brief.all_pictures if brief is not None else ()
    pictures = {path: await client.upload(path) for path in wanted}
    stopwatch.lap(SENDING)
    found = await client.ensure_render(render_spec(uploaded, options, goal, pictures))
    begun(found)
    return await see_through(client, found, display, stopwatch)


async def see_through(
    client: Client, found: Render, display: Display, stopwatch: Stopwatch
) -> Rendered:
    """Watches a render to its end.

    A cancelled wait (Ctrl-C) cancels the render; what is finished stays for the next time.

    Raises:
        SoundsightError: why it failed, when what was asked for cannot be rendered.
        SuiteError: why it failed otherwise, or that it was cancelled; and what goes on with it.
    """
    try:
        if found.state != RenderState.RENDER_STATE_SUCCEEDED:
            await _watch(client, found, display)
    except asyncio.CancelledError:
        with suppress(SoundsightError, grpc.RpcError, TimeoutError):
            cancelling = asyncio.shield(client.cancel_render(found.name))
            await asyncio.wait_for(cancelling, CANCEL_PATIENCE_S)
        raise
    ended = await client.get_render(found.name)
    stopwatch.lap(RENDERING)
    # A film alone can be gone on with without its song.
    film = is_film(found.spec)
    if ended.state == RenderState.RENDER_STATE_FAILED:
        error = error_from_status(ended.error)
        if error.code in WRONGLY_ASKED:
            raise error
        again = "`soundsight resume`" if film else "the same command"
        raise SuiteError(
            f"{summaries.failure(ended)}; {again} tries again and keeps what is finished"
        )
    if ended.state == RenderState.RENDER_STATE_CANCELLED:
        again = "`soundsight resume` goes on with it" if film else "give it again to go on"
        raise SuiteError(f"the render was cancelled by another command; {again}")
    return Rendered(found, ended)


async def _watch(client: Client, found: Render, display: Display) -> None:
    """Shows a render's events until its final one."""
    name, what = found.name, "waiting"
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
        # What failed before this command came was told then, or nobody waited for it.
        if change.sequence > found.sequence and (told := summaries.tried_again(change)):
            display.say(told)
        if change.HasField("scene"):
            if change.scene.state == SceneState.SCENE_STATE_DONE:
                done.add(change.scene.scene_id)
        elif change.state != RenderState.RENDER_STATE_SUCCEEDED:
            what = summaries.STATES[change.state]
            display.step(what, fraction)
            if change.state == RenderState.RENDER_STATE_FILMING:
                scenes = len((await client.get_render(name)).scenes)

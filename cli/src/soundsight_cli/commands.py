"""What the commands do: find a suite, hand it the song, show how it goes, fetch what came out."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.common.v1.implementation_pb2 import GetInfoRequest, GetInfoResponse
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight.render.v1.resources_pb2 import Render, RenderGoal, RenderState
from soundsight_cli import summaries
from soundsight_cli.display import Display, duration, open_display, size
from soundsight_cli.spec import BadOption, VideoOptions, option_for, render_spec
from soundsight_cli.state import StateFolder
from soundsight_cli.suite import suite_in_use
from soundsight_cli.supervisor import SuiteError, Supervisor
from soundsight_client import Client
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc, error_from_status

PROJECT = "projects/default"
"""A machine of one's own has one project."""

UPLOAD_SHARE = 0.02
"""Share of the bar that the upload takes; the rest is the render's own fraction."""

ANSWER_TIMEOUT_S = 10.0
"""A service says what it is at once or not at all."""

STANDARD_OUTPUT = Path("-")

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""


@dataclass(frozen=True)
class Session:
    """What all commands share."""

    state: StateFolder
    gateway: str | None
    """The gateway of a suite elsewhere; None for one on this machine."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command to its end; whatever goes wrong becomes one line and an exit code."""
    try:
        asyncio.run(_stoppable(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _fail("stopped; the same command goes on where this one stopped", INTERRUPTED)
    except BadOption as error:
        _fail(str(error), 2)
    except SoundsightError as error:
        _fail(_describe(error), 1)
    except grpc.RpcError as error:
        _fail(_describe(error_from_rpc(error)), 1)
    except SuiteError as error:
        _fail(str(error), 1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        _fail(f"{named}{error.strerror or error}", 1)


async def render(
    session: Session, song: Path, output: Path, options: VideoOptions, *, quiet: bool
) -> None:
    """Renders a song into a video file."""
    _check_song(song)
    _check_output(output, song)
    display = open_display(quiet=quiet)
    began = time.monotonic()
    try:
        async with _client(session, display) as client:
            done = await _render(client, song, options, RenderGoal.RENDER_GOAL_VIDEO, display)
            display.step("fetching the video", 1.0)
            await client.download(done.outputs.video, output)
    finally:
        display.close()
    if not quiet:
        taken = duration(time.monotonic() - began)
        file_size = size(done.outputs.video.size_bytes)
        print(f"{output}: {summaries.video(done)}, {file_size}, made in {taken}")
        for note in done.notes:
            print(f"note: {note}")
        if session.gateway is None:
            print(f"clips, storyboard and logs: {session.state.root}")


async def analyze(
    session: Session,
    song: Path,
    json: Path | None,
    options: VideoOptions,
    *,
    quiet: bool,
) -> None:
    """Analyses a song."""
    goal = RenderGoal.RENDER_GOAL_ANALYSIS
    document = await _document(session, song, json, options, goal, quiet=quiet)
    if json is None:
        print(summaries.analysis(document))


async def storyboard(
    session: Session,
    song: Path,
    json: Path | None,
    options: VideoOptions,
    *,
    quiet: bool,
) -> None:
    """Writes a song's storyboard."""
    goal = RenderGoal.RENDER_GOAL_STORYBOARD
    document = await _document(session, song, json, options, goal, quiet=quiet)
    if json is None:
        print(summaries.storyboard(document))


async def serve(session: Session, listen: str | None, *, until_idle: bool) -> None:
    """Keeps the suite up."""
    await Supervisor(session.state, listen=listen, until_idle=until_idle).run()


async def info(session: Session) -> None:
    """Prints what answers."""
    if session.gateway is not None:
        print(summaries.implementations(await _describe_all({"gateway": session.gateway})))
        return
    async with suite_in_use(session.state, open_display(quiet=True).say) as suite:
        print(summaries.implementations(await _describe_all(suite.targets)))
    print(f"state folder: {session.state.root}")


async def _describe_all(targets: Mapping[str, str]) -> dict[str, GetInfoResponse | str]:
    """Asks each service what it is; one that does not answer gives the reason instead."""
    answers: dict[str, GetInfoResponse | str] = {}
    for name, target in targets.items():
        try:
            async with open_channel(target) as channel:
                stub = ImplementationServiceStub(channel)
                answers[name] = await stub.GetInfo(GetInfoRequest(), timeout=ANSWER_TIMEOUT_S)
        except grpc.RpcError as error:
            answers[name] = error_from_rpc(error).message
    return answers


async def _document(
    session: Session,
    song: Path,
    json: Path | None,
    options: VideoOptions,
    goal: RenderGoal.ValueType,
    *,
    quiet: bool,
) -> bytes:
    """Goes as far as `goal`, writes the resulting JSON document where asked, returns it."""
    _check_song(song)
    if json is not None and json != STANDARD_OUTPUT:
        _check_output(json, song)
    display = open_display(quiet=quiet)
    try:
        async with _client(session, display) as client:
            done = await _render(client, song, options, goal, display)
            analysis_only = goal == RenderGoal.RENDER_GOAL_ANALYSIS
            outputs = done.outputs
            document = await client.read(outputs.analysis if analysis_only else outputs.storyboard)
    finally:
        display.close()
    if json is not None:
        _write_document(json, document, quiet=quiet)
    return document


async def _render(
    client: Client,
    song: Path,
    options: VideoOptions,
    goal: RenderGoal.ValueType,
    display: Display,
) -> Render:
    """Uploads the song, starts its render and watches it to its end.

    A cancelled wait (Ctrl-C) cancels the render; what is finished stays for the next time.
    """
    render_spec(ArtifactRef(), options, goal)  # Bad options are told before anything is sent.
    uploaded = await client.upload(
        song,
        lambda done, total: display.step("sending the song", UPLOAD_SHARE * done / total),
    )
    started = await client.ensure_render(render_spec(uploaded, options, goal))
    try:
        await _watch(client, started.name, display)
    except asyncio.CancelledError:
        with suppress(SoundsightError, grpc.RpcError, TimeoutError):
            await asyncio.wait_for(asyncio.shield(client.cancel_render(started.name)), 10)
        raise
    ended = await client.get_render(started.name)
    if ended.state == RenderState.RENDER_STATE_FAILED:
        raise error_from_status(ended.error)
    if ended.state == RenderState.RENDER_STATE_CANCELLED:
        raise SuiteError("the render was cancelled by another command")
    return ended


async def _watch(client: Client, name: str, display: Display) -> None:
    """Shows a render's events until its final one."""
    what = "waiting"
    fraction = UPLOAD_SHARE
    async for event in client.watch_render(name):
        if event.HasField("progress"):
            moved = event.progress
            fraction = UPLOAD_SHARE + (1 - UPLOAD_SHARE) * moved.fraction
            counted = summaries.counted(moved.progress)
            display.step(f"{what}: {counted}" if counted else what, fraction, moved.remaining_s)
        elif event.HasField("state_change") and not event.state_change.HasField("scene"):
            what = summaries.STATES[event.state_change.state]
            display.step(what, fraction)


@asynccontextmanager
async def _client(session: Session, display: Display) -> AsyncIterator[Client]:
    if session.gateway is not None:
        async with Client(session.gateway, project=PROJECT) as client:
            yield client
        return
    async with (
        suite_in_use(session.state, display.say) as suite,
        Client(suite.gateway, project=PROJECT) as client,
    ):
        yield client


async def _stoppable(work: Coroutine[Any, Any, None]) -> None:
    """Runs work so that Ctrl-C and SIGTERM stop it, even in a shell's background."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await work


def _check_song(song: Path) -> None:
    if not song.exists():
        raise SuiteError(f"{song} does not exist")
    if not song.is_file():
        raise SuiteError(f"{song} is not a file")
    if song.stat().st_size == 0:
        raise SuiteError(f"{song} is empty")


def _check_output(output: Path, song: Path) -> None:
    """Refuses an output that could not be written, before the work rather than after it."""
    if output.is_dir():
        raise SuiteError(f"{output} is a folder; name a file")
    if output.exists() and output.samefile(song):
        raise SuiteError(f"{output} is the song itself; choose another output")
    if not output.absolute().parent.is_dir():
        raise SuiteError(f"the folder {output.absolute().parent} does not exist")
    # Opened for appending: an existing file keeps its content until there is a new one.
    existed = output.exists()
    with output.open("ab"):
        pass
    if not existed:
        output.unlink()


def _write_document(destination: Path, document: bytes, *, quiet: bool) -> None:
    if destination == STANDARD_OUTPUT:
        sys.stdout.buffer.write(document + b"\n")
        return
    destination.write_bytes(document)
    if not quiet:
        print(f"{destination}: {size(len(document))}")


def _describe(error: SoundsightError) -> str:
    """Returns one line: the options at fault by the names they were typed as."""
    if error.field_violations:
        return "; ".join(f"{option_for(path)}: {why}" for path, why in error.field_violations)
    return error.message


def _fail(message: str, code: int) -> NoReturn:
    print(f"soundsight: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(code)

"""What the commands do: find a suite, hand it the song, show how it goes, fetch what came out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from rich.console import Console

from soundsight.render.v1.resources_pb2 import Render, RenderGoal, RenderState
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_cli import (
    cleaning,
    closing,
    documents,
    orders,
    resuming,
    songsummary,
    summaries,
    timings,
)
from soundsight_cli.display import Display, duration, open_display, printable, size
from soundsight_cli.doctor import document, examine, show
from soundsight_cli.documents import DOWNLOAD_SHARE, Files
from soundsight_cli.files import check_folder, check_output, check_song
from soundsight_cli.jobs import read_jobs
from soundsight_cli.rendering import Rendered, render_song, see_through
from soundsight_cli.session import PROJECT, Session, connected, describe_all, tls_elsewhere
from soundsight_cli.spec import BadOption, VideoOptions, check_options
from soundsight_cli.state import StateFolder, store_cap_bytes
from soundsight_cli.suite import suite_in_use, suite_resting
from soundsight_cli.supervisor import SuiteError, Supervisor
from soundsight_client import Client


@dataclass(frozen=True)
class Sweep:
    """What `clean` was asked for."""

    state: StateFolder
    everything: bool
    """Whether the job store goes as well."""
    unused_since_s: float | None
    """Keeps what was used after this moment (seconds since 1970)."""

    def plan(self) -> cleaning.Plan:
        """Returns what may go at this moment."""
        if self.everything:
            return cleaning.plan_all(self.state)
        jobs = read_jobs(self.state.database)
        return cleaning.plan(self.state, jobs, unused_since_s=self.unused_since_s)


async def render(
    session: Session,
    song: Path,
    output: Path,
    options: VideoOptions,
    *,
    quiet: bool,
    show_timings: bool = False,
) -> None:
    """Renders a song into a video file."""
    goal = RenderGoal.RENDER_GOAL_VIDEO
    check_options(options, goal)
    check_song(song)
    check_output(output, song)
    check_folder(output)
    cap_bytes = store_cap_bytes()
    stopwatch = timings.Stopwatch()
    display = open_display(quiet=quiet)

    def begun(found: Render) -> None:
        _note_order(session, found, orders.Order(song, output))

    try:
        async with connected(session, display) as client:
            stopwatch.lap(timings.STARTING)
            done = await render_song(client, song, options, goal, display, stopwatch, begun)
            storyboard = await _fetch(client, session, done, output, display, stopwatch)
    finally:
        display.close()
    again = closing.storyboard_command(song, options)
    _tell_end(
        session,
        done,
        storyboard,
        output,
        stopwatch,
        again,
        cap_bytes,
        quiet=quiet,
        show_timings=show_timings,
    )


async def resume(
    session: Session,
    render: str | None,
    output: Path | None,
    *,
    quiet: bool,
    show_timings: bool = False,
) -> None:
    """Goes on with an interrupted or failed render, the latest one unless one is named."""
    own = session.gateway is None
    if own and not session.state.database.exists():
        raise SuiteError(resuming.NOTHING)  # Without starting a suite to find that out.
    cap_bytes = store_cap_bytes()
    stopwatch = timings.Stopwatch()
    display = open_display(quiet=quiet)
    try:
        async with connected(session, display) as client:
            stopwatch.lap(timings.STARTING)
            if render is None:
                left = await resuming.latest_unfinished(client, session.state, own=own)
            else:
                left = await resuming.named(client, PROJECT, render)
            order = resuming.order_of(session.state, left, output)
            check_output(order.output, order.song)
            check_folder(order.output)
            display.say(f"going on with {left.name}, for {printable(order.output)}")
            found = await client.ensure_render(left.spec)
            _note_order(session, found, order)
            done = await see_through(client, found, display, stopwatch)
            storyboard = await _fetch(client, session, done, order.output, display, stopwatch)
    finally:
        display.close()
    _tell_end(
        session,
        done,
        storyboard,
        order.output,
        stopwatch,
        None,
        cap_bytes,
        quiet=quiet,
        show_timings=show_timings,
    )


def _note_order(session: Session, render: Render, order: orders.Order) -> None:
    """Notes where a video goes. Where that cannot be written it must be named to go on."""
    with suppress(OSError):
        orders.note(session.state, render.name, order)


async def _fetch(
    client: Client,
    session: Session,
    done: Rendered,
    output: Path,
    display: Display,
    stopwatch: timings.Stopwatch,
) -> Storyboard:
    """Puts a finished video in its place; returns its storyboard."""
    storyboard = await client.get_storyboard(done.ended.name)
    await client.download(
        done.ended.outputs.video,
        output,
        lambda got, of: display.step(
            f"{timings.FETCHING}: {size(got)} of {size(of)}", 1 - DOWNLOAD_SHARE
        ),
    )
    orders.settle(session.state, output)
    stopwatch.lap(timings.FETCHING)
    display.step("done", 1.0)
    return storyboard


def _tell_end(
    session: Session,
    done: Rendered,
    storyboard: Storyboard,
    output: Path,
    stopwatch: timings.Stopwatch,
    again: str | None,
    cap_bytes: float,
    *,
    quiet: bool,
    show_timings: bool,
) -> None:
    """Prints what a finished render has come to."""
    over = done.found.state == RenderState.RENDER_STATE_SUCCEEDED
    if show_timings:
        stages = timings.stages(stopwatch.laps, done.found, done.ended, storyboard)
        if over:
            print("rendered before; its stages took then:")
        print("\n".join(timings.table(stages)), end="\n" if quiet else "\n\n")
    if quiet:
        return
    made = duration(stopwatch.elapsed_s) + (" (rendered before)" if over else "")
    rows = closing.rows(output, done.ended, storyboard, made_in=made, again=again)
    if session.gateway is None:
        rows += _kept(session.state, cap_bytes)
    closing.show(rows, Console(highlight=False))


async def analyze(
    session: Session,
    song: Path,
    json: Path | None,
    plot: Path | None,
    options: VideoOptions,
    *,
    quiet: bool,
) -> None:
    """Analyses a song."""
    goal = RenderGoal.RENDER_GOAL_ANALYSIS
    found = await documents.make(session, song, options, goal, Files(json, plot), quiet=quiet)
    if json is None and not (quiet and plot is not None):
        print(songsummary.summary(found.analysis, found.notes))


async def storyboard(
    session: Session,
    song: Path,
    json: Path | None,
    options: VideoOptions,
    *,
    quiet: bool,
    html: Path | None = None,
    show_stats: bool = False,
) -> None:
    """Writes a song's storyboard."""
    goal = RenderGoal.RENDER_GOAL_STORYBOARD
    files = Files(json, html=html)
    found = await documents.make(session, song, options, goal, files, quiet=quiet)
    if json is None and not (quiet and html is not None):
        print(summaries.storyboard(found.storyboard))
    if show_stats:
        # Brings numpy, which no other command needs.
        from soundsight_cli import stats

        if json is None:
            print()
        # Where the document is printed, nothing else may be.
        console = Console(highlight=False, stderr=json == documents.STANDARD_OUTPUT)
        stats.show(stats.grids(found.analysis, found.storyboard), console)


async def serve(
    session: Session, listen: str | None, http: str | None, *, until_idle: bool
) -> None:
    """Keeps the suite up. One that nobody uses any more is given the time to end."""
    if not until_idle:
        session.state.create()
        async with suite_resting(session.state, open_display(quiet=False).say):
            pass
    await Supervisor(
        session.state,
        listen=listen,
        http=http,
        until_idle=until_idle,
        model=session.model,
        video_model=session.video_model,
    ).run()


async def info(session: Session, services: Sequence[str] = ()) -> bool:
    """Prints what answers; returns whether all that were asked do.

    Raises BadOption for a service that is not NAME=ADDRESS.
    """
    targets = {name: target for name, _, target in (one.partition("=") for one in services)}
    if not all(name and target for name, target in targets.items()):
        raise BadOption("name services as NAME=ADDRESS, such as analyzer=10.0.0.7:7001")
    if session.gateway is not None:
        targets = {"gateway": session.gateway, **targets}
    if targets:
        answers = await describe_all(targets, tls_elsewhere())
        print(summaries.implementations(answers))
        return not any(isinstance(answer, str) for answer in answers.values())
    async with suite_in_use(session.state, open_display(quiet=True).say) as suite:
        answers = await describe_all(suite.targets)
        print(summaries.implementations(answers))
    print(f"state folder: {session.state.root}")
    return not any(isinstance(answer, str) for answer in answers.values())


async def doctor(session: Session, json: Path | None) -> bool:
    """Prints what the checks found; returns whether all is well."""
    if session.gateway is not None:
        raise BadOption(
            "doctor looks at this machine; leave --gateway out (SOUNDSIGHT_GATEWAY sets it too)"
        )
    results = await asyncio.to_thread(examine, session.state)
    if json != documents.STANDARD_OUTPUT:
        show(results, Console(highlight=False))
    if json is not None:
        documents.write(json, dumps(document(results), indent=2).encode(), quiet=True)
    return all(result.well for result in results)


async def plan_clean(sweep: Sweep) -> cleaning.Plan:
    """Tells what would be removed from a state folder, and returns it."""
    state = sweep.state
    if not state.root.exists():
        print(f"nothing to remove: there is no folder {state.root}")
        return cleaning.Plan((), 0)
    cleaning.check_state_folder(state)
    async with suite_resting(state, _tell):
        planned = sweep.plan()
    print("\n".join(summaries.plan(planned, state.root)))
    return planned


async def clean(sweep: Sweep, planned: cleaning.Plan) -> None:
    """Removes what was planned, unless it has come to be needed since."""
    told = {item.paths for item in planned.items}
    async with suite_resting(sweep.state, _tell):
        cleaning.check_state_folder(sweep.state)
        items = [item for item in sweep.plan().items if item.paths in told]
        if not sweep.everything:
            sweep.state.cleaned.touch()  # What is missing from now on may have gone with it.
        cleaning.remove(sweep.state, items)
    print(f"freed {size(sum(item.size_bytes for item in items))}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _kept(state: StateFolder, cap_bytes: float) -> list[closing.Row]:
    """Where things are kept, and a gentle word when they became many."""
    used_bytes = cleaning.size_of(state.root)
    rows = [("kept in", f"{printable(state.root)}, {size(used_bytes)}")]
    if used_bytes > cap_bytes:
        limit = size(round(cap_bytes))
        rows.append(
            ("space", f"that is more than {limit}; `soundsight clean` frees what is not needed")
        )
    return rows

"""Finds the suite that a command works with: a running one, or one of its own.

`suite_in_use` holds the folder's lease while the command runs. As long as any
command holds it the suite stays up; a command that dies gives it up by dying.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from soundsight_cli import locks
from soundsight_cli.child import START_TIMEOUT_S, SuiteError
from soundsight_cli.languagemodel import LOAD_TIMEOUT_S, LanguageModel
from soundsight_cli.state import StateFolder, SuiteRecord

POLL_S = 0.05

LOOK_S = 1.0
"""How often a command looks whether its suite still runs."""

REST_TIMEOUT_S = 60.0
"""A suite that nobody uses has ended by then."""


@asynccontextmanager
async def suite_in_use(
    state: StateFolder,
    tell: Callable[[str], None],
    model: LanguageModel | None = None,
    video_model: str = "",
) -> AsyncIterator[SuiteRecord]:
    """Yields the record of the running suite, starting the suite when none runs.

    Args:
        state: the folder whose suite is meant.
        tell: takes one line about what is happening.
        model: the language model that shall write; None for whatever the suite has.
        video_model: the diffusion model that shall film; empty for whatever the suite has.

    Raises:
        SuiteError: when the suite cannot be started, or runs without that model.
    """
    try:
        state.create()
    except OSError as error:
        raise SuiteError(
            f"the state folder {state.root} cannot be used ({error.strerror}); "
            "choose another with --state-dir or SOUNDSIGHT_STATE_DIR"
        ) from error
    with locks.shared(state.lease):
        suite = await _find_or_start(state, tell, model, video_model)
        if video_model and suite.video_model != video_model:
            raise SuiteError(
                f"the suite that runs on {state.root} films with "
                f"{suite.video_model or 'the built-in renderer'}, not {video_model}; end it, or "
                "leave --video-model out"
            )
        if model is not None and suite.model != model.label:
            raise SuiteError(
                f"the suite that runs on {state.root} has "
                f"{suite.model or 'no language model'}, not {model.label}; end it, or leave the "
                "option out"
            )
        async with _while_it_runs(state, suite):
            yield suite


@asynccontextmanager
async def suite_resting(state: StateFolder, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Holds the folder while no suite runs on it, waiting for one that is about to end.

    Raises:
        SuiteError: when a suite is running and will go on to.
    """
    deadline = time.monotonic() + REST_TIMEOUT_S
    told = False
    while True:
        with locks.exclusive_if_free(state.lock) as resting:
            if resting:
                yield
                return
        record = state.read_record()
        with locks.exclusive_if_free(state.lease) as unused:
            pass
        if not unused or (record is not None and record.stays) or time.monotonic() > deadline:
            process = f" (process {record.pid})" if record is not None else ""
            how = (
                "stop `soundsight serve` first"
                if record is not None and record.stays
                else "try again when its commands have ended"
            )
            raise SuiteError(f"a suite is running on {state.root}{process}; {how}")
        if not told:
            tell("waiting for the suite to end")
            told = True
        await asyncio.sleep(POLL_S)


@asynccontextmanager
async def _while_it_runs(state: StateFolder, suite: SuiteRecord) -> AsyncIterator[None]:
    """Stops what runs in its block when the suite ends: nobody would ever answer it.

    Not for a suite at a port: whoever starts it again there finds those who still wait.

    Raises:
        SuiteError: with the suite's reason, when it ended.
    """
    if not suite.gateway.startswith("unix:"):
        yield
        return
    block = asyncio.current_task()
    assert block is not None
    ended = False

    async def look() -> None:
        nonlocal ended
        while not ended:
            await asyncio.sleep(LOOK_S)
            with locks.exclusive_if_free(state.lock) as nobody_runs:
                ended = nobody_runs or state.read_record() != suite
        block.cancel()

    looking = asyncio.create_task(look())
    try:
        yield
    except asyncio.CancelledError:
        if ended and block.uncancel() == 0:
            words = "the suite was ended" if suite.stays else _last_words(state)
            raise SuiteError(f"{words}; give the command again to go on") from None
        raise
    finally:
        looking.cancel()


async def _find_or_start(
    state: StateFolder,
    tell: Callable[[str], None],
    model: LanguageModel | None,
    video_model: str,
) -> SuiteRecord:
    supervisor: subprocess.Popen[bytes] | None = None
    heard = ""
    patience_s = START_TIMEOUT_S + 30 + (LOAD_TIMEOUT_S if model is not None else 0.0)
    for _ in range(int(patience_s / POLL_S)):
        with locks.exclusive_if_free(state.lock) as nobody_runs:
            pass
        record = state.read_record()
        if not nobody_runs and record is not None:
            if supervisor is None:
                tell("using the suite that is already running")
            return record
        if nobody_runs and supervisor is None:
            tell("starting the suite")
            supervisor = _start(state, model, video_model)
        elif supervisor is not None and supervisor.poll() is not None:
            if nobody_runs:
                raise SuiteError(_last_words(state))
            # Another command was faster; its suite is the one to use.
            supervisor = None
        elif supervisor is not None and model is not None:
            said = _last_words(state)
            if said != heard and "language model" in said:
                heard = said
                tell(said)
        await asyncio.sleep(POLL_S)
    raise SuiteError(f"the suite does not come up; see {state.logs}")


def _start(
    state: StateFolder, model: LanguageModel | None, video_model: str
) -> subprocess.Popen[bytes]:
    """Starts a supervisor that outlives this command if others use its suite."""
    with (state.logs / "supervisor.log").open("wb") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "soundsight_cli",
                "--state-dir",
                str(state.root),
                "serve",
                "--until-idle",
                *(model.arguments() if model is not None else []),
                *(["--video-model", video_model] if video_model else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _last_words(state: StateFolder) -> str:
    lines = (state.logs / "supervisor.log").read_text(errors="replace").strip().splitlines()
    if not lines or "serving on" in lines[-1]:
        return f"the suite ended without a word; see {state.logs}"
    return lines[-1].removeprefix("soundsight: ")

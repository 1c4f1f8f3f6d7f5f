"""Runs a command to its end: whatever goes wrong becomes one line and an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import grpc

from soundsight_cli.display import printable
from soundsight_cli.spec import BadOption, option_for
from soundsight_cli.supervisor import SuiteError
from soundsight_kit.errors import SoundsightError, error_from_rpc

Answer = TypeVar("Answer")

FAILED = 1
"""Exit code when a command could not do its work."""

MISTYPED = 2
"""Exit code for options that cannot be meant so."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""

STOPPED = "stopped; the same command goes on where this one stopped"
STOPPED_FILM = "stopped; `soundsight resume` goes on where this one stopped"


def run(work: Coroutine[Any, Any, Answer], *, stopped: str = STOPPED) -> Answer:
    """Runs a command and returns what it returns.

    Args:
        work: the command.
        stopped: what to say after Ctrl-C.
    """
    try:
        return asyncio.run(_stoppable(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(stopped, INTERRUPTED)
    except BadOption as error:
        fail(str(error), MISTYPED)
    except SoundsightError as error:
        fail(_describe(error), _code_of(error))
    except grpc.RpcError as error:
        told = error_from_rpc(error)
        fail(_describe(told), _code_of(told))
    except SuiteError as error:
        fail(str(error), FAILED)
    except BrokenPipeError:
        # Who read the output has gone, as `| head` does; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FAILED) from None
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        fail(f"{named}{error.strerror or error}", FAILED)


def fail(message: str, code: int) -> NoReturn:
    """Says in one line what is wrong, and ends the program."""
    print(f"soundsight: {printable(' '.join(message.split()))}", file=sys.stderr)
    raise SystemExit(code)


def _describe(error: SoundsightError) -> str:
    """Returns one line: the options at fault by the names they were typed as."""
    if error.field_violations:
        return "; ".join(f"{option_for(path)}: {why}" for path, why in error.field_violations)
    return error.message


def _code_of(error: SoundsightError) -> int:
    """Returns the exit code: what the gateway says of options alone was typed wrongly."""
    violations = error.field_violations
    mistyped = violations and all(option_for(path).startswith("--") for path, _ in violations)
    return MISTYPED if mistyped else FAILED


async def _stoppable(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Runs work so that Ctrl-C and SIGTERM stop it, even in a shell's background."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await work

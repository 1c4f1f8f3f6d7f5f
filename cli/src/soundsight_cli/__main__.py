"""`python -m soundsight_cli` is `soundsight`."""

import sys
from typing import cast

import typer

from soundsight_cli.app import app
from soundsight_cli.running import INTERRUPTED, MISTYPED, fail

# What typer raises for a wrong command line; it names only this heir of it.
_UsageError = cast(type[Exception], typer.BadParameter.__base__)


def main() -> None:
    """Runs the command line; what is typed wrongly is told in one line."""
    try:
        code = app(prog_name="soundsight", standalone_mode=False)
    except _UsageError as error:
        if error.__class__.__name__ == "NoArgsIsHelpError":
            raise SystemExit(MISTYPED) from None
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "soundsight"
        message = getattr(error, "format_message", error.__str__)().rstrip(".")
        fail(f"{message}; see `{command} --help`", MISTYPED)
    except typer.Abort:
        print(file=sys.stderr)  # Ends the line of the question that was not answered.
        fail("stopped; nothing was removed", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()

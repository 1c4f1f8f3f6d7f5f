"""The start of every service's process: `python -m soundsight_<name>`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from soundsight_kit.errors import SoundsightError
from soundsight_kit.logs import configure_logging
from soundsight_kit.server import CannotListen
from soundsight_kit.settings import KitSettings, SettingsT, load_settings, settings_table
from soundsight_kit.tracing import configure_tracing


def service_main(
    *,
    name: str,
    purpose: str,
    settings: type[SettingsT],
    serve: Callable[[KitSettings, SettingsT], Awaitable[None]],
) -> None:
    """Reads the settings, sets up logs and traces, and serves until told to end.

    Args:
        name: the service's name, such as `videogen`.
        purpose: one sentence for `--help`.
        settings: the service's own settings class.
        serve: runs the service; normally ends in `run_server`.
    """
    parser = argparse.ArgumentParser(
        prog=f"soundsight-{name}",
        description=purpose,
        epilog=_settings_help(settings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    kit, own = load_settings(KitSettings), load_settings(settings)
    configure_logging(kit, name)
    configure_tracing(kit, name)
    try:
        asyncio.run(_run(serve(kit, own)))
    except (CannotListen, SoundsightError) as error:
        _fail(name, str(error))
    except OSError as error:
        _fail(name, f"{error.filename or ''} {error.strerror or error}".strip())


async def _run(serving: Awaitable[None]) -> None:
    await serving


def _settings_help(settings: type[SettingsT]) -> str:
    rows = settings_table(KitSettings, settings)
    lines = ["settings, from the environment:"]
    for row in rows:
        default = f" [{row.default}]" if row.default else ""
        lines += [f"  {row.variable}{default}", f"      {row.description}"]
    return "\n".join(lines)


def _fail(name: str, message: str) -> NoReturn:
    print(f"soundsight-{name}: {message}", file=sys.stderr)  # noqa: T201 - for a person
    raise SystemExit(1)

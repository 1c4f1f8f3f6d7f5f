"""Generates docs/settings.md: every environment variable that a part reads.

    generate_settings_page.py           writes the page (`make settings-page`)
    generate_settings_page.py --check   writes nothing; exits 1 when the page is stale

A part's settings are the BaseSettings classes defined in its module `soundsight_<name>.settings`.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
import tempfile
from pathlib import Path

from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "settings.md"
INTRODUCTION = """\
# Settings

<!-- Made by `make settings-page` from the settings classes. Do not edit. -->

Every part reads its settings from environment variables, checks them once at start, and stops with
one readable line per wrong value. `--help` of a service prints its own table.
"""


def settings_modules() -> list[str]:
    """Names of the settings modules, the kit's first: what it holds goes for every service."""
    paths = [*ROOT.glob("*/src/*/settings.py"), *ROOT.glob("services/*/src/*/settings.py")]
    names = sorted(f"{path.parent.name}.settings" for path in paths)
    return sorted(names, key=lambda name: name != "soundsight_kit.settings")


def settings_classes(module_name: str) -> list[type[BaseSettings]]:
    """The settings classes that the module defines, in the order of its text."""
    module = importlib.import_module(module_name)
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseSettings)
        and value.__module__ == module_name
    ]
    return sorted(found, key=lambda cls: inspect.getsourcelines(cls)[1])


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def page() -> str:
    from soundsight_kit.settings import settings_table

    lines = [INTRODUCTION]
    for module_name in settings_modules():
        classes = settings_classes(module_name)
        package = module_name.partition(".")[0]
        shared = package == "soundsight_kit"
        title = "Every service" if shared else package.removeprefix("soundsight_").capitalize()
        lines += [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for row in settings_table(*classes):
            if not row.description:
                sys.exit(f"{module_name}: {row.variable} has no description.")
            default = f"`{cell(row.default)}`" if row.default else ""
            lines.append(f"| `{row.variable}` | {default} | {cell(row.description)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Generates docs/settings.md.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    arguments = parser.parse_args()

    # Defaults that depend on the machine are shown as they are on an ordinary one.
    for variable in [name for name in os.environ if name.startswith(("SOUNDSIGHT_", "XDG_"))]:
        del os.environ[variable]
    os.environ["HOME"] = "/home/you"
    tempfile.tempdir = "/tmp"  # noqa: S108 - only shown, never written to

    text = page()
    if arguments.check:
        if not PAGE.is_file() or PAGE.read_text() != text:
            print(f"{PAGE} is stale: run `make settings-page`.", file=sys.stderr)
            return 1
        return 0
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

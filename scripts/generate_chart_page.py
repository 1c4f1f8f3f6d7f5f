"""Generates what the chart has from elsewhere: its table of values, and the settings it takes.

    generate_chart_page.py           writes both (`make chart-page`)
    generate_chart_page.py --check   writes nothing; exits 1 when one is stale

The table in docs/chart.md comes from the comments `# -- ...` in the chart's values.yaml. The names
of settings in values.schema.json come from the parts' settings classes, but for those that the
chart sets itself and for secrets, which have no place in values.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from generate_settings_page import cell, settings_classes, settings_modules

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "helm" / "soundsight"
PAGE = ROOT / "docs" / "chart.md"
BEGIN, END = "<!-- values: made by `make chart-page` -->", "<!-- end of values -->"

SET_BY_THE_CHART = frozenset(
    {
        "SOUNDSIGHT_LISTEN",
        "SOUNDSIGHT_METRICS_LISTEN",
        "SOUNDSIGHT_LOG_FORMAT",
        "SOUNDSIGHT_OTLP_ENDPOINT",
        "SOUNDSIGHT_TLS_CERTIFICATE",
        "SOUNDSIGHT_TLS_KEY",
        "SOUNDSIGHT_TLS_CLIENT_CA",
        "SOUNDSIGHT_TLS_SERVER_CA",
        "SOUNDSIGHT_ARTIFACTS_URL",
        "SOUNDSIGHT_DRAIN_GRACE_S",
        "SOUNDSIGHT_GATEWAY_DATABASE_URL",
        "SOUNDSIGHT_GATEWAY_HTTP_LISTEN",
        "SOUNDSIGHT_GATEWAY_ANALYZER",
        "SOUNDSIGHT_GATEWAY_SCENEWRITER",
        "SOUNDSIGHT_GATEWAY_COMPOSER",
        "SOUNDSIGHT_GATEWAY_VIDEO_ENDPOINTS",
        "SOUNDSIGHT_GATEWAY_VIDEO_POOLS",
        "SOUNDSIGHT_GATEWAY_EXECUTOR_ID",
        "SOUNDSIGHT_GATEWAY_POD_DELETION_COST",
        "SOUNDSIGHT_ANALYZER_MODELS_DIR",
        "SOUNDSIGHT_ANALYZER_CONCEPT_URL",
        "SOUNDSIGHT_ANALYZER_CONCEPT_MODEL",
        "SOUNDSIGHT_SCENEWRITER_LLM_URL",
        "SOUNDSIGHT_SCENEWRITER_LLM_MODEL",
        "SOUNDSIGHT_VIDEOGEN_MODELS",
        "SOUNDSIGHT_VIDEOGEN_DIFFUSION_REVISION",
    }
)
"""Settings that values have words of their own for."""


@dataclass(frozen=True)
class ValueRow:
    """One line of the table."""

    path: str
    default: str
    description: str


def value_rows(text: str) -> list[ValueRow]:
    """The rows of a values file, in its order."""
    values = yaml.safe_load(text)
    return [
        ValueRow(".".join(path), json.dumps(_at(values, path)), description)
        for path, description in _described(text)
    ]


def _described(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key below a comment `# -- ...`, with what the comment says."""
    above: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#"):
            if comment:
                comment.append(stripped.removeprefix("#").strip())
        elif match := re.match(r"( *)([A-Za-z0-9_-]+):", line):
            indent = len(match[1])
            above = [(deep, key) for deep, key in above if deep < indent] + [(indent, match[2])]
            if comment:
                yield tuple(key for _, key in above), " ".join(comment)
            comment = []
        else:
            comment = []


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def table(rows: list[ValueRow]) -> str:
    """The rows as tables, one for each key at the top."""
    lines: list[str] = []
    for title, part in groupby(rows, key=_title):
        lines += [f"### {title}", "", "| value | default | meaning |", "|---|---|---|"]
        for row in part:
            default = "" if row.default == '""' else f"`{cell(row.default)}`"
            lines.append(f"| `{row.path}` | {default} | {cell(row.description)} |")
        lines.append("")
    return "\n".join(lines).strip()


def _title(row: ValueRow) -> str:
    top, dot, _ = row.path.partition(".")
    return top if dot else "names"


def page(text: str) -> str:
    """The page with its table made anew."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE} has no place for the table: {BEGIN} ... {END}")
    rows = value_rows((CHART / "values.yaml").read_text())
    return f"{head}{BEGIN}\n\n{table(rows)}\n\n{END}{tail}"


def allowed_settings() -> dict[str, list[str]]:
    """Names of the settings that values may give, by service; each has those of the kit too."""
    names: dict[str, list[str]] = {}
    for module in settings_modules():
        service = module.partition(".")[0].removeprefix("soundsight_")
        names[service] = [name for cls in settings_classes(module) for name in _plain_settings(cls)]
    shared = names["kit"]
    return {
        service: sorted({*shared, *own} - SET_BY_THE_CHART)
        for service, own in names.items()
        if service != "cli"
    }


def _plain_settings(cls: type[BaseSettings]) -> Iterator[str]:
    from soundsight_kit.settings import environment_name

    for name, field in cls.model_fields.items():
        if SecretStr not in (field.annotation, *typing.get_args(field.annotation)):
            yield environment_name(cls, name)


def schema(text: str) -> str:
    """The schema of values with the settings that there are."""
    document = json.loads(text)
    definitions = document["$defs"]
    for service, names in allowed_settings().items():
        definitions[f"settings_{service}"] = {
            "type": "object",
            "propertyNames": {"enum": names},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        }
    return json.dumps(document, indent=2) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Generates the chart's table and schema.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    arguments = parser.parse_args()

    stale = False
    for path, made in ((PAGE, page), (CHART / "values.schema.json", schema)):
        text = path.read_text()
        wanted = made(text)
        if wanted == text:
            continue
        stale = True
        if arguments.check:
            print(f"{path.relative_to(ROOT)} is stale: run `make chart-page`.", file=sys.stderr)
        else:
            path.write_text(wanted)
            print(f"Wrote {path.relative_to(ROOT)}.")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())

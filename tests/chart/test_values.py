"""The values are documented, and what is generated from them is up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from chart.rendering import CHART

from generate_chart_page import (
    PAGE,
    SET_BY_THE_CHART,
    ValueRow,
    allowed_settings,
    page,
    schema,
    value_rows,
)
from generate_settings_page import settings_classes, settings_modules
from soundsight_kit.settings import environment_name

VALUES = CHART / "values.yaml"

COMPONENTS = ("gateway", "analyzer", "scenewriter", "composer", "videogen")


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every value that is no map with keys of its own."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def told_elsewhere(path: tuple[str, ...]) -> tuple[str, ...]:
    """Where a key that components share is described."""
    if path[:2] == ("vllm", "concept"):
        path = ("vllm", "script", *path[2:])
    if path[:2] == ("vllm", "script"):
        return ("defaults", *path[2:])
    return ("defaults", *path[1:]) if path[0] in COMPONENTS else path


def test_every_value_is_described() -> None:
    """Each value has a row in the table: its own, or that of the key which components share."""
    text = VALUES.read_text()
    rows = {tuple(row.path.split(".")) for row in value_rows(text)}
    missing = []
    for path in leaves(yaml.safe_load(text)):
        places = [path, told_elsewhere(path), ("vllm", "script", *path[2:])]
        above = [place[:end] for place in places for end in range(1, len(place) + 1)]
        if not rows & {*above} and "resources" not in path:
            missing.append(".".join(path))
    assert missing == []


def test_a_row_has_path_default_and_description() -> None:
    """The comment above a value becomes its description, over as many lines as it has."""
    text = "a:\n  # -- First line\n  # and second.\n  b: [1]\n  # no row\n  c: 2\nd: {}\n"
    assert value_rows(text) == [ValueRow("a.b", "[1]", "First line and second.")]


def test_what_is_generated_is_up_to_date() -> None:
    """docs/chart.md and the schema are what `make chart-page` makes."""
    assert page(PAGE.read_text()) == PAGE.read_text()
    path = CHART / "values.schema.json"
    assert schema(path.read_text()) == path.read_text()


def test_settings_that_the_chart_sets_exist() -> None:
    """No name in the list of what the chart sets itself is left from a setting that is gone."""
    known = {
        environment_name(cls, name)
        for module in settings_modules()
        for cls in settings_classes(module)
        for name in cls.model_fields
    }
    assert SET_BY_THE_CHART - known == set()
    assert "SOUNDSIGHT_VIDEOGEN_SLOTS" in allowed_settings()["videogen"]

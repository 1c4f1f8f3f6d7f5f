"""Each part as a wheel: what others install is what lies in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in (*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"))
)


def project_of(part: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / part / "pyproject.toml").read_text())["project"]
    return table


def own_packages() -> dict[str, list[str]]:
    """The import name of each part, and the distribution that brings it."""
    return {
        path.name: [project_of(part)["name"]]
        for part in PARTS
        for path in (ROOT / part / "src").iterdir()
    }


def imported_modules(part: str) -> set[str]:
    """Top-level names that a part's code imports, but the standard library's and its own."""
    source = ROOT / part / "src"
    names: set[str] = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {path.name for path in source.iterdir()}


def build_wheel(part: Path, destination: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(destination)]
    subprocess.run(command, cwd=part, check=True, capture_output=True)
    (wheel,) = destination.glob("*.whl")
    return wheel


@pytest.mark.parametrize("part", PARTS)
def test_wheel_holds_every_file_of_its_package(part: str, tmp_path: Path) -> None:
    """Code, type marker, shaders and weights are all in the wheel, and nothing else is."""
    source = ROOT / part / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    if part == "protos":
        contracts = (ROOT / part / "soundsight").rglob("*.proto")
        expected |= {path.relative_to(ROOT / part).as_posix() for path in contracts}
        others = ROOT / part / "external"
        expected |= {file.relative_to(others).as_posix() for file in others.glob("*/*/*")}
    with ZipFile(build_wheel(ROOT / part, tmp_path)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert any(name.endswith("/py.typed") for name in held)


@pytest.mark.parametrize("part", PARTS)
def test_part_declares_what_it_imports(part: str) -> None:
    """A part can be installed alone: each library it imports is among its dependencies."""
    project = project_of(part)
    extras = project.get("optional-dependencies", {}).values()
    requirements = [*project["dependencies"], *(line for extra in extras for line in extra)]
    declared = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}
    providers = {**packages_distributions(), **own_packages()}
    undeclared = {
        module
        for module in imported_modules(part)
        # What an extra brings may not be installed here: it goes by the name of its module.
        if not declared
        & {name.lower().replace("_", "-") for name in providers.get(module, [module])}
    }
    assert undeclared == set()


@pytest.mark.parametrize("part", PARTS)
def test_parts_agree_on_versions(part: str) -> None:
    """Every part has the version, the licence and the interpreters of the whole."""
    project = project_of(part)
    assert project["version"] == "0.1.0"
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11,<3.14"

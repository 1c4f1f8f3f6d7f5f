"""Each part as a wheel: what others install is what lies in the repository."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in (*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"))
)


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
    with ZipFile(build_wheel(ROOT / part, tmp_path)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert any(name.endswith("/py.typed") for name in held)


@pytest.mark.parametrize("part", PARTS)
def test_parts_agree_on_versions(part: str) -> None:
    """Every part has the version, the licence and the interpreters of the whole."""
    project = tomllib.loads((ROOT / part / "pyproject.toml").read_text())["project"]
    assert project["version"] == "0.1.0"
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11,<3.14"

"""The front door: what `make` says and how set-up refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_help_names_every_target() -> None:
    """`make help` lists each target that can be called, with what it does."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.MULTILINE))
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    explained = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert explained.keys() == targets
    assert len(targets) > 5


def test_set_up_refuses_an_interpreter_it_cannot_use(tmp_path: Path) -> None:
    """A PYTHON that is none of the supported versions stops set-up with one line that says so."""
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts")
    refused = subprocess.run(
        [script, "runtime"],
        env={**os.environ, "PYTHON": "/bin/false"},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert refused.stderr == "setup: PYTHON=/bin/false is not a Python 3.11, 3.12 or 3.13.\n"
    assert not (tmp_path / ".venv").exists()

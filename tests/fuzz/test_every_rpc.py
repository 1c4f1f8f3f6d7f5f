"""The fuzz tests forget no contract."""

from __future__ import annotations

import re
from pathlib import Path

from fuzz.sending import EVERYWHERE, PARTS

HERE = Path(__file__).parent
PROTOS = HERE.parents[1] / "protos"


def test_every_service_is_fuzzed() -> None:
    """Each service that a contract declares belongs to a part, and each part has its test."""
    declared = set()
    for file in PROTOS.glob("**/*.proto"):
        text = file.read_text()
        package = re.search(r"^package (\S+);", text, re.MULTILINE)
        assert package is not None
        names = re.findall(r"^service (\w+)", text, re.MULTILINE)
        declared |= {f"{package[1]}.{name}" for name in names}
    fuzzed = {service for services in PARTS.values() for service in services}
    assert fuzzed | {EVERYWHERE} == declared
    assert {f"test_{part}.py" for part in PARTS} <= {file.name for file in HERE.iterdir()}

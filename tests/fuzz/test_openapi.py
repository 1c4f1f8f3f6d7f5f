"""The gateway's HTTP is what its OpenAPI description says."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from fuzz.gateways import Gateway
from fuzz.sending import CASES, SEED, TIMEOUT_S

pytestmark = pytest.mark.timeout(TIMEOUT_S)

CHECKS: Final = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
"""All but two of schemathesis' own: some calls answer 501, as `docs/errors.md` says, and what fits
the schema may still name what is not there."""


def test_answers_are_as_described(tmp_path: Path) -> None:
    """Requests made of the description by schemathesis get answers that it describes, when they
    fit it, and are refused when they do not."""
    with Gateway() as gateway:
        command = [
            sys.executable, "-m", "schemathesis.cli", "--no-color", "run",
            f"http://{gateway.http}/openapi.json", "--phases", "examples,coverage,fuzzing",
            "--checks", ",".join(CHECKS), "--max-examples", str(max(1, CASES // 200)),
            "--seed", str(SEED), "--generation-database", "none",
        ]  # fmt: skip

        async def run() -> tuple[int | None, bytes]:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            told, _ = await process.communicate()
            return process.returncode, told

        code, told = gateway.run(run())
        assert code == 0, told.decode()
        gateway.check_health()

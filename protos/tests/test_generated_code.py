"""The generated code: complete, importable under the pinned runtime, and what the contracts say."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROTOS = Path(__file__).resolve().parents[1]
MODULES = (PROTOS, PROTOS / "external")
CONTRACTS = sorted(
    path.relative_to(module) for module in MODULES for path in module.glob("soundsight/**/*.proto")
)
GENERATOR = PROTOS.parent / "scripts" / "generate_protos.py"


def has_service(contract: Path) -> bool:
    (file,) = (module / contract for module in MODULES if (module / contract).is_file())
    return re.search(r"^service \w+", file.read_text(), re.MULTILINE) is not None


def module_name(contract: Path, suffix: str) -> str:
    return ".".join(contract.with_name(contract.stem + suffix).parts)


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_messages_import_under_the_pinned_runtime(contract: Path) -> None:
    """Each contract's messages import and describe that very contract."""
    module = importlib.import_module(module_name(contract, "_pb2"))
    assert module.DESCRIPTOR.name == contract.as_posix()


@pytest.mark.parametrize("contract", [c for c in CONTRACTS if has_service(c)], ids=str)
def test_stubs_import_under_the_pinned_runtime(contract: Path) -> None:
    """Each service of a contract has a stub and a servicer."""
    messages = importlib.import_module(module_name(contract, "_pb2"))
    stubs = importlib.import_module(module_name(contract, "_pb2_grpc"))
    services = messages.DESCRIPTOR.services_by_name
    assert services
    for service in services:
        assert hasattr(stubs, f"{service}Stub")
        assert hasattr(stubs, f"{service}Servicer")


def test_generated_code_is_what_the_contracts_give() -> None:
    """Generating the code again would change nothing."""
    check = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr

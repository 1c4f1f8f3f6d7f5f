"""Generates docs/errors.md: per rpc, what can go wrong and what the caller does then.

    generate_errors_page.py           writes the page (`make errors-page`)
    generate_errors_page.py --check   writes nothing; exits 1 when the page is stale

A part's tables stand in its module `soundsight_<name>.error_table`, as plain data:

    TABLE: dict[str, tuple[Row, ...]]

from a service's full name to rows with the attributes rpc, condition, code, reason and caller (what
the caller does). The part's own tests provoke every row.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
INTRODUCTION = """\
# Errors

<!-- Made by `make errors-page` from the parts' error tables. Do not edit. -->

Every error is a `google.rpc.Status`: a canonical code, one sentence, and details. `ErrorInfo` is
always among the details; its domain is `soundsight`, and its reason is the stable name to program
against. `BadRequest` names fields, `RetryInfo` says when trying again helps, `ResourceInfo` names
what is missing.

Codes that every call may end with:
"""
EVERY_CALL = (
    ("the service is shutting down", "UNAVAILABLE", "DRAINING", "tries again after `RetryInfo`"),
    ("the service cannot be reached", "UNAVAILABLE", "", "tries again, with growing pauses"),
    ("the object store is away", "UNAVAILABLE", "OBJECT_STORE", "tries again after `RetryInfo`"),
    ("the job store is away", "UNAVAILABLE", "STORE_UNAVAILABLE", "tries again after `RetryInfo`"),
    (
        "the job store cannot be written",
        "FAILED_PRECONDITION",
        "STORE_READ_ONLY",
        "tells the operator",
    ),
    ("the disk is full", "RESOURCE_EXHAUSTED", "DISK_FULL", "frees space, tries again"),
    (
        "the request's bytes are no message of the method",
        "INVALID_ARGUMENT",
        "UNREADABLE_REQUEST",
        "generates its client from the service's contract",
    ),
    ("the caller's own deadline passed", "DEADLINE_EXCEEDED", "", "allows more time"),
    ("the caller broke off", "CANCELLED", "", "nothing"),
    ("a fault of ours", "INTERNAL", "UNEXPECTED", "reports the incident id in the metadata"),
)
HEAD = ["| condition | code | reason | what the caller does |", "|---|---|---|---|"]
FAILURES = """\
## How a render fails

`Render.error`, and the error of its last state change, hold the reason. Whatever is finished is
kept; asking again uses it.

| stage | condition | code | reason | what the caller does |
|---|---|---|---|---|"""


def error_tables() -> list[str]:
    """Names of the modules with tables, the gateway's first: it is what callers meet."""
    paths = [*ROOT.glob("*/src/*/error_table.py"), *ROOT.glob("services/*/src/*/error_table.py")]
    names = sorted(f"{path.parent.name}.error_table" for path in paths)
    return sorted(names, key=lambda name: name != "soundsight_gateway.error_table")


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    return f"`{cell(text)}`" if text else ""


def page() -> str:
    lines = [INTRODUCTION, *HEAD]
    lines += [
        f"| {condition} | {code(status)} | {code(reason)} | {caller} |"
        for condition, status, reason, caller in EVERY_CALL
    ]
    lines.append("")
    failures: list[Any] = []
    for name in error_tables():
        module = importlib.import_module(name)
        failures += getattr(module, "RENDER_FAILURES", ())
        for service, rows in module.TABLE.items():
            lines += [f"## {service}", ""]
            for rpc in dict.fromkeys(row.rpc for row in rows):
                lines += [f"### {rpc}", "", *HEAD]
                lines += [
                    f"| {cell(row.condition)} | {code(row.code)} | {code(row.reason)} "
                    f"| {cell(row.caller)} |"
                    for row in rows
                    if row.rpc == rpc
                ]
                lines.append("")
    lines.append(FAILURES)
    lines += [
        f"| {cell(row.rpc)} | {cell(row.condition)} | {cell(row.code)} | {cell(row.reason)} "
        f"| {cell(row.caller)} |"
        for row in failures
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Generates docs/errors.md.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    arguments = parser.parse_args()
    text = page()
    if arguments.check:
        if not PAGE.is_file() or PAGE.read_text() != text:
            print(f"{PAGE} is stale: run `make errors-page`.", file=sys.stderr)
            return 1
        return 0
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

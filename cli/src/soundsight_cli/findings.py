"""What an audit finds, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Check(Enum):
    """What is looked at."""

    JOB_STORE = "job store"
    RENDERS = "renders"
    OBJECTS = "stored files"
    LEFTOVERS = "leftovers"
    PROCESSES = "processes"
    SERVICES = "services"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    check: Check
    what: str
    """One line."""
    to_do: str
    """One line: what helps."""
    path: Path | None = None
    """The file it is about, if it is about one."""

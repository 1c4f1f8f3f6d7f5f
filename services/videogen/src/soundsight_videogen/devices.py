"""The devices that models run on: found, or as an operator names them. Needs no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

CPU = "cpu"


def worker_devices(named: str, folder: Path = Path("/dev")) -> Sequence[str]:
    """One entry per worker: a CUDA device (`0`), a group of them (`0,1`), or `cpu`.

    `named` is `auto` for one worker on each GPU of the machine, or one on the CPU where there is
    none; `cpu`; or numbers of CUDA devices with commas between, those of one group joined by `+`.
    `cpu+cpu` is a group of two processes on the CPU, which shows how groups work, and no more.
    """
    if named == "auto":
        return found_devices(folder) or [CPU]
    return [group.strip().replace("+", ",") for group in named.split(",") if group.strip()]


def found_devices(folder: Path = Path("/dev")) -> list[str]:
    """NVIDIA's GPUs that this process may use, as CUDA numbers them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    nodes = [node for node in folder.glob("nvidia*") if re.fullmatch(r"nvidia\d+", node.name)]
    return [str(number) for number in range(len(nodes))]

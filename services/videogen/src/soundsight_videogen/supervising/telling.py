"""What a worker is at, in the contract's words."""

from __future__ import annotations

from collections.abc import Iterable

from soundsight.videogen.v1 import videogen_pb2
from soundsight_videogen.supervising.seats import Seat


def worker_load(
    seat: Seat,
    resident: Iterable[tuple[str, int]] = (),
    seconds_per_step: float = 0.0,
) -> videogen_pb2.WorkerLoad:
    """A seat's load; `resident` are the models that are loaded, and the bytes of each."""
    state = videogen_pb2.WORKER_STATE_STOPPED
    if seat.busy:
        state = videogen_pb2.WORKER_STATE_BUSY
    elif seat.alive:
        state = videogen_pb2.WORKER_STATE_IDLE
    return videogen_pb2.WorkerLoad(
        device=seat.device,
        state=state,
        resident_models=[
            videogen_pb2.ResidentModel(id=name, size_bytes=size) for name, size in resident
        ],
        seconds_per_step=seconds_per_step,
        restarts=seat.restarts,
    )

"""Metrics of videogen's workers, beside those that every service has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import Gauge

from soundsight.videogen.v1 import videogen_pb2
from soundsight.videogen.v1.videogen_pb2 import WorkerLoad

_BUSY = Gauge("soundsight_videogen_worker_busy", "Whether a worker films.", ["worker", "device"])
_RESTARTS = Gauge(
    "soundsight_videogen_worker_restarts", "Times a worker was replaced.", ["worker", "device"]
)
_STEP_S = Gauge(
    "soundsight_videogen_step_seconds",
    "How long a denoising step took of late.",
    ["worker", "device"],
)
_MODEL_BYTES = Gauge(
    "soundsight_videogen_model_bytes", "Bytes of loaded weights.", ["worker", "device"]
)


def follow_workers(workers: Callable[[], Sequence[WorkerLoad]]) -> None:
    """Tells what each worker is at whenever Prometheus asks.

    Args:
        workers: what they are at now, one entry per slot; asked from another thread.
    """

    def follow(gauge: Gauge, number: int, value: Callable[[WorkerLoad], float]) -> None:
        device = workers()[number].device
        gauge.labels(str(number), device).set_function(lambda: value(workers()[number]))

    for number in range(len(workers())):
        follow(_BUSY, number, lambda w: w.state == videogen_pb2.WORKER_STATE_BUSY)
        follow(_RESTARTS, number, lambda w: w.restarts)
        follow(_STEP_S, number, lambda w: w.seconds_per_step)
        follow(_MODEL_BYTES, number, lambda w: sum(m.size_bytes for m in w.resident_models))

"""Metrics of videogen's workers, beside those that every service has."""

from __future__ import annotations

from collections.abc import Iterable

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


def report_workers(workers: Iterable[WorkerLoad]) -> None:
    """Sets what each worker is at."""
    for number, worker in enumerate(workers):
        labels = (str(number), worker.device)
        _BUSY.labels(*labels).set(worker.state == videogen_pb2.WORKER_STATE_BUSY)
        _RESTARTS.labels(*labels).set(worker.restarts)
        _STEP_S.labels(*labels).set(worker.seconds_per_step)
        _MODEL_BYTES.labels(*labels).set(sum(model.size_bytes for model in worker.resident_models))

"""Prometheus metrics that every service has, and the endpoint they are scraped from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_STARTED = Counter("soundsight_rpc_started_total", "Calls that began.", ["service", "method"])
_HANDLED = Counter(
    "soundsight_rpc_handled_total", "Calls that ended.", ["service", "method", "code"]
)
_DURATION = Histogram(
    "soundsight_rpc_duration_seconds",
    "How long calls took.",
    ["service", "method"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 30, 60, 180, 600, 1800),
)
_CERTIFICATE_END = Gauge(
    "soundsight_tls_certificate_end_timestamp_seconds",
    "When the certificate that the service serves with ends.",
    ["file"],
)
_JOBS = Gauge(
    "soundsight_jobs", "Slots of a job table, jobs that run and jobs that wait.", ["table", "what"]
)


def rpc_started(service: str, method: str) -> None:
    """Counts a call that begins."""
    _STARTED.labels(service, method).inc()


def rpc_ended(service: str, method: str, code: str, duration_s: float) -> None:
    """Counts a call that ended with `code`, such as `OK`."""
    _HANDLED.labels(service, method, code).inc()
    _DURATION.labels(service, method).observe(duration_s)


def report_jobs(table: str, *, slots: int, busy: int, queued: int) -> None:
    """Sets how busy a job table is."""
    _JOBS.labels(table, "slots").set(slots)
    _JOBS.labels(table, "busy").set(busy)
    _JOBS.labels(table, "queued").set(queued)


def certificate_in_use(file: Path, end_timestamp_s: float) -> None:
    """Sets when the certificate ends that was read from `file`, in seconds since 1970."""
    _CERTIFICATE_END.labels(str(file)).set(end_timestamp_s)


@contextmanager
def served(listen: str | None) -> Iterator[None]:
    """Serves /metrics on `host:port` from a thread within the block; None serves nothing.

    Raises:
        OSError: when the address is taken or impossible.
    """
    if listen is None:
        yield
        return
    host, _, port = listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), addr=host.strip("[]"))
    except OSError as error:
        raise OSError(error.errno, f"cannot serve metrics on {listen}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

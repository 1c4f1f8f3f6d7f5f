"""What Prometheus can ask about HTTP. Calls that requests become are counted with all calls."""

from __future__ import annotations

from prometheus_client import Counter

_ANSWERED = Counter(
    "soundsight_http_responses_total",
    "Answers to HTTP requests; an empty route was none.",
    ["method", "route", "status"],
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def answered(method: str, route: str, status: int) -> None:
    """Counts an answer. Methods that nothing takes are counted as one: callers make them up."""
    _ANSWERED.labels(method if method in _METHODS else "other", route, str(status)).inc()

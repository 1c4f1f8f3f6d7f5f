"""What the gateway tells Prometheus, beside what every service does (`kit/.../metrics.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import Counter, Gauge

from soundsight_gateway import states

_RENDERS = Gauge(
    "soundsight_renders", "Renders that have not ended, of all gateways together.", ["state"]
)
_ENDED = Counter("soundsight_renders_ended_total", "Renders that this gateway ended.", ["state"])
_SCENES = Gauge(
    "soundsight_scenes", "Scenes that wait for their turn, or are filmed.", ["pool", "what"]
)
_ENDPOINTS = Gauge(
    "soundsight_endpoints",
    "Endpoints of a pool that this gateway may send clips to, and those that are set aside or do "
    "not answer.",
    ["pool", "what"],
)
_FAILED = Counter(
    "soundsight_dispatch_failures_total",
    "Attempts at a clip that an endpoint did not bring to its end.",
    ["pool", "code"],
)
_TAKEN_OVER = Counter(
    "soundsight_executor_takeovers_total", "Dead gateways whose work this one took over."
)
_LOCK = Gauge("soundsight_executor_lock", "1 while this gateway holds its executor's lock, else 0.")


def renders_are(counts: Mapping[states.State, int]) -> None:
    """Sets how many renders are in each state but the final ones; what is not named is 0."""
    for state in states.UNFINISHED:
        _RENDERS.labels(_word(state)).set(counts.get(state, 0))


def render_ended(state: states.State) -> None:
    """Counts a render that came to a final state."""
    _ENDED.labels(_word(state)).inc()


def scenes_are(pool: str, *, waiting: int, running: int) -> None:
    """Sets how many scenes wait for their turn, and are under way, at all gateways."""
    _SCENES.labels(pool, "waiting").set(waiting)
    _SCENES.labels(pool, "running").set(running)


def follow_endpoints(pool: str, count: Callable[[bool], int]) -> None:
    """Tells, whenever Prometheus asks, how many endpoints of a pool may be sent clips, and how
    many not.

    Args:
        count: how many there are now that may (True) or may not (False); asked from another thread.
    """
    _ENDPOINTS.labels(pool, "open").set_function(lambda: count(True))
    _ENDPOINTS.labels(pool, "closed").set_function(lambda: count(False))


def dispatch_failed(pool: str, code: str) -> None:
    """Counts an attempt that an endpoint ended with `code`, such as `UNAVAILABLE`."""
    _FAILED.labels(pool, code).inc()


def executor_taken_over() -> None:
    """Counts a dead executor whose work was taken over."""
    _TAKEN_OVER.inc()


def executor_holds_lock(holds: bool) -> None:
    """Sets whether this gateway's executor holds its lock."""
    _LOCK.set(holds)


def _word(state: states.State) -> str:
    return states.label(state).replace(" ", "_")


# A counter that appears with its first event has no increase to show for it.
for _state in states.FINAL:
    _ENDED.labels(_word(_state))

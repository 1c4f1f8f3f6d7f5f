"""Only what may succeed is tried again, and never sooner than asked."""

from __future__ import annotations

import pytest

from soundsight_gateway.retry import SCENE_TIMEOUT, RetryPolicy, broke_off, turned_away
from soundsight_kit import errors

POLICY = RetryPolicy(attempts=4, first_s=1.0, factor=2.0, most_s=3.0)


def test_pauses_grow_up_to_a_bound_and_then_end() -> None:
    """1, 2, then the most; after the last attempt there is none."""
    error = errors.Unavailable("away")
    assert [POLICY.pause_s(n, error) for n in (1, 2, 3, 4)] == [1.0, 2.0, 3.0, None]


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidArgument("bad"),
        errors.FailedPrecondition("not so"),
        errors.NotFound("artifact", "x"),
        errors.Unimplemented("never"),
        errors.PermissionDenied("no"),
        errors.OutOfRange("beyond"),
        errors.DiskFull(),
        errors.DeadlineExceeded("time is up", reason=SCENE_TIMEOUT),
    ],
)
def test_what_would_only_fail_again_is_not_tried_again(error: errors.SoundsightError) -> None:
    """The caller's faults and missing things stay what they are."""
    assert POLICY.pause_s(1, error) is None


def test_a_service_that_asks_for_more_time_gets_it() -> None:
    """RetryInfo outweighs a shorter pause of ours, and only a shorter one."""
    assert POLICY.pause_s(1, errors.ResourceExhausted("full", retry_after_s=17.0)) == 17.0
    assert POLICY.pause_s(2, errors.ResourceExhausted("full", retry_after_s=0.1)) == 2.0


def test_many_attempts_do_not_overflow() -> None:
    """The thousandth pause is the longest one."""
    patient = RetryPolicy(attempts=10_000, first_s=1.0, factor=10.0, most_s=60.0)
    assert patient.pause_s(1000, errors.Unavailable("away")) == 60.0


@pytest.mark.parametrize(
    ("error", "turned", "broke"),
    [
        (errors.ResourceExhausted("full", retry_after_s=1.0), True, False),
        (errors.Unavailable("going away", reason="DRAINING"), True, False),
        (errors.DiskFull(), False, False),
        (errors.Unavailable("failed to connect to all addresses"), False, True),
        (errors.Unavailable("it died", reason="WORKER_DIED"), False, False),
        (errors.DeadlineExceeded("silent", reason="SERVICE_SILENT"), False, False),
        (errors.Internal("a fault"), False, False),
    ],
)
def test_what_a_failure_says_of_the_clip_at_its_endpoint(
    error: errors.SoundsightError, turned: bool, broke: bool
) -> None:
    """It was not begun, it may go on, or it has ended there."""
    assert (turned_away(error), broke_off(error)) == (turned, broke)

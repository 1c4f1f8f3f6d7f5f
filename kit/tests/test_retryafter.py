"""The Retry-After header."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from soundsight_kit.retryafter import retry_after_s


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), (None, None), ("soon", None), ("inf", None),
     ("nan", None), ("", None)],
)  # fmt: skip
def test_seconds_are_read_and_nonsense_is_none(value: str | None, expected: float | None) -> None:
    """Seconds count as they are, never below zero; what is no number of seconds counts as none."""
    assert retry_after_s(value) == expected


def test_dates_are_read() -> None:
    """A date says how long it is until then; one that is past, not at all."""
    wait_s = retry_after_s(formatdate(time.time() + 60.0, usegmt=True))
    assert wait_s is not None and 0.0 < wait_s <= 60.0
    assert retry_after_s(formatdate(0.0, usegmt=True)) == 0.0

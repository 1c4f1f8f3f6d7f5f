"""What holds for the tests of all parts."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Tests are the same each time, so that who fails one broke it: `make fuzz` looks for other faults.
# How long an example takes says something of the machine, and of what else it has to do.
settings.register_profile(
    "repeatable",
    settings.default,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

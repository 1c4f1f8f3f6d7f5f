"""What holds for the tests of all parts."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, and of what else it has to do.
settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

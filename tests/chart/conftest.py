"""Tests of the chart need helm, which is fetched once."""

from __future__ import annotations

import pytest
from chart.rendering import helm


@pytest.fixture(scope="session", autouse=True)
def _helm_is_there() -> None:
    try:
        helm()
    except FileNotFoundError as error:
        pytest.skip(f"no helm: {error}")

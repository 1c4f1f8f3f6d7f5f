"""What every message needs: evidence, and numbers that are numbers."""

from __future__ import annotations

import numpy as np

from soundsight.common.v1.common_pb2 import Evidence
from soundsight_analyzer.arrays import Floats


def evidence(confidence: float, source: str) -> Evidence:
    """A fact's evidence; confidence is clipped to [0, 1]."""
    return Evidence(confidence=min(1.0, max(0.0, confidence)), source=source)


def finite(values: Floats) -> list[float]:
    """The last gate: nothing that is not a number leaves the service."""
    return list(np.nan_to_num(np.asarray(values, dtype=np.float64)).tolist())

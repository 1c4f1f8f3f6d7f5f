"""Names for the arrays that the listeners pass around, and the few operations they share."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
"""An array of float32 or float64; its shape is said where it is used."""

Flags: TypeAlias = npt.NDArray[np.bool_]
"""An array of booleans."""

Ints: TypeAlias = npt.NDArray[np.integer]
"""An array of integers."""

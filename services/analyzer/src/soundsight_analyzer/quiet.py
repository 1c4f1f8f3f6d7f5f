"""essentia without its chatter."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def essentia_standard() -> Any:
    """The module ``essentia.standard``, imported when first needed, with its log switched off."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import essentia

    essentia.log.infoActive = False
    essentia.log.warningActive = False
    import essentia.standard

    return essentia.standard

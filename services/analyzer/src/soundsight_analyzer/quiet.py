"""essentia without its chatter, where it is installed.

essentia (AGPL-3.0) is an extra of this distribution. Whatever uses it asks `has_essentia` first and
does without where it must.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any


@cache
def has_essentia() -> bool:
    """Whether essentia is installed; does not import it."""
    try:
        return find_spec("essentia") is not None
    except (ImportError, ValueError):  # what forbids it may say so in its own way
        return False


@cache
def essentia_version() -> str:
    """The version that is installed, or nothing. Builds with and without TensorFlow do alike."""
    if has_essentia():
        for distribution in ("essentia", "essentia-tensorflow"):
            with suppress(PackageNotFoundError):
                return version(distribution)
    return ""


@cache
def essentia_standard() -> Any:
    """The module ``essentia.standard``, imported when first needed, with its log switched off."""
    # Builds with TensorFlow talk at length when they are loaded.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import essentia

    essentia.log.infoActive = False
    essentia.log.warningActive = False
    import essentia.standard

    return essentia.standard

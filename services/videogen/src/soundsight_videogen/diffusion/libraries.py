"""The heavy libraries: imported when first needed, with one clear error where they lack."""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

from soundsight_kit.errors import FailedPrecondition


def library(name: str) -> Any:
    """The module `name`; raises FailedPrecondition (LIBRARY_MISSING) where it is not installed."""
    # Models are files here: nothing may ask the network what a newer one would look like.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            f"diffusion models need {error.name}, which is not installed here: run "
            "`make setup-torch`, or install soundsight-videogen[diffusion]",
            reason="LIBRARY_MISSING",
            metadata={"library": str(error.name)},
        ) from error


def torch() -> Any:
    """PyTorch."""
    return library("torch")


@cache
def diffusers() -> Any:
    """diffusers, without its bars on the terminal and those of transformers."""
    found = library("diffusers")
    found.utils.logging.disable_progress_bar()
    library("transformers.utils.logging").disable_progress_bar()
    # Wan's and SkyReels' pipelines clean their prompts with it, and fail late where it lacks.
    library("ftfy")
    return found


def pick_device(wanted: str) -> str:
    """The device that `auto` means here; any other name as it is."""
    if wanted != "auto":
        return wanted
    return "cuda" if torch().cuda.is_available() else "cpu"

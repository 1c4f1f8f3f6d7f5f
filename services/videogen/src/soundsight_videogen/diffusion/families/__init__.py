"""The families of models that can be filmed with: one module each, found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.diffusion.families.family import Family
from soundsight_videogen.diffusion.models import ModelFolder


@cache
def families() -> tuple[Family, ...]:
    """All families, by name."""
    found = []
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        family = getattr(module, "FAMILY", None)
        if isinstance(family, Family):
            found.append(family)
    return tuple(sorted(found, key=lambda family: family.name))


def family_of(model: ModelFolder) -> Family:
    """The family of a model; raises FailedPrecondition (MODEL_NOT_SUPPORTED) for others."""
    for family in families():
        if model.class_name in family.classes:
            return family
    known = ", ".join(sorted(name for family in families() for name in family.classes))
    raise FailedPrecondition(
        f"{model.name} is a {model.class_name}, which is not supported; supported are {known}",
        reason="MODEL_NOT_SUPPORTED",
    )

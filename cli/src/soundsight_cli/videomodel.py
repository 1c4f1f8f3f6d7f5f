"""The diffusion model that films instead of the built-in renderer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from soundsight_cli.child import SuiteError

_INDEX = "model_index.json"
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def choose_video_model(named: str | None) -> str:
    """The model that the option means: a whole path or an id of the hub; empty for none.

    Raises:
        SuiteError: when it names what is no model.
    """
    if not named:
        return ""
    folder = Path(named).expanduser()
    if folder.is_dir():
        if not (folder / _INDEX).is_file():
            raise SuiteError(f"{folder} holds no video model: it has no {_INDEX}")
        if "," in str(folder.absolute()):
            raise SuiteError(f"--video-model takes no path with a comma; rename {folder}")
        return str(folder.absolute())
    if not _HUB_ID.fullmatch(named):
        raise SuiteError(f"there is no folder {folder} for --video-model")
    return named


def video_settings(model: str) -> Mapping[str, str]:
    """What videogen is told for it."""
    return {"SOUNDSIGHT_VIDEOGEN_MODELS": model} if model else {}

"""Model folders: what lies in them, what they are, whether they are whole. Needs no torch.

A model is a folder in the layout of diffusers (`model_index.json`, one folder per component), or
an id of the Hugging Face hub. Weights are safetensors files and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soundsight_kit.errors import DataLoss, FailedPrecondition
from soundsight_videogen.diffusion.libraries import library
from soundsight_videogen.diffusion.settings import StudioSettings

INDEX_NAME = "model_index.json"
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
_MOST_HEADER_BYTES = 100 << 20
_SAMPLE_BYTES = 1 << 16
_REVISION_DIGITS = 40
_LICENCE_LINE = re.compile(r"^license(?:_name)?:\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*$", re.MULTILINE)
_SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT", "openrail": "OpenRAIL"}


@dataclass(frozen=True)
class ModelFolder:
    """A pipeline's folder: its index, its components' configurations, its weight files."""

    name: str
    path: Path
    index: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]] = field(repr=False)
    weights: tuple[Path, ...] = field(repr=False)
    revision: str

    @property
    def class_name(self) -> str:
        """The class of the pipeline, as the folder names it."""
        return str(self.index["_class_name"])

    @property
    def weight_bytes(self) -> int:
        """Size of all weights."""
        return sum(file.stat().st_size for file in self.weights)

    def config(self, component: str, key: str, default: Any = None) -> Any:
        """A value of a component's configuration."""
        return self.configs.get(component, {}).get(key, default)

    def licence(self, usual: str) -> str:
        """SPDX identifier of the weights' licence: what the model card says, or the usual one."""
        card = self.path / "README.md"
        if not card.is_file():
            return usual
        head = card.read_text("utf-8", "replace").split("\n---", 1)[0]
        found = [name.lower() for name in _LICENCE_LINE.findall(head) if name.lower() != "other"]
        return _SPDX.get(found[0], f"LicenseRef-{found[0]}") if found else usual


def find_model(name: str, settings: StudioSettings) -> ModelFolder:
    """Looks a model up: a folder, or an id of the hub that lies in its cache or may be fetched.

    Raises FailedPrecondition (MODEL_NOT_FOUND, NOT_A_PIPELINE, UNSAFE_WEIGHTS) and DataLoss
    (MODEL_CORRUPT).
    """
    folder = Path(name).expanduser()
    revision = ""
    if not folder.is_dir():
        if not _HUB_ID.fullmatch(name):
            raise FailedPrecondition(
                f"there is no model folder {name!r}: name a folder with a {INDEX_NAME} in it, or "
                "a model of the hub as owner/name",
                reason="MODEL_NOT_FOUND",
            )
        folder = _from_hub(name, settings)
        revision = folder.name
    return _read(name, folder, revision)


def _from_hub(name: str, settings: StudioSettings) -> Path:
    hub = library("huggingface_hub")
    try:
        return Path(
            hub.snapshot_download(
                name,
                revision=settings.revision or None,
                local_files_only=not settings.hub,
                allow_patterns=list(_HUB_FILES),
            )
        )
    except (OSError, ValueError) as error:
        hint = (
            "the hub did not give it"
            if settings.hub
            else "it is not in the hub's cache, and SOUNDSIGHT_VIDEOGEN_DIFFUSION_HUB is off"
        )
        raise FailedPrecondition(
            f"model {name} cannot be had: {hint}", reason="MODEL_NOT_FOUND"
        ) from error


def _read(name: str, folder: Path, revision: str) -> ModelFolder:
    index_file = folder / INDEX_NAME
    if not index_file.is_file():
        raise FailedPrecondition(
            f"{name} is no pipeline: it has no {INDEX_NAME}; name the folder that holds it",
            reason="NOT_A_PIPELINE",
        )
    index = _json(index_file)
    if not isinstance(index.get("_class_name"), str):
        raise FailedPrecondition(
            f"{name} is no pipeline: its {INDEX_NAME} names no class", reason="NOT_A_PIPELINE"
        )
    configs = {
        file.parent.name: _json(file)
        for pattern in ("*/config.json", "*/scheduler_config.json")
        for file in sorted(folder.glob(pattern))
    }
    weights = tuple(sorted(folder.glob("*/*.safetensors")))
    if not weights:
        pickled = [*folder.glob("*/*.bin"), *folder.glob("*/*.pt"), *folder.glob("*/*.pth")]
        raise FailedPrecondition(
            f"{name} has pickled weights alone, which may run code: convert them to safetensors"
            if pickled
            else f"{name} is no pipeline: it has no weights",
            reason="UNSAFE_WEIGHTS" if pickled else "NOT_A_PIPELINE",
        )
    for file in weights:
        check_safetensors(file)
    return ModelFolder(
        name, folder, index, configs, weights, revision or _revision(folder, weights)
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise DataLoss(
            f"{file.name} of the model cannot be read: fetch the model again",
            reason="MODEL_CORRUPT",
            metadata={"file": str(file)},
        ) from error
    return value if isinstance(value, dict) else {}


def check_safetensors(file: Path) -> None:
    """Raises DataLoss (MODEL_CORRUPT) when a weight file is cut off or its header is damaged.

    The format: eight bytes with the header's length, the header as JSON with each tensor's place,
    the tensors one after the other (https://github.com/huggingface/safetensors).
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            header_bytes = int.from_bytes(stream.read(8), "little")
            if not 0 < header_bytes <= min(_MOST_HEADER_BYTES, size - 8):
                raise ValueError("its header does not fit into the file")
            header = json.loads(stream.read(header_bytes))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        if 8 + header_bytes + max(ends, default=0) != size:
            raise ValueError("it is shorter or longer than its header says")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataLoss(
            f"the weights {file.parent.name}/{file.name} are damaged ({error}): fetch the model "
            "again",
            reason="MODEL_CORRUPT",
            metadata={"file": str(file)},
        ) from error


def _revision(folder: Path, weights: tuple[Path, ...]) -> str:
    """A digest of the configurations, and of a sample of each weight file: cheap for any size."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.json")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    for file in weights:
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder)}\0{size}\0".encode())
        with file.open("rb") as stream:
            for place in (0, size // 2, max(0, size - _SAMPLE_BYTES)):
                stream.seek(place)
                digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:_REVISION_DIGITS]

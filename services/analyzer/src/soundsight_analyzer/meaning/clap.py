"""Zero-shot labels by CLAP: which words of a list lie nearest to what is heard.

Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
keyword-to-caption augmentation" (ICASSP 2023): one network places sounds, another sentences, in one
space. The song is placed window by window, the labels once; within a group, the softmax over
similarities is how the labels share what is heard. Any checkpoint that `transformers.ClapModel`
reads will do, from a folder or from a hub. torch and transformers are the extra `[clap]` of this
distribution, and are imported when the first song needs them.
"""

from __future__ import annotations

import hashlib
import re
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.meaning.labelsets import LabelSet, load_label_sets
from soundsight_kit.errors import FailedPrecondition, InvalidArgument

_BATCH = 8
_SHORTEST_S = 0.5
_LEAST_REST = 0.5
"""A rest of the song is heard as a window of its own when it is at least this part of one."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_NEEDED = ("torch", "transformers")
_WEIGHTS = "*.safetensors"


@dataclass(frozen=True)
class ClapModel:
    """Which model, and where it runs.

    ``place`` is a folder or a hub id; ``revision`` the hub's revision, or the digest of the
    folder's weights; ``device`` is `cpu`, `cuda`, `cuda:1` and so on, or `auto`: a GPU when there
    is one; ``label_dir`` the user's own labels, or empty.
    """

    id: str
    place: str
    revision: str
    device: str = "auto"
    label_dir: str = ""

    @property
    def source(self) -> str:
        """What evidence names: the model and its revision."""
        return f"{self.id}@{self.revision[:19]}"

    @property
    def local(self) -> bool:
        return Path(self.place).is_dir()

    def label_sets(self) -> tuple[LabelSet, ...]:
        return load_label_sets(Path(self.label_dir) if self.label_dir else None)


@cache
def choose_model(
    name: str, *, revision: str, models_dir: Path | None, device: str, label_dir: Path | None
) -> ClapModel:
    """The model that the settings name: a folder, a folder in ``models_dir``, or a hub id.

    Raises:
        FailedPrecondition: when torch or transformers are not installed.
        InvalidArgument: when there is no such folder, it holds no safetensors, or labels are wrong.
    """
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise FailedPrecondition(
            f"CLAP needs {' and '.join(missing)}: run `make setup-torch`, or install"
            " soundsight-analyzer[clap]"
        )
    load_label_sets(label_dir)
    labels = str(label_dir) if label_dir else ""
    folders = [Path(name)] if models_dir is None else [models_dir / name, Path(name)]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is not None:
        return ClapModel(folder.name, str(folder.resolve()), _digest(folder), device, labels)
    if not _HUB_ID.fullmatch(name):
        raise InvalidArgument(f"there is no folder {name} to load CLAP from")
    return ClapModel(name, name, revision or "main", device, labels)


@dataclass(frozen=True)
class ClapWindows:
    """Where the windows of a song and the labels lie.

    ``sounds`` (windows, d) and ``words[group]`` (labels, d) have length 1; window i begins at
    i * hop_s and lasts as long. ``scale`` is the model's own: what similarities are multiplied by.
    """

    source: str
    hop_s: float
    sounds: Floats
    label_sets: tuple[LabelSet, ...]
    words: Mapping[str, Floats]
    scale: float

    def shares(self, label_set: LabelSet, start_s: float, end_s: float) -> Floats:
        """How the labels of a group share a stretch of the song: (labels,), sum 1."""
        middles = (np.arange(len(self.sounds)) + 0.5) * self.hop_s
        inside = (middles >= start_s) & (middles < end_s)
        if not inside.any():
            inside = np.zeros(len(middles), dtype=bool)
            inside[np.abs(middles - (start_s + end_s) / 2).argmin()] = True
        sound = self.sounds[inside].mean(axis=0)
        sound = sound / max(float(np.linalg.norm(sound)), 1e-9)
        return softmax(self.scale * (self.words[label_set.group] @ sound))


def softmax(values: Floats) -> Floats:
    """Shares (n,) of ``values`` (n,), sum 1."""
    grown = np.exp(values - values.max())
    return np.asarray(grown / grown.sum())


def certainty(shares: Floats) -> float:
    """1 when one label has all, 0 when all have the same: one minus the entropy's part of its most.

    A softmax always names a winner; this says how little it may mean.
    """
    safe = np.clip(shares, 1e-12, 1.0)
    return float(1.0 + (safe * np.log(safe)).sum() / np.log(len(shares)))


def hear_labels(
    samples: Floats,
    rate_hz: int,
    model: ClapModel,
    progress: Callable[[int, int], None] | None = None,
) -> ClapWindows | None:
    """Places ``samples`` (n,) and the labels; None when there is too little to hear.

    ``progress`` is told windows done and windows in all.

    Raises:
        FailedPrecondition: when the model cannot be loaded.
    """
    if len(samples) < _SHORTEST_S * rate_hz or not samples.any():
        return None
    loaded = _load(model)
    window = round(loaded.window_s * rate_hz)
    count = max(1, int(len(samples) / window + 1.0 - _LEAST_REST))
    placed = []
    for first in range(0, count, _BATCH):
        pieces = [
            samples[number * window : (number + 1) * window]
            for number in range(first, min(count, first + _BATCH))
        ]
        placed.append(loaded.place_sounds([_at_rate(piece, rate_hz, loaded) for piece in pieces]))
        if progress:
            progress(min(count, first + _BATCH), count)
    return ClapWindows(
        source=model.source,
        hop_s=loaded.window_s,
        sounds=np.concatenate(placed),
        label_sets=loaded.label_sets,
        words=loaded.words,
        scale=loaded.scale,
    )


@dataclass(frozen=True)
class _Loaded:
    """A model in memory, with the labels placed."""

    network: Any
    processor: Any
    device: str
    label_sets: tuple[LabelSet, ...]
    words: Mapping[str, Floats]
    scale: float

    @property
    def rate_hz(self) -> int:
        return int(self.processor.feature_extractor.sampling_rate)

    @property
    def window_s(self) -> float:
        return float(self.processor.feature_extractor.max_length_s)

    def place_sounds(self, pieces: list[Floats]) -> Floats:
        """Unit vectors (n, d) of sounds at the model's rate, none longer than its window."""
        import torch

        inputs = self.processor(audio=pieces, sampling_rate=self.rate_hz, return_tensors="pt")
        # No piece is longer than a window; the processor would call one of them so by chance.
        inputs["is_longer"] = torch.zeros((len(pieces), 1), dtype=torch.bool)
        with torch.inference_mode():
            placed = self.network.get_audio_features(**inputs.to(self.device))
        return _vectors(placed)


@cache
def _load(model: ClapModel) -> _Loaded:
    """Loads a model and places its labels, once per process."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    device = _device(model.device)
    # Weights of other formats can run code when they are read.
    where = {"local_files_only": True} if model.local else {"revision": model.revision}
    try:
        network = transformers.ClapModel.from_pretrained(
            model.place, use_safetensors=True, trust_remote_code=False, **where
        )
        processor = transformers.ClapProcessor.from_pretrained(
            model.place, trust_remote_code=False, **where
        )
    except MemoryError:
        raise
    except Exception as error:  # a damaged or foreign model fails in ways of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FailedPrecondition(
            f"CLAP cannot be loaded from {model.place}: {reason}", reason="MODEL_NOT_LOADED"
        ) from None
    network = network.to(device).eval()
    label_sets = model.label_sets()
    words = {}
    with torch.inference_mode():
        for label_set in label_sets:
            tokens = processor(text=list(label_set.prompts), padding=True, return_tensors="pt")
            words[label_set.group] = _vectors(network.get_text_features(**tokens.to(device)))
    scale = float(network.logit_scale_a.detach().exp())
    return _Loaded(network, processor, device, label_sets, words, scale)


def _vectors(placed: Any) -> Floats:
    """Unit vectors (n, d) from what a model answers."""
    values = getattr(placed, "pooler_output", placed).float().cpu().numpy()
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9))


def _at_rate(piece: Floats, rate_hz: int, loaded: _Loaded) -> Floats:
    """A piece at the model's rate, cut to its window: resampling may give a sample too many."""
    resampled = soxr.resample(piece, rate_hz, loaded.rate_hz)
    return np.asarray(resampled[: round(loaded.window_s * loaded.rate_hz)])


def _device(wanted: str) -> str:
    """Where to run; lifts this process's limit on address space for a GPU.

    CUDA reserves address space by the hundred gigabytes, whatever it uses, and is not even seen
    without.
    """
    import torch

    if wanted == "cpu":
        return wanted
    limit, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    return "cpu"


def _digest(folder: Path) -> str:
    """Names the weights in a folder by their content."""
    weights = sorted(folder.glob(_WEIGHTS))
    if not weights or not (folder / "config.json").is_file():
        raise InvalidArgument(
            f"{folder} holds no CLAP model: config.json and {_WEIGHTS} are needed"
        )
    digest = hashlib.sha256()
    for path in (folder / "config.json", *weights):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"

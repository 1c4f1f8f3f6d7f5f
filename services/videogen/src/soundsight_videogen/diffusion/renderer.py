"""Diffusion models as a backend: one worker process per device, each with models of its own."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import structlog

from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1 import videogen_pb2
from soundsight.videogen.v1.profile_pb2 import VideoGenProfile
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest, WorkerLoad
from soundsight_kit.errors import FailedPrecondition, SoundsightError
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_videogen.backend import (
    NO_PICTURES,
    About,
    Backend,
    Filmed,
    Pictures,
    total_frames,
)
from soundsight_videogen.diffusion.cards import read_card
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.writing import LAST_FRAME_NAME
from soundsight_videogen.supervising.process import FilmWatcher, Launch, Patience
from soundsight_videogen.supervising.recovery import Attempt, next_attempt
from soundsight_videogen.supervising.residency import Residency
from soundsight_videogen.supervising.seats import Seat, Seats
from soundsight_videogen.supervising.telling import worker_load

log = structlog.get_logger()

LIBRARIES = ("torch", "diffusers", "transformers")
_INHERITS = (
    "CUDA_*",
    "HF_*",
    "HUGGINGFACE_*",
    "NCCL_*",
    "NVIDIA_*",
    "OMP_NUM_THREADS",
    "PYTORCH_*",
    "SOUNDSIGHT_VIDEOGEN_DIFFUSION_*",
    "TORCH*",
    "TRITON_*",
)
# What of the studio's settings leaves the pictures as they are.
_NO_PART_OF_PICTURES = frozenset(
    {"device", "hub", "revision", "compile", "embedding_cache", "warm_up", "resident_models"}
)
_NEWEST_SHARE = 0.3
"""Weight of the last step in the mean of its duration."""


@dataclass(frozen=True)
class FilmModel:
    """A model to film with: what the studio knows it by, and what callers are told of it."""

    name: str
    model: Model
    profile: VideoGenProfile
    capabilities: tuple[str, ...] = ()
    weight_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Hands:
    """How workers are started and how long they are waited for.

    `studio` names the maker of pictures as `module:factory`, `environment` is for each worker,
    `memory_bytes` is what weights may take of a device (0: nobody counts), `workers_a_clip` how
    many workers may be lost to one clip, that one included that is not replaced.
    """

    studio: str = ""
    environment: Mapping[str, str] | None = None
    patience: Patience = field(default_factory=Patience)
    memory_bytes: int = 0
    workers_a_clip: int = 2


def film_models(names: Sequence[str], settings: StudioSettings) -> list[FilmModel]:
    """Looks models up: folders, or ids of the hub.

    Raises FailedPrecondition or DataLoss for what is no whole pipeline of a known family.
    """
    found = []
    for name in names:
        card = read_card(name, settings)
        found.append(
            FilmModel(name, card.model, card.profile, card.capabilities, card.folder.weight_bytes)
        )
    ids = [each.model.id for each in found]
    for twice in {each for each in ids if ids.count(each) > 1}:
        raise FailedPrecondition(
            f"two models are called {twice}: rename a folder", reason="MODEL_NAMED_TWICE"
        )
    return found


class DiffusionRenderer(Backend):
    """Films with diffusion models.

    Args:
        models: what it films with; the first unless a request names another.
        devices: one worker for each: CUDA devices (`0`), or `cpu`; or groups of them, all of one
            size, that film each clip together (`0,1`).
        settings: the studio's.
        hands: how workers are started and waited for.
    """

    def __init__(
        self,
        models: Sequence[FilmModel],
        devices: Sequence[str],
        settings: StudioSettings,
        hands: Hands = Hands(),
    ) -> None:
        self._models = {each.model.id: each for each in models}
        self._ids = {each.name: each.model.id for each in models}
        self._settings = settings
        self._hands = hands
        self._ranks = len(devices[0].split(","))
        self._seats = Seats([Seat(_label(one), _launch(one, hands), hands.patience)
                             for one in devices])  # fmt: skip
        self._residency = {seat: Residency(hands.memory_bytes) for seat in self._seats.all}
        self._step_s: dict[Seat, float] = {}
        self._fitting: dict[tuple[str, int, int, int], MemoryPlan] = {}

    @cached_property
    def about(self) -> About:
        """What it is."""
        first = next(iter(self._models.values()))
        return About(
            implementation="soundsight-videogen-diffusion",
            description="Films what prompts say with diffusion models: "
            + ", ".join(f"{model.id} ({model.licence})" for model in self.models),
            fingerprint=source_fingerprint(
                "soundsight_videogen.diffusion", extra=self._what_decides_pictures()
            ),
            model=first.model,
            capabilities=first.capabilities,
        )

    @cached_property
    def profile(self) -> VideoGenProfile:
        """What the first model can film."""
        return self.profile_of("")

    @property
    def slots(self) -> int:
        """One for each device."""
        return len(self._seats.all)

    @property
    def models(self) -> Sequence[Model]:
        """All of its models."""
        return [each.model for each in self._models.values()]

    @property
    def worker_pids(self) -> frozenset[int]:
        """Process ids of the workers that live."""
        return self._seats.pids

    def profile_of(self, name: str) -> VideoGenProfile:
        """What a model can film; raises InvalidArgument for an unknown one."""
        profile = VideoGenProfile()
        profile.CopyFrom(self._models[self.model(name).id].profile)
        if len(self._models) > 1:
            # Which model it was is then a part of the key.
            profile.consumed_inputs.append("model")
        return profile

    def resident(self, seat: int) -> Sequence[str]:
        """Ids of the models that are loaded at a seat."""
        return self._residency[self._seats.all[seat]].models

    def workers(self) -> Sequence[WorkerLoad]:
        """What each worker is at."""
        return [
            worker_load(seat, self._residency[seat].taken, self._step_s.get(seat, 0.0))
            for seat in self._seats.all
        ]

    async def start(self) -> None:
        """Starts the first worker; raises FailedPrecondition where PyTorch is missing."""
        await self._seats.start()

    async def film(
        self,
        request: GenerateClipRequest,
        destination: Path,
        *,
        watcher: FilmWatcher,
        pictures: Pictures = NO_PICTURES,
        seat: int | None = None,
    ) -> Filmed:
        """Films a clip, again with another worker or less memory where that may help.

        Raises FailedPrecondition (OUT_OF_MEMORY) when no plan fits the device, Unavailable when
        workers died or hung, and what the studio raises.
        """
        model = self._models[self.model(request.model).id]
        inner = request.internal_resolution
        shape = (model.name, inner.width, inner.height, total_frames(request))
        attempt = Attempt(plan=self._fitting.get(shape, MemoryPlan.FASTEST))
        async with self._seats.lent(seat) as lent:
            while True:
                try:
                    told = await self._film_at(
                        lent, model, request, destination, attempt, pictures, watcher
                    )
                    break
                except SoundsightError as error:
                    attempt = next_attempt(attempt, error, self._hands.workers_a_clip)
                    log.warning("clip tried again", why=error.reason, plan=attempt.plan.name)
        if attempt.plan > MemoryPlan.FASTEST:
            self._fitting[shape] = attempt.plan
        last = destination.parent / LAST_FRAME_NAME
        return Filmed(
            rendered_frames=told["rendered_frames"],
            last_frame=last if request.store_last_frame else None,
            notes=[*told["notes"], *_notes(attempt)],
            settings=_settings(request, attempt),
        )

    async def close(self) -> None:
        """Ends all workers."""
        await self._seats.close()

    async def _film_at(
        self,
        seat: Seat,
        model: FilmModel,
        request: GenerateClipRequest,
        destination: Path,
        attempt: Attempt,
        pictures: Pictures,
        watcher: FilmWatcher,
    ) -> dict[str, Any]:
        for half_made in (destination, destination.with_name(destination.name + ".part")):
            half_made.unlink(missing_ok=True)
        residency = self._residency[seat]
        if not seat.alive:
            residency.found(())
        worker = await seat.living()
        going = residency.in_the_way(model.model.id, model.weight_bytes)
        order = {
            "film": base64.b64encode(request.SerializeToString()).decode(),
            "to": str(destination),
            "model": model.name,
            "plan": int(attempt.plan),
            "pictures": _paths(pictures),
            "release": [self._models[gone].name for gone in going],
        }
        residency.released(going)
        stopwatch = _Stopwatch(watcher)
        try:
            told = await worker.film(order, stopwatch)
            residency.found((self._ids.get(name, name), size) for name, size in told["resident"])
            return told
        except BaseException:
            if not worker.alive or stopwatch.phase_name in ("", "load"):
                residency.released(residency.models if not worker.alive else [model.model.id])
            else:
                residency.used(model.model.id, model.weight_bytes)
            raise
        finally:
            if stopwatch.step_s is not None:
                before = self._step_s.get(seat, stopwatch.step_s)
                self._step_s[seat] = before + _NEWEST_SHARE * (stopwatch.step_s - before)

    def _what_decides_pictures(self) -> str:
        settings = self._settings.model_dump_json(exclude=set(_NO_PART_OF_PICTURES))
        models = " ".join(f"{m.model.id}@{m.model.revision}" for m in self._models.values())
        # Pictures of a group may be of another size, so that each gets its part.
        together = f" together {self._ranks}" if self._ranks > 1 else ""
        return f"{models} {settings} {' '.join(map(_version, LIBRARIES))}{together}"


class _Stopwatch:
    """Passes on what a watcher is told, and measures the last denoising step."""

    def __init__(self, watcher: FilmWatcher) -> None:
        self._watcher = watcher
        self._began = 0.0
        self.phase_name = ""
        self.step_s: float | None = None

    def phase(self, name: str) -> None:
        self.phase_name = name
        self._began = time.monotonic()
        self._watcher.phase(name)

    def progress(self, done: int, total: int) -> None:
        if self.phase_name == "denoise":
            now = time.monotonic()
            self.step_s, self._began = now - self._began, now
        self._watcher.progress(done, total)

    def preview(self, frame: int, jpeg: bytes) -> None:
        self._watcher.preview(frame, jpeg)


def _launch(device: str, hands: Hands) -> Launch:
    members = device.split(",")
    visible = "" if "cpu" in members else device
    together = ("--ranks", str(len(members))) if len(members) > 1 else ()
    return Launch(
        "soundsight_videogen.diffusion.worker",
        arguments=(*(("--studio", hands.studio) if hands.studio else ()), *together),
        inherits=_INHERITS,
        environment={**(hands.environment or {}), "CUDA_VISIBLE_DEVICES": visible},
        lacking="NO_TORCH",
    )


def _label(device: str) -> str:
    return device if device.startswith("cpu") else f"cuda:{device}"


def _paths(pictures: Pictures) -> dict[str, Any]:
    one = {"start": pictures.start, "end": pictures.end, "draft": pictures.draft}
    return {
        **{name: str(path) for name, path in one.items() if path is not None},
        "references": [str(path) for path in pictures.references],
    }


def _notes(attempt: Attempt) -> list[str]:
    notes = []
    if attempt.plan > MemoryPlan.FASTEST:
        notes.append(f"made under the memory plan {attempt.plan.name.lower()}")
    if attempt.lost_workers:
        notes.append(f"{attempt.lost_workers} workers were lost before it was made")
    return notes


def _settings(request: GenerateClipRequest, attempt: Attempt) -> dict[str, str]:
    quality = videogen_pb2.Quality.Name(request.quality).removeprefix("QUALITY_").lower()
    settings = {"memory_plan": attempt.plan.name.lower()}
    if request.quality:
        settings["quality"] = quality
    if request.steps:
        settings["steps"] = str(request.steps)
    if request.guidance_scale:
        settings["guidance_scale"] = f"{request.guidance_scale:g}"
    return settings


def _version(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return library

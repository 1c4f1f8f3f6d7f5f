"""The studio: films requests with the models it keeps on its device.

Blocking; lives in a worker process that owns one device. torch and diffusers are imported when the
first clip is filmed, never before.
"""

from __future__ import annotations

import gc
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import cv2

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.backend import Pictures
from soundsight_videogen.diffusion.cards import ModelCard, read_card
from soundsight_videogen.diffusion.embeddings import EmbeddingCache
from soundsight_videogen.diffusion.errors import OutOfMemory
from soundsight_videogen.diffusion.families.family import Take
from soundsight_videogen.diffusion.grid import Timing
from soundsight_videogen.diffusion.group import ALONE, Group
from soundsight_videogen.diffusion.libraries import pick_device, torch
from soundsight_videogen.diffusion.loading import memory_errors
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.stage import Stage
from soundsight_videogen.diffusion.staging import build_stage
from soundsight_videogen.diffusion.stills import load_stills
from soundsight_videogen.diffusion.taking import Given, plan_take
from soundsight_videogen.diffusion.writing import write_clip

PHASES = ("load", "encode", "denoise", "decode", "write")


class Watcher(Protocol):
    """Follows a film in the making. Whatever its methods raise ends the film."""

    def phase(self, name: str) -> None:
        """One of PHASES begins; they come in that order."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` denoising steps are made, over all passes."""

    def preview(self, frame: int, jpeg: bytes) -> None:
        """What `frame` of the clip looks like so far; at most 64 KiB of JPEG."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A finished film: frames made before trimming, what a user should know, seconds per phase."""

    rendered_frames: int
    notes: tuple[str, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResidentModel:
    """A model that is loaded: its name, the bytes of its weights, when it was last used
    (`time.monotonic`)."""

    id: str
    bytes: int
    last_used_s: float


class Studio:
    """Films with the models named to it, one clip at a time.

    Models stay loaded, as many as the settings say, the least recently used going first. Under
    another memory plan a model is loaded anew. In a `group` of processes each has a studio, and
    every studio is given the same films; the leader's alone writes them.
    """

    def __init__(
        self,
        settings: StudioSettings,
        group: Group = ALONE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._group = group
        self._clock = clock
        self._stages: OrderedDict[str, tuple[MemoryPlan, Stage]] = OrderedDict()
        self._texts = EmbeddingCache(settings.embedding_cache)

    def film(
        self,
        request: GenerateClipRequest,
        model: str,
        destination: Path,
        *,
        pictures: Pictures,
        memory_plan: MemoryPlan,
        watcher: Watcher,
        stopped: Callable[[], bool],
    ) -> Footage:
        """Films a valid request into `destination` with a model: a folder, or an id of the hub.

        Raises OutOfMemory when the plan is too generous for the device; Cancelled when stopped,
        nothing being left behind; DataLoss for damaged weights; FailedPrecondition for models,
        features and clips that cannot be, InvalidArgument for pictures that cannot be used.
        """
        cv2.setNumThreads(1)
        phases = _Phases(watcher, self._clock)
        phases.phase("load")
        card = read_card(model, self._settings)
        plan = plan_take(
            request, card.traits, self._settings, _given(pictures), ranks=self._group.size
        )
        take = replace(plan.take, stills=load_stills(pictures, plan.take, plan.timing))
        agreed = self._group.agreed(stopped)
        try:
            with memory_errors(memory_plan):
                device = self._group.join(pick_device(self._settings.device))
                stage = self._stage(card, memory_plan, take, device, agreed)
                follower = _InClipFrames(phases, plan.timing)
                frames = stage.shoot(
                    take,
                    follower,
                    agreed,
                    preview_every_s=_preview_every_s(request),
                    clock=self._clock,
                )
        except OutOfMemory:
            self.release(model)
            raise
        phases.phase("write")
        if self._group.leads:
            write_clip(
                frames,
                request,
                plan.timing,
                destination,
                method=self._settings.retime,
                stopped=stopped,
            )
        stage.last_used_s = self._clock()
        notes = (*plan.notes, *(f"{name}: {what}" for name, what in stage.evidence.items()))
        return Footage(len(frames), notes, phases.seconds())

    def resident_models(self) -> tuple[ResidentModel, ...]:
        """The models that are loaded, the one used last at the end."""
        return tuple(
            ResidentModel(model, stage.weight_bytes, stage.last_used_s)
            for model, (_, stage) in self._stages.items()
        )

    def release(self, model: str) -> None:
        """Unloads a model; unknown ones are no error."""
        if self._stages.pop(model, None) is None:
            return
        gc.collect()
        if torch().cuda.is_available():
            torch().cuda.empty_cache()

    def _stage(
        self,
        card: ModelCard,
        plan: MemoryPlan,
        take: Take,
        device: str,
        stopped: Callable[[], bool],
    ) -> Stage:
        """The model's stage under a plan: the one that is there, or a new one."""
        model = card.folder.name
        if model in self._stages:
            had, stage = self._stages[model]
            if had is plan and stage.card.folder.revision == card.folder.revision:
                self._stages.move_to_end(model)
                return stage
            self.release(model)
        while len(self._stages) >= self._settings.resident_models:
            self.release(next(iter(self._stages)))
        stage = build_stage(
            card, self._settings, plan, take, self._texts, stopped, device, self._group.size
        )
        self._stages[model] = (plan, stage)
        return stage


class _Phases:
    """Passes phases on and takes their times."""

    def __init__(self, watcher: Watcher, clock: Callable[[], float]) -> None:
        self.watcher = watcher
        self._clock = clock
        self._began: list[tuple[str, float]] = []

    def phase(self, name: str) -> None:
        self._began.append((name, self._clock()))
        self.watcher.phase(name)

    def seconds(self) -> dict[str, float]:
        """Seconds of each phase until now."""
        ends = [began for _, began in self._began[1:]] + [self._clock()]
        return {name: end - at for (name, at), end in zip(self._began, ends, strict=True)}


class _InClipFrames:
    """Follows a take and tells of it in the clip's own frames."""

    def __init__(self, phases: _Phases, timing: Timing) -> None:
        self._phases = phases
        self._timing = timing

    def phase(self, name: str) -> None:
        self._phases.phase(name)

    def progress(self, done: int, total: int) -> None:
        self._phases.watcher.progress(done, total)

    def preview(self, frame: int, jpeg: bytes) -> None:
        own = min(round(frame / self._timing.pace), self._timing.frames - 1)
        self._phases.watcher.preview(own, jpeg)


def _given(pictures: Pictures) -> Given:
    return Given(
        start=pictures.start is not None,
        end=pictures.end is not None,
        references=len(pictures.references),
        draft=pictures.draft is not None,
    )


def _preview_every_s(request: GenerateClipRequest) -> float | None:
    if not request.HasField("preview_interval"):
        return None
    return request.preview_interval.ToNanoseconds() / 1e9

"""The stage: one loaded model, what was switched on for it, and takes filmed on it.

What comes in is a take in the model's own frames; what goes out are its frames as numbers.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.errors import Cancelled, FailedPrecondition
from soundsight_videogen.diffusion.cards import ModelCard
from soundsight_videogen.diffusion.embeddings import EmbeddingCache
from soundsight_videogen.diffusion.families.family import Take
from soundsight_videogen.diffusion.features.feature import Feature, NoEffect, parameter_bytes
from soundsight_videogen.diffusion.libraries import torch
from soundsight_videogen.diffusion.loading import sister_pipeline
from soundsight_videogen.diffusion.previewing import LatentColours, preview_jpeg

F32 = NDArray[np.float32]


class Follower(Protocol):
    """Follows a take."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def progress(self, done: int, total: int) -> None:
        """Steps made, and all of them."""

    def preview(self, frame: int, jpeg: bytes) -> None:
        """What a native frame looks like."""


@dataclass
class Stage:
    """A pipeline and what belongs to it while it is loaded."""

    card: ModelCard
    pipeline: Any
    device: str
    texts: EmbeddingCache
    features: list[Feature] = field(default_factory=list)
    colours: LatentColours = field(default_factory=LatentColours)
    evidence: dict[str, str] = field(default_factory=dict)
    encode: Callable[[Any, Take], dict[str, Any]] | None = None
    """Stands in for the family's text encoding, when weights are random: what comes out are then no
    pictures, and need not be numbers."""
    last_used_s: float = 0.0
    _sisters: dict[str, Any] = field(default_factory=dict)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights as they are in memory."""
        parts = self.pipeline.components.values()
        return sum(parameter_bytes(part) for part in parts if hasattr(part, "parameters"))

    def pipeline_for(self, take: Take) -> Any:
        """The pipeline that films a take: the folder's own, or one over the same parts."""
        name = self.card.family.pipeline_class(self.card.folder, take.stills)
        if name not in self._sisters:
            self._sisters[name] = sister_pipeline(self.pipeline, name)
        return self._sisters[name]

    def shoot(
        self,
        take: Take,
        follower: Follower,
        stopped: Callable[[], bool],
        *,
        preview_every_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> F32:
        """Films a take: frames (n, h, w, 3), 0 to 1.

        `stopped` is asked before every denoising step and every part of the decoding. Raises
        Cancelled when stopped, FailedPrecondition (NOT_A_NUMBER) when the model gives none.
        """
        pipeline = self.pipeline_for(take)
        family = self.card.family
        _check(stopped)
        follower.phase("encode")
        text = self.texts.get(
            (self.card.folder.name, take.prompt, take.negative_prompt, take.guided),
            lambda: self._encode(pipeline, take),
            pipeline._execution_device,
        )
        _check(stopped)
        family.prepare(pipeline, take)
        for feature in self.features:
            feature.follow(pipeline, take.steps)
        arguments = {**family.arguments(pipeline, take), **text, "output_type": "np"}
        arguments["generator"] = torch().Generator("cpu").manual_seed(take.seed)
        follower.phase("denoise")
        steps = _Steps(self, take, follower, stopped, preview_every_s, clock)
        try:
            with (
                torch().no_grad(),
                _stops_decoding(pipeline.vae, stopped),
                steps.watch(pipeline) as more,
            ):
                result = pipeline(**arguments, **more)
        finally:
            # Stopped or not: what caches and hooks hold of this take must not reach the next one.
            pipeline.maybe_free_model_hooks()
        _check(stopped)
        frames: F32 = np.asarray(result.frames[0], dtype=np.float32)
        if self.encode is None and not np.isfinite(frames).all():
            raise FailedPrecondition(
                "the model gave pictures that are no numbers: another dtype may help",
                reason="NOT_A_NUMBER",
            )
        if steps.latents is not None and not self.colours.learned:
            self.colours.learn(steps.latents, frames)
        return frames

    def _encode(self, pipeline: Any, take: Take) -> dict[str, Any]:
        with torch().no_grad():
            return (self.encode or self.card.family.encode)(pipeline, take)

    def prove(self, take: Take, stopped: Callable[[], bool]) -> None:
        """Applies the features one by one, each with a small take, and takes their evidence.

        Raises FailedPrecondition (FEATURE_WITHOUT_EFFECT) for one that shows none.
        """
        wanted, self.features = self.features, []
        for feature in wanted:
            feature.apply(self.pipeline)
            self.features.append(feature)
            try:
                if feature.needs_run:
                    self._try(feature, take, stopped)
                self.evidence[feature.name] = feature.evidence()
            finally:
                feature.settle()
        self.colours = LatentColours()

    def _try(self, feature: Feature, take: Take, stopped: Callable[[], bool]) -> None:
        """Films with a feature; what a kernel or compiler cannot do here is the feature's fault."""
        try:
            self.shoot(take, _Nobody(), stopped)
        except torch().OutOfMemoryError:
            raise
        except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            raise NoEffect(feature.name, (str(error).splitlines() or [""])[0]) from error

    def warm_up(self, take: Take, stopped: Callable[[], bool]) -> None:
        """Films for nobody: what is slow the first time is done then."""
        self.shoot(take, _Nobody(), stopped)
        self.colours = LatentColours()

    def warm_up_take(self, take: Take, steps: int, ranks: int = 1) -> Take:
        """The smallest take like this one, for so many processes together."""
        traits = self.card.traits
        side = _whole(128, traits.size_multiple)
        wide = _whole(128, traits.size_multiple * ranks)
        small = (min(wide, take.size[0]), min(side, take.size[1]))
        if traits.sizes:
            small = take.size
        fewer = replace(take, steps=steps, frames=min(take.frames, traits.grid.smallest))
        stills = take.stills
        return replace(
            fewer,
            size=small,
            stills=replace(
                stills,
                start=stills.start and stills.start.resize(small),
                end=stills.end and stills.end.resize(small),
                references=tuple(picture.resize(small) for picture in stills.references),
                draft=tuple(picture.resize(small) for picture in stills.draft[: fewer.frames]),
            ),
        )


class _Steps:
    """Told of every denoising step: counts, previews, stops, keeps the last latents."""

    def __init__(
        self,
        stage: Stage,
        take: Take,
        follower: Follower,
        stopped: Callable[[], bool],
        preview_every_s: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._stage, self._take, self._follower = stage, take, follower
        self._stopped, self._clock = stopped, clock
        self._preview_every_s = preview_every_s
        self._previewed_at = float("-inf")
        self._done = 0
        self.latents: F32 | None = None

    @contextmanager
    def watch(self, pipeline: Any) -> Iterator[dict[str, Any]]:
        """What the pipeline is called with to be watched; some only show through the scheduler."""
        if "callback_on_step_end" in inspect.signature(pipeline.__call__).parameters:

            def step_end(
                pipe: Any, index: int, when: Any, tensors: dict[str, Any]
            ) -> dict[str, Any]:
                self._step(pipe, tensors["latents"])
                return tensors

            yield {"callback_on_step_end": step_end}
            return
        scheduler = pipeline.scheduler
        original = scheduler.step

        def step(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            self._step(pipeline, result[0])
            return result

        scheduler.step = step
        try:
            yield {}
        finally:
            del scheduler.step

    def _step(self, pipeline: Any, latents: Any) -> None:
        self._done += 1
        total = max(self._done, getattr(pipeline, "_num_timesteps", 0) or self._take.steps)
        self._follower.progress(self._done, total)
        if self._stopped():
            pipeline._interrupt = True
            raise Cancelled("filming was stopped")
        last = self._done >= total
        now = self._clock()
        wanted = (
            self._preview_every_s is not None and now - self._previewed_at >= self._preview_every_s
        )
        if last or wanted:
            unpacked = unpack_latents(latents, pipeline, self._take, self._stage.card)
            if wanted and unpacked is not None:
                self._previewed_at = now
                self._show(unpacked)
            self.latents = unpacked
        if last:
            self._follower.phase("decode")

    def _show(self, latents: F32) -> None:
        middle = latents.shape[1] // 2
        frame = round(middle * (self._take.frames - 1) / max(1, latents.shape[1] - 1))
        picture = self._stage.colours.rgb(latents[:, middle])
        self._follower.preview(frame, preview_jpeg(picture, self._take.size))


def unpack_latents(latents: Any, pipeline: Any, take: Take, card: ModelCard) -> F32 | None:
    """A pipeline's latents as (channels, frames, h, w); None where they have another form."""
    value: F32 = latents[0].detach().float().cpu().numpy()
    if value.ndim == 4:
        return value.transpose(1, 0, 2, 3) if card.family.frames_first else value
    in_time = getattr(pipeline, "vae_temporal_compression_ratio", 0)
    in_space = getattr(pipeline, "vae_spatial_compression_ratio", 0)
    if value.ndim != 2 or not in_time or not in_space:
        return None
    shape = (take.frames - 1) // in_time + 1, take.size[1] // in_space, take.size[0] // in_space
    tokens = int(np.prod(shape))
    if len(value) < tokens:
        return None
    # Tokens of pictures that are given lie before those of the clip.
    return value[-tokens:].reshape(*shape, -1).transpose(3, 0, 1, 2)


@contextmanager
def _stops_decoding(vae: Any, stopped: Callable[[], bool]) -> Iterator[None]:
    """Has `stopped` asked before each part of the decoder runs."""

    def ask(module: Any, args: Any) -> None:
        _check(stopped)

    decoder = getattr(vae, "decoder", None)
    parts = [] if decoder is None else [decoder, *decoder.children()]
    handles = [part.register_forward_pre_hook(ask) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _whole(pixels: int, multiple: int) -> int:
    """At most so many pixels, or one multiple."""
    return multiple * max(1, pixels // multiple)


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Cancelled("filming was stopped")


class _Nobody:
    """Follows nothing."""

    def phase(self, name: str) -> None:
        """A phase."""

    def progress(self, done: int, total: int) -> None:
        """Steps."""

    def preview(self, frame: int, jpeg: bytes) -> None:
        """A picture."""

"""A remote videos API as a backend.

The API is OpenAI's (https://platform.openai.com/docs/api-reference/videos) with the fields that
vLLM-Omni adds (https://docs.vllm.ai/projects/vllm-omni, "Videos API"): a job is created, asked
after until it is done, its file fetched, the job deleted. What comes back is fitted to the exact
frames, size and encoding of the clip here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from soundsight.common.v1.common_pb2 import FrameRate, Resolution
from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1 import profile_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import DeadlineExceeded
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_videogen.backend import (
    NO_PICTURES,
    About,
    Backend,
    Filmed,
    FilmWatcher,
    Pictures,
    total_frames,
)
from soundsight_videogen.remote.api import Job, VideosApi
from soundsight_videogen.remote.faults import failed_job
from soundsight_videogen.remote.fitting import LAST_FRAME_NAME, fit_clip
from soundsight_videogen.remote.timing import native_frames
from soundsight_videogen.settings import VideoGenSettings

MAX_OUTPUT_PIXELS = 3840 * 2160
DEFAULT_SLOTS = 2
_INPUTS = ("shot.prompt", "seed", "internal_resolution", "quality", "steps", "guidance_scale")
_FAILED = frozenset({"failed", "cancelled", "expired"})
_MOST_SEED = 1 << 31
"""Servers take 32-bit seeds."""


class RemoteBackend(Backend):
    """Has clips filmed by a remote server."""

    def __init__(self, settings: VideoGenSettings) -> None:
        self._settings = settings
        self._slots = settings.slots or DEFAULT_SLOTS
        key = settings.remote_key
        self._late: asyncio.Future[None] | None = None
        self._api = VideosApi(settings.remote_url, key.get_secret_value() if key else "")

    @cached_property
    def about(self) -> About:
        """What it is."""
        settings = self._settings
        model = Model(
            id=settings.remote_model or "remote model",
            revision=settings.remote_revision,
            licence=settings.remote_licence,
        )
        return About(
            implementation="soundsight-videogen-remote",
            description=f"Has clips filmed by {model.id} behind an OpenAI-style videos API.",
            fingerprint=source_fingerprint(
                "soundsight_videogen.remote",
                extra=f"{model.id}@{model.revision} {settings.remote_fps} "
                f"{settings.remote_frame_step}k+{settings.remote_frame_offset}",
            ),
            model=model,
            capabilities=("negative_prompt", "start_image"),
        )

    @cached_property
    def profile(self) -> profile_pb2.VideoGenProfile:
        """What it can film, as the settings say: the API does not."""
        settings = self._settings
        sizes = [_size(text) for text in settings.remote_sizes]
        return profile_pb2.VideoGenProfile(
            kind=profile_pb2.BACKEND_KIND_REMOTE,
            frame_step=settings.remote_frame_step,
            frame_offset=settings.remote_frame_offset,
            min_frames=1,
            max_frames=settings.remote_max_frames,
            native_frame_rate=FrameRate(num=settings.remote_fps, den=1),
            resolutions=sizes,
            size_multiple=2,
            max_pixels=MAX_OUTPUT_PIXELS,
            capabilities=[
                profile_pb2.VIDEO_CAPABILITY_START_IMAGE,
                profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT,
            ],
            prompt_dialect=profile_pb2.PromptDialect(
                style=profile_pb2.PROMPT_STYLE_SENTENCES, max_characters=1500, camera_words=True
            ),
            consumed_inputs=sorted([*_INPUTS, "shot.negative_prompt", "start_image"]),
            standard_internal_resolution=sizes[0],
        )

    @property
    def slots(self) -> int:
        """Jobs at the remote server at a time."""
        return self._slots

    async def start(self) -> None:
        """Nothing: a server that is away now may be there when it is needed."""

    async def film(
        self,
        request: GenerateClipRequest,
        destination: Path,
        *,
        watcher: FilmWatcher,
        pictures: Pictures = NO_PICTURES,
        seat: int | None = None,
    ) -> Filmed:
        """Films a clip with a remote job, which is deleted whatever comes of it.

        Raises Unavailable (REMOTE_UNAVAILABLE) when the server does not answer, Internal
        (REMOTE_FAILED) when the job fails, DeadlineExceeded (REMOTE_TIMEOUT) when it takes too
        long, DataLoss (REMOTE_WRONG_VIDEO) when what it made is no video of enough frames.
        """
        settings = self._settings
        rate = Fraction(request.frame_rate.num, request.frame_rate.den)
        frames = native_frames(
            total_frames(request),
            rate,
            Fraction(settings.remote_fps),
            step=settings.remote_frame_step,
            offset=settings.remote_frame_offset,
        )
        raw = destination.with_name("remote.mp4")
        try:
            async with asyncio.timeout(settings.remote_timeout_s):
                async with self._job(request, frames, pictures) as job:
                    await self._await_done(job, watcher)
                    await self._api.fetch(job.id, raw)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the remote server did not film this clip in {settings.remote_timeout_s:g} s",
                reason="REMOTE_TIMEOUT",
            ) from None
        watcher.phase("write")
        fitted = await fit_clip(raw, request, destination, Fraction(settings.remote_fps))
        raw.unlink(missing_ok=True)
        last = destination.parent / LAST_FRAME_NAME
        return Filmed(
            rendered_frames=fitted.native_frames,
            last_frame=last if request.store_last_frame else None,
            notes=fitted.notes,
            settings={"remote_frames": str(frames), "remote_fps": str(settings.remote_fps)},
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    @asynccontextmanager
    async def _job(
        self, request: GenerateClipRequest, frames: int, pictures: Pictures
    ) -> AsyncIterator[Job]:
        """A job at the server, for as long as the context lasts."""
        # A creation that is broken off may have made a job that nobody knows the name of.
        creating = asyncio.ensure_future(
            self._api.create(self._fields(request, frames), pictures.start)
        )
        try:
            job = await asyncio.shield(creating)
        except asyncio.CancelledError:
            creating.add_done_callback(self._forget)
            raise
        try:
            yield job
        finally:
            # Also when this is cancelled: the server must not film on for nobody.
            await asyncio.shield(self._api.delete(job.id))

    def _forget(self, creating: asyncio.Future[Job]) -> None:
        if not creating.cancelled() and creating.exception() is None:
            self._late = asyncio.ensure_future(self._api.delete(creating.result().id))

    def _fields(self, request: GenerateClipRequest, frames: int) -> dict[str, str]:
        """The form of a job: OpenAI's fields and vLLM-Omni's. What is left out the server
        decides."""
        inner, settings = request.internal_resolution, self._settings
        fields: dict[str, object] = {
            "prompt": request.shot.prompt,
            "model": settings.remote_model,
            "seconds": -(-frames // settings.remote_fps),
            "size": f"{inner.width}x{inner.height}",
            "width": inner.width,
            "height": inner.height,
            "num_frames": frames,
            "fps": settings.remote_fps,
            "negative_prompt": request.shot.negative_prompt,
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale,
        }
        chosen = {name: str(value) for name, value in fields.items() if value}
        return {**chosen, "seed": str(request.seed % _MOST_SEED)}

    async def _await_done(self, job: Job, watcher: FilmWatcher) -> None:
        while job.status != "completed":
            if job.status in _FAILED:
                raise failed_job(job.error)
            watcher.progress(round(max(0.0, min(99.0, job.progress))), 100)
            await asyncio.sleep(self._settings.remote_poll_s)
            job = await self._api.ask(job.id)
        watcher.progress(100, 100)


def _size(text: str) -> Resolution:
    width, _, height = text.partition("x")
    return Resolution(width=int(width), height=int(height))

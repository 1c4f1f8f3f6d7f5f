"""The built-in renderer as a backend."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import cv2

from soundsight.common.v1.common_pb2 import Resolution
from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1 import profile_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest, WorkerLoad
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_videogen.backend import (
    NO_PICTURES,
    About,
    Backend,
    Filmed,
    Pictures,
    total_frames,
)
from soundsight_videogen.builtin.filming import LAST_FRAME_NAME
from soundsight_videogen.builtin.worlds import WORLDS
from soundsight_videogen.supervising.process import FilmWatcher, Launch, Patience
from soundsight_videogen.supervising.seats import Seat, Seats
from soundsight_videogen.supervising.telling import worker_load

MAX_FRAMES = 3600
MAX_PIXELS = 3840 * 2160
STANDARD_INTERNAL = (512, 288)
# Measured at standard quality on one core of a server processor.
SECONDS_PER_FRAME = 0.09

CONSUMED_INPUTS = (
    "shot.prompt",
    "shot.setting",
    "shot.subject",
    "shot.action",
    "shot.mood",
    "shot.time_of_day",
    "shot.weather",
    "shot.camera",
    "shot.palette",
    "shot.density",
    "shot.motion",
    "shot.place_seed",
    "seed",
    "internal_resolution",
    "cues.energy",
    "cues.bass",
    "cues.onset",
    "cues.brightness",
    "cues.beat_frames",
    "cues.downbeat_frames",
)


class BuiltInRenderer(Backend):
    """Draws stylised worlds by program, on any machine; no model, no GPU needed."""

    def __init__(self, slots: int) -> None:
        threads_each = max(1, len(os.sched_getaffinity(0)) // slots)
        launch = Launch(
            "soundsight_videogen.builtin.worker",
            inherits=("EGL_PLATFORM", "GLCONTEXT_DEVICE_INDEX", "LIBGL_DRIVERS_PATH"),
            environment={"LP_NUM_THREADS": str(threads_each), "OPENBLAS_NUM_THREADS": "1"},
            lacking="NO_OPENGL",
        )
        self._seats = Seats([Seat("opengl", launch, Patience()) for _ in range(slots)])

    @cached_property
    def about(self) -> About:
        """What it is."""
        return About(
            implementation="soundsight-videogen-builtin",
            description=(
                "A stylised built-in renderer: shaders draw a few worlds that move with the music. "
                "It is not a diffusion model and does not film what a prompt says beyond choosing "
                "a world, its light and its weather."
            ),
            fingerprint=source_fingerprint(
                "soundsight_videogen.builtin", extra=f"opencv {cv2.__version__}"
            ),
            model=Model(
                id="built-in renderer",
                revision=version("soundsight-videogen"),
                licence="Apache-2.0",
            ),
            capabilities=("music_cues", "preview"),
        )

    @cached_property
    def profile(self) -> profile_pb2.VideoGenProfile:
        """What it can film: any count of frames, any even size."""
        return profile_pb2.VideoGenProfile(
            kind=profile_pb2.BACKEND_KIND_BUILT_IN_RENDERER,
            frame_step=1,
            frame_offset=0,
            min_frames=1,
            max_frames=MAX_FRAMES,
            size_multiple=2,
            max_pixels=MAX_PIXELS,
            capabilities=[
                profile_pb2.VIDEO_CAPABILITY_MUSIC_CUES,
                profile_pb2.VIDEO_CAPABILITY_PREVIEW,
            ],
            prompt_dialect=profile_pb2.PromptDialect(style=profile_pb2.PROMPT_STYLE_FIELDS),
            consumed_inputs=CONSUMED_INPUTS,
            settings=sorted(WORLDS),
            standard_internal_resolution=Resolution(
                width=STANDARD_INTERNAL[0], height=STANDARD_INTERNAL[1]
            ),
            seconds_per_frame=SECONDS_PER_FRAME,
        )

    @property
    def slots(self) -> int:
        """Clips filmed at a time."""
        return len(self._seats.all)

    @property
    def worker_pids(self) -> frozenset[int]:
        """Process ids of the workers that live."""
        return self._seats.pids

    def workers(self) -> Sequence[WorkerLoad]:
        """What each worker is at."""
        return [worker_load(seat) for seat in self._seats.all]

    async def start(self) -> None:
        """Starts the first worker; raises FailedPrecondition when there is no OpenGL."""
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
        """Films a clip in a worker process."""
        order = {
            "film": base64.b64encode(request.SerializeToString()).decode(),
            "to": str(destination),
        }
        async with self._seats.lent(seat) as lent:
            worker = await lent.living()
            await worker.film(order, watcher)
        last = destination.parent / LAST_FRAME_NAME
        return Filmed(
            rendered_frames=total_frames(request),
            last_frame=last if request.store_last_frame else None,
        )

    async def close(self) -> None:
        """Ends all workers."""
        await self._seats.close()

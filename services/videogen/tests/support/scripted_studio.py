"""A studio without torch that does what its script says: it films flat pictures, or breaks.

The script is a folder, named by SCRIPT in the environment, of files `{what}@{phase}`, such as
`kill@denoise`. Each holds how often that is still to happen; every worker process reads it.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import Cancelled, DataLoss, FailedPrecondition
from soundsight_kit.media.mezzanine import H264Writer
from soundsight_videogen.backend import Pictures, total_frames
from soundsight_videogen.diffusion.errors import OutOfMemory
from soundsight_videogen.diffusion.group import Group
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Footage, ResidentModel, Watcher

STEPS = 4
WEIGHT_BYTES = 1000


class ScriptedStudio:
    """As `diffusion.studio.Studio`."""

    def __init__(self, settings: StudioSettings, group: Group) -> None:
        self._script = Path(os.environ["SCRIPT"])
        self._resident: dict[str, float] = {}

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
        """Films, unless the script has other plans."""
        self._log("film", f"{model} {memory_plan.name}")

        def phase(name: str) -> None:
            watcher.phase(name)
            self._break_at(name, memory_plan, stopped)

        phase("load")
        if model not in self._resident:
            self._log("load", model)
        self._resident.pop(model, None)
        self._resident[model] = time.monotonic()
        phase("encode")
        phase("denoise")
        for step in range(STEPS):
            if stopped():
                raise Cancelled("filming was stopped")
            watcher.progress(step + 1, STEPS)
        phase("decode")
        width, height = request.resolution.width, request.resolution.height
        frames = total_frames(request)
        with H264Writer(
            destination,
            settings=request.encoder,
            width=width,
            height=height,
            rate=Fraction(request.frame_rate.num, request.frame_rate.den),
            frames=frames,
            own_group=False,
        ) as writer:
            phase("write")
            for number in range(frames):
                level = (request.seed + number) % 200
                writer.write(np.full(height * width * 3 // 2, level, np.uint8))
        return Footage(frames, ("flat",), {"denoise": 0.1})

    def resident_models(self) -> tuple[ResidentModel, ...]:
        """Those that were used and not released."""
        return tuple(ResidentModel(name, WEIGHT_BYTES, at) for name, at in self._resident.items())

    def release(self, model: str) -> None:
        """Forgets a model."""
        self._log("release", model)
        self._resident.pop(model, None)

    def _log(self, what: str, of: str) -> None:
        with (self._script / "log").open("a") as log:
            log.write(f"{what} {of}\n")

    def _break_at(self, phase: str, plan: MemoryPlan, stopped: Callable[[], bool]) -> None:
        if self._due("kill", phase):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._due("hang", phase):
            time.sleep(3600)
        if self._due("slow", phase):
            while not stopped():
                time.sleep(0.01)
            raise Cancelled("filming was stopped")
        if self._due("full", phase):
            raise OSError(errno.ENOSPC, "no space left on device")
        if self._due("corrupt", phase):
            raise DataLoss("the weights are damaged: fetch them again", reason="MODEL_CORRUPT")
        if self._due("refuse", phase):
            raise FailedPrecondition("too many frames for this model", reason="TOO_MANY_FRAMES")
        if self._due("fail", phase):
            raise RuntimeError("a bug")
        needs = self._script / f"memory@{phase}"
        if needs.exists() and plan < int(needs.read_text()):
            raise OutOfMemory("too little memory", plan=plan.name)

    def _due(self, what: str, phase: str) -> bool:
        file = self._script / f"{what}@{phase}"
        if not file.exists() or (left := int(file.read_text())) < 1:
            return False
        file.write_text(str(left - 1))
        return True

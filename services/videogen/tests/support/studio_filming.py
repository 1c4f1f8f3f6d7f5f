"""Films with a studio and looks at what came out: what the tests of diffusion models share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from videogen_requests import clip_request

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.backend import Pictures
from soundsight_videogen.diffusion.cards import read_card
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Footage, Studio

NIGHT = "a neon city at night in the rain"
SEA = "the ocean at sunset, a slow dolly"
U8 = NDArray[np.uint8]


@dataclass
class Witness:
    """A watcher that writes down what it is told."""

    phases: list[str] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)
    previews: list[tuple[int, bytes]] = field(default_factory=list)

    def phase(self, name: str) -> None:
        """A phase begins."""
        self.phases.append(name)

    def progress(self, done: int, total: int) -> None:
        """Steps are made."""
        self.steps.append((done, total))

    def preview(self, frame: int, jpeg: bytes) -> None:
        """What a frame looks like."""
        self.previews.append((frame, jpeg))


@dataclass(frozen=True)
class Take:
    """A finished clip and what was told of it."""

    footage: Footage
    witness: Witness
    path: Path

    @property
    def frames(self) -> U8:
        """Its pictures (n, h, w, 3)."""
        with av.open(str(self.path)) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return np.stack(pictures).astype(np.uint8)


def tiny_request(
    prompt: str = NIGHT,
    *,
    shot_frames: int = 9,
    handles: tuple[int, int] = (2, 2),
    size: tuple[int, int] = (64, 64),
    out: tuple[int, int] = (96, 64),
    seed: int = 7,
    steps: int = 2,
    rate: Fraction = Fraction(24),
) -> GenerateClipRequest:
    """A request that a tiny model answers in a moment."""
    request = clip_request(
        "tiny",
        shot_frames=shot_frames,
        handles=handles,
        size=out,
        internal=size,
        rate=rate,
        seed=seed,
    )
    request.shot.prompt = prompt
    request.shot.negative_prompt = "low quality, blurry"
    request.steps = steps
    request.store_last_frame = True
    request.preview_interval.FromMilliseconds(0)
    return request


def film(
    studio: Studio,
    model: Path,
    request: GenerateClipRequest,
    folder: Path,
    *,
    pictures: Pictures | None = None,
    plan: MemoryPlan = MemoryPlan.FASTEST,
    stopped: Callable[[], bool] = lambda: False,
    witness: Witness | None = None,
) -> Take:
    """Films into a fresh folder."""
    folder.mkdir(parents=True, exist_ok=True)
    witness = witness or Witness()
    path = folder / "clip.mp4"
    footage = studio.film(
        request,
        str(model),
        path,
        pictures=pictures or Pictures(),
        memory_plan=plan,
        watcher=witness,
        stopped=stopped,
    )
    return Take(footage, witness, path)


def small_size(name: str) -> tuple[int, int]:
    """The size at which a tiny model films in a moment."""
    # The tiny VAE of LTX-2 makes a picture only twice as small as it is.
    return (32, 32) if name == "ltx2" else (64, 64)


def needed_pictures(model: Path, folder: Path) -> Pictures:
    """The pictures that a model cannot do without."""
    folder.mkdir(parents=True, exist_ok=True)
    traits = read_card(str(model), StudioSettings()).traits
    red, blue = (200, 40, 30), (20, 60, 200)
    return Pictures(
        start=colour_picture(folder / "start.png", red) if traits.needs_start else None,
        end=colour_picture(folder / "end.png", blue) if traits.needs_end else None,
    )


def colour_picture(
    path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (96, 64)
) -> Path:
    """A picture file of one colour with a bright corner."""
    picture = np.full((size[1], size[0], 3), colour, np.uint8)
    picture[: size[1] // 4, : size[0] // 4] = 240
    cv2.imwrite(str(path), picture[..., ::-1])
    return path

"""What stands between the service and whatever makes the pictures.

A backend films one request into one local file. Everything else (validation against the contract,
slots, single flight, the object store, records) is the service's business and the same for all.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1.profile_pb2 import VideoGenProfile
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest

FilmProgress = Callable[[int, int], None]
"""Told how many frames (diffusion: steps) are done, and of how many."""

PreviewSink = Callable[[int, bytes], None]
"""Given a frame's number and a small JPEG of it."""


@dataclass(frozen=True, slots=True)
class About:
    """What a backend says about itself for GetInfo and for provenance."""

    implementation: str
    description: str
    fingerprint: str
    model: Model
    capabilities: Sequence[str]


@dataclass(frozen=True, slots=True)
class Filmed:
    """A finished film: how many frames were made before trimming, and what a user should know.

    `last_frame` is a PNG file when the request asked for one.
    """

    rendered_frames: int
    last_frame: Path | None = None
    notes: Sequence[str] = ()


class Backend(abc.ABC):
    """Makes pictures. Its methods are called on one event loop and must not block it."""

    @property
    @abc.abstractmethod
    def about(self) -> About:
        """What it is. Constant, and cheap to ask for."""

    @property
    @abc.abstractmethod
    def profile(self) -> VideoGenProfile:
        """What it can film. Constant."""

    @property
    @abc.abstractmethod
    def slots(self) -> int:
        """How many clips it films at a time."""

    @abc.abstractmethod
    async def start(self) -> None:
        """Gets ready to film.

        Raises FailedPrecondition when the machine lacks what it needs; the message says what.
        """

    @abc.abstractmethod
    async def film(
        self,
        request: GenerateClipRequest,
        destination: Path,
        *,
        progress: FilmProgress,
        preview: PreviewSink,
    ) -> Filmed:
        """Films a valid request into `destination`, an MP4 of exactly the frames asked for.

        May write other files beside `destination`. When it is cancelled it ends its work before it
        passes the cancellation on: within two seconds nothing of it runs any more.

        Raises Unavailable when a worker died (trying again helps), Internal for its own faults.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Ends all workers."""


def total_frames(request: GenerateClipRequest) -> int:
    """Frames of a clip, handles included."""
    return request.handle_in_frames + request.shot_frames + request.handle_out_frames

"""What stands between the service and whatever makes the pictures.

A backend films one request into one local file. Everything else (validation against the contract,
slots, single flight, the object store, records) is the service's business and the same for all.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1.profile_pb2 import VideoGenProfile
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest, WorkerLoad
from soundsight_kit.errors import InvalidArgument
from soundsight_videogen.supervising.process import FilmWatcher

__all__ = [
    "NO_PICTURES",
    "About",
    "Backend",
    "FilmWatcher",
    "Filmed",
    "Pictures",
    "total_frames",
]


@dataclass(frozen=True, slots=True)
class About:
    """What a backend says about itself for GetInfo and for provenance.

    `model` is the first, or the only one, of its models.
    """

    implementation: str
    description: str
    fingerprint: str
    model: Model
    capabilities: Sequence[str]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Local copies of a request's pictures."""

    start: Path | None = None
    end: Path | None = None
    references: tuple[Path, ...] = ()
    draft: Path | None = None


NO_PICTURES = Pictures()


@dataclass(frozen=True, slots=True)
class Filmed:
    """A finished film: how many frames were made before trimming, and what a user should know.

    `last_frame` is a PNG file when the request asked for one. `settings` are what else decided the
    picture, for its provenance.
    """

    rendered_frames: int
    last_frame: Path | None = None
    notes: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Backend(abc.ABC):
    """Makes pictures. Its methods are called on one event loop and must not block it."""

    @property
    @abc.abstractmethod
    def about(self) -> About:
        """What it is. Constant, and cheap to ask for."""

    @property
    @abc.abstractmethod
    def profile(self) -> VideoGenProfile:
        """What it can film with its first model. Constant."""

    @property
    @abc.abstractmethod
    def slots(self) -> int:
        """How many clips it films at a time."""

    @property
    def models(self) -> Sequence[Model]:
        """What it can film with, the one that is taken unless another is named first."""
        return [self.about.model]

    def model(self, name: str) -> Model:
        """The model of an id, the first for none; raises InvalidArgument for an unknown one."""
        for model in self.models:
            if name in ("", model.id):
                return model
        known = ", ".join(model.id for model in self.models)
        raise InvalidArgument(f"model: this endpoint has {known}, not {name!r}", field="model")

    def profile_of(self, name: str) -> VideoGenProfile:
        """What it can film with a model; raises InvalidArgument for an unknown one."""
        self.model(name)
        return self.profile

    def resident(self, seat: int) -> Sequence[str]:
        """Ids of the models that are loaded at a seat, the one used last at the end."""
        return [self.about.model.id]

    def workers(self) -> Sequence[WorkerLoad]:
        """What its workers are at, one entry per slot; none where it has no workers."""
        return ()

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
        watcher: FilmWatcher,
        pictures: Pictures = NO_PICTURES,
        seat: int | None = None,
    ) -> Filmed:
        """Films a valid request into `destination`, an MP4 of exactly the frames asked for.

        `seat` says which of its slots films it, from 0; None leaves it to the backend. May write
        other files beside `destination`. When it is cancelled it ends its work before it passes the
        cancellation on: after a frame, or a denoising step, nothing of it runs any more.

        Raises Unavailable when a worker died or hung (trying again helps), Internal for its own
        faults.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Ends all workers."""


def total_frames(request: GenerateClipRequest) -> int:
    """Frames of a clip, handles included."""
    return request.handle_in_frames + request.shot_frames + request.handle_out_frames

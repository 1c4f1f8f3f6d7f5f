"""The folder a composition is made in, and the helper processes that work there.

This is the shell around the children: it starts them, within limits, and turns what they refuse
into errors that name the clip and say what to do.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundsight_composer.settings import ComposerSettings
from soundsight_kit.errors import (
    DataLoss,
    DeadlineExceeded,
    DiskFull,
    FailedPrecondition,
    Internal,
    SoundsightError,
)
from soundsight_kit.media.children import (
    ChildFailed,
    ChildLimits,
    ChildStopped,
    Progress,
    Refused,
    ask_child,
)

Blame = Callable[[Refused], SoundsightError]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A scratch folder and the limits of the work in it."""

    folder: Path
    settings: ComposerSettings

    async def ask(
        self,
        child: str,
        request: Mapping[str, Any],
        *,
        task: str,
        blame: Blame,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Has a child module of this package do a step; `blame` makes an error of a refusal."""
        timeout_s = self.settings.step_timeout_s
        limits = ChildLimits(timeout_s, int(timeout_s) + 1, self.settings.memory_mib << 20)
        desk = self.folder / child.strip("_")
        desk.mkdir(exist_ok=True)
        try:
            return await ask_child(
                f"soundsight_composer.{child}",
                request,
                folder=desk,
                limits=limits,
                progress=progress,
            )
        except Refused as refused:
            raise blame(refused) from None
        except ChildStopped as stopped:
            raise DeadlineExceeded(
                f"{task} was stopped: {stopped}", reason="STEP_STOPPED"
            ) from None
        except DiskFull:
            raise disk_full(task) from None
        except ChildFailed as failed:
            if "No space left on device" in str(failed):
                raise disk_full(task) from None
            raise Internal(f"{task} failed: {failed}") from None


@contextlib.contextmanager
def workshop(scratch_dir: Path, settings: ComposerSettings) -> Iterator[Workshop]:
    """A workshop that is gone afterwards, with everything in it, whatever happens."""
    scratch_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="soundsight-compose-", dir=scratch_dir))
    try:
        yield Workshop(folder, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def disk_full(task: str) -> DiskFull:
    """The error for a step that had no room to write."""
    return DiskFull(f"{task}: the disk is full; free space and try again")


def input_error(uris: list[str]) -> Blame:
    """Makes errors of refusals about inputs: those about a clip name its number and URI."""

    def blame(refused: Refused) -> SoundsightError:
        if refused.reason == "SONG_MISMATCH":
            return FailedPrecondition(
                f"the song {refused}; compose with the song that the render decoded",
                reason=refused.reason,
            )
        index = refused.facts.get("clip")
        if index is None:
            return Internal(f"the clips could not be joined: {refused}", reason=refused.reason)
        return DataLoss(
            f"clip {index} ({uris[index]}) cannot be read: {refused}; film it again",
            reason=refused.reason,
            metadata={"clip": str(index), "uri": uris[index]},
        )

    return blame


def wrong_clip(index: int, uri: str, why: str) -> FailedPrecondition:
    """The error for a clip that can be read but is not what the request says."""
    return FailedPrecondition(
        f"clip {index} ({uri}) {why}; film it again",
        reason="CLIP_MISMATCH",
        metadata={"clip": str(index), "uri": uri},
    )

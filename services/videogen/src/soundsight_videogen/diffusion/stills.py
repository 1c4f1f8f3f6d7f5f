"""A take's pictures: read from files that are not trusted, fitted to its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from soundsight_kit.errors import InvalidArgument
from soundsight_videogen.diffusion.families.family import Stills, Take
from soundsight_videogen.diffusion.grid import Timing
from soundsight_videogen.diffusion.libraries import library
from soundsight_videogen.diffusion.sizes import Size, cover_crop

MAX_PICTURE_PIXELS = 64 << 20


def load_stills(pictures: Any, take: Take, timing: Timing) -> Stills:
    """The pictures of a request (`backend.Pictures`) as PIL images of the take's size.

    Raises InvalidArgument, naming the field, for files that are no pictures.
    """
    return Stills(
        start=_still(pictures.start, take.size, "start_image"),
        end=_still(pictures.end, take.size, "end_image"),
        references=tuple(
            _still(path, take.size, f"reference_images[{index}]")
            for index, path in enumerate(pictures.references)
        ),
        draft=_draft(pictures.draft, take, timing),
    )


def _still(path: Path | None, size: Size, field: str) -> Any:
    if path is None:
        return None
    image_module = library("PIL.Image")
    try:
        with image_module.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > MAX_PICTURE_PIXELS:
                raise InvalidArgument(
                    f"a picture has at most {MAX_PICTURE_PIXELS} pixels", field=field
                )
            return _fitted(image.convert("RGB"), size)
    except (OSError, SyntaxError, image_module.DecompressionBombError) as error:
        raise InvalidArgument(
            "the file is no PNG, JPEG or WebP picture that can be read", field=field
        ) from error


def _fitted(image: Any, size: Size) -> Any:
    left, top, width, height = cover_crop(image.size, size)
    box = (left, top, left + width, top + height)
    return image.crop(box).resize(size, library("PIL.Image").Resampling.LANCZOS)


def _draft(path: Path | None, take: Take, timing: Timing) -> tuple[Any, ...]:
    """The draft's frames at the times of the take's own frames; the last one is held."""
    if path is None:
        return ()
    av = library("av")
    wanted = [min(round(i / timing.pace), timing.frames - 1) for i in range(take.frames)]
    kept: dict[int, Any] = {}
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number in wanted:
                    kept[number] = _fitted(frame.to_image(), take.size)
                if number >= wanted[-1]:
                    break
    except (OSError, ValueError, IndexError) as error:
        raise InvalidArgument("the draft cannot be read as a video", field="draft") from error
    if not kept:
        raise InvalidArgument("the draft has no frames", field="draft")
    known = np.array(sorted(kept))
    return tuple(kept[int(known[np.abs(known - number).argmin()])] for number in wanted)

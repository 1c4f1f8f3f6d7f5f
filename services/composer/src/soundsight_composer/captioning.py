"""Has the captions of a composition drawn before any frame is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soundsight_composer.captions import Caption
from soundsight_composer.order import Order
from soundsight_composer.workshop import Workshop
from soundsight_kit.errors import Internal, SoundsightError
from soundsight_kit.media.children import Refused

_QUOTED_CHARS = 40


@dataclass(frozen=True, slots=True)
class DrawnCaptions:
    """The captions that could be drawn, the file of each, and what to tell about the others."""

    captions: tuple[Caption, ...] = ()
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


async def draw_captions(shop: Workshop, order: Order) -> DrawnCaptions:
    """Draws the captions. One whose characters no font here has is left out, and noted."""
    if not order.captions:
        return DrawnCaptions()
    request = {
        "captions": [{"text": one.text, "style": one.style} for one in order.captions],
        "width": order.width,
        "height": order.height,
    }
    found = await shop.ask("_letter", request, task="drawing the captions", blame=_failed)
    captions: list[Caption] = []
    paths: list[Path] = []
    notes: list[str] = []
    for caption, drawn in zip(order.captions, found["drawn"], strict=True):
        if drawn["path"] is None:
            notes.append(
                f"The caption {_quoted(caption.text)} was left out: "
                "no font here has its characters."
            )
            continue
        captions.append(caption)
        paths.append(Path(drawn["path"]))
        if drawn["cut"]:
            notes.append(f"The caption {_quoted(caption.text)} was too long to be shown whole.")
    return DrawnCaptions(tuple(captions), tuple(paths), tuple(notes))


def _quoted(text: str) -> str:
    line = " / ".join(text.split("\n"))
    return f"“{line[: _QUOTED_CHARS - 1]}…”" if len(line) > _QUOTED_CHARS else f"“{line}”"


def _failed(refused: Refused) -> SoundsightError:
    return Internal(f"the captions could not be drawn: {refused}", reason=refused.reason)

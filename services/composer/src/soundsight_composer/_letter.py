"""The child that draws captions: text from outside meets the font library here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from soundsight_composer.lettering import letter
from soundsight_kit.media.children import Progress, answer


def draw(request: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Draws each caption of `captions` into a file; one without a font gets none."""
    drawn: list[dict[str, Any]] = []
    for number, caption in enumerate(request["captions"]):
        lettering = letter(caption["text"], caption["style"], request["width"], request["height"])
        if lettering is None:
            drawn.append({"path": None, "cut": False})
        else:
            path = folder / f"caption-{number}.npz"
            lettering.overlay.save(path)
            drawn.append({"path": str(path), "cut": lettering.cut})
        progress(number + 1, len(request["captions"]))
    return {"drawn": drawn}


if __name__ == "__main__":
    sys.exit(answer(draw))

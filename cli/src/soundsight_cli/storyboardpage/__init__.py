"""The storyboard as one page that can be read, printed and sent without anything else.

`page` is a pure function of the documents. The page needs no network and no script: pictures are
inline SVG, reference pictures are inside it, what opens and closes is HTML's own. `elements` says
how it is made safe; `treatment`, `timeline`, `frames` and `scenes` make its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from xml.etree.ElementTree import Element

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_cli.storyboardpage.elements import described, el, html
from soundsight_cli.storyboardpage.scenes import scenes
from soundsight_cli.storyboardpage.timeline import timeline
from soundsight_cli.storyboardpage.treatment import band, header, notes, treatment

ENDINGS = (".html", ".htm")
"""Of files that a page may be written to."""

# Said in the page itself: whatever gets into it, nothing is fetched and nothing runs.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(
    song: SongAnalysis,
    board: Storyboard,
    file_name: str,
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """Returns the page of a storyboard.

    Args:
        song: what was heard; parts may be missing.
        board: a storyboard that fulfils its invariant.
        file_name: stands for a song whose title is not known.
        pictures: reference pictures of the cast by their URI, as the files' bytes.
    """
    title = board.treatment.title or file_name
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} – storyboard"),
        el("style", (files(__name__) / "page.css").read_text(encoding="utf-8")),
    )
    body = el(
        "body",
        _arrow_head(),
        band(board.treatment.palette),
        header(song, board, file_name),
        el(
            "main",
            notes(board),
            treatment(board, pictures or {}),
            el(
                "section",
                el("h2", "Timeline"),
                el("div", timeline(song, board), class_="scroll", tabindex="0"),
                el("p", "Each shot leads to its words below.", class_="aside screen"),
            ),
            el("section", el("h2", "Scenes"), class_="heading"),
            scenes(song, board),
        ),
        _footer(board),
    )
    return html(el("html", head, body, lang="en"))


def _arrow_head() -> Element:
    """The head of the sketches' arrows, defined once."""
    return el(
        "svg",
        el(
            "defs",
            el(
                "marker",
                el("path", d="M0 0 L6 3 L0 6 Z", class_="arrow-head"),
                id="arrow-head", markerWidth="6", markerHeight="6", refX="4", refY="3",
                orient="auto",
            ),
        ),
        width="0", height="0", class_="defs", aria_hidden="true",
    )  # fmt: skip


def _footer(board: Storyboard) -> Element:
    """Who wrote it, and the numbers that make it again."""
    by = board.authorship
    rate = board.frame_rate
    rows = (
        ("Written by", {"rules": "the rules", "llm": "a language model"}.get(by.writer, by.writer)),
        ("Model", by.model_id),
        ("Prompt version", by.prompt_version),
        ("Program", " ".join(filter(None, (by.implementation, by.version)))),
        ("Fingerprint", by.fingerprint),
        ("Seed", str(board.seed)),
        ("Frames", f"{board.frames} at {rate.num}/{rate.den} per second"),
        (
            "Cuts before the beat",
            f"{board.cut_anticipation_frames} frames" if board.cut_anticipation_frames else "",
        ),
    )
    return el(
        "footer",
        el("h2", "Authorship"),
        described(rows),
    )

"""What a render's command says at its end: what came out, of what, and where things are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from soundsight.render.v1.resources_pb2 import Render
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_cli.display import duration, printable, size
from soundsight_cli.spec import VideoOptions
from soundsight_cli.summaries import frame_rate

Row = tuple[str, str]
"""A label and what it labels."""


def rows(
    output: Path, render: Render, storyboard: Storyboard, *, made_in: str, again: str | None
) -> list[Row]:
    """Returns the summary of a finished video.

    Args:
        output: the file that was written.
        render: the finished render.
        storyboard: its storyboard.
        made_in: how long the command took, for people.
        again: the command that shows the storyboard again, if it is known.
    """
    video = render.outputs
    picture = f"{video.resolution.width}x{video.resolution.height}"
    lines = [
        ("video", f"{printable(output)}, {size(video.video.size_bytes)}"),
        (
            "picture",
            f"{picture}, {frame_rate(video.frame_rate)} fps, {duration(video.duration_s)}",
        ),
        ("film", _film(render, storyboard)),
        ("made in", made_in),
        ("render", render.name),
    ]
    if again is not None:
        lines.append(("storyboard", again))
    return [*lines, *(("note", note) for note in render.notes)]


def places(storyboard: Storyboard) -> int:
    """Returns how many different places a film shows. A scene without a place in the treatment
    has one of its own, which scenes of the same place seed share."""
    return len({scene.place_id or scene.shot.place_seed for scene in storyboard.scenes})


def storyboard_command(song: Path, options: VideoOptions) -> str:
    """Returns the command that shows the storyboard of the same render, as it would be typed."""
    # A name that begins with a dash would be read as options.
    named = f"./{song}" if str(song).startswith("-") else str(song)
    words = ["soundsight", "storyboard", named]
    for option, value in (
        ("--width", options.width),
        ("--height", options.height),
        ("--fps", options.fps),
        ("--seed", options.seed),
        ("--style", options.style or None),
        ("--brief", options.brief),
        ("--from", options.start),
        ("--to", options.end),
        ("--lyrics", options.listen.lyrics),
    ):
        if value is not None:
            words += [option, str(value)]
    if options.listen.concept:
        words.append("--concept")
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """A word as a shell takes it in one line, whatever is in it."""
    if word.isprintable():
        return shlex.quote(word)
    # Quoting as in C, which bash and zsh know, and POSIX since 2024.
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"


def show(lines: Sequence[Row], console: Console) -> None:
    """Prints aligned rows; in colour on a terminal that wants it."""
    width = max(len(label) for label, _ in lines)
    before = ""
    for label, value in lines:
        line = Text(f"{label if label != before else '':<{width}}  ", style="cyan")
        line.append(value, style="bold" if label == "video" else "default")
        # Nothing is folded, so that paths and commands can be copied and read by programs.
        console.print(line, soft_wrap=True)
        before = label


def _film(render: Render, storyboard: Storyboard) -> str:
    scenes, reused = len(render.scenes), sum(scene.reused for scene in render.scenes)
    kept = f" ({reused} kept from before)" if reused else ""
    title = f"“{storyboard.treatment.title}”, " if storyboard.treatment.title else ""
    where = places(storyboard)
    return f"{title}{_count(scenes, 'scene')}{kept} in {_count(where, 'place')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

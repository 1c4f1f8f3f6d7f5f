"""What a command without a video leaves: documents, pictures and pages, written where asked."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.render.v1.resources_pb2 import Render, RenderGoal
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_cli import plotting, storyboardpage, timings
from soundsight_cli.display import open_display, printable, size
from soundsight_cli.files import check_folder, check_output, check_song, write_whole
from soundsight_cli.rendering import render_song
from soundsight_cli.session import Session, connected
from soundsight_cli.spec import BadOption, VideoOptions, check_options
from soundsight_client import Client
from soundsight_kit.errors import SoundsightError

DOWNLOAD_SHARE = 0.01
"""Share of the bar that fetching what was made takes."""

STANDARD_OUTPUT = Path("-")

PICTURE_BYTES = 4 << 20
"""A reference picture that is larger is not put into a page, which has to be sent about."""


@dataclass(frozen=True)
class Files:
    """Where a command was asked to write what it makes."""

    json: Path | None = None
    """The document; STANDARD_OUTPUT prints it."""
    plot: Path | None = None
    html: Path | None = None

    def check(self, song: Path) -> None:
        """Refuses names that cannot be meant so, and files that could not be written.

        Raises:
            BadOption: for a name.
            SuiteError: for a file.
            OSError: for a folder that takes no file.
        """
        drawn = (
            ("--plot", self.plot, plotting.ENDINGS),
            ("--html", self.html, storyboardpage.ENDINGS),
        )
        for option, file, endings in drawn:
            if file is None:
                continue
            if file.suffix.lower() not in endings:
                known = " or ".join(endings)
                raise BadOption(f"{option} takes a file that ends in {known}; not {str(file)!r}")
            if self.json is not None and file.absolute() == self.json.absolute():
                raise BadOption(f"{option} and --json cannot both be {str(file)!r}; name two files")
            check_output(file, song)
            check_folder(file)
        if self.json is not None and self.json != STANDARD_OUTPUT:
            check_output(self.json, song)


@dataclass(frozen=True)
class Documents:
    """What a render without a video leaves, as protobuf JSON."""

    analysis: bytes
    storyboard: bytes
    """Empty when only the analysis was asked for."""
    notes: tuple[str, ...]
    """What a user should know."""


async def make(
    session: Session,
    song: Path,
    options: VideoOptions,
    goal: RenderGoal.ValueType,
    files: Files,
    *,
    quiet: bool,
) -> Documents:
    """Goes as far as `goal`, writes what was asked for, returns all documents there are."""
    check_options(options, goal)
    check_song(song)
    files.check(song)
    written: list[tuple[Path, int]] = []
    display = open_display(quiet=quiet)
    try:
        async with connected(session, display) as client:
            done = await render_song(client, song, options, goal, display, timings.Stopwatch())
            outputs = done.ended.outputs
            analysis_only = goal == RenderGoal.RENDER_GOAL_ANALYSIS
            found = Documents(
                await client.read(outputs.analysis),
                b"" if analysis_only else await client.read(outputs.storyboard),
                tuple(done.ended.notes),
            )
            if files.html is not None:
                display.step("making the page", 1 - DOWNLOAD_SHARE)
                board = json_format.Parse(found.storyboard, Storyboard())
                pictures = await _reference_pictures(client, board)
                heard = _heard(found.analysis, done.ended)
                page = storyboardpage.page(heard, board, song.stem, pictures).encode()
                write_whole(files.html, page)
                written.append((files.html, len(page)))
        if files.plot is not None:
            display.step("drawing the picture", 1 - DOWNLOAD_SHARE)
            ending = files.plot.suffix.lower()
            heard = _heard(found.analysis, done.ended)
            picture = await plotting.picture(heard, song, options.part_s, ending)
            write_whole(files.plot, picture)
            written.append((files.plot, len(picture)))
        display.step("done", 1.0)
    finally:
        display.close()
    if files.json is not None:
        write(files.json, found.analysis if analysis_only else found.storyboard, quiet=quiet)
    if not quiet and files.json != STANDARD_OUTPUT:
        for file, size_bytes in written:
            print(f"{printable(file)}: {size(size_bytes)}")
    return found


def write(destination: Path, document: bytes, *, quiet: bool) -> None:
    """Writes a document into a file, or prints it."""
    if destination == STANDARD_OUTPUT:
        sys.stdout.buffer.write(document + b"\n")
        return
    destination.write_bytes(document)
    if not quiet:
        print(f"{printable(destination)}: {size(len(document))}")


def _heard(document: bytes, ended: Render) -> SongAnalysis:
    """The analysis under the song's own title."""
    heard = json_format.Parse(document, SongAnalysis())
    if not heard.metadata.title:
        # What the analyzer got was the canonical song, which may be without tags.
        heard.metadata.title = ended.song.title
        heard.metadata.artist = ended.song.artist
    return heard


async def _reference_pictures(client: Client, board: Storyboard) -> dict[str, bytes]:
    """The cast's pictures by their URI; one that is large, or gone, the page does without."""
    found = {}
    for member in board.treatment.cast:
        for picture in member.reference_images:
            if picture.size_bytes <= PICTURE_BYTES:
                try:
                    found[picture.uri] = await client.read(picture)
                except SoundsightError:
                    continue
    return found

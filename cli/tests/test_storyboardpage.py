"""The storyboard's page: whole, safe, by itself, and readable in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import (
    ArtifactRef,
    Color,
    FrameRate,
    Transition,
    TransitionKind,
)
from soundsight.render.v1.resources_pb2 import Render
from soundsight.scenewriter.v1 import storyboard_pb2 as s
from soundsight_cli.state import StateFolder
from soundsight_cli.storyboardpage import page
from soundsight_client import Client

Suite = Any  # conftest's
EVIL = '<script>alert("1")</script> </style> ]]> & "x" \' {0}'
VOID = {"meta", "img", "br", "link", "input", "hr"}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 16
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Read(HTMLParser):
    """A page as a strict reader sees it: every tag closed in order, texts by their element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens an element."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        """Closes the element that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Adds to the text of every open element."""
        for tag in self._open:
            self.texts[tag][-1] += data


def _song() -> a.SongAnalysis:
    song = a.SongAnalysis()
    song.metadata.title, song.metadata.artist = "Paper & Lanterns", "Somebody"
    song.rhythm.tempo_bpm = 120.0
    song.harmony.keys.add(tonic="F#", mode=a.MODE_MINOR)
    for index, label in enumerate("ABA"):
        song.sections.add(
            start_s=4.0 * index, end_s=4.0 * index + 4.0, label=label,
            function=a.SECTION_FUNCTION_VERSE,
        )  # fmt: skip
    for beat in range(24):
        song.rhythm.beats.add(time_s=0.5 * beat, position=beat % 4 + 1)
    song.dynamics.curves.add(kind=a.CURVE_KIND_ENERGY, hop_s=0.5, values=[0.1, 0.9] * 12)
    return song


def _board(scenes: int = 6) -> s.Storyboard:
    """A storyboard with something in each of its fields."""
    board = s.Storyboard(frames=288, frame_rate=FrameRate(num=24, den=1), seed=5)
    told = board.treatment
    told.title, told.logline, told.theme = "The Title", "A logline.", "A theme"
    told.look, told.period = "a look; a lens", "a period"
    colours = [Color(red=9, green=20, blue=33, name="ink"), Color(red=200, name="rust")]
    told.palette.extend([*colours, Color(red=250, green=240, blue=230)])
    told.places.add(id="place-1", name="The pier", setting="ocean", description="Crooked legs")
    told.cast.add(
        id="cast-1", name="Mara", look="grey eyes", wardrobe="an oilskin",
        reference_images=[ArtifactRef(uri="file:///a"), ArtifactRef(uri="file:///b")],
    )  # fmt: skip
    told.motifs.extend(["a lamp", "a rope"])
    for index in range(3):
        told.arc.add(section_index=index, text=f"Arc {index}.")
    for index in range(scenes):
        scene = board.scenes.add(
            id=f"s{index + 1:03d}", index=index, start_frame=288 // scenes * index,
            frames=288 // scenes, section_index=3 * index // scenes,
            description=f"Description {index}.", place_id="place-1", seed=900 + index,
            cut_reason=s.CutReason.Value("CUT_REASON_DOWNBEAT"),
            transition_in=Transition(kind=TransitionKind.TRANSITION_KIND_CROSS_FADE, frames=8),
        )  # fmt: skip
        shot = scene.shot
        shot.prompt, shot.negative_prompt = f"Prompt {index}", f"Never {index}"
        shot.time_of_day = index % 6  # type: ignore[assignment]
        shot.weather = index % 7  # type: ignore[assignment]
        shot.camera.move = index % 13  # type: ignore[assignment]
        shot.camera.size = index % 6  # type: ignore[assignment]
        shot.camera.angle = index % 6  # type: ignore[assignment]
        shot.palette.extend(told.palette)
        if index % 2:
            scene.cast_ids.append("cast-1")
    board.authorship.CopyFrom(
        s.Authorship(
            implementation="writer", version="1.2", fingerprint="f00d", writer="llm",
            model_id="some/model", prompt_version="p7",
        )
    )  # fmt: skip
    board.notes.extend(["A note."])
    return board


def test_the_page_tells_everything() -> None:
    """Treatment, colours with codes, places, cast, scenes with all their words and numbers, notes
    and authorship stand on the page."""
    text = "\n".join(Read(page(_song(), _board(), "file")).texts["html"])
    for told in (
        "The Title", "A logline.", "A theme", "a look; a lens", "a period", "a lamp", "a rope",
        "Somebody – Paper & Lanterns", "0:12", "6 scenes", "120 BPM", "F♯ minor",
        "ink", "#091421", "rust", "#c80000", "unnamed", "#faf0e6",
        "The pier", "Crooked legs", "ocean · 6 scenes",
        "Mara", "grey eyes", "an oilskin", "3 scenes · 2 reference pictures not shown",
        "A verse", "B verse", "section 2 · 0:08 to 0:12", "Arc 2.",
        "Description 5.", "Prompt 5", "Never 5", "s006, 905", "cut on a downbeat",
        "cross-fade of 8 frames", "0:10.00", "2.00 s · 48 frames",
        "A note.", "a language model", "some/model", "p7", "writer 1.2", "f00d", "288 at 24/1",
    ):  # fmt: skip
        assert told in text, told


def test_the_page_needs_nothing_else() -> None:
    """Nothing is fetched and nothing runs: no scripts, no links out, no fonts, and the page's own
    policy forbids it."""
    made = page(_song(), _board(), "file", {"file:///a": PNG, "file:///b": b"<svg onload=x>"})
    read = Read(made)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(read.tags)
    for tag, name, value in read.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href"):
            assert value.startswith(("#", "data:image/png;base64,")), value
        assert "url(" not in value or "url(#" in value
    assert read.tags.count("img") == 1  # The other is no picture that a browser may be given.
    [style] = read.texts["style"]
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in made
    ids = [value for _, name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for _, name, value in read.attributes if name == "href"}
    assert targets == {f"shot-{number}" for number in range(1, 7)} <= set(ids)


def _filled(text: str) -> s.Storyboard:
    """The storyboard with one text in all of its fields."""
    board = _board()
    told = board.treatment
    told.title = told.logline = told.theme = told.look = told.period = text
    told.motifs[:] = [text]
    told.palette[0].name = told.places[0].name = told.places[0].description = text
    told.places[0].setting = told.cast[0].name = told.cast[0].look = text
    told.cast[0].wardrobe = told.arc[0].text = text
    board.notes[:] = [text]
    for scene in board.scenes:
        scene.id = scene.description = scene.shot.prompt = scene.shot.mood = text
    for name in ("implementation", "version", "writer", "model_id", "prompt_version"):
        setattr(board.authorship, name, text)
    return board


def test_mark_up_stays_text() -> None:
    """A title or any other text that looks like mark-up is shown as it was written."""
    song = _song()
    song.metadata.title = song.metadata.artist = song.sections[0].label = EVIL
    read = Read(page(song, _filled(EVIL), EVIL))
    assert "script" not in read.tags
    assert read.texts["h1"] == [EVIL]
    assert read.texts["title"][0] == f"{EVIL} – storyboard"
    plain = Read(page(_song(), _board(), "file"))
    assert read.tags.count("article") == plain.tags.count("article")


@given(text=st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_shown(text: str) -> None:
    """Whatever the texts are, the page stays whole and shows them, without control characters."""
    read = Read(page(_song(), _filled(text), "file"))
    shown = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "�", text)
    title = read.texts["h1"][0]
    assert title == (shown or "Untitled")


@pytest.mark.parametrize("left", ["nothing", "no sections", "nan", "long"])
def test_poor_analyses_make_whole_pages(left: str) -> None:
    """Analyses without parts, with numbers that are none, and long songs make whole pages."""
    song, board = _song(), _board()
    if left == "nothing":
        song, board = a.SongAnalysis(), s.Storyboard(frames=1, frame_rate=FrameRate(num=1, den=1))
        board.scenes.add(id="s001", frames=1)
    elif left == "no sections":
        del song.sections[:]
    elif left == "nan":
        song.dynamics.curves[0].values[:] = [float("nan"), float("inf"), -1.0]
        song.rhythm.beats[3].time_s = float("nan")
        song.sections[1].end_s = float("inf")
        song.rhythm.tempo_bpm = float("nan")
    else:
        board = _board(288)
        board.frames = 24 * 7200
    made = page(song, board, "file")
    read = Read(made)
    assert read.tags.count("figure") == len(board.scenes)
    numbers = (v for t, n, v in read.attributes if n in ("x", "y", "width", "points", "d"))
    assert not any("nan" in value or "inf" in value for value in numbers)
    assert len(made) < 8_000 * len(board.scenes) + 40_000


def test_a_browser_shows_it(tmp_path: Path) -> None:
    """A real browser reads the page as it was meant, hostile texts included, and draws it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium here; Debian's package chromium has one")
    path = tmp_path / "page.html"
    path.write_text(page(_song(), _filled(EVIL), "file"), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={tmp_path / 'page.png'}",
        "--window-size=900,1200", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    read = Read(shown)
    assert read.texts["h1"] == [EVIL]
    assert read.tags.count("figure") == 6
    assert "script" not in read.tags
    assert (tmp_path / "page.png").stat().st_size > 20_000


@pytest.fixture
async def suite(tmp_path: Path, scripted: Any) -> AsyncIterator[Suite]:
    """A gateway whose writer shows the brief's cast."""
    async with scripted(StateFolder(tmp_path / "state")) as made:
        yield made


async def test_the_command_writes_the_page(suite: Suite, tone: Path, tmp_path: Path) -> None:
    """`storyboard --html --brief` sends the whole brief with its pictures, and writes the page with
    them inside it."""
    (tmp_path / "mara.png").write_bytes(PNG)
    brief = tmp_path / "brief.yaml"
    brief.write_text("seed: 9\nsetting: a mill\ncast: [{name: Mara, images: [mara.png]}]\n")

    def show(board: s.Storyboard) -> None:
        board.treatment.cast.add(id="c", name="Mara").reference_images.extend(sent)

    sent: list[ArtifactRef] = []
    told = await suite("storyboard", tone, "--brief", brief, "-q", "--json", "-")
    assert told.code == 0, told.err
    async with Client(suite.gateway, project="projects/default") as client:
        [render] = [one async for one in client.list_renders()]
        assert isinstance(render, Render)
        assert (render.spec.seed, render.spec.brief.setting) == (9, "a mill")
        sent.extend(render.spec.brief.cast[0].reference_images)
        assert await client.read(sent[0]) == PNG
    suite.services.writer.edit = show
    out = tmp_path / "board.html"
    told = await suite("storyboard", tone, "--brief", brief, "--seed", "10", "--html", out, "-q")
    assert (told.code, told.out) == (0, ""), told.err
    read = Read(out.read_text(encoding="utf-8"))
    assert read.texts["h1"] == ["Scripted"]
    assert read.tags.count("img") == 1


async def test_files_that_cannot_be_meant_are_refused(suite: Suite, tone: Path) -> None:
    """A page under another ending, and a brief that is none, are refused before any work."""
    told = await suite("storyboard", tone, "--html", "page.pdf")
    assert (told.code, "--html takes a file that ends in .html or .htm" in told.err) == (2, True)
    told = await suite("render", tone, "--brief", "gone.yaml", "-o", "video.mp4")
    assert (told.code, "--brief gone.yaml: No such file" in told.err) == (2, True)
    told = await suite("storyboard", tone, "--html", "one.html", "--json", "one.html")
    assert (told.code, "name two files" in told.err) == (2, True)
    assert not suite.services.analyzer.requests

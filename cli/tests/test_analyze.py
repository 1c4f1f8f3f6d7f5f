"""`soundsight analyze` on a gateway whose analyzer follows a script: what is asked and shown."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from soundsight.analyzer.v1 import analyzer_pb2 as a
from soundsight_cli.state import StateFolder

Suite = Any  # conftest's


@pytest.fixture
async def suite(tmp_path: Path, scripted: Any) -> AsyncIterator[Suite]:
    """A gateway with an analyzer that offers three features."""
    async with scripted(StateFolder(tmp_path / "state")) as made:
        offered = ("rhythm", "tags", "lyrics")
        made.services.analyzer.info.capabilities.extend(f"feature:{name}" for name in offered)
        yield made


async def test_every_wish_reaches_the_analyzer(suite: Suite, tone: Path, tmp_path: Path) -> None:
    """What is typed is what the analyzer is asked, and the document is what it answered."""
    words = tmp_path / "words.txt"
    words.write_text("là là")
    told = await suite(
        *("analyze", tone, "--features", "rhythm", "--lyrics", words, "--language", "fr"),
        *("--min-tempo", "90", "--max-tempo", "180.5", "--max-tags", "3", "--json", "-", "-q"),
    )
    assert told.code == 0, told.err
    assert json.loads(told.out)["rhythm"]["tempo_bpm"] == 120
    [request] = suite.services.analyzer.requests
    assert list(request.features) == [a.FEATURE_RHYTHM, a.FEATURE_LYRICS]
    assert request.options == a.AnalyzeOptions(
        lyrics="là là", language="fr", min_tempo_bpm=90, max_tempo_bpm=180.5, max_tags=3
    )


async def test_a_film_is_made_with_the_words(suite: Suite, tone: Path, tmp_path: Path) -> None:
    """What a storyboard is written from holds the words that were given, and a concept that was
    asked for."""
    suite.services.analyzer.info.capabilities.append("feature:concept")
    words = tmp_path / "words.txt"
    words.write_text("la")
    told = await suite("storyboard", tone, "--lyrics", words, "--concept", "-q", "--json", "-")
    assert told.code == 0, told.err
    [request] = suite.services.analyzer.requests
    assert request.options.lyrics == "la"
    assert {a.FEATURE_LYRICS, a.FEATURE_CONCEPT} <= set(request.features)


async def test_the_same_song_is_heard_once(suite: Suite, tone: Path, tmp_path: Path) -> None:
    """A picture of what was heard before costs no listening, and takes an older picture's place;
    beside it the facts are told, with what a user should know."""
    picture = tmp_path / "heard.PNG"
    picture.write_bytes(b"old")
    first = await suite("analyze", tone)
    second = await suite("analyze", tone, "--plot", picture)
    assert (first.code, second.code) == (0, 0), second.err
    assert suite.services.analyzer.calls == 1
    assert "tempo   120.0 BPM" in first.out
    assert first.out.count("note: heard by a script") == 1
    assert second.out.startswith(f"{picture}: ")
    assert second.out.endswith(first.out)
    with Image.open(io.BytesIO(picture.read_bytes())) as image:
        assert image.size == (1920, 1080)
    assert not list(tmp_path.glob(".*.part"))


async def test_only_the_document_is_printed_where_it_is(
    suite: Suite, tone: Path, tmp_path: Path
) -> None:
    """With `--json -` a picture is drawn without a word on standard output."""
    picture = tmp_path / "heard.svg"
    told = await suite("analyze", tone, "--plot", picture, "--json", "-", "--to", "1.5")
    assert json.loads(told.out)["rhythm"]["tempo_bpm"] == 120
    assert picture.read_bytes().startswith(b"<?xml")


async def test_words_that_nobody_aligns_are_told_of(
    suite: Suite, tone: Path, tmp_path: Path
) -> None:
    """An analyzer without ears for words is said to have none, below what it heard."""
    del suite.services.analyzer.info.capabilities[:]
    words = tmp_path / "words.txt"
    words.write_text("la")
    told = await suite("analyze", tone, "--lyrics", words, "-q")
    assert told.out.splitlines()[-1].startswith("note: the analyzer here does not align lyrics")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            ("--features", "rhythm,voice"),
            2,
            "--features: the analyzer here does not offer voice; it offers lyrics, rhythm, tags",
        ),
        (("--concept",), 2, "--concept: the analyzer here does not offer concept; it offers"),
        (("--language", "x"), 2, "--language: must be a BCP 47 tag"),
        (("--min-tempo", "120", "--max-tempo", "60"), 2, "--max-tempo: is 60, but must be above"),
        (("--features", "melody"), 2, "--features takes rhythm, harmony,"),
        (("--plot", "heard.pdf"), 2, "--plot takes a file that ends in .png or .svg"),
        (("--plot", "a.svg", "--json", "./a.svg"), 2, "--plot and --json cannot both be"),
        (("--plot", "nowhere/a.svg"), 1, "mkdir -p"),
    ],
)
async def test_what_cannot_be_asked_is_answered_in_a_line(
    suite: Suite, tone: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    """The line names the option as it was typed, and what could be asked instead; nothing is
    listened to."""
    told = await suite("analyze", "-q", tone, *words)
    assert told.code == code
    assert says in told.err
    assert told.err.count("\n") == 1
    assert suite.services.analyzer.calls == 0

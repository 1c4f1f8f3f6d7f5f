"""Words of people: what the rules understand, what they hand back, what texts may hold."""

from __future__ import annotations

import pytest

from soundsight_kit.errors import InvalidArgument
from soundsight_scenewriter.texts import as_sentence, check_text, clean
from soundsight_scenewriter.writing.wishes import content_words, understand


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("make it rain", "weather", "rain"),
        ("more SNOW please", "weather", "snow"),
        ("a foggy morning", "weather", "fog"),
        ("a foggy morning", "time", "dawn"),
        ("at the blue hour", "time", "dusk"),
        ("golden hour", "time", "golden_hour"),
        ("go closer", "size_step", -1),
        ("an extreme close-up", "size", "extreme_close_up"),
        ("extreme wide", "size", "extreme_wide"),
        ("seen from above", "angle", "high"),
        ("hand-held", "move", "handheld"),
        ("faster!", "motion", 0.3),
        ("calmer", "motion", -0.3),
        ("less dark", "lightness", 0.07),
        ("melancholic", "mood", "wistful"),
        ("cyberpunk", "family", "electronic"),
        ("by the sea", "worlds", ["ocean"]),
    ],
)
def test_plain_words_are_understood(text: str, field: str, value: object) -> None:
    """Each phrase sets its field."""
    assert getattr(understand(text), field) == value


def test_negations_turn_words_round() -> None:
    """`no rain` forbids rain instead of asking for it."""
    wish = understand("no rain, without fog, not at night")
    assert (wish.weather, wish.time) == ("", "")
    assert wish.not_weathers == {"rain", "fog"}
    assert wish.not_times == {"night"}


def test_unknown_words_are_handed_back() -> None:
    """What the rules do not know is listed, clause by clause, without orders and fillers."""
    wish = understand("make it rain, closer on her face, and please add a whale")
    assert wish.weather == "rain"
    assert wish.unknown == ["face", "whale"]
    assert wish.unknown_clauses == ["a whale"]


@pytest.mark.parametrize("text", ["", "   ", "!?", "…", "\n\n"])
def test_nothing_is_understood_from_nothing(text: str) -> None:
    """Empty texts ask for nothing."""
    assert not understand(text).anything
    assert not understand(text).unknown


def test_colours_are_understood_by_name() -> None:
    """Names of the table and plain words both count."""
    assert [colour.name for colour in understand("teal, hot pink and red").colours] == [
        "teal",
        "hot pink",
        "scarlet",
    ]


def test_file_texts_are_cleaned() -> None:
    """A title loses control and direction characters and line breaks, and is cut when too long."""
    assert clean("Ni\x00ght\n\u202eDrive ", 50) == "Ni ght Drive"
    assert clean("x" * 300, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("text", ["a\x07b", "\u202eabc", "a\ue000"])
def test_callers_texts_are_refused_with_control_characters(text: str) -> None:
    """A caller is told which character and where."""
    with pytest.raises(InvalidArgument, match="control character U\\+") as caught:
        check_text(text, "brief.style", 100)
    assert caught.value.field_violations[0][0] == "brief.style"


def test_ordinary_writing_is_accepted() -> None:
    """Accents, other scripts, emoji and joiners pass; white space is made plain."""
    for text in ("café – “naïve”", "夜の街", "می‌خواهم", "🌊🔥"):
        assert check_text(text, "brief.style", 100) == text
    assert check_text("a\n b\tc", "brief.story", 100) == "a b c"


def test_sentences_end() -> None:
    """A sentence starts large and ends with one stop."""
    assert as_sentence("the end") == "The end."
    assert as_sentence("Why?") == "Why?"


def test_content_words_leave_out_fillers() -> None:
    """Articles and such do not count, plurals and singulars are the same word."""
    assert content_words("The towers are over the tower") == {"tower"}

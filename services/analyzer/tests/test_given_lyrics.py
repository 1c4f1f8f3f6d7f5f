"""Lyrics as given: every format is read as its writers mean it, and nothing is corrected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_analyzer.words.asking import Words, check_times, with_embedded
from soundsight_analyzer.words.given import (
    MOST_CHARACTERS,
    GivenLyrics,
    LyricsFormat,
    UnreadableLyrics,
    read_lyrics,
)


def texts(lyrics: GivenLyrics) -> list[str]:
    return [line.text for line in lyrics.lines]


def starts(lyrics: GivenLyrics) -> list[float | None]:
    return [line.start_s for line in lyrics.lines]


PLAIN = "\ufeff[Verse 1]\r\nRain on tin,\r\nteh   rain!\r\n\r\nChorus:\r\nGo home x2\r\nGo (2x)\r\n"


def test_plain_text_keeps_its_words() -> None:
    """Byte order mark, line ends and spacing go; spelling and signs stay; x2 is sung twice."""
    lyrics = read_lyrics(PLAIN)
    assert lyrics.format is LyricsFormat.PLAIN
    assert texts(lyrics) == ["Rain on tin,", "teh rain!", "Go home", "Go home", "Go", "Go"]
    assert [line.heading for line in lyrics.lines] == ["Verse 1"] * 2 + ["Chorus"] * 4
    assert [word.text for word in lyrics.lines[0].words] == ["Rain", "on", "tin,"]
    assert not lyrics.timed


def test_a_heading_alone_stands_for_its_lines() -> None:
    """A chorus written out once is sung wherever its heading stands, as often as it says."""
    text = "[Chorus]\nla la\n[Verse]\nno\n[Chorus x2]\n[Guitar solo]\n[Outro]\nbye\n"
    assert texts(read_lyrics(text)) == ["la la", "no", "la la", "la la", "bye"]


@pytest.mark.parametrize("line", ["x2", "2x4 lumber", "chorus of angels sang", "x100 times"])
def test_words_that_look_like_marks_are_words(line: str) -> None:
    """What merely looks like a repeat or a heading is part of the song."""
    assert texts(read_lyrics(f"hello\n{line}\n")) == ["hello", line]


def test_lrc_repeats_ends_and_offset() -> None:
    """A line with two times is sung twice, an empty time ends a line, and the offset, in
    milliseconds, brings all forward."""
    lyrics = read_lyrics(
        "[ti:Song]\n[offset:+500]\n[00:12.00][01:02.50]Come back\n[00:15.5]Again\n[00:20]\n"
    )
    assert lyrics.format is LyricsFormat.LRC
    assert texts(lyrics) == ["Come back", "Again", "Come back"]
    assert starts(lyrics) == [11.5, 15.0, 62.0]
    assert [line.end_s for line in lyrics.lines] == [15.0, 19.5, None]


def test_enhanced_lrc_times_words() -> None:
    """Times before words are theirs, and the one after the last word is its end."""
    (line,) = read_lyrics("[00:01.00]<00:01.00>Two <00:01.60>words <00:02.25>\n").lines
    assert line.text == "Two words"
    assert [(w.text, w.start_s, w.end_s) for w in line.words] == [
        ("Two", 1.0, 1.6),
        ("words", 1.6, 2.25),
    ]


def test_srt_rows_share_their_time() -> None:
    """Rows of one subtitle follow each other within it; markup and notes are not words."""
    lyrics = read_lyrics(
        "1\r\n00:00:01,000 --> 00:00:03,000\r\n<i>♪ aaaa</i>\r\nbbbb ♪\r\n\r\n"
        "2\r\n01:00:04,000 --> 01:00:05,500\r\n{\\an8}End\r\n"
    )
    assert lyrics.format is LyricsFormat.SRT
    assert texts(lyrics) == ["aaaa", "bbbb", "End"]
    assert starts(lyrics) == [1.0, 2.0, 3604.0]
    assert lyrics.lines[1].end_s == 3.0


def test_chinese_and_japanese_have_a_word_per_character() -> None:
    """Writing without spaces is split so that each character can be lit up; its signs stay."""
    (line,) = read_lyrics("春の小川は、さらさら rock").lines
    assert [word.text for word in line.words][:6] == ["春", "の", "小", "川", "は、", "さ"]
    assert [(word.text, word.spaced) for word in line.words][-1] == ("rock", True)
    assert "".join((" " if w.spaced else "") + w.text for w in line.words).strip() == line.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no words"),
        ("[Intro]\n\n---\n", "no words"),
        ("[00:10.00]\n[00:20.00]\n", "no words"),
        ("a" * 101, "a word"),
        ("a " * 10_001, "words"),
        ("a\n" * 5_001, "lines"),
        ("a" * (MOST_CHARACTERS + 1), "characters"),
        ("00:00:05,000 --> 00:00:06,000\na\n\n00:00:01,000 --> 00:00:02,000\nb\n", "out of order"),
        ("[00:01.00]<00:05.00>a <00:03.00>b\n", "before"),
    ],
)
def test_what_cannot_be_taken_is_refused(text: str, why: str) -> None:
    """Too much, nothing, or times out of order are refused with one line that says so."""
    with pytest.raises(UnreadableLyrics, match=why) as caught:
        read_lyrics(text)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(st.text(max_size=300) | st.from_regex(r"(\[\d\d:\d\d\.\d\d\][ -~]{0,20}\n){1,5}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever the text, lines have words, timed lines are in order, and nothing else is raised."""
    try:
        lyrics = read_lyrics(text)
    except UnreadableLyrics:
        return
    assert all(line.words and line.text for line in lyrics.lines)
    if lyrics.timed:
        times = [line.start_s or 0.0 for line in lyrics.lines]
        assert times == sorted(times)
        assert all(time >= 0 for time in times)


def test_times_behind_the_song_are_another_songs() -> None:
    """Lines that start after the song's end are refused; a second of grace is given."""
    lyrics = read_lyrics("[00:01.00]one\n[00:10.90]two\n")
    check_times(lyrics, 10.0)
    with pytest.raises(UnreadableLyrics, match=r"10\.9"):
        check_times(lyrics, 9.0)


def test_lyrics_of_the_file_are_the_last_resort() -> None:
    """The file's own lyrics are aligned when none are given; those of another song are told of."""
    assert with_embedded(Words(lyrics="mine"), "theirs", 60.0) == (Words(lyrics="mine"), ())
    used, notes = with_embedded(Words(transcribe=True), "theirs", 60.0)
    assert used.lyrics == "theirs"
    assert notes
    kept, notes = with_embedded(Words(transcribe=True), "[09:00.00]late", 60.0)
    assert kept == Words(transcribe=True)
    assert "not used" in notes[0]

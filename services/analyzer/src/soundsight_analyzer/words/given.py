"""Lyrics as callers give them, read and never corrected: plain text, LRC or SRT.

LRC is what players write: `[mm:ss.xx]` before a line, several of them before one that returns,
`[offset:ms]` (positive: everything comes earlier) and, in the enhanced form, `<mm:ss.xx>` before
words. SRT is that of subtitles; WebVTT is read as the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

MOST_CHARACTERS = 200_000
MOST_LINES = 5_000
MOST_WORDS = 10_000
LONGEST_WORD = 100
_MOST_REPEATS = 16


class LyricsFormat(Enum):
    """How lyrics were written."""

    PLAIN = "plain"
    LRC = "lrc"
    SRT = "srt"


class UnreadableLyrics(ValueError):
    """Lyrics that cannot be taken; the message says why, in one line for a person."""


@dataclass(frozen=True)
class GivenWord:
    """A word as written, with its times in seconds where they were given.

    ``spaced`` says whether a space stands before it: Chinese and Japanese are split by character.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    spaced: bool = True


@dataclass(frozen=True)
class GivenLine:
    """A line of at least one word, with its times in seconds where they were given.

    ``heading`` is what stands above it in brackets, such as `Chorus`.
    """

    text: str
    words: tuple[GivenWord, ...]
    start_s: float | None = None
    end_s: float | None = None
    heading: str = ""


@dataclass(frozen=True)
class GivenLyrics:
    """Lines in the order in which they are sung; those with times are in order of time."""

    format: LyricsFormat
    lines: tuple[GivenLine, ...]

    @property
    def timed(self) -> bool:
        """Whether every line has a start."""
        return all(line.start_s is not None for line in self.lines)

    @property
    def last_start_s(self) -> float:
        """The latest start among the lines; 0 without times."""
        return max((line.start_s or 0.0 for line in self.lines), default=0.0)


def read_lyrics(text: str) -> GivenLyrics:
    """Reads lyrics in whichever format they are.

    Raises UnreadableLyrics for what is too long, has no words, or has times out of order.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableLyrics(f"the lyrics have over {MOST_CHARACTERS} characters")
    rows = _clean(text).split("\n")
    written = _format(rows)
    reader = {
        LyricsFormat.PLAIN: _read_plain,
        LyricsFormat.LRC: _read_lrc,
        LyricsFormat.SRT: _read_srt,
    }[written]
    lines = tuple(reader(rows))
    if not lines:
        raise UnreadableLyrics("the lyrics have no words")
    if len(lines) > MOST_LINES:
        raise UnreadableLyrics(f"the lyrics have over {MOST_LINES} lines")
    if sum(len(line.words) for line in lines) > MOST_WORDS:
        raise UnreadableLyrics(f"the lyrics have over {MOST_WORDS} words")
    return GivenLyrics(written, lines)


def split_words(text: str) -> tuple[GivenWord, ...]:
    """The words of a line: what stands between spaces; ideographs and kana one by one.

    Signs without a letter or digit (a dash, a note) belong to the word before them.
    """
    words: list[GivenWord] = []
    for chunk in text.split():
        for index, part in enumerate(_characters_apart(chunk)):
            if words and not any(char.isalnum() for char in part):
                joint = " " if index == 0 else ""
                words[-1] = replace(words[-1], text=f"{words[-1].text}{joint}{part}")
            else:
                words.append(GivenWord(part, spaced=index == 0))
    if len(words) == 1 and not any(char.isalnum() for char in words[0].text):
        return ()
    if any(len(word.text) > LONGEST_WORD for word in words):
        raise UnreadableLyrics(f"a word of the lyrics has over {LONGEST_WORD} characters")
    return tuple(words)


def _clean(text: str) -> str:
    """One kind of line end, no byte order mark, no control or format characters."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf")
    )


# ── Which format ────────────────────────────────────────────────────────────────────────────────

_LRC_TIME = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]")
_LRC_WORD_TIME = re.compile(r"<(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?>")
_LRC_TAG = re.compile(r"\[([a-z#][a-z]*)\s*:(.*)\]\s*$", re.IGNORECASE)
_SRT_TIMES = re.compile(
    r"^\s*(?:(\d{1,2}):)?(\d{1,2}):(\d{2})[,.](\d{1,3})\s*-->\s*"
    r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2})[,.](\d{1,3})(?:\s.*)?$"
)
_SRT_MARKUP = re.compile(r"</?[a-z][^>]{0,80}>|\{\\[^}]{0,80}\}", re.IGNORECASE)


def _format(rows: list[str]) -> LyricsFormat:
    if any(_SRT_TIMES.match(row) for row in rows):
        return LyricsFormat.SRT
    if any(_LRC_TIME.match(row.lstrip()) for row in rows):
        return LyricsFormat.LRC
    return LyricsFormat.PLAIN


# ── Plain text ──────────────────────────────────────────────────────────────────────────────────

_REPEATS = re.compile(r"[\s,]*[(\[]?\s*(?:[x×](\d{1,2})|(\d{1,2})[x×])\s*[)\]]?\s*$", re.IGNORECASE)
_BRACKETED = re.compile(r"^\s*\[([^\]]{1,80})\]\s*:?\s*$")
_PART = (
    r"(?:intro|verse|(?:pre|post)[- ]?chorus|chorus|refrain|hook|bridge|interlude|break|solo|"
    r"instrumental|outro|coda|ending)"
)
_NAMED = re.compile(
    rf"^\s*\(?({_PART}(?:\s+(?:\d{{1,2}}|[ivx]{{1,4}}))?)\)?\s*:?\s*$", re.IGNORECASE
)


def _read_plain(rows: list[str]) -> Iterator[GivenLine]:
    """Lines with their headings. A line or heading that says x2 counts twice, and a heading with
    nothing under it stands for the lines that it headed before."""
    headed: dict[str, tuple[GivenLine, ...]] = {}
    for heading, times, block in _blocks(rows):
        lines = tuple(block) or headed.get(heading.casefold(), ())
        if heading and lines:
            headed[heading.casefold()] = lines
        yield from lines * times


def _blocks(rows: list[str]) -> Iterator[tuple[str, int, list[GivenLine]]]:
    """Headings, how often what is under them is sung, and the lines under them."""
    heading, times, lines = "", 1, list[GivenLine]()
    for row in rows:
        named, row_times = _without_repeats(row)
        found = _BRACKETED.match(named) or _BRACKETED.match(row) or _NAMED.match(named)
        if found is None:
            words = split_words(named)
            if words:
                lines += [GivenLine(" ".join(named.split()), words, heading=heading)] * row_times
            continue
        yield heading, times, lines
        heading, inside = _without_repeats(found[1].strip())
        times, lines = max(row_times, inside), []
    yield heading, times, lines


def _without_repeats(row: str) -> tuple[str, int]:
    """A row without the `x2` at its end, and the number."""
    found = _REPEATS.search(row)
    if found is None or not row[: found.start()].strip(" []()"):
        return row, 1
    number = int(found[1] or found[2])
    if not 2 <= number <= _MOST_REPEATS:
        return row, 1
    rest = row[: found.start()]
    # The bracket of `[Chorus x2]` closes behind the number.
    return (rest + "]" if rest.count("[") > rest.count("]") else rest), number


# ── LRC ─────────────────────────────────────────────────────────────────────────────────────────


def _read_lrc(rows: list[str]) -> Iterator[GivenLine]:
    """Lines in order of time; a time with nothing behind it ends the line before."""
    offset_s = next((float(tag[2]) / 1000.0 for tag in _tags(rows) if _is_offset(tag)), 0.0)
    timed: list[tuple[float, str]] = []
    for row in rows:
        rest, starts = row.strip(), list[float]()
        while (found := _LRC_TIME.match(rest)) is not None:
            starts.append(_lrc_seconds(found, offset_s))
            rest = rest[found.end() :].lstrip()
        timed += [(start, rest) for start in starts]
    timed.sort(key=lambda entry: entry[0])
    for index, (start, text) in enumerate(timed):
        later = next((other for other, _ in timed[index + 1 :] if other > start), None)
        line = _lrc_line(text, start, later, offset_s)
        if line is not None:
            yield line


def _tags(rows: list[str]) -> Iterator[re.Match[str]]:
    return (found for row in rows if (found := _LRC_TAG.match(row.strip())) is not None)


def _is_offset(tag: re.Match[str]) -> bool:
    return tag[1].lower() == "offset" and re.fullmatch(r"\s*[+-]?\d{1,7}\s*", tag[2]) is not None


def _lrc_seconds(found: re.Match[str], offset_s: float) -> float:
    fraction = found[3] or "0"
    seconds = int(found[1]) * 60 + int(found[2]) + int(fraction) / 10 ** len(fraction)
    return max(0.0, seconds - offset_s)


def _lrc_line(text: str, start_s: float, end_s: float | None, offset_s: float) -> GivenLine | None:
    """One line; the times of its words count when they are in order and inside it."""
    pieces = _LRC_WORD_TIME.split(text)
    plain = " ".join("".join(pieces[::4]).split())
    words = split_words(plain)
    if not words:
        return None
    marks = list(_LRC_WORD_TIME.finditer(text))
    if not marks:
        return GivenLine(plain, words, start_s, end_s)
    return GivenLine(plain, _marked_words(text, marks, start_s, offset_s), start_s, end_s)


def _marked_words(
    text: str, marks: list[re.Match[str]], start_s: float, offset_s: float
) -> tuple[GivenWord, ...]:
    """Words with the time before each; several between two times share them by their order."""
    words: list[GivenWord] = []
    at, position, known = start_s, 0, False
    for mark in [*marks, None]:
        piece = text[position : mark.start() if mark else len(text)]
        until = _lrc_seconds(mark, offset_s) if mark else None
        found = split_words(piece)
        if found and (known or not words):
            first = replace(found[0], start_s=at, end_s=until if len(found) == 1 else None)
            found = (first, *found[1:])
        words += found
        if mark is None:
            break
        if until is not None and until < at:
            raise UnreadableLyrics(f"a word of {text[:60]!r} starts before the one in front of it")
        at, position, known = until if until is not None else at, mark.end(), True
    return tuple(words)


# ── SRT ─────────────────────────────────────────────────────────────────────────────────────────


def _read_srt(rows: list[str]) -> Iterator[GivenLine]:
    """One line per row of a subtitle; rows that share a subtitle's time divide it by length."""
    latest = 0.0
    for start, end, texts in _subtitles(rows):
        if start < latest or end < start:
            raise UnreadableLyrics(f"the subtitle at {start:g} s is out of order")
        latest = start
        lines = [(text, words) for text in texts if (words := split_words(text))]
        whole = sum(len(text) for text, _ in lines)
        at = start
        for text, words in lines:
            until = at + (end - start) * len(text) / whole
            yield GivenLine(text, words, at, until)
            at = until


def _subtitles(rows: list[str]) -> Iterator[tuple[float, float, list[str]]]:
    times: re.Match[str] | None = None
    texts: list[str] = []
    for row in [*rows, ""]:
        found = _SRT_TIMES.match(row)
        if found is not None or not row.strip():
            if times is not None:
                yield _srt_seconds(times, 1), _srt_seconds(times, 5), texts
            times, texts = found, []
        elif times is not None:
            texts.append(" ".join(_SRT_MARKUP.sub("", row).replace("♪", " ").split()))


def _srt_seconds(found: re.Match[str], group: int) -> float:
    hours, minutes, seconds, fraction = (found[group + index] or "0" for index in range(4))
    return (
        int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction) / 10 ** len(fraction)
    )


def _characters_apart(chunk: str) -> list[str]:
    """A chunk with its ideographs and kana apart; what is written with an alphabet stays whole."""
    parts: list[str] = []
    joining = False
    for char in chunk:
        alone = _is_cjk(char)
        if parts and not alone and (joining or not char.isalnum()):
            parts[-1] += char
        else:
            parts.append(char)
        joining = not alone
    return parts


def _is_cjk(char: str) -> bool:
    """Whether a character of Chinese or Japanese writing stands for itself."""
    return unicodedata.name(char, "").startswith(("CJK UNIFIED", "HIRAGANA", "KATAKANA"))

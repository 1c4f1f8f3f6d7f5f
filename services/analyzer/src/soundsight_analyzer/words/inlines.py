"""Words placed inside lines whose times were given (LRC, SRT)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.words.alignment import Aligner, TimedWord
from soundsight_analyzer.words.given import GivenLine
from soundsight_analyzer.words.snapping import snap, voice_level
from soundsight_analyzer.words.syllables import Span, spread, syllables
from soundsight_analyzer.words.whisper import RATE_HZ
from soundsight_analyzer.words.windows import LONGEST_S, MOST_TOKENS

_SLOWEST_S = 0.9
_BREATH_S = 0.5
_MARGIN_S = 0.4
_OUTSIDE_S = 0.6
_SHORTEST_S = 0.1
_SPREAD_CONFIDENCE = 0.3
_DEFAULT_LANGUAGE = "en"


def line_span(line: GivenLine, duration_s: float) -> Span:
    """Where a line with a start lies: no longer than it can take to sing, and inside the song."""
    assert line.start_s is not None
    start = min(line.start_s, duration_s)
    longest = _BREATH_S + _SLOWEST_S * sum(syllables(word.text) for word in line.words)
    given = line.end_s if line.end_s is not None else duration_s
    return start, max(start, min(given, start + longest, duration_s))


def spread_in_lines(lines: Sequence[GivenLine], duration_s: float) -> list[TimedWord]:
    """Words spread over their lines by their syllables."""
    return [word for line in lines for word in _spread(line, line_span(line, duration_s))]


def align_in_lines(
    aligner: Aligner,
    sound: Floats,
    lines: Sequence[GivenLine],
    language: str | None,
    progress: Callable[[float], None],
) -> tuple[list[TimedWord], str]:
    """Aligns words with the voice inside their lines' times; returns them and the language.

    Lines are aligned together as far as a window reaches. A line most of whose words come out
    beyond its times was not heard there: its words are spread over it instead.
    """
    duration_s = len(sound) / RATE_HZ
    code = language or aligner.recognise(sound[: 30 * RATE_HZ], None, lambda _: None).language
    code = code or _DEFAULT_LANGUAGE
    tokens = [
        [aligner.tokens(f" {w.text}" if w.spaced else w.text, code) for w in line.words]
        for line in lines
    ]
    spans = [line_span(line, duration_s) for line in lines]
    timed: list[TimedWord] = []
    for first, last in _groups(spans, [sum(map(len, line)) for line in tokens]):
        start_s = max(0.0, spans[first][0] - _MARGIN_S)
        end_s = min(duration_s, spans[last - 1][1] + _MARGIN_S, start_s + LONGEST_S + 1.0)
        part = sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        words = [word for line in tokens[first:last] for word in line]
        places = iter(_places(aligner, part, words, code))
        for index in range(first, last):
            own = [place for _, place in zip(lines[index].words, places, strict=False)]
            moved = [(start_s + start, start_s + end, chance) for start, end, chance in own]
            timed += _inside(lines[index], spans[index], moved)
        progress(last / len(lines))
    return timed, code


def _places(
    aligner: Aligner, part: Floats, tokens: Sequence[Sequence[int]], language: str
) -> list[tuple[float, float, float]]:
    """Starts, ends and probabilities of words in a stretch; none when it is too short."""
    if len(part) < _SHORTEST_S * RATE_HZ:
        return []
    found = aligner.align(part, tokens, language)
    boundaries = [*(word.start_s for word in found), found[-1].end_s]
    starts, ends = snap(boundaries, voice_level(part, RATE_HZ))
    chances = (word.probability for word in found)
    return list(zip(starts, ends, chances, strict=True))


def _groups(spans: Sequence[Span], tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of lines, first and last (excluded), that fit into one window."""
    groups: list[tuple[int, int]] = []
    first = 0
    for index in range(1, len(spans) + 1):
        if (
            index == len(spans)
            or spans[index][1] - spans[first][0] > LONGEST_S
            or sum(tokens[first : index + 1]) > MOST_TOKENS
        ):
            groups.append((first, index))
            first = index
    return groups


def _inside(
    line: GivenLine, span: Span, places: Sequence[tuple[float, float, float]]
) -> list[TimedWord]:
    start, end = span
    strays = sum(not start - _OUTSIDE_S <= place[0] <= end + _OUTSIDE_S for place in places)
    if len(places) < len(line.words) or 2 * strays > len(places):
        return _spread(line, span)
    timed, latest = [], start
    for word, (begins, ends, probability) in zip(line.words, places, strict=True):
        begins = min(max(begins, latest), end)
        timed.append(TimedWord(word, (begins, min(max(ends, begins), end)), probability))
        latest = begins
    return timed


def _spread(line: GivenLine, span: Span) -> list[TimedWord]:
    start, end = span
    weights = [float(syllables(word.text)) for word in line.words]
    places = spread(weights, [(start, max(end, start + 1e-3))])
    return [
        TimedWord(word, (min(a, end), min(b, end)), _SPREAD_CONFIDENCE)
        for word, (a, b) in zip(line.words, places, strict=True)
    ]

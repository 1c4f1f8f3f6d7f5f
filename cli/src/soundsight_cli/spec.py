"""From what is typed to what is asked for: command-line values to a RenderSpec.

Ranges are the gateway's to check, so that they are decided in one place; its
answer names fields of the API, and `option_for` says which option that was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeOptions, Feature
from soundsight.common.v1.common_pb2 import ArtifactRef, FrameRate, Resolution
from soundsight.render.v1.resources_pb2 import AnalysisWishes, Excerpt, RenderGoal, RenderSpec
from soundsight.videogen.v1.videogen_pb2 import Quality
from soundsight_cli.briefs import BadBrief, BriefFile, Pictures, read_brief

QUALITIES = {
    "draft": Quality.QUALITY_DRAFT,
    "standard": Quality.QUALITY_STANDARD,
    "high": Quality.QUALITY_HIGH,
}

FEATURES = {
    name.removeprefix("FEATURE_").lower(): number for name, number in Feature.items() if number
}

_RATE = re.compile(r"\d{1,9}/\d{1,9}|\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_INDEX = re.compile(r"\[\d+\]")
_MOMENT = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{1,9})?)", re.ASCII)

WORDS_BYTES = 1 << 20
"""No song has more words than this."""

SHOWN_CHARS = 60
"""So much of a wrong value is repeated; more of it helps nobody to find it."""

_OPTIONS = {
    "spec.resolution.width": "--width",
    "spec.resolution.height": "--height",
    "spec.resolution": "--width/--height",
    "spec.frame_rate": "--fps",
    "spec.seed": "--seed",
    "spec.brief.style": "--style",
    "spec.brief": "--brief",
    "spec.excerpt.start_s": "--from",
    "spec.excerpt.end_s": "--to",
    "spec.excerpt": "--from/--to",
    "spec.quality": "--quality",
    "spec.lyrics": "--lyrics",
    "spec.analysis.features": "--features",
    "spec.analysis.concept": "--concept",
    "spec.analysis.options.language": "--language",
    "spec.analysis.options.transcribe": "--transcribe",
    "spec.analysis.options.max_tags": "--max-tags",
    "spec.analysis.options.min_tempo_bpm": "--min-tempo",
    "spec.analysis.options.max_tempo_bpm": "--max-tempo",
    "spec.song": "SONG",
    "header": "SONG",
}


class BadOption(ValueError):
    """A value that cannot be asked for; the message names the option and what is allowed."""


@dataclass(frozen=True)
class ListenOptions:
    """What the analyzer is asked for, as it was typed; the defaults leave that to the analyzer."""

    features: str = ""
    """Names of features, separated by commas."""
    lyrics: Path | None = None
    """The file with the song's words."""
    language: str = ""
    transcribe: bool = False
    concept: bool = False
    max_tags: int = 0
    min_tempo: float = 0.0
    max_tempo: float = 0.0


@dataclass(frozen=True)
class VideoOptions:
    """The options of a render as they were typed; None takes the gateway's default."""

    width: int | None = None
    height: int | None = None
    fps: str | None = None
    seed: int | None = None
    style: str = ""
    quality: str = "standard"
    start: str | None = None
    end: str | None = None
    listen: ListenOptions = ListenOptions()
    brief: Path | None = None
    """The file with all other wishes."""

    @property
    def part_s(self) -> tuple[float, float | None]:
        """Where the part to use begins and ends, in seconds; (0, None) is all of the song.

        Raises:
            BadOption: when what was typed is no such part.
        """
        start_s = parse_time("--from", self.start or "0")
        end_s = parse_time("--to", self.end) if self.end is not None else None
        if end_s is not None and end_s <= start_s:
            raise BadOption(f"--to {self.end} must be later than --from {self.start or 0}")
        return start_s, end_s


def render_spec(
    song: ArtifactRef,
    options: VideoOptions,
    goal: RenderGoal.ValueType,
    pictures: Pictures | None = None,
) -> RenderSpec:
    """Returns the spec of a render; reads words and brief, where there are any.

    Args:
        song: the song in the gateway's store.
        options: what was typed.
        goal: how far the render goes.
        pictures: the reference pictures that were sent; others are left out.

    Raises:
        BadOption: for a value that no spec can hold, or a file that cannot be read.
    """
    if options.quality not in QUALITIES:
        known = ", ".join(QUALITIES)
        raise BadOption(f"--quality takes {known}; not {_shown(options.quality)}")
    spec = RenderSpec(song=song, goal=goal, quality=QUALITIES[options.quality])
    seed = options.seed
    if (brief := typed_brief(options)) is not None:
        spec.brief.CopyFrom(brief.brief(pictures or {}))
        seed = brief.seed if seed is None else seed
    _assign("--seed", "a whole number from 0 to 2^63 - 1", spec, "seed", seed or 0)
    try:
        # What is typed counts more than what stands in a file.
        spec.brief.style = options.style or spec.brief.style
    except ValueError:
        # What was typed in another encoding is no text.
        raise BadOption(f"--style takes text in UTF-8; not {_shown(options.style)}") from None
    if options.width is not None or options.height is not None:
        width, height = _fill_in(options.width, options.height)
        pixels = "an even number of pixels, 64 to 7680"
        resolution = Resolution()
        _assign("--width", pixels, resolution, "width", width)
        _assign("--height", pixels, resolution, "height", height)
        spec.resolution.CopyFrom(resolution)
    if options.fps is not None:
        spec.frame_rate.CopyFrom(parse_frame_rate(options.fps))
    if options.start is not None or options.end is not None:
        start_s, end_s = options.part_s
        spec.excerpt.CopyFrom(Excerpt(start_s=start_s, end_s=end_s or 0.0))
    if options.listen.lyrics is not None:
        spec.lyrics = _words(options.listen.lyrics)
    wishes = _wishes(options.listen)
    if wishes.ListFields():
        spec.analysis.CopyFrom(wishes)
    return spec


def typed_brief(options: VideoOptions) -> BriefFile | None:
    """The brief, where one was named.

    Raises:
        BadOption: when its file cannot be read or is no brief.
    """
    if options.brief is None:
        return None
    try:
        return read_brief(options.brief)
    except BadBrief as error:
        raise BadOption(f"--brief {error}") from None


def _words(file: Path) -> str:
    """The words of a song as they stand in a file."""
    try:
        with file.open("rb") as opened:
            data = opened.read(WORDS_BYTES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadOption(f"--lyrics takes text in UTF-8, and {file} is none") from None
    except OSError as error:
        raise BadOption(f"--lyrics {file}: {error.strerror}") from None
    if len(data) > WORDS_BYTES:
        raise BadOption(f"--lyrics takes a text, LRC or SRT file; {file} is too large for one")
    if not text.strip():
        raise BadOption(f"--lyrics {file}: there are no words in it")
    return text


def _wishes(listen: ListenOptions) -> AnalysisWishes:
    """What the analyzer is asked for; empty when all is left to it."""
    features = _features(listen.features)
    if Feature.FEATURE_LYRICS in features and listen.lyrics is None and not listen.transcribe:
        raise BadOption("--features lyrics needs words: --lyrics FILE, or --transcribe")
    wishes, asked = AnalysisWishes(features=features, concept=listen.concept), AnalyzeOptions()
    tempo = "a tempo in BPM, such as 90"
    _assign("--language", "a language tag, such as en", asked, "language", listen.language)
    _assign("--max-tags", "a number of tags", asked, "max_tags", listen.max_tags)
    _assign("--min-tempo", tempo, asked, "min_tempo_bpm", listen.min_tempo)
    _assign("--max-tempo", tempo, asked, "max_tempo_bpm", listen.max_tempo)
    asked.transcribe = listen.transcribe
    if asked.ListFields():
        wishes.options.CopyFrom(asked)
    return wishes


def _features(text: str) -> list[Feature.ValueType]:
    """The features named in a list, each once."""
    found = []
    for name in dict.fromkeys(filter(None, (word.strip() for word in text.lower().split(",")))):
        if name not in FEATURES:
            known = ", ".join(FEATURES)
            raise BadOption(f"--features takes {known}, separated by commas; not {_shown(name)}")
        found.append(FEATURES[name])
    return found


def check_options(options: VideoOptions, goal: RenderGoal.ValueType) -> None:
    """Tells of a value that no spec can hold before any work begins.

    Raises:
        BadOption: naming the option and what it takes.
    """
    render_spec(ArtifactRef(), options, goal)


def parse_frame_rate(text: str) -> FrameRate:
    """Returns the frame rate written as `24`, `30000/1001` or `23.976`.

    Decimals of the NTSC rates mean the exact rates: 23.976 is 24000/1001.

    Raises:
        BadOption: when the text is no positive number.
    """
    allowed = "--fps takes 1 to 120 frames per second, such as 24, 30000/1001 or 23.976"
    try:
        # Nothing else that Fraction takes: an exponent it would work out to its last digit.
        rate = Fraction(text.strip() if _RATE.fullmatch(text.strip()) else "")
    except (ValueError, ZeroDivisionError):
        raise BadOption(f"{allowed}; not {_shown(text)}") from None
    if rate.denominator not in (1, 1001) and rate > 1:
        ntsc = Fraction(round(rate) * 1000, 1001)
        if abs(ntsc - rate) < Fraction(1, 200):
            rate = ntsc
    try:
        return FrameRate(num=rate.numerator, den=rate.denominator)
    except ValueError:
        raise BadOption(f"{allowed}; not {_shown(text)}") from None


def parse_time(option: str, text: str) -> float:
    """Returns the seconds of a moment written as `75`, `75.5`, `1:15.5` or `1:01:15`.

    Raises:
        BadOption: when the text is no such moment.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise BadOption(
            f"{option} takes seconds or minutes:seconds, such as 75.5 or 1:15.5; not {_shown(text)}"
        )
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def option_for(field_path: str) -> str:
    """Returns the option that a field of the API was typed as, or the field's path."""
    path = _INDEX.sub("", field_path).removeprefix("render.")
    # The writer's answers begin with the brief itself.
    path = f"spec.{path}" if path.startswith("brief.") else path
    named = path
    while path:
        if path in _OPTIONS:
            option = _OPTIONS[path]
            within = field_path.partition("brief.")[2]
            return f"{option}, {within}" if option == "--brief" and path != named else option
        path = path.rpartition(".")[0]
    return field_path


def _fill_in(width: int | None, height: int | None) -> tuple[int, int]:
    """Completes a size at 16:9, to the even pixel."""
    if width is None:
        assert height is not None
        width = round(height * 8 / 9) * 2
    if height is None:
        height = round(width * 9 / 32) * 2
    return width, height


def _assign(option: str, allowed: str, message: object, field: str, value: object) -> None:
    try:
        setattr(message, field, value)
    except ValueError:
        raise BadOption(f"{option} takes {allowed}; not {_shown(value)}") from None


def _shown(value: object) -> str:
    """A wrong value as a message repeats it: in one line, and no longer than it helps."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"

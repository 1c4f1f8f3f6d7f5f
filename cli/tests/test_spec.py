"""What is typed becomes what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeOptions, Feature
from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1.resources_pb2 import AnalysisWishes, RenderGoal, RenderSpec
from soundsight_cli.spec import (
    BadOption,
    ListenOptions,
    VideoOptions,
    option_for,
    parse_frame_rate,
    parse_time,
    render_spec,
)


@pytest.mark.parametrize(
    ("text", "num", "den"),
    [
        ("24", 24, 1),
        ("30000/1001", 30000, 1001),
        ("23.976", 24000, 1001),
        ("29.97", 30000, 1001),
        ("59.94", 60000, 1001),
        ("12.5", 25, 2),
        ("60/2", 30, 1),
        ("0", 0, 1),
        ("1000", 1000, 1),
    ],
)
def test_frame_rates_are_exact(text: str, num: int, den: int) -> None:
    """A frame rate is the rational number that was meant, in lowest terms."""
    rate = parse_frame_rate(text)
    assert (rate.num, rate.den) == (num, den)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "1/0",
        "nan",
        "inf",
        "-24",
        "24 fps",
        "1/99999999999999",
        "1e999999999",
        "24_000/1001",
    ],
)
def test_what_is_no_frame_rate_is_refused(text: str) -> None:
    """Text that is no rational number is refused, naming the option and what is allowed."""
    with pytest.raises(BadOption, match="--fps takes 1 to 120"):
        parse_frame_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("75", 75), ("75.5", 75.5), ("1:15.5", 75.5), ("1:01:15", 3675), ("0", 0)],
)
def test_moments_are_seconds(text: str, seconds: float) -> None:
    """A moment may be written in seconds, minutes or hours."""
    assert parse_time("--from", text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "x", "1:", "nan", "1e9", "1:2:3:4"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Text that is no moment is refused, naming the option."""
    with pytest.raises(BadOption, match="--to takes seconds"):
        parse_time("--to", text)


def _spec(options: VideoOptions) -> object:
    return render_spec(ArtifactRef(uri="file:///x"), options, RenderGoal.RENDER_GOAL_VIDEO)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (VideoOptions(width=10**12, height=720), "--width"),
        (VideoOptions(seed=2**63), "--seed"),
        (VideoOptions(style="caf\udce9"), "--style takes text in UTF-8"),
        (VideoOptions(fps="9" * 100_000), "--fps"),
        (VideoOptions(start="10", end="5"), "--to"),
    ],
)
def test_values_beyond_the_contract_are_refused(options: VideoOptions, named: str) -> None:
    """A value that the contract cannot hold is refused in one line that names its option."""
    with pytest.raises(BadOption, match=named) as refused:
        _spec(options)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def _heard(listen: ListenOptions) -> RenderSpec:
    goal = RenderGoal.RENDER_GOAL_ANALYSIS
    return render_spec(ArtifactRef(), VideoOptions(listen=listen), goal)


def test_nothing_wished_is_nothing_said() -> None:
    """Without options about the analysis the spec has none, so that it names the same render."""
    assert not _heard(ListenOptions()).HasField("analysis")


def test_what_to_listen_for_is_asked_for(tmp_path: Path) -> None:
    """Every option about the analysis stands in the spec, the words as they are in the file."""
    words = tmp_path / "song.lrc"
    words.write_bytes("\ufeff[00:01.00] là\r\n".encode())
    spec = _heard(ListenOptions("Tags, rhythm,,tags", words, "fr", True, True, 5, 90.5, 180))
    assert spec.lyrics == "[00:01.00] là\r\n"
    assert spec.analysis == AnalysisWishes(
        features=[Feature.FEATURE_TAGS, Feature.FEATURE_RHYTHM],
        concept=True,
        options=AnalyzeOptions(
            language="fr", transcribe=True, max_tags=5, min_tempo_bpm=90.5, max_tempo_bpm=180
        ),
    )


@pytest.mark.parametrize(
    ("listen", "named"),
    [
        (ListenOptions("rhythm,melody"), "--features takes rhythm, harmony, .*; not 'melody'"),
        (ListenOptions("lyrics"), "--features lyrics needs words: --lyrics FILE"),
        (ListenOptions(language="caf\udce9"), "--language takes"),
        (ListenOptions(max_tags=2**40), "--max-tags takes"),
        (ListenOptions(lyrics=Path("no such file")), "--lyrics no such file: No such file"),
        (ListenOptions(lyrics=Path("/")), "--lyrics /: Is a directory"),
        (ListenOptions(lyrics=Path("/dev/zero")), "--lyrics takes a text, .* too large"),
        (ListenOptions(lyrics=Path("/dev/null")), "no words in it"),
    ],
)
def test_what_cannot_be_listened_for_is_refused(listen: ListenOptions, named: str) -> None:
    """A wish that makes no sense is refused in one line that names its option."""
    with pytest.raises(BadOption, match=named) as refused:
        _heard(listen)
    assert "\n" not in str(refused.value)


def test_words_in_another_encoding_are_refused(tmp_path: Path) -> None:
    """Words are never guessed at."""
    words = tmp_path / "song.txt"
    words.write_bytes("café".encode("latin-1"))
    with pytest.raises(BadOption, match="--lyrics takes text in UTF-8"):
        _heard(ListenOptions(lyrics=words))


def test_one_side_is_enough() -> None:
    """A missing side is completed at 16:9, to an even number of pixels."""
    spec = render_spec(ArtifactRef(), VideoOptions(width=854), RenderGoal.RENDER_GOAL_VIDEO)
    assert (spec.resolution.width, spec.resolution.height) == (854, 480)


def test_the_gateways_fields_are_shown_as_options() -> None:
    """A field path in the gateway's answer is shown as the option that was typed."""
    assert option_for("render.spec.frame_rate.den") == "--fps"
    assert option_for("render.spec.resolution.width") == "--width"
    assert option_for("spec.excerpt.end_s") == "--to"
    assert option_for("render.spec.analysis.features[3]") == "--features"
    assert option_for("render.spec.analysis.options.min_tempo_bpm") == "--min-tempo"
    assert option_for("render.spec.lyrics") == "--lyrics"
    assert option_for("parent") == "parent"

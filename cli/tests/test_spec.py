"""What is typed becomes what is asked for."""

from __future__ import annotations

import pytest

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1.resources_pb2 import RenderGoal
from soundsight_cli.spec import (
    BadOption,
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


def test_one_side_is_enough() -> None:
    """A missing side is completed at 16:9, to an even number of pixels."""
    spec = render_spec(ArtifactRef(), VideoOptions(width=854), RenderGoal.RENDER_GOAL_VIDEO)
    assert (spec.resolution.width, spec.resolution.height) == (854, 480)


def test_the_gateways_fields_are_shown_as_options() -> None:
    """A field path in the gateway's answer is shown as the option that was typed."""
    assert option_for("render.spec.frame_rate.den") == "--fps"
    assert option_for("render.spec.resolution.width") == "--width"
    assert option_for("spec.excerpt.end_s") == "--to"
    assert option_for("parent") == "parent"

"""A render that cannot be made is refused whole, with paths and allowed ranges."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway.validation import SpecLimits, check_labels, check_spec
from soundsight_kit.errors import InvalidArgument, Unimplemented

LIMITS = SpecLimits(max_pixels=3840 * 2160, pools=("default", "wan"))

Change = Callable[[r.RenderSpec], object]


def spec() -> r.RenderSpec:
    made = r.RenderSpec()
    made.song.uri = "file:///store/projects/demo/uploads/aa"
    return made


def resize(width: int, height: int) -> Change:
    def change(s: r.RenderSpec) -> None:
        s.resolution.width, s.resolution.height = width, height

    return change


def rate(num: int, den: int) -> Change:
    def change(s: r.RenderSpec) -> None:
        s.frame_rate.num, s.frame_rate.den = num, den

    return change


def tempi(low: float, high: float) -> Change:
    def change(s: r.RenderSpec) -> None:
        s.analysis.options.min_tempo_bpm, s.analysis.options.max_tempo_bpm = low, high

    return change


def excerpt(start_s: float, end_s: float) -> Change:
    def change(s: r.RenderSpec) -> None:
        s.excerpt.start_s, s.excerpt.end_s = start_s, end_s

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda s: None,
        resize(64, 64),
        resize(7680, 64),
        resize(2160, 3840),
        rate(1, 1),
        rate(120, 1),
        rate(24000, 1001),
        excerpt(0, 0),
        excerpt(10, 10.5),
        lambda s: setattr(s, "seed", 2**63 - 1),
        lambda s: setattr(s.brief, "story", "x" * 10_000),
        lambda s: setattr(s, "lyrics", "[00:12.00] line\r\n\tline — ничего"),
        lambda s: setattr(s, "video_pool", "wan"),
        lambda s: setattr(s.brief, "language", "pt-BR"),
        lambda s: s.analysis.features.extend([1, 8, 1]),
        lambda s: setattr(s.analysis.options, "max_tempo_bpm", 90),
        lambda s: setattr(s.analysis.options, "max_tags", 1000),
        lambda s: setattr(s.analysis.options, "language", "de-CH"),
    ],
)
def test_what_can_be_made_is_accepted(change: Change) -> None:
    """The ends of every range belong to it."""
    sound = spec()
    change(sound)
    check_spec(sound, LIMITS)


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        (lambda s: s.ClearField("song"), "song.uri", "required"),
        (lambda s: setattr(s.song, "sha256", "XY"), "song.sha256", "64"),
        (resize(0, 720), "resolution.width", "64 to 7680"),
        (resize(1280, 721), "resolution.height", "even"),
        (resize(999_999, 64), "resolution.width", "64 to 7680"),
        (resize(7680, 7680), "resolution", "pixels"),
        (rate(0, 1), "frame_rate.num", "1 to"),
        (rate(1, 0), "frame_rate.den", "1 to"),
        (rate(1000, 1), "frame_rate", "1 to 120"),
        (rate(1, 2), "frame_rate", "1 to 120"),
        (excerpt(5, 5), "excerpt.end_s", "later than start_s"),
        (excerpt(-1, 5), "excerpt.start_s", "0 or more"),
        (excerpt(float("nan"), 5), "excerpt.start_s", "0 or more"),
        (excerpt(0, float("inf")), "excerpt.end_s", "0 or more"),
        (lambda s: setattr(s, "seed", -1), "seed", "0 to 2^63 - 1"),
        (lambda s: setattr(s.brief, "style", "x" * 2001), "brief.style", "2000"),
        (lambda s: setattr(s.brief, "style", "a\x00b"), "brief.style", "U+0000"),
        (lambda s: setattr(s.brief, "setting", "a\u202eb"), "brief.setting", "U+202E"),
        (lambda s: s.brief.palette.add(red=256), "brief.palette[0].red", "0 to 255"),
        (lambda s: s.brief.must_have.extend(["x"] * 65), "brief.must_have", "64"),
        (lambda s: s.brief.must_have.append("x" * 501), "brief.must_have[0]", "500"),
        (lambda s: setattr(s.brief, "language", "english please"), "brief.language", "BCP"),
        (lambda s: setattr(s.brief, "pace", 9), "brief.pace", "PACE_CALM"),
        (
            lambda s: setattr(s.brief, "cut_anticipation_frames", 4),
            "brief.cut_anticipation_frames",
            "0 to 3",
        ),
        (lambda s: s.brief.cast.add().reference_images.add(), "brief.cast[0]", "required"),
        (lambda s: setattr(s, "quality", 77), "quality", "QUALITY_DRAFT"),
        (lambda s: setattr(s, "video_pool", "moon"), "video_pool", "default, wan"),
        (lambda s: setattr(s, "title", "two\nlines"), "title", "single line"),
        (lambda s: s.analysis.features.append(0), "analysis.features[0]", "unspecified"),
        (lambda s: s.analysis.features.append(77), "analysis.features[0]", "FEATURE_RHYTHM"),
        (lambda s: s.analysis.features.extend([1] * 101), "analysis.features", "at most 100"),
        (lambda s: setattr(s.analysis.options, "lyrics", "la"), "analysis.options.lyrics", "spec"),
        (lambda s: setattr(s.analysis.options, "language", "e"), "analysis.options.lang", "BCP"),
        (
            lambda s: setattr(s.analysis.options, "max_tags", -1),
            "analysis.options.max_tags",
            "1000",
        ),
        (
            lambda s: setattr(s.analysis.options, "min_tempo_bpm", float("nan")),
            "analysis.options.min_tempo_bpm",
            "BPM",
        ),
        (tempi(120, 60), "analysis.options.max_tempo_bpm", "above the lowest, 120"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(change: Change, path: str, says: str) -> None:
    """The violation names the field by its path and says what is allowed."""
    unsound = spec()
    change(unsound)
    with pytest.raises(InvalidArgument) as caught:
        check_spec(unsound, LIMITS)
    ((found, why),) = caught.value.field_violations
    assert found.startswith(f"render.spec.{path}")
    assert says in why


def test_all_violations_are_told_at_once() -> None:
    """A caller does not learn of its faults one by one."""
    unsound = spec()
    for change in (resize(1, 1), rate(0, 0), lambda s: setattr(s, "seed", -5)):
        change(unsound)
    with pytest.raises(InvalidArgument) as caught:
        check_spec(unsound, LIMITS)
    assert [path for path, _ in caught.value.field_violations] == [
        "render.spec.resolution.width",
        "render.spec.resolution.height",
        "render.spec.frame_rate.num",
        "render.spec.seed",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: setattr(s, "require_approval", True),
        lambda s: setattr(s.webhook, "url", "https://example.org"),
    ],
)
def test_what_is_not_offered_is_refused_rather_than_ignored(change: Change) -> None:
    """A wish that would not be granted is not accepted in silence."""
    asking = spec()
    change(asking)
    with pytest.raises(Unimplemented) as caught:
        check_spec(asking, LIMITS)
    assert caught.value.reason == "FIELD_NOT_OFFERED"


@given(st.dictionaries(st.text(max_size=70), st.text(max_size=70), max_size=70))
def test_labels_are_accepted_or_refused_with_a_path(labels: dict[str, str]) -> None:
    """Any map either passes or gives violations below render.labels."""
    try:
        check_labels(labels)
    except InvalidArgument as error:
        assert error.field_violations
        assert all(path.startswith("render.labels") for path, _ in error.field_violations)
    else:
        assert len(labels) <= 64
        assert all(key[0].islower() and len(value) <= 63 for key, value in labels.items())

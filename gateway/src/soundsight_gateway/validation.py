"""Whether a render may be asked for: pure checks of a RenderSpec, every violation with its path.

What only the song itself can tell (an excerpt beyond its end, say) is checked when it is taken in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

from soundsight.analyzer.v1 import analyzer_pb2
from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import resources_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2, storyboard_pb2
from soundsight.videogen.v1 import videogen_pb2
from soundsight_kit.errors import InvalidArgument, Unimplemented

MIN_SIDE: Final = 64
MAX_SIDE: Final = 7680
MIN_FPS: Final = 1
MAX_FPS: Final = 120
MAX_RATE_TERM: Final = 1_000_000
MAX_LABELS: Final = 64
MAX_CUT_ANTICIPATION: Final = 3
MAX_FEATURES: Final = 100

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,6}")
# C0 and C1 control characters but tab and line ends; and the marks that reorder text, with which a
# line can be made to read as another one.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LINE_END = re.compile("[\t\n\r\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class SpecLimits:
    """What depends on the gateway's configuration."""

    max_pixels: int
    pools: Collection[str]


def check_spec(
    spec: resources_pb2.RenderSpec, limits: SpecLimits, path: str = "render.spec"
) -> None:
    """Checks a spec whole.

    Raises InvalidArgument with every violation found, or Unimplemented for what this gateway does
    not do yet.
    """
    check = _Check()
    check.artifact(f"{path}.song", spec.song, required=True)
    if spec.HasField("excerpt"):
        _excerpt(check, f"{path}.excerpt", spec.excerpt)
    if spec.HasField("resolution"):
        _resolution(check, f"{path}.resolution", spec.resolution, limits.max_pixels)
    if spec.HasField("frame_rate"):
        _frame_rate(check, f"{path}.frame_rate", spec.frame_rate)
    check.number(f"{path}.seed", spec.seed, 0, 2**63 - 1)
    _brief(check, f"{path}.brief", spec.brief)
    check.enum(f"{path}.quality", spec.quality, videogen_pb2.Quality.DESCRIPTOR)
    check.enum(f"{path}.goal", spec.goal, resources_pb2.RenderGoal.DESCRIPTOR)
    if spec.video_pool and spec.video_pool not in limits.pools:
        known = ", ".join(sorted(limits.pools))
        check.fail(f"{path}.video_pool", f"is not one of the pools here: {known}")
    check.text(f"{path}.lyrics", spec.lyrics, 100_000)
    if spec.HasField("analysis"):
        _analysis(check, f"{path}.analysis", spec.analysis)
    check.line(f"{path}.title", spec.title, 300)
    check.line(f"{path}.artist", spec.artist, 300)
    check.done()
    for field, given in (
        ("require_approval", spec.require_approval),
        ("webhook", spec.HasField("webhook")),
    ):
        if given:
            raise Unimplemented(
                f"{path}.{field} is not offered by this gateway yet; leave it out",
                reason="FIELD_NOT_OFFERED",
                metadata={"field": f"{path}.{field}"},
            )


def check_labels(labels: Mapping[str, str], path: str = "render.labels") -> None:
    """Checks labels. Raises InvalidArgument with every violation found."""
    check = _Check()
    if len(labels) > MAX_LABELS:
        check.fail(path, f"has {len(labels)} entries; at most {MAX_LABELS} are allowed")
    for key, value in sorted(labels.items())[: MAX_LABELS + 1]:
        if not _LABEL_KEY.fullmatch(key):
            check.fail(
                path,
                f"key {key[:80]!r} must be 1 to 63 lower-case letters, digits, '.', '_' and '-', "
                "starting with a letter",
            )
        check.line(f"{path}[{key[:80]}]", value, 63)
    check.done()


def _excerpt(check: _Check, path: str, excerpt: resources_pb2.Excerpt) -> None:
    for name in ("start_s", "end_s"):
        value = getattr(excerpt, name)
        if not math.isfinite(value) or value < 0:
            check.fail(f"{path}.{name}", "must be 0 or more seconds")
            return
    if excerpt.end_s and excerpt.end_s <= excerpt.start_s:
        check.fail(
            f"{path}.end_s",
            f"is {excerpt.end_s:g}, but must be later than start_s ({excerpt.start_s:g}), or 0 for "
            "the song's end",
        )


def _resolution(
    check: _Check, path: str, resolution: common_pb2.Resolution, max_pixels: int
) -> None:
    sound = True
    for name in ("width", "height"):
        side = getattr(resolution, name)
        if side % 2 or not MIN_SIDE <= side <= MAX_SIDE:
            check.fail(
                f"{path}.{name}", f"is {side}, but must be even, {MIN_SIDE} to {MAX_SIDE} pixels"
            )
            sound = False
    pixels = resolution.width * resolution.height
    if sound and pixels > max_pixels:
        check.fail(path, f"has {pixels} pixels; at most {max_pixels} are allowed")


def _frame_rate(check: _Check, path: str, rate: common_pb2.FrameRate) -> None:
    for name in ("num", "den"):
        term = getattr(rate, name)
        if not 1 <= term <= MAX_RATE_TERM:
            check.fail(
                f"{path}.{name}",
                f"is {term}, but must be 1 to {MAX_RATE_TERM}, and the rate {MIN_FPS} to {MAX_FPS} "
                "frames per second",
            )
            return
    if not MIN_FPS <= Fraction(rate.num, rate.den) <= MAX_FPS:
        check.fail(
            path,
            f"is {rate.num}/{rate.den}, but must be {MIN_FPS} to {MAX_FPS} frames per second",
        )


def _brief(check: _Check, path: str, brief: scenewriter_pb2.Brief) -> None:
    check.text(f"{path}.style", brief.style, 2_000)
    check.text(f"{path}.setting", brief.setting, 2_000)
    check.text(f"{path}.story", brief.story, 10_000)
    if len(brief.palette) > 5:
        check.fail(f"{path}.palette", f"has {len(brief.palette)} colours; at most 5 are allowed")
    for i, colour in enumerate(brief.palette[:5]):
        for channel in ("red", "green", "blue"):
            check.number(f"{path}.palette[{i}].{channel}", getattr(colour, channel), 0, 255)
        check.line(f"{path}.palette[{i}].name", colour.name, 100)
    if check.count(f"{path}.cast", brief.cast, 32):
        for i, member in enumerate(brief.cast):
            _cast_member(check, f"{path}.cast[{i}]", member)
    for name in ("must_have", "never_show"):
        texts = getattr(brief, name)
        if check.count(f"{path}.{name}", texts, 64):
            for i, text in enumerate(texts):
                check.text(f"{path}.{name}[{i}]", text, 500)
    if brief.language and not _LANGUAGE.fullmatch(brief.language):
        check.fail(f"{path}.language", "must be a BCP 47 tag such as en or pt-BR")
    check.enum(f"{path}.pace", brief.pace, scenewriter_pb2.Pace.DESCRIPTOR)
    check.enum(f"{path}.writer", brief.writer, scenewriter_pb2.Writer.DESCRIPTOR)
    check.enum(f"{path}.pipeline", brief.pipeline, scenewriter_pb2.Pipeline.DESCRIPTOR)
    if check.count(f"{path}.section_wishes", brief.section_wishes, 500):
        for i, wish in enumerate(brief.section_wishes):
            check.number(f"{path}.section_wishes[{i}].section_index", wish.section_index, 0, 10_000)
            check.text(f"{path}.section_wishes[{i}].text", wish.text, 2_000)
    check.number(
        f"{path}.cut_anticipation_frames", brief.cut_anticipation_frames, 0, MAX_CUT_ANTICIPATION
    )


def _analysis(check: _Check, path: str, wishes: resources_pb2.AnalysisWishes) -> None:
    """Whether the wishes make sense; what an analyzer takes of them it says itself."""
    if check.count(f"{path}.features", wishes.features, MAX_FEATURES):
        for i, feature in enumerate(wishes.features):
            check.enum(f"{path}.features[{i}]", feature, analyzer_pb2.Feature.DESCRIPTOR)
            if not feature:
                check.fail(f"{path}.features[{i}]", "is unspecified; name a feature or none")
    options = wishes.options
    if options.lyrics:
        check.fail(f"{path}.options.lyrics", "must be empty: the words go into spec.lyrics")
    if options.language and not _LANGUAGE.fullmatch(options.language):
        check.fail(f"{path}.options.language", "must be a BCP 47 tag such as en or pt-BR")
    low, high = options.min_tempo_bpm, options.max_tempo_bpm
    for name, tempo in (("min_tempo_bpm", low), ("max_tempo_bpm", high)):
        if not math.isfinite(tempo) or tempo < 0:
            check.fail(f"{path}.options.{name}", "must be a tempo in BPM, or 0 for the default")
            return
    if low and high and low >= high:
        check.fail(
            f"{path}.options.max_tempo_bpm", f"is {high:g}, but must be above the lowest, {low:g}"
        )
    check.number(f"{path}.options.max_tags", options.max_tags, 0, 1000)


def _cast_member(check: _Check, path: str, member: storyboard_pb2.CastMember) -> None:
    check.line(f"{path}.id", member.id, 63)
    check.line(f"{path}.name", member.name, 200)
    check.text(f"{path}.look", member.look, 2_000)
    check.text(f"{path}.wardrobe", member.wardrobe, 2_000)
    if check.count(f"{path}.reference_images", member.reference_images, 8):
        for i, image in enumerate(member.reference_images):
            check.artifact(f"{path}.reference_images[{i}]", image, required=True)


class _Check:
    """Collects violations, so that a caller learns of all of them at once."""

    def __init__(self) -> None:
        self._violations: list[tuple[str, str]] = []

    def fail(self, path: str, why: str) -> None:
        self._violations.append((path, why))

    def done(self) -> None:
        if self._violations:
            summary = "; ".join(f"{path} {why}" for path, why in self._violations[:5])
            raise InvalidArgument(summary, field_violations=self._violations)

    def number(self, path: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            top = "2^63 - 1" if high == 2**63 - 1 else str(high)
            self.fail(path, f"is {value}, but must be {low} to {top}")

    def enum(self, path: str, value: int, enum: EnumDescriptor) -> None:
        if value not in enum.values_by_number:
            names = ", ".join(item.name for item in enum.values if item.number)
            self.fail(path, f"is {value}, which is none of {names}")

    def count(self, path: str, items: Collection[str | Message | int], most: int) -> bool:
        if len(items) > most:
            self.fail(path, f"has {len(items)} entries; at most {most} are allowed")
            return False
        return True

    def text(self, path: str, text: str, most: int) -> bool:
        """Text of several lines."""
        if len(text) > most:
            self.fail(path, f"has {len(text)} characters; at most {most} are allowed")
        elif found := _CONTROL.search(text):
            self.fail(path, f"has the control character U+{ord(found.group()):04X} in it")
        else:
            return True
        return False

    def line(self, path: str, text: str, most: int) -> None:
        """Text of one line."""
        if self.text(path, text, most) and _LINE_END.search(text):
            self.fail(path, "must be a single line")

    def artifact(self, path: str, ref: common_pb2.ArtifactRef, *, required: bool) -> None:
        """A reference's form; whether it exists is asked of the store."""
        if required and not ref.uri:
            self.fail(f"{path}.uri", "is required: upload the file first")
        elif len(ref.uri) > 2_000 or _CONTROL.search(ref.uri):
            self.fail(f"{path}.uri", "is no URI of an uploaded file")
        if ref.sha256 and not _SHA256.fullmatch(ref.sha256):
            self.fail(f"{path}.sha256", "must be 64 lower-case hexadecimal digits")
        if ref.size_bytes < 0:
            self.fail(f"{path}.size_bytes", "must not be negative")

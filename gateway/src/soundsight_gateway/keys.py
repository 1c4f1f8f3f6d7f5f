"""Where keys come from. No other module, and no other service, derives one.

A key names a result by everything that can change it, so that a result whose key exists is used
instead of made again. It is the SHA-256, in lower-case hexadecimal digits, of the RFC 8785
canonical JSON of

    {"kind": ..., "version": ..., <material>}

where the material holds exactly the inputs that the result depends on, and the fingerprint of the
code that makes it. Serialised protobuf is never hashed, because its bytes are not canonical.
Messages become JSON by these rules:

- a field that has its default value is left out, so that a contract that gains a field keeps its
  keys;
- 64-bit integers are strings, since JSON numbers are exact only to 2^53; enums are names; bytes are
  hexadecimal digits;
- an `ArtifactRef` is its SHA-256: what counts is the bytes, not where they lie.

A change here makes every stored result unreachable. `tests/test_keys.py` holds golden keys.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import rfc8785
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from soundsight.analyzer.v1 import analyzer_pb2
from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2
from soundsight.render.v1 import resources_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2
from soundsight.videogen.v1 import videogen_pb2
from soundsight_kit.errors import FailedPrecondition, InvalidArgument

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

ALWAYS_CONSUMED: Final = (
    "shot_frames",
    "handle_in_frames",
    "handle_out_frames",
    "frame_rate",
    "resolution",
    "internal_resolution",
    "encoder",
)
"""Inputs of a clip that are in its key whatever the backend declares: they shape every file."""

NEVER_CONSUMED: Final = frozenset(
    {
        "project",
        "output_key",
        "expected_fingerprint",
        "detach_grace",
        "priority",
        "preview_interval",
        "store_last_frame",
    }
)
"""Fields of a clip's request that say how it is worked on, not what is filmed."""


def clip_key(
    request: videogen_pb2.GenerateClipRequest,
    *,
    consumed_inputs: Sequence[str],
    fingerprint: str,
    predecessor: str = "",
) -> str:
    """The key of a clip.

    Args:
        request: what is to be filmed.
        consumed_inputs: the paths that the backend declares it consumes
            (`VideoGenProfile.consumed_inputs`); a path to a message means all of its fields.
        fingerprint: the backend's.
        predecessor: key of the take that this one is chained to. Its last picture is this one's
            first, so its key stands for `start_image`, and a chain's keys are known before any
            of it is filmed.

    Raises FailedPrecondition when the backend declares a path that cannot be consumed.
    """
    paths = [
        path
        for path in consumed_inputs
        if not (predecessor and path.split(".")[0] == "start_image")
    ]
    material: dict[str, Json] = {
        "fingerprint": fingerprint,
        "inputs": dict(_leaves(request, [*ALWAYS_CONSUMED, *_checked(paths)])),
    }
    if predecessor:
        material["predecessor"] = predecessor
    if request.store_last_frame:
        # A clip that was stored without its last picture cannot start a chain.
        material["last_frame"] = True
    return _digest("clip", 1, material)


def song_key(sha256: str, excerpt: resources_pb2.Excerpt | None, fingerprint: str) -> str:
    """The key of a canonical song: the original's digest, the excerpt, the decoder's
    fingerprint."""
    material: dict[str, Json] = {"song": sha256, "fingerprint": fingerprint}
    if excerpt is not None:
        material["excerpt"] = canonical(excerpt)
    return _digest("song", 1, material)


def analysis_key(
    song_sha256: str,
    features: Iterable[analyzer_pb2.Feature.ValueType],
    options: analyzer_pb2.AnalyzeOptions,
    fingerprint: str,
) -> str:
    """The key of an analysis: the canonical song's digest, what is asked, the analyzer's
    fingerprint. The order in which features are asked for does not matter."""
    names: list[Json] = [*sorted({analyzer_pb2.Feature.Name(feature) for feature in features})]
    return _digest(
        "analysis",
        1,
        {
            "song": song_sha256,
            "features": names,
            "options": canonical(options),
            "fingerprint": fingerprint,
        },
    )


def storyboard_key(
    request: scenewriter_pb2.WriteStoryboardRequest, analysis: str, fingerprint: str
) -> str:
    """The key of a storyboard: the request with the analysis' digest in its place, and the
    writer's fingerprint. How fast the backend was measured to be changes no storyboard."""
    plain = scenewriter_pb2.WriteStoryboardRequest()
    plain.CopyFrom(request)
    plain.ClearField("analysis")
    plain.video.ClearField("seconds_per_frame")
    return _digest(
        "storyboard",
        1,
        {"request": canonical(plain), "analysis": analysis, "fingerprint": fingerprint},
    )


def composition_key(request: composer_pb2.ComposeRequest, fingerprint: str) -> str:
    """The key of a finished video: clips and song by their digests, all else by value, and the
    composer's fingerprint."""
    plain = composer_pb2.ComposeRequest()
    plain.CopyFrom(request)
    for field in ("project", "output_key", "detach_grace"):
        plain.ClearField(field)
    return _digest("composition", 1, {"request": canonical(plain), "fingerprint": fingerprint})


def spec_digest(spec: resources_pb2.RenderSpec) -> str:
    """Names a spec as it was sent, so that two calls can be told to ask for the same."""
    return _digest("spec", 1, {"spec": canonical(spec)})


def canonical(message: Message) -> Json:
    """A message as JSON by the rules of this module."""
    if isinstance(message, common_pb2.ArtifactRef):
        return message.sha256
    return {field.name: _value(field, value) for field, value in message.ListFields()}


def _digest(kind: str, version: int, material: Mapping[str, Json]) -> str:
    document = {"kind": kind, "version": version, **material}
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def _value(field: FieldDescriptor, value: Any) -> Json:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        of_value = entry.fields_by_name["value"]
        return {str(key): _single(of_value, item) for key, item in value.items()}
    if field.is_repeated:
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Json:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return canonical(value)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else int(value)
    if kind in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return str(value)
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        if not math.isfinite(value):
            raise InvalidArgument(f"{field.full_name} must be a finite number", field=field.name)
        return float(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes(value).hex()
    return value  # type: ignore[no-any-return]  # bool, int32 or str


def _leaves(message: Message, paths: Iterable[str]) -> Iterator[tuple[str, Json]]:
    """The values at `paths`, messages broken up into their fields: `shot` and the list of all the
    paths below it give the same leaves."""
    for path in paths:
        yield from _leaves_below(message, path.split("."), ())


def _leaves_below(
    message: Message, path: Sequence[str], walked: tuple[str, ...]
) -> Iterator[tuple[str, Json]]:
    for field, value in message.ListFields():
        if path and field.name != path[0]:
            continue
        here, rest = (*walked, field.name), path[1:]
        plain = field.is_repeated or field.cpp_type != FieldDescriptor.CPPTYPE_MESSAGE
        if plain or isinstance(value, common_pb2.ArtifactRef):
            yield ".".join(here), _value(field, value)
        else:
            yield from _leaves_below(value, rest, here)


def _checked(paths: Sequence[str]) -> Sequence[str]:
    """Returns `paths` when each names an input: an unknown one would cover nothing, unnoticed."""
    for path in paths:
        descriptor: Descriptor | None = videogen_pb2.GenerateClipRequest.DESCRIPTOR
        for depth, name in enumerate(path.split(".")):
            field = descriptor.fields_by_name.get(name) if descriptor is not None else None
            if field is None or (depth == 0 and name in NEVER_CONSUMED):
                raise FailedPrecondition(
                    f"the video backend declares that it consumes {path!r}, which is no input of a "
                    "clip; correct consumed_inputs in its profile",
                    reason="UNKNOWN_CONSUMED_INPUT",
                )
            descriptor = None if field.is_repeated else field.message_type
    return paths

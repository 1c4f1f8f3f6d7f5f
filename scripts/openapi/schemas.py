"""Schemas of messages: their canonical protobuf JSON (https://protobuf.dev/programming-guides/json).

A schema describes what the gateway sends and what is best sent to it. The parser takes more: names
as the contracts spell them, numbers for 64-bit integers and for values of enums, null for what is
left out. To describe that too would make each field of a generated client a union.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from google.api import field_behavior_pb2 as behavior
from google.protobuf.descriptor import FieldDescriptor

from openapi.comments import Comments

Schema = dict[str, Any]

_SCALARS: Final[dict[int, Schema]] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    # JSON has no numerals for these three.
    FieldDescriptor.TYPE_DOUBLE: {
        "type": ["number", "string"],
        "format": "double",
        "pattern": "^(NaN|-?Infinity)$",
    },
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
}
"""Schemas of the scalar types that the API has."""
_INLINE: Final[dict[str, Schema]] = {
    "google.protobuf.FieldMask": {
        "type": "string",
        "description": "Names of fields, separated by commas.",
    },
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}
"""Messages whose JSON is a string."""
_ANY: Final[Schema] = {
    "type": "object",
    "description": "A message of the type that `@type` names, with that message's fields.",
    "properties": {
        "@type": {
            "type": "string",
            "description": "Such as `type.googleapis.com/google.rpc.ErrorInfo`.",
        }
    },
    "required": ["@type"],
}
_WORDS: Final = {
    "google.protobuf.Empty": "It is done, and there is nothing more to say.",
    "google.rpc.Status": "Why something failed.",
    "google.rpc.Status.code": "A number of google.rpc.Code, such as 5 for NOT_FOUND.",
    "google.rpc.Status.message": "One sentence for a person, in English.",
    "google.rpc.Status.details": (
        "`google.rpc.ErrorInfo` is always among them: its reason is the stable name to program "
        "against."
    ),
}
"""Our words for messages of others, whose comments are not ours."""


class Schemas:
    """Schemas of messages and enums, each made when it is first asked for."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self._made: dict[str, Schema] = {}
        self._sources: dict[str, tuple[str, ...]] = {}

    @property
    def components(self) -> dict[str, Schema]:
        """Whatever was asked for, and what that refers to, by name."""
        return dict(sorted(self._made.items()))

    def ref(self, kind: Any, *, without: Collection[str] = ()) -> Schema:
        """A reference to the schema of a message's or an enum's descriptor.

        Args:
            without: fields that do not belong to it, since they stand in the path.

        Raises ValueError when two schemas would have one name.
        """
        name: str = kind.name
        source = (kind.full_name, *sorted(without))
        if self._sources.setdefault(name, source) != source:
            raise ValueError(f"{source} and {self._sources[name]} would be one schema {name!r}")
        if name not in self._made:
            self._made[name] = {}
            self._made[name] |= self._component(kind, without)
        return {"$ref": f"#/components/schemas/{name}"}

    def value(self, field: Any) -> Schema:
        """The schema of what a field holds. Raises ValueError for a type that is not known here."""
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            key, value = kind.fields
            if key.type != FieldDescriptor.TYPE_STRING:
                raise ValueError(f"{field.full_name}: only maps from strings are known here")
            return {"type": "object", "additionalProperties": self._single(value)}
        if field.is_repeated:
            return {"type": "array", "items": self._single(field)}
        return self._single(field)

    def comment(self, full_name: str) -> str:
        """What is said of a message, a field or an enum."""
        return _WORDS.get(full_name) or self._comments.of(full_name)

    def _single(self, field: Any) -> Schema:
        if field.message_type is not None:
            inline = _INLINE.get(field.message_type.full_name)
            return inline or self.ref(field.message_type)
        if field.enum_type is not None:
            return self.ref(field.enum_type)
        if field.type not in _SCALARS:
            raise ValueError(f"{field.full_name}: its type has no schema here")
        return _SCALARS[field.type]

    def _component(self, kind: Any, without: Collection[str]) -> Schema:
        if hasattr(kind, "values"):
            return self._enum(kind)
        if kind.full_name == "google.protobuf.Any":
            return _ANY
        return self._message(kind, without)

    def _message(self, kind: Any, without: Collection[str]) -> Schema:
        fields = [field for field in kind.fields if field.name not in without]
        schema: Schema = {
            "type": "object",
            "description": self.comment(kind.full_name),
            "properties": {field.json_name: self._property(field) for field in fields},
            "additionalProperties": False,
        }
        required = [field.json_name for field in fields if is_required(field)]
        if required:
            schema["required"] = required
        for choice in kind.oneofs:
            if _is_optional(choice):
                continue
            names = ", ".join(f"`{field.json_name}`" for field in choice.fields)
            schema["description"] += f"\n\nAt most one of {names}."
            if list(choice.fields) == fields:
                schema["maxProperties"] = 1
        return schema

    def _property(self, field: Any) -> Schema:
        schema = {**self.value(field), "description": self.comment(field.full_name)}
        if _behaves(field, behavior.OUTPUT_ONLY, behavior.IDENTIFIER):
            schema["readOnly"] = True
        return schema

    def _enum(self, kind: Any) -> Schema:
        said = {value.name: self.comment(f"{kind.full_name}.{value.name}") for value in kind.values}
        values = "\n".join(f"- `{name}`: {words}" for name, words in said.items())
        return {
            "type": "string",
            "description": f"{self.comment(kind.full_name)}\n\n{values}",
            "enum": list(said),
            # Redoc and Scalar show these where a field's own description stands before the enum's.
            "x-enumDescriptions": said,
        }


def is_required(field: Any) -> bool:
    """Whether a field must be given: one that is left out holds what is refused."""
    return _behaves(field, behavior.REQUIRED)


def _behaves(field: Any, *wanted: int) -> bool:
    return bool(set(field.GetOptions().Extensions[behavior.field_behavior]) & set(wanted))


def _is_optional(choice: Any) -> bool:
    """Whether a oneof is the compiler's way to write down a field that is `optional`."""
    return [f"_{field.name}" for field in choice.fields] == [choice.name]

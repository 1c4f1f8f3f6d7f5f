"""Strategies for protobuf messages, made from their descriptors alone.

Two ways to a request: *from nothing*, where any field may hold anything, and *from a good one*, of
which a few fields are changed, so that it gets past the first checks to what lies behind them.
Everything drawn fits on the wire: it is what any caller in any language can send.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

M = TypeVar("M", bound=Message)
Draw = st.DrawFn

DEPTH: Final = 4
"""How deep messages made from nothing are nested."""

_INTS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_EDGES: Final = (0, 1, -1, 2, 3, 7, 24, 255, 256, 1000, 65_535, 10**6, 10**9, 2**40, 10**15)
_FLOATS: Final = (
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 120.0, 1e-300, 5e-324, 1e9, 1e18, 1e38, 1.7e308, -1.7e308,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
_TEXTS: Final = (
    "", " ", "\n", "\x00", "a\x00b", "a/b", "..", "../../etc/passwd", "%2e%2e%2f", "a" * 300,
    "\u202egnp.exe", "\ufeff", "\u2028", "é", "ﬀ", "İ", "ß", "👩‍👩‍👧", "\U0010ffff", "\ud7ff",
    "´´'\";--", "{}{0}%s%n", "$(id)", "-i", "file:///etc/passwd", "s3://b/k", "http://[::1]/",
    "NaN", "1e999", "٣", "null", "\\", "*",
)  # fmt: skip
_LONG_TEXTS: Final = ("x" * 4_000, "й" * 12_000, "🎵 " * 40_000)
_UNKNOWN_ENUMS: Final = (-1, 99, 2**31 - 1, -(2**31))


def requests(*good: M, words: Sequence[str] = ()) -> st.SearchStrategy[M]:
    """Messages of one type: changed copies of good ones mostly, others made from nothing.

    Args:
        good: messages that a server takes; the first gives the type.
        words: texts that mean something to the server, such as names and URIs.
    """
    from_nothing = messages(type(good[0]), words)
    return rarely(from_nothing, otherwise=_changed(good, tuple(words)))


@st.composite
def rarely(draw: Draw, strategy: st.SearchStrategy[Any], otherwise: st.SearchStrategy[Any]) -> Any:
    """One strategy in one case of eight, another in all others. (`one_of` gives equal shares.)"""
    return draw(strategy if draw(_RARELY) else otherwise)


def messages(kind: type[M], words: Sequence[str] = ()) -> st.SearchStrategy[M]:
    """Messages of a type with anything in them, nested, with fields that the type does not have."""
    made: st.SearchStrategy[M] = _message(kind.DESCRIPTOR, tuple(words), DEPTH)
    return made


@functools.cache
def _message(kind: Descriptor, words: tuple[str, ...], depth: int) -> st.SearchStrategy[Any]:
    return _filled(kind, words, depth)


@st.composite
def _filled(draw: Draw, kind: Descriptor, words: tuple[str, ...], depth: int) -> Any:
    message = GetMessageClass(kind)()
    fields = kind.fields
    # One draw for all fields: which of them are set.
    present = draw(_masks(len(fields)))
    for place, field in enumerate(fields):
        if present >> place & 1:
            _set(draw, message, field, words, depth)
    if not fields or draw(_RARELY):
        _add_unknown(draw, message)
    return message


@st.composite
def _changed(draw: Draw, good: tuple[Message, ...], words: tuple[str, ...]) -> Any:
    chosen = good[draw(_below(len(good)))]
    message = type(chosen)()
    message.CopyFrom(chosen)
    for _ in range(draw(_CHANGES)):
        _change(draw, message, words)
    return message


def _change(draw: Draw, message: Message, words: tuple[str, ...]) -> None:
    """Changes one thing in a message, at whatever depth."""
    given: list[Any] = [field for field, _ in message.ListFields()]
    fields: Sequence[Any] = message.DESCRIPTOR.fields
    if given and not draw(_RARELY):
        fields = given
    if not fields:
        _add_unknown(draw, message)
        return
    field = fields[draw(_below(len(fields)))]
    holder: Any = getattr(message, field.name)
    if _is_map(field):
        _set(draw, message, field, words, 1)
    elif field.is_repeated:
        _change_list(draw, message, field, words)
    elif field.message_type is None:
        _set(draw, message, field, words, 1)
    elif draw(_RARELY):
        message.ClearField(field.name)
    elif draw(_RARELY):
        _set(draw, message, field, words, 2)
    else:
        _change(draw, holder, words)
        holder.SetInParent()


def _change_list(
    draw: Draw, message: Message, field: FieldDescriptor, words: tuple[str, ...]
) -> None:
    """Changes, adds, removes, repeats or exchanges entries."""
    entries: Any = getattr(message, field.name)
    if not entries:
        _set(draw, message, field, words, 2)
        return
    at, what = draw(_below(len(entries))), draw(_below(8))
    if what == 0:
        message.ClearField(field.name)
    elif what == 1:
        del entries[at]
    elif what == 2:
        del entries[at:]
    elif what == 3:
        entries.append(entries[at])
    elif what == 4:
        copies = [entries[at]] * draw(_COPIES)
        entries.extend(copies)
    elif what == 5 or field.message_type is None:
        if field.message_type is not None:
            entries.append(draw(_message(field.message_type, words, 2)))
        else:
            entries[at] = draw(_scalar(field, words))
    else:
        _change(draw, entries[at], words)


def _set(
    draw: Draw, message: Message, field: FieldDescriptor, words: tuple[str, ...], depth: int
) -> None:
    """Gives a field some value."""
    if _is_map(field):
        assert field.message_type is not None
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        entries: Any = getattr(message, field.name)
        for _ in range(1 + draw(_below(3))):
            if value.message_type is None:
                entries[draw(_scalar(key, words))] = draw(_scalar(value, words))
            else:
                entries[draw(_scalar(key, words))].SetInParent()
    elif field.is_repeated:
        held: Any = getattr(message, field.name)
        for _ in range(1 + draw(_below(3))):
            if field.message_type is None:
                held.append(draw(_scalar(field, words)))
            elif depth:
                held.append(draw(_message(field.message_type, words, depth - 1)))
    elif field.message_type is None:
        setattr(message, field.name, draw(_scalar(field, words)))
    else:
        held = getattr(message, field.name)
        held.SetInParent()
        if depth:
            held.CopyFrom(draw(_message(field.message_type, words, depth - 1)))


def _add_unknown(draw: Draw, message: Message) -> None:
    """Adds a field of a later version of the contract."""
    payload = draw(st.binary(max_size=40))
    message.MergeFromString(b"\xfa\x7f" + bytes([len(payload)]) + payload)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _scalar(field: FieldDescriptor, words: tuple[str, ...]) -> st.SearchStrategy[Any]:
    numbers = () if field.enum_type is None else tuple(field.enum_type.values_by_number)
    return _scalars(field.cpp_type, field.type, numbers, words)


@functools.cache
def _scalars(
    kind: int, wire: int, numbers: tuple[int, ...], words: tuple[str, ...]
) -> st.SearchStrategy[Any]:
    """Values of a scalar type: those that break things, those that mean something, any."""
    if kind in _INTS:
        low, high = _INTS[kind]
        edges = [edge for edge in (*_EDGES, low, low + 1, high, high - 1) if low <= edge <= high]
        return st.one_of(st.sampled_from(edges), st.integers(low, high), st.integers(0, 100))
    if kind == FieldDescriptor.CPPTYPE_DOUBLE:
        return st.one_of(st.sampled_from(_FLOATS), st.floats(), st.floats(0.0, 10.0))
    if kind == FieldDescriptor.CPPTYPE_FLOAT:
        return st.floats(width=32)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([*numbers, *_UNKNOWN_ENUMS])
    if wire == FieldDescriptor.TYPE_BYTES:
        return st.one_of(st.binary(max_size=40), st.sampled_from([b"\x80" * 300, b"\0" * 70_000]))
    texts = st.text(st.characters(codec="utf-8"), max_size=12)
    known = st.sampled_from(words or _TEXTS)
    odd = st.sampled_from(_TEXTS * 4 + _LONG_TEXTS)
    return rarely(st.one_of(texts, st.builds(_joined, known, texts)), st.one_of(known, odd))


def _joined(one: str, other: str) -> str:
    return one + other


@functools.cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


@functools.cache
def _masks(fields: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**fields - 1)


_RARELY: Final = st.sampled_from((False,) * 7 + (True,))
_CHANGES: Final = st.sampled_from((1, 1, 1, 1, 1, 2, 2, 3, 5, 0))
_COPIES: Final = st.sampled_from((1, 2, 5, 70, 600))

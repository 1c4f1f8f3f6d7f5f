"""The little of protobuf's wire format that TensorFlow's checkpoints need, read by hand."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at ``at`` and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in order: number, and value as a number or as bytes."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = read_varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = read_varint(message, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}[kind]
        yield number, message[at : at + size]
        at += size


def first_number(message: bytes, number: int) -> int:
    """The first value of a numeric field, or 0."""
    for found, value in read_fields(message):
        if found == number and isinstance(value, int):
            return value
    return 0


def messages(message: bytes, number: int) -> Iterator[bytes]:
    """The values of a field that holds messages, strings or bytes."""
    for found, value in read_fields(message):
        if found == number and isinstance(value, bytes):
            yield value

"""Reads the variables of a TensorFlow 1 checkpoint without TensorFlow.

A V2 checkpoint is a pair of files: an index, which is a sorted table in LevelDB's format, and the
tensors' bytes. Source of the format: tensorflow/core/util/tensor_bundle and
tensorflow/core/lib/io/table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from protobuf_wire import first_number, messages, read_varint

_TABLE_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}

# Fields of tensorflow.BundleEntryProto and tensorflow.TensorShapeProto.
_ENTRY_DTYPE, _ENTRY_SHAPE, _ENTRY_OFFSET, _ENTRY_SIZE = 1, 2, 4, 5
_SHAPE_DIM, _DIM_SIZE = 2, 1


def read_checkpoint(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The variables by name, from the bytes of `.index` and `.data-00000-of-00001`."""
    footer = index[-_FOOTER_BYTES:]
    if struct.unpack("<Q", footer[-8:])[0] != _TABLE_MAGIC:
        raise ValueError("this is not a TensorFlow checkpoint index")
    at = 0
    for _ in range(2):  # offset and size of the table's meta index, which bundles leave empty
        _, at = read_varint(footer, at)
    tensors = {}
    for _, handle in _block(index, *_two_varints(footer[at:])):
        for key, entry in _block(index, *_two_varints(handle)):
            if key:  # the empty key holds the bundle's header
                tensors[key.decode()] = _tensor(entry, data)
    return tensors


def _two_varints(data: bytes) -> tuple[int, int]:
    first, at = read_varint(data, 0)
    return first, read_varint(data, at)[0]


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; keys share prefixes with the key before them."""
    if index[offset + size] != 0:
        raise ValueError("the checkpoint's index is compressed")
    block = index[offset : offset + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    end = len(block) - 4 - 4 * restarts
    at = 0
    key = b""
    while at < end:
        shared, at = read_varint(block, at)
        added, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + length]
        at += length


def _tensor(entry: bytes, data: bytes) -> np.ndarray:
    shape = [
        first_number(dim, _DIM_SIZE)
        for dims in messages(entry, _ENTRY_SHAPE)
        for dim in messages(dims, _SHAPE_DIM)
    ]
    offset = first_number(entry, _ENTRY_OFFSET)
    size = first_number(entry, _ENTRY_SIZE)
    dtype = _DTYPES[first_number(entry, _ENTRY_DTYPE)]
    return np.frombuffer(data[offset : offset + size], dtype).reshape(shape)

"""Writes TensorFlow graphs (tensorflow.GraphDef) without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from protobuf_wire import bytes_field, float_field, number_field, varint

_FLOAT, _INT32 = 1, 3
_PRODUCER = 134  # the graph version of TensorFlow 1.15, which every later one reads

# Field numbers of GraphDef, NodeDef, AttrValue, TensorProto and TensorShapeProto.
_GRAPH_NODE, _GRAPH_VERSIONS = 1, 4
_NODE_NAME, _NODE_OP, _NODE_INPUT, _NODE_ATTR = 1, 2, 3, 5
_ATTR_LIST, _ATTR_STRING, _ATTR_INT, _ATTR_FLOAT = 1, 2, 3, 4
_ATTR_BOOL, _ATTR_TYPE, _ATTR_SHAPE, _ATTR_TENSOR = 5, 6, 7, 8
_LIST_INT = 3


class Graph:
    """A graph under construction. Every method adds one node and returns its name."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []

    def serialise(self) -> bytes:
        versions = bytes_field(_GRAPH_VERSIONS, number_field(1, _PRODUCER))
        return b"".join(self._nodes) + versions

    def node(self, name: str, op: str, inputs: Sequence[str] = (), **attrs: bytes) -> str:
        message = bytes_field(_NODE_NAME, name) + bytes_field(_NODE_OP, op)
        for source in inputs:
            message += bytes_field(_NODE_INPUT, source)
        for key in sorted(attrs):
            entry = bytes_field(1, key.rstrip("_")) + bytes_field(2, attrs[key])
            message += bytes_field(_NODE_ATTR, entry)
        self._nodes.append(bytes_field(_GRAPH_NODE, message))
        return name

    def placeholder(self, name: str, shape: Sequence[int]) -> str:
        """An input of floats; a dimension of -1 is not fixed."""
        return self.node(name, "Placeholder", dtype=a_type(_FLOAT), shape=a_shape(shape))

    def constant(self, name: str, values: np.ndarray) -> str:
        array = np.asarray(values)
        dtype = _INT32 if array.dtype.kind == "i" else _FLOAT
        content = array.astype("<i4" if dtype == _INT32 else "<f4").tobytes()
        tensor = (
            number_field(1, dtype) + bytes_field(2, _dims(array.shape)) + bytes_field(4, content)
        )
        value = bytes_field(_ATTR_TENSOR, tensor)
        return self.node(name, "Const", dtype=a_type(dtype), value=value)

    def unary(self, name: str, op: str, source: str) -> str:
        return self.node(name, op, [source], T=a_type(_FLOAT))

    def binary(self, name: str, op: str, left: str, right: str) -> str:
        return self.node(name, op, [left, right], T=a_type(_FLOAT))

    def matmul(self, name: str, left: str, right: str) -> str:
        no = a_bool(False)
        return self.node(
            name, "MatMul", [left, right], T=a_type(_FLOAT), transpose_a=no, transpose_b=no
        )

    def conv2d(
        self, name: str, source: str, kernel: np.ndarray, bias: np.ndarray, padding: str
    ) -> str:
        """Convolution with stride 1, bias and ReLU over (batch, time, bands, channels)."""
        inputs = [source, self.constant(f"{name}/kernel", kernel)]
        convolved = self.node(
            f"{name}/Conv2D",
            "Conv2D",
            inputs,
            T=a_type(_FLOAT),
            strides=a_list([1, 1, 1, 1]),
            padding=a_string(padding),
            data_format=a_string("NHWC"),
        )
        biased = self.node(
            f"{name}/BiasAdd",
            "BiasAdd",
            [convolved, self.constant(f"{name}/bias", bias)],
            T=a_type(_FLOAT),
            data_format=a_string("NHWC"),
        )
        return self.unary(f"{name}/Relu", "Relu", biased)

    def batch_norm(
        self, name: str, source: str, parameters: Sequence[np.ndarray], epsilon: float
    ) -> str:
        """Inference over the last axis of 4-D data; parameters: gamma, beta, mean, variance."""
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        constants = [
            self.constant(f"{name}/{part}", values)
            for part, values in zip(parts, parameters, strict=True)
        ]
        return self.node(
            name,
            "FusedBatchNormV3",
            [source, *constants],
            T=a_type(_FLOAT),
            U=a_type(_FLOAT),
            epsilon=a_float(epsilon),
            data_format=a_string("NHWC"),
            is_training=a_bool(False),
        )

    def max_over_bands(self, name: str, source: str, bands: int) -> str:
        """(batch, time, bands, channels) to (batch, time, channels)."""
        pooled = self.node(
            f"{name}/MaxPool",
            "MaxPool",
            [source],
            T=a_type(_FLOAT),
            ksize=a_list([1, 1, bands, 1]),
            strides=a_list([1, 1, bands, 1]),
            padding=a_string("VALID"),
            data_format=a_string("NHWC"),
        )
        return self.node(name, "Squeeze", [pooled], T=a_type(_FLOAT), squeeze_dims=a_list([2]))

    def pad_time(self, name: str, source: str, frames: int) -> str:
        padding = np.array([[0, 0], [frames, frames], [0, 0], [0, 0]], dtype=np.int32)
        inputs = [source, self.constant(f"{name}/paddings", padding)]
        return self.node(name, "Pad", inputs, T=a_type(_FLOAT), Tpaddings=a_type(_INT32))

    def with_integers(
        self,
        name: str,
        op: str,
        sources: Sequence[str],
        numbers: object,
        index_attr: str,
        **attrs: bytes,
    ) -> str:
        """An operation whose last input is a constant of integers (axes, a shape, a
        permutation)."""
        constant = self.constant(f"{name}/numbers", np.asarray(numbers, dtype=np.int32))
        attrs[index_attr] = a_type(_INT32)
        return self.node(name, op, [*sources, constant], T=a_type(_FLOAT), **attrs)


def a_type(value: int) -> bytes:
    return number_field(_ATTR_TYPE, value)


def a_bool(value: bool) -> bytes:
    return number_field(_ATTR_BOOL, int(value))


def a_number(value: int) -> bytes:
    return number_field(_ATTR_INT, value)


def a_float(value: float) -> bytes:
    return float_field(_ATTR_FLOAT, value)


def a_string(value: str) -> bytes:
    return bytes_field(_ATTR_STRING, value)


def a_list(values: Sequence[int]) -> bytes:
    packed = b"".join(varint(value) for value in values)
    return bytes_field(_ATTR_LIST, bytes_field(_LIST_INT, packed))


def a_shape(shape: Sequence[int]) -> bytes:
    return bytes_field(_ATTR_SHAPE, _dims(shape))


def _dims(shape: Sequence[int]) -> bytes:
    return b"".join(bytes_field(2, number_field(1, size)) for size in shape)

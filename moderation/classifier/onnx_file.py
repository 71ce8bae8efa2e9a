"""The parts of an ONNX file, read without the package onnx: nodes and constants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Graph", "Node", "read_graph"]

_DTYPES: Final[dict[int, np.dtype[Any]]] = {
    1: np.dtype("<f4"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
}
"""By TensorProto.DataType; a graph with constants of another kind is left to ONNX Runtime."""
_VARINT, _EIGHT, _BLOCK, _FOUR = 0, 1, 2, 5
"""Wire types of protocol buffers."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator; `attributes` are its integers, by name."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """What a graph computes with; constants are views of the file's bytes."""

    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[Any]]
    outputs: tuple[str, ...]


def read_graph(raw: bytes) -> Graph | None:
    """Read a graph of plain nodes; None: it holds something that is not read here.

    Read are: operators of the standard set with one output and whole numbers as attributes, and
    constants of float32, int8, int32 and int64 stored in the file itself.
    """
    try:
        (graph,) = (value for number, value in _fields(memoryview(raw)) if number == 7)
        nodes = tuple(_node(value) for number, value in _fields(graph) if number == 1)
        constants = dict(_constant(value) for number, value in _fields(graph) if number == 5)
        named = (dict(_fields(value)) for number, value in _fields(graph) if number == 12)
        outputs = tuple(_text(value[1]) for value in named)
    except (ValueError, IndexError, KeyError, TypeError):
        return None
    return Graph(nodes, constants, outputs)


def _node(data: memoryview) -> Node:
    inputs, outputs, attributes, op = [], [], [], ""
    for number, value in _fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            op = _text(value)
        elif number == 5:
            attributes.append(_attribute(value))
        elif number == 7 and len(value):
            raise ValueError("an operator of another set")
    (output,) = outputs
    return Node(op, tuple(inputs), output, tuple(sorted(attributes)))


def _attribute(data: memoryview) -> tuple[str, int]:
    found = dict(_fields(data))
    if found.keys() != {1, 3, 20}:  # name, whole number, type
        raise ValueError("an attribute that is no whole number")
    return _text(found[1]), int(found[3])


def _constant(data: memoryview) -> tuple[str, NDArray[Any]]:
    shape: list[int] = []
    found: dict[int, Any] = {}
    for number, value in _fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        else:
            found[number] = value
    values: NDArray[Any] = np.frombuffer(found[9], _DTYPES[found[2]])  # raw bytes, of a type
    if math.prod(shape) != len(values):
        raise ValueError("a constant of another size than its shape")
    return _text(found[8]), values.reshape(shape)


def _packed(data: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def _text(data: memoryview) -> str:
    return bytes(data).decode("utf-8")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number that does not end")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a protocol buffer: a whole number, or the bytes of anything else."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {_EIGHT: 8, _FOUR: 4}.get(kind)
        if kind == _BLOCK:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError("not a protocol buffer")
        yield number, data[at : at + size]
        at += size

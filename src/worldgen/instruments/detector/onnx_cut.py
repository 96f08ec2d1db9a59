"""A part of an ONNX network: the layers up to one tensor, as a network of their own.

OpenCV runs whole networks. Asked for a tensor inside one, some versions hand out memory that a later layer has already
used again, and others know layers by other names; a network that ends at the tensor works in all of them.
"""

from __future__ import annotations

from worldgen.core.errors import InputError, Received
from worldgen.instruments.detector.onnx_shapes import (
    GRAPH,
    NODE,
    NODE_INPUT,
    NODE_OUTPUT,
    OUTPUT,
    message_of,
    raw_fields,
    text_of,
)

FLOAT = 1
"""Number of float32 among the types of TensorProto."""


def node_outputs(data: bytes) -> list[str]:
    """Names of the tensors that the layers of a model make, in the order of the file."""
    graph = _graph(data)
    return [name for number, _, value in raw_fields(graph) if number == NODE for name in _names(value, NODE_OUTPUT)]


def cut_onnx(data: bytes, tensor: str) -> bytes:
    """A model of the layers that ``tensor`` needs, with ``tensor`` as its only output.

    data: a model that :func:`worldgen.instruments.detector.onnx_shapes.onnx_shapes` reads. Raises: InputError when no
    layer makes the tensor.
    """
    fields = list(raw_fields(_graph(data)))
    nodes = [value for number, _, value in fields if number == NODE]
    wanted, kept = {tensor}, set()
    for i in reversed(range(len(nodes))):
        if wanted & set(_names(nodes[i], NODE_OUTPUT)):
            kept.add(i)
            wanted |= set(_names(nodes[i], NODE_INPUT))
    if not kept:
        raise InputError("tensor of the detector", tensor, "one that a layer of the file makes")
    graph, count = bytearray(), 0
    for number, raw, _ in fields:
        if number == OUTPUT:
            continue
        if number == NODE:
            count += 1
            if count - 1 not in kept:
                continue
        graph += raw
    kind = _field(1, _varint(1 << 3) + _varint(FLOAT) + _field(2, 4 * _field(1, b"")))  # four axes of open sizes
    graph += _field(OUTPUT, _field(1, tensor.encode()) + _field(2, kind))
    out = bytearray()
    for number, raw, _ in raw_fields(memoryview(data)):
        out += _field(GRAPH, bytes(graph)) if number == GRAPH else raw
    return bytes(out)


def _graph(data: bytes) -> memoryview:
    try:
        return next(message_of(value) for number, _, value in raw_fields(memoryview(data)) if number == GRAPH)
    except (ValueError, IndexError, StopIteration) as error:
        raise InputError("ONNX file", Received(f"other bytes ({error})"), "a model in the ONNX format") from error


def _names(node: int | memoryview, kind: int) -> list[str]:
    return [text_of(value) for number, _, value in raw_fields(message_of(node)) if number == kind]


def _field(number: int, value: bytes) -> bytes:
    """A field of bytes in the wire format of protocol buffers."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])

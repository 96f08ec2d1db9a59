"""Shapes of the inputs and outputs of an ONNX file, read from its bytes without the onnx package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worldgen.core.errors import InputError, Received

Shape = tuple[int | None, ...]
"""Sizes of the axes; None where the file leaves one open."""

GRAPH, NODE, _INITIALISER, _INPUT, OUTPUT = 7, 1, 5, 11, 12
NODE_INPUT, NODE_OUTPUT = 1, 2
"""Numbers of fields: of a model, a graph and a node."""
_NAME, _TYPE, _TENSOR_TYPE, _SHAPE, _DIM, _DIM_VALUE = 1, 2, 1, 2, 1, 1


@dataclass(frozen=True)
class OnnxShapes:
    """Name of each input and output -> its shape. Stored weights are no inputs, also in old files that list them."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


def onnx_shapes(data: bytes) -> OnnxShapes:
    """The shapes that an ONNX file declares.

    Source: onnx.proto of https://github.com/onnx/onnx (ModelProto.graph 7, GraphProto.node 1, initializer 5, input 11,
    output 12, NodeProto.input 1, output 2) and the wire format of protocol buffers.

    Raises:
        InputError: for bytes that are no ONNX model, and for a layer that reads what nothing before it makes: OpenCV
            may end the process on such a graph.
    """
    try:
        graphs = [value for number, value in _fields(memoryview(data)) if number == GRAPH]
        if len(graphs) != 1 or not isinstance(graphs[0], memoryview):
            raise ValueError("no graph")
        inputs: dict[str, Shape] = {}
        outputs: dict[str, Shape] = {}
        stored, nodes = set(), []
        for number, value in _fields(graphs[0]):
            if number in (_INPUT, OUTPUT):
                name, shape = _value(message_of(value))
                (inputs if number == _INPUT else outputs)[name] = shape
            elif number == _INITIALISER:
                stored.add(text_of(_first(message_of(value), 8)))
            elif number == NODE:
                nodes.append(message_of(value))
        _check_order(nodes, {"", *stored, *inputs})
    except (ValueError, IndexError) as error:
        raise InputError("ONNX file", Received(f"other bytes ({error})"), "a model in the ONNX format") from error
    return OnnxShapes({name: shape for name, shape in inputs.items() if name not in stored}, outputs)


def _check_order(nodes: list[memoryview], known: set[str]) -> None:
    """Raise ValueError for a node that reads a name that no input, weight or node before it makes.

    known: the names before the first node; the names of outputs are added.
    """
    for node in nodes:
        fields = [(number, text_of(value)) for number, value in _fields(node) if number in (NODE_INPUT, NODE_OUTPUT)]
        for number, name in fields:
            if number == NODE_INPUT and name not in known:
                raise ValueError(f"a layer reads {name[:40]!r}, which nothing before it makes")
        known |= {name for number, name in fields if number == NODE_OUTPUT}


def _value(message: memoryview) -> tuple[str, Shape]:
    """Name and shape of a ValueInfoProto."""
    name = text_of(_first(message, _NAME))
    tensor = _first(message_of(_first(message, _TYPE)), _TENSOR_TYPE)
    shape = _first(message_of(tensor), _SHAPE)
    axes: list[int | None] = []
    for number, dim in _fields(message_of(shape)):
        if number == _DIM:
            size = _first(message_of(dim), _DIM_VALUE)
            axes.append(size if isinstance(size, int) and size > 0 else None)
    return name, tuple(axes)


def _first(message: memoryview, wanted: int) -> int | memoryview | None:
    return next((value for number, value in _fields(message) if number == wanted), None)


def message_of(value: int | memoryview | None) -> memoryview:
    """A field as a message; absent ones are empty, as in protocol buffers."""
    if isinstance(value, int):
        raise ValueError("a number in place of a message")
    return memoryview(b"") if value is None else value


def text_of(value: int | memoryview | None) -> str:
    """A field as text. Raises: ValueError for a number and for bytes that are no UTF-8."""
    return bytes(message_of(value)).decode("utf-8")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or bytes that may be a message. Fixed-width numbers come as bytes."""
    return ((number, value) for number, _, value in raw_fields(message))


def raw_fields(message: memoryview) -> Iterator[tuple[int, memoryview, int | memoryview]]:
    """Number of each field, all its bytes, and its value as in :func:`_fields`.

    Raises: ValueError or IndexError for bytes that are no message.
    """
    place = 0
    while place < len(message):
        begin = place
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield number, message[begin:place], value
            continue
        if kind == 2:
            length, place = _varint(message, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"field of kind {kind}")
        if place + length > len(message):
            raise ValueError("a field that is cut off")
        yield number, message[begin : place + length], message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise ValueError("a number of more than 10 bytes")

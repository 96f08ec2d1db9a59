"""Small ONNX files for tests, written field by field without the onnx package."""

from __future__ import annotations

import numpy as np

FLOAT, INT64 = 1, 7


def field(number: int, value: int | str | bytes) -> bytes:
    """One field of a message: a number, or text and messages with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written in two's complement
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def tensor(name: str, array: np.ndarray) -> bytes:
    """A stored array, float32 or int64."""
    kind, array = (INT64, array.astype("<i8")) if array.dtype.kind == "i" else (FLOAT, array.astype("<f4"))
    dims = b"".join(field(1, int(side)) for side in array.shape)
    return dims + field(2, kind) + field(8, name) + field(9, array.tobytes())


def node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    """One operation. attributes: whole numbers and lists of them."""
    message = b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, output) + field(4, kind)
    for name, value in attributes.items():
        if isinstance(value, list):
            body = b"".join(field(8, each) for each in value) + field(20, 7)
        else:
            body = field(3, value) + field(20, 2)
        message += field(5, field(1, name) + body)
    return message


def value(name: str, shape: list[int | str]) -> bytes:
    """An input or output; text in a shape leaves the axis open."""
    dims = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


def model(
    nodes: list[bytes], tensors: list[bytes], inputs: list[bytes], outputs: list[bytes], *, opset: int = 11
) -> bytes:
    """A whole file."""
    graph = b"".join(field(1, each) for each in nodes) + field(2, "test")
    graph += b"".join(field(5, each) for each in tensors)
    graph += b"".join(field(11, each) for each in inputs) + b"".join(field(12, each) for each in outputs)
    return field(1, 6) + field(7, graph) + field(8, field(1, "") + field(2, opset))


COLOURS = {0: (0, 255, 0), 2: (255, 0, 0), 7: (0, 0, 255)}
"""COCO class -> RGB that the detector of ``yolox_of_colours`` takes for it: green persons, red cars, blue trucks."""
CELL_PX = 32


def yolox_of_colours(size_px: int = 64, *, classes: int = 80, decoded: bool = False) -> bytes:
    """A detector in the layout of YOLOX that finds each coloured square of 32 x 32 input pixels on a grid of 32.

    The cells of strides 8 and 16 find nothing. decoded: boxes come in pixels, as exports with decoding write them.
    """
    tensors, nodes, parts, cells = [], [], [], 0
    for stride in (8, 16, 32):
        side = size_px // stride
        cells += side**2
        score = np.zeros((1 + classes, 3, stride, stride))
        bias = np.full(1 + classes, -40.0)
        if (
            stride == CELL_PX
        ):  # logit of red: 40 (r - g - b) - 20 over the means of the cell, so grey and black are none
            bias[0] = 20.0
            for name, colour in COLOURS.items():
                sign = np.where(np.array(colour[::-1]) > 0, 1.0, -1.0)
                score[1 + name] = (40 * sign / stride**2 / 255)[:, None, None]
                bias[1 + name] = -20.0
        tensors += [
            tensor(f"score_weight{stride}", score), tensor(f"score_bias{stride}", bias),
            tensor(f"box_weight{stride}", np.zeros((4, 3, stride, stride))),
            tensor(f"box_bias{stride}", np.array([0.5, 0.5, 0.0, 0.0])),
            tensor(f"shape{stride}", np.array([1, 5 + classes, -1])),
        ]  # fmt: skip
        shape = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            node("Conv", ["images", f"score_weight{stride}", f"score_bias{stride}"], f"raw{stride}", **shape),
            node("Sigmoid", [f"raw{stride}"], f"score{stride}"),
            node("Conv", ["images", f"box_weight{stride}", f"box_bias{stride}"], f"box{stride}", **shape),
            node("Concat", [f"box{stride}", f"score{stride}"], f"both{stride}", axis=1),
            node("Reshape", [f"both{stride}", f"shape{stride}"], f"flat{stride}"),
        ]
        parts.append(f"flat{stride}")
    nodes.append(node("Concat", parts, "all", axis=2))
    last = "turned" if decoded else "output"
    nodes.append(node("Transpose", ["all"], last, perm=[0, 2, 1]))
    if decoded:
        grid = [
            (column * stride, row * stride, stride)
            for stride in (8, 16, 32) for row in range(size_px // stride) for column in range(size_px // stride)
        ]  # fmt: skip
        scale, offset = np.ones((1, cells, 5 + classes)), np.zeros((1, cells, 5 + classes))
        for number, (x, y, stride) in enumerate(grid):
            scale[0, number, :2], offset[0, number, :4] = stride, (x, y, stride, stride)
        tensors += [tensor("scale", scale), tensor("offset", offset)]
        nodes += [node("Mul", ["turned", "scale"], "scaled"), node("Add", ["scaled", "offset"], "output")]
    images = value("images", [1, 3, size_px, size_px])
    return model(nodes, tensors, [images], [value("output", [1, cells, 5 + classes])])

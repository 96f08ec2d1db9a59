"""A detector of COCO classes that the user brings as an ONNX file in the layout of YOLOX."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.export.class_maps import COCO80
from worldgen.files.storage import read_bytes
from worldgen.instruments.detector.coco_families import FAMILY_OF_NUMBER
from worldgen.instruments.detector.detector import box_iou
from worldgen.instruments.detector.onnx_cut import cut_onnx, node_outputs
from worldgen.instruments.detector.onnx_shapes import onnx_shapes

STRIDES = (8, 16, 32)
FILL = 114
"""Grey of the part of the input that the picture does not cover. Source: ``preproc`` of Megvii YOLOX."""
VALUES = 5 + len(COCO80)
"""Of one cell: centre x, y, log width, log height, objectness, 80 class scores."""
LEAST_SCORE = 0.3
NMS_OVERLAP = 0.45
"""Boxes of one family that overlap a better one by more are the same object. Source: demo of Megvii YOLOX."""
MAX_LOG_SIZE = 10.0
SILENT = 0
"""Level of OpenCV's log at which it prints nothing."""
DEEPEST = "dark5"
"""Part of the names of the backbone's deepest layers. Source: ``CSPDarknet`` of Megvii YOLOX."""
LAYOUT = "YOLOX with COCO classes: one input (1, 3, H, W), one output (1, cells of strides 8, 16 and 32, 85)"


@dataclass(frozen=True, eq=False)
class CocoBoxes:
    """Road users found in one picture, by falling score.

    name: ``(N,)`` int64 into ``COCO80``. box_px: ``(N, 4)`` float32 x0 y0 x1 y1 in pixels, cut to the picture. score:
    ``(N,)`` float32 in [0, 1], objectness times class score.
    """

    name: np.ndarray
    box_px: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.score)


class CocoDetector:
    """A YOLOX detector that OpenCV runs on the processor: pictures go in one by one, road users come out.

    Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021"; input and decoding as in ``demo/ONNXRuntime`` of
    https://github.com/Megvii-BaseDetection/YOLOX. Raw heads and outputs that the export has decoded already are told
    apart by their values.
    """

    def __init__(self, name: str, data: bytes, *, size_px: int = 0):
        """name: for results. data: the file. size_px: side of the input, needed only where the file leaves it open.

        Raises: InputError for a file of another format or layout.
        """
        self.name = name
        self.hash = hashlib.blake2b(data, digest_size=16).hexdigest()
        self.height_px, self.width_px = _input_size(name, data, size_px)
        self._cells, self._stride = _grid(self.height_px, self.width_px)
        self._backbone: Any = None
        self._data = data
        with _as_input_error(name):
            self._network: Any = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        blank = self._forward(np.full((self.height_px, self.width_px, 3), FILL, np.uint8))
        self._decoded = float(np.median(np.abs(blank[:, :2]))) > STRIDES[-1]  # raw offsets are a few cells at most
        if blank[:, 4:].min() < -1e-3 or blank[:, 4:].max() > 1 + 1e-3:
            received = Received(f"scores from {blank[:, 4:].min():.3g} to {blank[:, 4:].max():.3g}")
            raise InputError(f"detector {name}", received, "scores in 0 to 1, after their sigmoid")

    @classmethod
    def load(cls, path: str | Path, *, size_px: int = 0) -> CocoDetector:
        """The detector of a file or URL. Raises: InputError as the constructor, and when it cannot be read."""
        return cls(str(path).rstrip("/").rsplit("/", 1)[-1], read_bytes(str(path)), size_px=size_px)

    def find(self, frame: np.ndarray, *, least_score: float = LEAST_SCORE) -> CocoBoxes:
        """The road users in a picture ``(H, W, 3)`` uint8 RGB of any size, with scores from ``least_score`` on."""
        picture, scale = self._input(frame)
        values = self._forward(picture)
        score = values[:, 4:5] * values[:, 5:]  # (cells, 80)
        name = score.argmax(1)
        best = score[np.arange(len(name)), name]
        kept = np.flatnonzero((best >= least_score) & _JUDGED[name])
        kept = kept[np.argsort(-best[kept], kind="stable")]
        box = self._boxes(values[kept, :4], kept) / scale
        box = np.clip(box, 0, [frame.shape[1], frame.shape[0]] * 2).astype(np.float32)
        alone = _one_each(box, name[kept])
        return CocoBoxes(name[kept][alone].astype(np.int64), box[alone], best[kept][alone].astype(np.float32))

    def features(self, frame: np.ndarray) -> np.ndarray:
        """What the deepest layer of the backbone sees in a picture ``(H, W, 3)`` uint8 RGB: the mean of each of its
        channels over the part of the input that the picture covers, ``(D,)`` float32.

        Raises: InputError for a detector whose layers have not the names that YOLOX gives them.
        """
        if self._backbone is None:
            deepest = [name for name in node_outputs(self._data) if DEEPEST in name]
            if not deepest:
                raise InputError(f"layers of {self.name}", Received("none named so"), f"YOLOX's names, as in {DEEPEST}")
            with _as_input_error(self.name):
                cut = cut_onnx(self._data, deepest[-1])
                self._backbone = cv2.dnn.readNetFromONNX(np.frombuffer(cut, np.uint8))
        picture, scale = self._input(frame)
        with _as_input_error(self.name):
            self._backbone.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32))
            maps = np.asarray(self._backbone.forward())
        if maps.ndim != 4 or maps.shape[0] != 1 or not np.isfinite(maps).all():
            raise InputError(f"deepest layer of {self.name}", maps.shape, "(1, D, h, w), finite")
        rows, columns = (
            max(1, round(side * scale * cells / whole))
            for side, cells, whole in zip(frame.shape, maps.shape[2:], (self.height_px, self.width_px), strict=False)
        )
        return maps[0, :, :rows, :columns].mean((1, 2), dtype=np.float64).astype(np.float32)

    def _input(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        """A picture of any size as the network's input ``(H, W, 3)`` uint8 BGR, and the scale it was brought to."""
        scale = min(self.height_px / frame.shape[0], self.width_px / frame.shape[1])
        width, height = (max(1, int(side * scale)) for side in (frame.shape[1], frame.shape[0]))
        picture = np.full((self.height_px, self.width_px, 3), FILL, np.uint8)
        picture[:height, :width] = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)[..., ::-1]
        return picture, scale

    def summary(self) -> dict[str, Any]:
        """For results: file name, hash and input size."""
        return {"name": self.name, "hash": self.hash, "input_px": [self.width_px, self.height_px], "classes": "COCO"}

    def _forward(self, picture: np.ndarray) -> np.ndarray:
        """Output ``(cells, 85)`` float32 of a picture ``(H, W, 3)`` uint8 BGR of the input's size."""
        with _as_input_error(self.name):
            self._network.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32))
            values = np.asarray(self._network.forward())
        if values.shape != (1, len(self._cells), VALUES):
            raise InputError(f"output of {self.name}", values.shape, f"(1, {len(self._cells)}, {VALUES}): {LAYOUT}")
        if not np.isfinite(values).all():
            raise InputError(f"output of {self.name}", Received("values that are not finite"), "finite numbers")
        return values[0]

    def _boxes(self, values: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Corners ``(N, 4)`` in pixels of the input from the first four values of some cells."""
        if self._decoded:
            centre, size = values[:, :2], values[:, 2:]
        else:
            stride = self._stride[cell, None]
            centre = (values[:, :2] + self._cells[cell]) * stride
            size = np.exp(np.minimum(values[:, 2:], MAX_LOG_SIZE)) * stride
        return np.concatenate([centre - size / 2, centre + size / 2], 1)


_JUDGED = np.array([family is not None for family in FAMILY_OF_NUMBER])
_FAMILIES = sorted({family for family in FAMILY_OF_NUMBER if family})
_FAMILY = np.array([_FAMILIES.index(family) if family else -1 for family in FAMILY_OF_NUMBER])


def _one_each(box: np.ndarray, name: np.ndarray) -> np.ndarray:
    """Rows ``(n,)`` of boxes by falling score that no better box of the same family covers."""
    same = (box_iou(box, box) > NMS_OVERLAP) & (_FAMILY[name][:, None] == _FAMILY[name][None])
    left, best = np.ones(len(box), bool), []
    for row in range(len(box)):
        if left[row]:
            best.append(row)
            left &= ~same[row]
    return np.array(best, np.int64)


def _grid(height_px: int, width_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row ``(cells, 2)`` and stride ``(cells,)`` of every cell, in the order of the output."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height_px // stride, : width_px // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], 1))
        strides.append(np.full(rows.size, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _input_size(name: str, data: bytes, size_px: int) -> tuple[int, int]:
    """Height and width of the input. Raises: InputError for other inputs than one of three channels."""
    shapes = onnx_shapes(data)
    if len(shapes.inputs) != 1 or len(shapes.outputs) != 1:
        found = f"inputs {list(shapes.inputs)} and outputs {list(shapes.outputs)}"
        raise InputError(f"detector {name}", Received(found), LAYOUT)
    shape = next(iter(shapes.inputs.values()))
    if len(shape) != 4 or shape[0] not in (1, None) or shape[1] != 3:
        raise InputError(f"input of {name}", shape, LAYOUT)
    height, width = (side or size_px for side in shape[2:])
    if size_px and (size_px, size_px) != (height, width):
        raise InputError("input size of the detector", size_px, f"{width}x{height}, which is fixed in {name}")
    if not height or not width:
        raise InputError(f"input size of {name}", Received("left open by the file"), "a size given beside it")
    if not all(STRIDES[-1] <= side <= 4096 and side % STRIDES[-1] == 0 for side in (height, width)):
        raise InputError(f"input size of {name}", (width, height), "multiples of 32 from 32 to 4096")
    return height, width


@contextlib.contextmanager
def _as_input_error(name: str) -> Iterator[None]:
    """Turn what OpenCV raises about a network into one line, and keep it from printing lines of its own."""
    level = _set_log_level(SILENT)
    try:
        yield
    except cv2.error as error:
        raise InputError(f"detector {name}", Received(error), f"a network that OpenCV can run; {LAYOUT}") from error
    finally:
        _set_log_level(level)


def _set_log_level(level: int) -> int:
    """Set the level of OpenCV's log and return the one before; OpenCV 5 has moved the function."""
    place: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    return int(place.setLogLevel(level))

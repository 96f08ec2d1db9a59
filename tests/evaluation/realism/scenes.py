"""Frames of coloured squares that the detector of ``yolox_of_colours`` knows, with labels of them."""

from __future__ import annotations

import numpy as np

from tests.instruments.onnx_files import COLOURS, yolox_of_colours
from worldgen.core.labels import CLASSES, Labels
from worldgen.data.ingest.annotations import annotated_labels
from worldgen.instruments.detector.coco_detector import CocoDetector

SIZE = (128, 96)
"""Width and height of the frames; the input of the detector is 128 wide, so its grid of 32 px is that of the frames."""


def detector() -> CocoDetector:
    return CocoDetector("colours.onnx", yolox_of_colours(128))


def frame(*squares: tuple[int, int, int]) -> np.ndarray:
    """A grey frame with squares (COCO number, column, row) of 32 px on a grid of 32 px."""
    out = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    for name, column, row in squares:
        out[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32] = COLOURS[name]
    return out


def labels(*frames: list[tuple[str, int, int]]) -> Labels:
    """Annotated labels of frames: class, column and row of each object."""
    rows = [
        (number, CLASSES.index(name), k + 1, column * 32, row * 32, column * 32 + 32, row * 32 + 32, 0)
        for number, objects in enumerate(frames) for k, (name, column, row) in enumerate(objects)
    ]  # fmt: skip
    return annotated_labels(rows, len(frames), SIZE)

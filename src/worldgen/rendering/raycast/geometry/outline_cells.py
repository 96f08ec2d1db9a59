"""Which of many points of a plane lie in which of some boxes; bodies seen along rays are such boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CELLS = 96
"""Cells of the table along each axis."""


def points_in_boxes(x: np.ndarray, y: np.ndarray, boxes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """For each box that holds points: its number, and the numbers of these points, ascending.

    x, y: ``(M,)`` float32, NaN for points in no box. boxes: ``(B, 4)`` x from and to, y from and to; a box that is not
    finite holds all points. A table of cells first finds the points near any box; the others are read once.
    """
    finite = np.isfinite(boxes).all(1)
    for number in np.flatnonzero(~finite):
        yield int(number), np.arange(len(x))
    if not finite.any():
        return
    boxes = boxes.astype(np.float32)
    near = _near_any(x, y, boxes[finite])
    if not len(near):
        return
    x, y = x[near], y[near]
    for number in np.flatnonzero(finite):
        x0, x1, y0, y1 = boxes[number]
        inside = near[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]
        if len(inside):
            yield int(number), inside


def _near_any(x: np.ndarray, y: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Numbers of the points in cells that a box touches."""
    low, high = boxes[:, 0::2].min(0), boxes[:, 1::2].max(0)
    scale = np.float32(CELLS) / np.maximum(high - low, np.float32(1e-6))
    side = CELLS + 2  # the outermost cells hold what lies outside
    first = np.floor((boxes[:, 0::2] - low) * scale).astype(int)
    last = np.floor((boxes[:, 1::2] - low) * scale).astype(int) + 2
    touched = np.zeros((side, side), bool)
    for (x0, y0), (x1, y1) in zip(first.clip(0), last.clip(max=CELLS) + 1, strict=True):
        touched[y0:y1, x0:x1] = True
    touched[:, [0, -1]] = touched[[0, -1]] = False
    column, row = (_cell(values, low[k], scale[k]) for k, values in enumerate((x, y)))
    row *= side
    row += column
    return np.flatnonzero(touched.ravel().take(row))


def _cell(values: np.ndarray, low: np.float32, scale: np.float32) -> np.ndarray:
    """The cell ``(M,)`` int32 of values along one axis; 0 and ``CELLS + 1`` outside."""
    place = values - low
    place *= scale
    place += np.float32(1)
    np.fmin(np.fmax(place, np.float32(0), out=place), np.float32(CELLS + 1), out=place)  # NaN becomes 0
    return place.astype(np.int32)

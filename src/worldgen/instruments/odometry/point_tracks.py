"""Points followed from one frame to the next."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MAX_WIDTH_PX = 480
"""Frames are shrunk to at most this width: points are then sharp enough, and a pair costs about 15 ms of CPU time."""
CELLS, POINTS_A_CELL = (6, 10), 6
"""Rows and columns of cells, and the most points taken from each, so that texture of one place does not rule."""
MIN_CORNER = 1e-5
"""Smallest eigenvalue of the gradient matrix (OpenCV's scale) at which a patch can be found again: flat sky and smooth
asphalt are below."""
WINDOW_PX, PYRAMID_LEVELS = 15, 3
RETURNS_WITHIN_PX = 0.7
"""A point that is followed forward and back again must return this closely."""


@dataclass(frozen=True, eq=False)
class PointTracks:
    """Points of two frames. before, after: ``(N, 2)`` float64 pixels (x, y), pixel centres at +0.5, of frames of
    ``size_px`` (width, height)."""

    before: np.ndarray
    after: np.ndarray
    size_px: tuple[int, int]

    @property
    def flow_px(self) -> np.ndarray:
        """Length of the step of each point in pixels, ``(N,)``."""
        return np.hypot(*(self.after - self.before).T)

    def where(self, keep: np.ndarray) -> PointTracks:
        """The points of a mask ``(N,)`` bool."""
        return PointTracks(self.before[keep], self.after[keep], self.size_px)


def grey_frame(frame: np.ndarray) -> np.ndarray:
    """A frame ``(H, W, 3)`` uint8 RGB or ``(H, W)`` as grey ``(h, w)`` uint8, at most ``MAX_WIDTH_PX`` wide."""
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    if width <= MAX_WIDTH_PX:
        return grey
    size = (MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def follow_points(before: np.ndarray, after: np.ndarray) -> PointTracks:
    """Points of one grey frame ``(h, w)`` uint8 found again in another, by Lucas-Kanade on pyramids in both directions.

    Points are local maxima of the smaller eigenvalue of the gradient matrix (Shi and Tomasi 1994), the best of each
    cell. Frames without texture give none.
    """
    size = (before.shape[1], before.shape[0])
    points = _corners(before)
    if not len(points):
        return PointTracks(np.zeros((0, 2)), np.zeros((0, 2)), size)
    window = {"winSize": (WINDOW_PX, WINDOW_PX), "maxLevel": PYRAMID_LEVELS}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points[:, None], None, **window)  # type: ignore[call-overload]
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **window)  # type: ignore[call-overload]
    there, back = there[:, 0], back[:, 0]
    good = (found[:, 0] > 0) & (found_back[:, 0] > 0) & (np.hypot(*(back - points).T) < RETURNS_WITHIN_PX)
    return PointTracks(points[good].astype(float) + 0.5, there[good].astype(float) + 0.5, size)


def _corners(grey: np.ndarray) -> np.ndarray:
    """The best corners of every cell, ``(N, 2)`` float32 with pixel centres at whole numbers."""
    strength = cv2.cornerMinEigenVal(grey, 5)
    peaks = strength * ((strength >= cv2.dilate(strength, np.ones((5, 5), np.uint8))) & (strength > MIN_CORNER))
    height, width = grey.shape
    rows, columns = CELLS
    y_of, x_of = np.nonzero(peaks)
    cell = (y_of * rows // height) * columns + x_of * columns // width
    order = np.lexsort((-peaks[y_of, x_of], cell))
    first = np.searchsorted(cell[order], cell[order])
    best = order[np.arange(len(order)) - first < POINTS_A_CELL]
    return np.stack([x_of[best], y_of[best]], 1).astype(np.float32)

"""The blur control: pictures without detail."""

from __future__ import annotations

import cv2
import numpy as np

BILATERAL_ROWS, GAUSSIAN_ROWS = 48, 120
"""Rows of the picture per pixel of the width of the bilateral filter, and of the standard deviation of the Gaussian."""
BILATERAL_COLOUR = 60.0
"""Difference of colour that the bilateral filter takes for the same surface."""
DOWN_ROWS = 36
"""Rows of the small picture of the variant ``down``."""


def blur_control(frames: np.ndarray, variant: str = "bilateral") -> np.ndarray:
    """Frames ``(T, H, W, 3)`` uint8 RGB without detail, of the same shape.

    variant: ``bilateral`` is a bilateral filter, which keeps the edges of surfaces, and then a Gaussian; ``down`` makes
    the picture small by area and large again. Both are blurs that NVIDIA's Cosmos Transfer is trained on.
    """
    return np.stack([_BLURS[variant](frame) for frame in frames])


def _bilateral(frame: np.ndarray) -> np.ndarray:
    rows = frame.shape[0]
    width = max(5, rows // BILATERAL_ROWS * 2 + 1)
    smooth = cv2.bilateralFilter(frame, width, BILATERAL_COLOUR, width / 2)
    return np.asarray(cv2.GaussianBlur(smooth, (0, 0), max(0.8, rows / GAUSSIAN_ROWS)))


def _down(frame: np.ndarray) -> np.ndarray:
    rows, columns = frame.shape[:2]
    small_rows = min(rows, DOWN_ROWS)
    small = (max(1, round(columns * small_rows / rows)), small_rows)
    tiny = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(tiny, (columns, rows), interpolation=cv2.INTER_CUBIC))


_BLURS = {"bilateral": _bilateral, "down": _down}

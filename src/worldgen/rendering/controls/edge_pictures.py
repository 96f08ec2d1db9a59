"""The edge control: edges of pictures by Canny, or of the geometry."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.rendering.raycast.geometry.scene_rays import FAR_M
from worldgen.rendering.render import Rendering

CANNY_LEVELS = {
    "very_low": (20, 50), "low": (50, 100), "medium": (100, 200), "high": (200, 300), "very_high": (300, 400),
}  # fmt: skip
"""Lower and upper threshold by name, as NVIDIA's Cosmos Transfer names them (8-bit pictures, Sobel of 3)."""
JUMP = 0.08
"""Second difference of inverse depth, relative to it, from which a surface counts as broken. Inverse depth is linear in
the image on every plane, so planes give 0 at any slant."""


def canny_control(frames: np.ndarray, level: str = "medium") -> np.ndarray:
    """Canny edges of frames ``(T, H, W, 3)`` uint8 RGB, white on black, of the same shape. level: of ``CANNY_LEVELS``.

    Source: Canny 1986.
    """
    low, high = CANNY_LEVELS[level]
    edges = np.stack([cv2.Canny(frame, low, high) for frame in frames])
    return np.repeat(edges[..., None], 3, axis=-1)


def geometric_edges(rendering: Rendering) -> np.ndarray:
    """Outlines of objects and regions, folds and jumps of depth, white on black ``(T, H, W, 3)`` uint8.

    They do not depend on light and wet roads: at night they are those of the day. Lines are one pixel
    wide and lie on the nearer surface.
    """
    edge = _folds(rendering.depth)
    key = rendering.instance.astype(np.int64) * 256 + rendering.semantic
    near = np.minimum(rendering.depth, FAR_M)
    for axis in (1, 2):
        first, second = _pair(axis)
        differs = key[first] != key[second]
        # Paint lies in the ground, so depth does not tell which side is marked: then the first is.
        edge[first] |= differs & (near[first] <= near[second])
        edge[second] |= differs & (near[first] > near[second])
    return np.repeat((edge * np.uint8(255))[..., None], 3, axis=-1)


def _folds(depth_m: np.ndarray) -> np.ndarray:
    """Pixels ``(T, H, W)`` bool whose inverse depth lies above the line through their neighbours."""
    inverse = np.where(depth_m < FAR_M, 1 / np.maximum(depth_m, 1e-3), 0).astype(np.float32)
    out = np.zeros(depth_m.shape, bool)
    for axis in (1, 2):
        size = depth_m.shape[axis]
        before, here, after = (_span(axis, slice(k, size - 2 + k)) for k in range(3))
        rise = 2 * inverse[here] - inverse[before] - inverse[after]
        out[here] |= rise > JUMP * inverse[here]
    return out


def _span(axis: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if k == axis else slice(None) for k in range(3))


def _pair(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    return _span(axis, slice(None, -1)), _span(axis, slice(1, None))

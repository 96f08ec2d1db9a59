"""The depth control: inverse depth as grey pictures."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.raycast.geometry.scene_rays import FAR_M

CLIPPED_SHARE = 0.002
"""Share of the pixels of a clip that may be brighter than white: one object that nearly touches the lens does not make
all else black."""
MAX_SAMPLES = 2_000_000
"""Pixels that are read for the scale of a clip."""


def depth_control(depth_m: np.ndarray) -> np.ndarray:
    """Depth ``(T, H, W)`` in metres as grey video ``(T, H, W, 3)`` uint8.

    Grey is proportional to inverse depth with one scale for all frames, so an object that comes nearer brightens. What
    is at ``FAR_M`` or not finite counts as sky and is 0; all else is at least 1. Models read relative inverse depth as
    Depth Anything predicts it (Yang et al. 2024, arXiv:2401.10891), near bright.
    """
    seen = np.isfinite(depth_m) & (depth_m > 0) & (depth_m < FAR_M)
    inverse = np.zeros(depth_m.shape, np.float32)
    np.divide(1.0, depth_m, out=inverse, where=seen)
    return grey_video(inverse, seen)


def grey_video(inverse: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Inverse depth ``(T, H, W)`` float as grey video ``(T, H, W, 3)`` uint8, scaled by the nearest parts of the clip.

    seen: ``(T, H, W)`` bool; pixels that are not become 0.
    """
    values = inverse[seen]
    if not len(values):
        return np.zeros((*inverse.shape, 3), np.uint8)
    white = float(np.quantile(values[:: -(-len(values) // MAX_SAMPLES)], 1 - CLIPPED_SHARE))
    grey = np.clip(np.rint(inverse * np.float32(255 / max(white, 1e-9))), 1, 255)
    return np.repeat(np.where(seen, grey, 0).astype(np.uint8)[..., None], 3, axis=-1)

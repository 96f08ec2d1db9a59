"""Recorded pictures as a renderer would have drawn them: without texture and grain, in other colours.

A painter learns from pairs of such a picture and the recording. Nothing here is exact; a painter that has seen many
strengths of many simplifications takes a drawing for one more of them.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def simplified(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A recorded picture ``(H, W, 3)`` uint8 with texture removed and colours changed, at strengths that ``rng``
    draws."""
    return _recoloured(_smoothed(picture, rng), rng)


def _smoothed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Texture and grain removed, edges kept, by one of three filters; some of the texture stays."""
    kind = int(rng.integers(3))
    if kind == 0:  # Gastal and Oliveira 2011, domain transform
        smooth = cv2.edgePreservingFilter(
            picture, flags=1, sigma_s=float(rng.uniform(8, 40)), sigma_r=float(rng.uniform(0.1, 0.35))
        )
    elif kind == 1:  # Tomasi and Manduchi 1998
        smooth = picture
        for _ in range(int(rng.integers(1, 4))):
            smooth = cv2.bilateralFilter(smooth, 7, float(rng.uniform(20, 60)), 4)
    else:
        smooth = cv2.medianBlur(picture, int(rng.choice([3, 5])))
        smooth = cv2.bilateralFilter(smooth, 5, float(rng.uniform(20, 50)), 3)
    stays = float(rng.uniform(0, 0.35))
    mixed = cv2.addWeighted(smooth, 1 - stays, picture, stays, 0)
    sharper = float(rng.uniform(0, 1.5))  # edges of drawings are crisper than those of lenses
    return cv2.addWeighted(mixed, 1 + sharper, cv2.GaussianBlur(mixed, (0, 0), 1.2), -sharper, 0)


def _recoloured(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other saturation, contrast, brightness, white balance and tone curve."""
    values = picture.astype(np.float32) / 255
    grey = (values @ LUMA)[..., None]
    values = grey + (values - grey) * rng.uniform(0.8, 1.7)
    values = (values - 0.4) * rng.uniform(0.85, 1.25) + 0.4 + rng.uniform(-0.06, 0.06)
    values = values * (1 + rng.uniform(-0.06, 0.06, 3).astype(np.float32))
    return (np.clip(values, 0, 1) ** rng.uniform(0.8, 1.25) * 255).round().astype(np.uint8)

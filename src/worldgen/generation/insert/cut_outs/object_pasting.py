"""A cut-out put into a picture: size, blending, contact shadow; every pixel away from it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.generation.insert.cut_outs.cut_out import CutOut
from worldgen.generation.insert.cut_outs.cut_out_making import around_colour

OPAQUE = 0.5
"""Opacity from which a pixel belongs to the object: its box and mask hold these."""
LIGHT_LIMITS = (0.55, 1.8)
"""Least and greatest factor by which a cut-out is made darker or brighter in each colour."""


@dataclass(frozen=True)
class PasteLook:
    """How a cut-out is fitted into a picture.

    rim_px: standard deviation of the softening of its rim; 0 leaves a hard one. light: how far its colours follow the
    difference between its old and new surroundings, 0 to 1. shadow: greatest darkening of the ground at its foot, 0 to
    1.
    """

    rim_px: float = 0.6
    light: float = 0.7
    shadow: float = 0.35


PLAIN = PasteLook(rim_px=0.0, light=0.0, shadow=0.0)
"""Pixels as they are. Source: Ghiasi et al., "Simple Copy-Paste" (CVPR 2021), which found no use in blending."""


@dataclass(frozen=True, eq=False)
class Pasted:
    """A picture with an object in it.

    frame: ``(H, W, 3)`` uint8. mask: ``(H, W)`` bool, the object's pixels. changed: ``(H, W)`` bool, all pixels that
    may differ. box_px: x0 y0 x1 y1 of the mask.
    """

    frame: np.ndarray
    mask: np.ndarray
    changed: np.ndarray
    box_px: tuple[float, float, float, float]


def pasted(
    frame: np.ndarray, cut_out: CutOut, *, left_px: float, bottom_px: float, height_px: float, look: PasteLook
) -> Pasted | None:
    """The picture ``(H, W, 3)`` uint8 with a cut-out of a height in it; None where none of it is inside.

    left_px, bottom_px: of its lower left corner. Parts outside the picture are cut off.
    """
    height = max(2, round(height_px))
    width = max(2, round(cut_out.rgba.shape[1] * height / cut_out.height_px))
    shrink = cv2.INTER_AREA if height < cut_out.height_px else cv2.INTER_LINEAR
    opacity: np.ndarray = cut_out.rgba[..., 3].astype(np.float32) / 255
    # Colours are averaged with their opacity, or the rim would take over the old background.
    colour: np.ndarray
    weighted = cut_out.rgba[..., :3].astype(np.float32) * opacity[..., None]
    colour = cv2.resize(weighted, (width, height), interpolation=shrink)
    opacity = cv2.resize(opacity, (width, height), interpolation=shrink)
    colour = colour / np.maximum(opacity, 1e-3)[..., None]
    pad = int(np.ceil(3 * look.rim_px)) if look.rim_px else 0
    if pad:
        colour = cv2.copyMakeBorder(colour, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        opacity = cv2.copyMakeBorder(opacity, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0)
        opacity = np.minimum(opacity, cv2.GaussianBlur(opacity, (0, 0), look.rim_px))  # softened inwards only
    x, y = round(left_px) - pad, round(bottom_px) - height - pad
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(frame.shape[1], x + opacity.shape[1]), min(frame.shape[0], y + opacity.shape[0])
    if x1 <= x0 or y1 <= y0:
        return None
    part = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    opacity, colour = opacity[part], colour[part]
    mask = np.zeros(frame.shape[:2], bool)
    mask[y0:y1, x0:x1] = opacity >= OPAQUE
    if not mask.any():
        return None
    if look.light:
        factor = (np.maximum(around_colour(frame, mask), 1) / np.maximum(cut_out.around_rgb, 1)) ** look.light
        colour = colour * np.clip(factor, *LIGHT_LIMITS)
    out = frame.astype(np.float32)
    shade = contact_shade(mask, look.shadow)
    out *= shade[..., None]
    window = out[y0:y1, x0:x1]
    window += (np.clip(colour, 0, 255) - window) * opacity[..., None]
    changed = shade < 1
    changed[y0:y1, x0:x1] |= opacity > 0
    result = np.where(changed[..., None], np.clip(np.round(out), 0, 255).astype(np.uint8), frame)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return Pasted(result, mask, changed, box)


def contact_shade(mask: np.ndarray, strength: float) -> np.ndarray:
    """Factor ``(H, W)`` float32 in [1 - strength, 1] that darkens the ground at the foot of an object: an ellipse as
    wide as its mask ``(H, W)`` bool, which fades outwards."""
    shade = np.ones(mask.shape, np.float32)
    if strength <= 0:
        return shade
    rows = np.flatnonzero(mask.any(1))
    low = mask[max(0, rows[-1] - max(1, len(rows) // 8)) : rows[-1] + 1].any(0)
    foot = np.flatnonzero(low)
    centre, half = (foot[0] + foot[-1] + 1) / 2, max(2.0, 0.6 * (foot[-1] - foot[0] + 1))
    flat = max(1.5, 0.3 * half)
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    distance = ((x + 0.5 - centre) / half) ** 2 + ((y + 0.5 - rows[-1]) / flat) ** 2
    fade = np.clip(1 - distance, 0, 1).astype(np.float32)
    return np.asarray(1 - strength * fade, np.float32)

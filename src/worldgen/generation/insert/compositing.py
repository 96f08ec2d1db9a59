"""Inserts put into the pixels of a picture: only their own pixels, shadow and rim change."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from worldgen.generation.insert.fitting import FitSteps, encoded, with_grain, with_rain
from worldgen.generation.insert.insert_plan import InsertPatch, LabelledPicture, box_of
from worldgen.generation.insert.picture_light import PictureLight, to_display, to_linear
from worldgen.generation.insert.picture_look import PictureLook

LEAST_CHANGE = 0.6
"""Pixels that would change by less than so many display steps stay as they are, bit for bit."""
WET_MIRROR = 0.35
"""Reflectance of a fully wet road at the slant of a dashcam."""


@dataclass(frozen=True, eq=False)
class PutInsert:
    """An insert in its picture. patch: as it was fitted. window: left, top, width, height that its arrays span.
    before: ``(h, w, 3)`` uint8 pixels that were there. changed: ``(h, w)`` bool. seen: ``(h, w)`` bool silhouette
    after what hides it. box_px: of ``seen``; exact. visible_fraction: of the silhouette inside the picture."""

    patch: InsertPatch
    window: tuple[int, int, int, int]
    before: np.ndarray
    changed: np.ndarray
    seen: np.ndarray
    box_px: tuple[float, float, float, float]
    visible_fraction: float


def cut_to_picture(patch: InsertPatch, size_px: tuple[int, int]) -> InsertPatch | None:
    """The part of a patch inside a picture, None when nothing is."""
    left, top = max(0, -patch.left_px), max(0, -patch.top_px)
    right = min(patch.alpha.shape[1], size_px[0] - patch.left_px)
    bottom = min(patch.alpha.shape[0], size_px[1] - patch.top_px)
    if right <= left or bottom <= top:
        return None
    part = (slice(top, bottom), slice(left, right))
    return replace(
        patch, left_px=patch.left_px + left, top_px=patch.top_px + top, colour=patch.colour[part],
        alpha=patch.alpha[part], shade=patch.shade[part], mirror=None if patch.mirror is None else patch.mirror[part],
    )  # fmt: skip


def composite(
    picture: LabelledPicture, frame: np.ndarray, patch: InsertPatch, hidden: np.ndarray, *, look: PictureLook,
    light: PictureLight, steps: FitSteps, rng: np.random.Generator,
) -> tuple[np.ndarray, PutInsert]:  # fmt: skip
    """A frame ``(H, W, 3)`` uint8 with one more insert, and what changed.

    patch: fitted, inside the picture. hidden: ``(h, w)`` bool, pixels that something nearer covers; nothing changes
    there. frame: with the inserts that are farther.
    """
    height, width = patch.alpha.shape
    area = (slice(patch.top_px, patch.top_px + height), slice(patch.left_px, patch.left_px + width))
    before = frame[area].copy()
    behind = to_linear(before)
    ground = behind * patch.shade
    if patch.mirror is not None:
        share = np.float32(WET_MIRROR * light.wetness)
        ground = ground * (1 - share * patch.mirror[..., 3:]) + share * patch.mirror[..., :3]
    wanted = to_display(ground * (1 - patch.alpha[..., None]) + patch.colour)
    moved = np.abs(wanted - before).max(-1) >= LEAST_CHANGE
    changed = moved & ~hidden
    values = np.where(changed[..., None], wanted, before.astype(np.float32))
    if steps.rain and light.rain:
        values = with_rain(values, patch.alpha * changed, light, picture.size_px, rng)
    if steps.noise:
        values = with_grain(values, patch.alpha * changed, look, rng)
    new = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    if steps.jpeg and picture.jpeg is not None:
        new = encoded(new, (patch.left_px, patch.top_px), picture.jpeg)
    new = np.where(changed[..., None], new, before)
    out = frame.copy()
    out[area] = new
    silhouette = patch.silhouette
    seen = silhouette & ~hidden
    whole = max(int(silhouette.sum()), 1)
    window = (patch.left_px, patch.top_px, width, height)
    box = box_of(seen, patch.left_px, patch.top_px)
    return out, PutInsert(patch, window, before, changed, seen, box, float(seen.sum() / whole))


def restored(frame: np.ndarray, put: PutInsert) -> np.ndarray:
    """A frame without an insert again: the pixels that were there before. Later inserts over it must go first."""
    left, top, width, height = put.window
    out = frame.copy()
    part = out[top : top + height, left : left + width]
    part[put.changed] = put.before[put.changed]
    return out

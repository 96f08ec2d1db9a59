"""Where a cut-out goes in a picture, and how large: on the ground where its class is seen, or anywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.generation.insert.cut_outs.cut_out import CutOut

TYPICAL_HEIGHT_M = {
    "pedestrian": 1.7, "cyclist": 1.7, "motorcycle": 1.5, "bicycle": 1.1, "car": 1.5, "truck": 3.0, "bus": 3.1,
    "animal": 1.0,
}  # fmt: skip
"""Class -> height of a common one in metres, to carry the ground of one class over to another."""
LEAST_BOXES = 12
"""Boxes of a class that a fit of heights needs."""
SCALES = (0.3, 1.25)
"""Least and greatest factor by which a matched cut-out is resized: more would show as blur."""
NEAREST = 8
"""A matched cut-out is drawn from this many that fit best."""
MAX_TRIES = 60


@dataclass(frozen=True, eq=False)
class SeenBoxes:
    """Boxes of one class in the pictures of one camera. box_px: ``(N, 4)`` x0 y0 x1 y1. size_px: width, height."""

    box_px: np.ndarray
    size_px: tuple[int, int]


@dataclass(frozen=True)
class HeightFit:
    """Heights of a class on flat ground: ``height = slope * (bottom row - horizon)``.

    slope: height of the class over the height of the camera. horizon_px: row. spread: standard deviation of the
    logarithm of height over fit. boxes: number that fit. Source: the ground plane of a pinhole camera without roll
    (Hoiem, Efros & Hebert, "Putting Objects in Perspective", CVPR 2006, equation 6).
    """

    slope: float
    horizon_px: float
    spread: float
    boxes: int

    def height_px(self, bottom_px: float) -> float:
        """Height of an object that stands on a row; 0 and below from the horizon on upwards."""
        return self.slope * (bottom_px - self.horizon_px)

    def for_class(self, name: str, other: str) -> HeightFit:
        """The fit of class ``name`` on the ground that class ``other`` has shown."""
        return replace(self, slope=self.slope * TYPICAL_HEIGHT_M[name] / TYPICAL_HEIGHT_M[other])


def fit_heights(seen: SeenBoxes, what: str) -> HeightFit:
    """The fit of a class, robust against groups and objects that stand higher.

    Boxes at the border of the picture are left out. The slope is the median over pairs of boxes (Theil 1950, Sen 1968).
    what: class, for the message. Raises: InputError for fewer than ``LEAST_BOXES`` boxes, and where heights do not grow
    downwards.
    """
    width, height = seen.size_px
    box = np.asarray(seen.box_px, float)
    inside = (box[:, 0] > 2) & (box[:, 1] > 2) & (box[:, 2] < width - 2) & (box[:, 3] < height - 2)
    box = box[inside]
    if len(box) < LEAST_BOXES:
        raise InputError(f"boxes of {what}", Received(f"{len(box)} whole ones"), f"{LEAST_BOXES} for a ground plane")
    bottom, tall = box[:, 3], box[:, 3] - box[:, 1]
    first, second = np.triu_indices(len(box), 1)
    apart = np.abs(bottom[first] - bottom[second]) >= 0.02 * height
    if not apart.any():
        raise InputError(f"boxes of {what}", Received("all at one distance"), "boxes at several rows of the picture")
    slope = float(np.median((tall[first] - tall[second])[apart] / (bottom[first] - bottom[second])[apart]))
    if slope <= 0.05:
        raise InputError(f"boxes of {what}", Received("heights that do not grow downwards"), "objects on one ground")
    horizon = float(np.median(bottom - tall / slope))
    told = slope * (bottom - horizon)
    good = told > 2
    error = np.log(tall[good] / told[good])
    spread = float(1.4826 * np.median(np.abs(error - np.median(error)))) if good.any() else 0.3
    return HeightFit(slope, horizon, spread, int(good.sum()))


@dataclass(frozen=True)
class Place:
    """Where a cut-out goes: its lower left corner and its height, in pixels."""

    cut_out: CutOut
    left_px: float
    bottom_px: float
    height_px: float

    @property
    def box_px(self) -> np.ndarray:
        """x0 y0 x1 y1 ``(4,)`` of the place."""
        width = self.cut_out.rgba.shape[1] * self.height_px / self.cut_out.height_px
        return np.array([self.left_px, self.bottom_px - self.height_px, self.left_px + width, self.bottom_px])


def anywhere(cut_outs: tuple[CutOut, ...], size_px: tuple[int, int], rng: np.random.Generator) -> Place:
    """A random cut-out at a random place, half to one and a half times its size, mirrored half of the time.

    Source: Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method" (CVPR 2021), section 3: random
    place, scale jitter and mirroring, no model of the surroundings.
    """
    chosen = cut_outs[int(rng.integers(len(cut_outs)))]
    chosen = chosen.mirrored() if rng.random() < 0.5 else chosen
    height = min(chosen.height_px * float(rng.uniform(0.5, 1.5)), 0.95 * size_px[1])
    width = chosen.rgba.shape[1] * height / chosen.height_px
    left = float(rng.uniform(0, max(1.0, size_px[0] - width)))
    return Place(chosen, left, float(rng.uniform(height, size_px[1])), height)


def matched(
    cut_outs: tuple[CutOut, ...], seen: SeenBoxes, fit: HeightFit, old_px: np.ndarray, rng: np.random.Generator,
    *, ground: np.ndarray | None = None, height_px: tuple[float, float] = (10.0, 10_000.0), most_covered: float = 0.3,
) -> Place | None:  # fmt: skip
    """A cut-out where its class was seen by this camera, as high as the ground says there; None when no place is free.

    Among cut-outs of about that height those are preferred that were seen from about the same side. old_px: ``(M, 4)``
    boxes that are there. ground: ``(H, W)`` bool, where objects may stand; None where it is not known. height_px: least
    and greatest height. A place that
    hides more than ``most_covered`` of an old box, or where a nearer one would hide the new object, is not taken.
    """
    width, height = seen.size_px
    for _ in range(MAX_TRIES):
        box = seen.box_px[int(rng.integers(len(seen.box_px)))]
        bottom = float(box[3] + rng.normal(0, 0.02 * height))
        middle = float((box[0] + box[2]) / 2 + rng.normal(0, 0.05 * width))
        if rng.random() < 0.5 and fit.spread < 0.5:  # both sides of a road have people; the view of them is mirrored
            middle = width - middle
        tall = fit.height_px(bottom) * float(np.exp(rng.normal(0, min(fit.spread, 0.12))))
        if not max(4.0, height_px[0]) <= tall <= min(height_px[1], 0.9 * height) or not 2 <= bottom <= height - 2:
            continue
        if ground is not None and not ground[int(bottom) - 1, int(np.clip(middle, 0, width - 1))]:
            continue
        scale = np.array([tall / each.height_px for each in cut_outs])
        able = np.flatnonzero((scale >= SCALES[0]) & (scale <= SCALES[1]))
        if not len(able):
            continue
        wanted = middle / width
        side = np.array([min(abs(cut_outs[k].column - wanted), abs(1 - cut_outs[k].column - wanted)) for k in able])
        cost = np.abs(np.log(scale[able])) + 2 * side
        near = able[np.argsort(cost, kind="stable")[:NEAREST]]
        chosen = cut_outs[int(near[int(rng.integers(len(near)))])]
        if abs(1 - chosen.column - wanted) < abs(chosen.column - wanted):
            chosen = chosen.mirrored()
        place = Place(chosen, middle - chosen.rgba.shape[1] * tall / chosen.height_px / 2, bottom, tall)
        new = place.box_px
        if new[0] < 0 or new[2] > width or not _free(new, old_px, most_covered):
            continue
        return place
    return None


def _free(new: np.ndarray, old_px: np.ndarray, most_covered: float) -> bool:
    """Whether a box may be put before the others: it hides little of them, and no nearer one would hide it."""
    if not len(old_px):
        return True
    shared = np.clip(np.minimum(new[2:], old_px[:, 2:]) - np.maximum(new[:2], old_px[:, :2]), 0, None).prod(1)
    area = np.maximum((old_px[:, 2:] - old_px[:, :2]).prod(1), 1e-6)
    own = float((new[2:] - new[:2]).prod())
    nearer = old_px[:, 3] > new[3]
    return bool((shared / area <= most_covered).all() and (shared[nearer] <= 0.02 * own).all())

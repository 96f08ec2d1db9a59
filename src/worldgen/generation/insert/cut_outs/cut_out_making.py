"""Labelled pictures to cut-outs: which objects are good enough, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.samples import Sample
from worldgen.generation.insert.cut_outs.cut_out import CutOut, sharpness_of
from worldgen.generation.insert.cut_outs.object_masks import Segmenter

SHAPES: dict[str, tuple[float, float]] = {
    "pedestrian": (0.2, 0.7), "cyclist": (0.25, 1.5), "motorcycle": (0.3, 1.8), "bicycle": (0.3, 2.2),
    "car": (0.7, 3.2), "truck": (0.5, 3.5), "bus": (0.5, 4.0), "animal": (0.4, 3.0),
}  # fmt: skip
"""Class -> least and greatest width over height of one whole object. Wider boxes are groups, narrower ones are hidden.
Source: 1st to 99th percentile of single, whole objects in the label sets that the reading of sets is tested with,
rounded outwards."""


@dataclass(frozen=True)
class CutOutRules:
    """Which objects become cut-outs.

    classes: names, empty for all of ``SHAPES``. min_height_px: of the mask. min_sharpness: see ``sharpness_of``.
    border_px: objects nearer to the border of their picture are cut off. max_covered: greatest share of a box in boxes
    of nearer objects, which may hide it. fill: least and greatest share of the box that its mask fills. min_extent:
    least share of the box's width and height that the mask spans.

    Raises:
        InputError: an unknown class, or numbers out of range.
    """

    classes: tuple[str, ...] = ()
    min_height_px: float = 24.0
    min_sharpness: float = 0.25
    border_px: float = 2.0
    max_covered: float = 0.1
    fill: tuple[float, float] = (0.25, 0.92)
    min_extent: float = 0.85

    def __post_init__(self) -> None:
        unknown = sorted(set(self.classes) - set(SHAPES))
        if unknown:
            raise InputError("class of cut-outs", unknown[0], "one of " + ", ".join(SHAPES))
        low, high = self.fill
        if not (self.min_height_px >= 4 and 0 <= low < high <= 1 and 0 <= self.min_extent <= 1):
            raise InputError(
                "min_height_px, fill, min_extent of cut-outs", (self.min_height_px, self.fill, self.min_extent),
                "4 or more, two shares by rising value, a share",
            )  # fmt: skip


@dataclass(frozen=True)
class Refusals:
    """Why objects did not become cut-outs: reason -> number."""

    counts: Counter[str] = field(default_factory=Counter)


def cut_outs_of(
    samples: Iterable[Sample], segmenter: Segmenter, rules: CutOutRules, *, mask_from: str, refused: Refusals
) -> Iterator[CutOut]:
    """The cut-outs of labelled samples, frame by frame. refused: counts the objects that are left out, by reason.

    Raises: InputError for samples without labels, and masks of another shape.
    """
    for sample in samples:
        if sample.labels is None:
            raise InputError(f"labels of sample {sample.key}", Received("none"), "a labelled set")
        for number, frame in enumerate(sample.clip.frames):
            rows = sample.labels.at(number)
            boxes = rows.box_px.astype(float)
            names = [CLASSES[each] for each in rows.class_id]
            reasons = [
                "too small" if rows.ignore[k] else _reason(names[k], boxes, k, frame, rules) for k in range(len(names))
            ]
            chosen = [k for k, reason in enumerate(reasons) if not reason]
            refused.counts.update(reason for reason in reasons if reason)
            if not chosen:
                continue
            masks = segmenter(frame, boxes[chosen])
            if masks.shape != (len(chosen), *frame.shape[:2]) or masks.dtype != bool:
                received = Received(f"{masks.dtype} {masks.shape}")
                raise InputError("masks of a segmenter", received, f"bool {(len(chosen), *frame.shape[:2])}")
            for k, mask in zip(chosen, masks, strict=True):
                reason = _poor_mask(frame, mask, boxes[k], rules)
                if reason:
                    refused.counts[reason] += 1
                    continue
                picture = str(sample.provenance.get("file", sample.key))
                origin = {"picture": picture, "drive": sample.drive, "split": sample.split, "licence": sample.licence}
                yield cut(frame, mask, class_name=names[k], mask_from=mask_from, **origin)


def _reason(name: str, boxes: np.ndarray, number: int, frame: np.ndarray, rules: CutOutRules) -> str:
    """Why the object of a box is no candidate; "" for a candidate."""
    if name not in (rules.classes or tuple(SHAPES)):
        return "other class"
    box = boxes[number]
    width, height = box[2] - box[0], box[3] - box[1]
    if height < rules.min_height_px:
        return "too small"
    low, high = SHAPES[name]
    if not low <= width / height <= high:
        return "shape of a group or of a part"
    edge = min(box[0], box[1], frame.shape[1] - box[2], frame.shape[0] - box[3])
    if edge < rules.border_px:
        return "cut off by the border"
    covered = 0.0
    for other in np.delete(boxes, number, 0):
        shared = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
        # An object whose box ends higher stands farther away and hides nothing.
        if shared.min() > 0 and other[3] >= box[3] - 1:
            covered += float(shared.prod()) / (width * height)
    return "behind another object" if covered > rules.max_covered else ""


def _poor_mask(frame: np.ndarray, mask: np.ndarray, box: np.ndarray, rules: CutOutRules) -> str:
    """Why a mask ``(H, W)`` bool of a box is not good enough; "" for a good one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return "no mask"
    width, height = box[2] - box[0], box[3] - box[1]
    fill = mask.sum() / (width * height)
    extent = min(np.ptp(columns) + 1, width) / width, min(np.ptp(rows) + 1, height) / height
    if not rules.fill[0] <= fill <= rules.fill[1] or min(extent) < rules.min_extent:
        return "mask does not fit its box"
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return "blurred" if sharpness_of(frame[window], mask[window]) < rules.min_sharpness else ""


def cut(
    frame: np.ndarray, mask: np.ndarray, *, class_name: str, picture: str, drive: str, split: str, mask_from: str,
    licence: str = "unknown",
) -> CutOut:  # fmt: skip
    """The object of a mask ``(H, W)`` bool, not empty, in a picture ``(H, W, 3)`` uint8 RGB."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    rgb, part = frame[y0:y1, x0:x1], mask[y0:y1, x0:x1]
    red, green, blue = (float(v) for v in around_colour(frame, mask))
    return CutOut(
        np.dstack([rgb, part.astype(np.uint8) * 255]), class_name, (float(x0), float(y0), float(x1), float(y1)),
        (frame.shape[1], frame.shape[0]), picture, drive, split, (red, green, blue),
        round(sharpness_of(rgb, part), 4), mask_from, licence,
    )  # fmt: skip


def around_colour(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean RGB ``(3,)`` float of the pixels around a mask ``(H, W)`` bool, in a band as wide as a quarter of it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    band = max(2, (rows[-1] - rows[0] + columns[-1] - columns[0] + 2) // 8)
    y0, y1 = max(0, rows[0] - band), rows[-1] + band + 1
    x0, x1 = max(0, columns[0] - band), columns[-1] + band + 1
    own = mask[y0:y1, x0:x1].astype(np.uint8)
    near = cv2.dilate(own, np.ones((2 * band + 1, 2 * band + 1), np.uint8)).astype(bool) & ~own.astype(bool)
    pixels = frame[y0:y1, x0:x1][near] if near.any() else frame[y0:y1, x0:x1].reshape(-1, 3)
    return np.asarray(pixels.mean(0), float)

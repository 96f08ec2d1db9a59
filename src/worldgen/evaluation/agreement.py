"""Whether a clip shows the objects its labels name, and nothing else: object by object, from a detector's boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.labels import Labels
from worldgen.evaluation.detector import GROUP_OF_CLASS, Detections, box_iou
from worldgen.evaluation.pictures import MIN_HEIGHT_PX, MIN_VISIBLE, MIN_WIDTH_PX

NO_OVERLAP, FULL_OVERLAP = 0.2, 0.5
"""A detection counts for an object from the first overlap on, and fully from the second."""
SHOWN = 0.3
"""An object or a detection of at least this score is taken to be there."""


@dataclass(frozen=True)
class Agreement:
    """A clip as a whole. recall: share of countable objects that are shown, precision: share of sure detections that a
    label explains; None where there are none. objects, detections: how many these shares rest on."""

    recall: float | None
    precision: float | None
    objects: int
    detections: int


def countable(labels: Labels) -> np.ndarray:
    """Rows ``(N,)`` bool that can be judged: road users that are not flagged, large and visible enough to be found."""
    size = labels.box_px[:, 2:] - labels.box_px[:, :2]
    large = (size[:, 1] >= MIN_HEIGHT_PX) & (size[:, 0] >= MIN_WIDTH_PX)
    return (GROUP_OF_CLASS[labels.class_id] >= 0) & ~labels.ignore & large & (labels.visible_fraction >= MIN_VISIBLE)


def object_agreement(labels: Labels, detections: Detections, *, fill_gaps: bool = True) -> np.ndarray:
    """How surely each labelled object is shown where it should be, ``(N,)`` float64 in [0, 1], NaN where not countable.

    The best of score x overlap over the detections of its group in its frame; overlap counts from 0 at IoU 0.2 to 1
    at IoU 0.5. fill_gaps: a frame between two that show the object better gets the lesser of the two, because a miss
    of one frame is the detector's more often than the clip's.
    """
    group = GROUP_OF_CLASS[labels.class_id]
    score = np.zeros(len(labels))
    for frame in np.unique(labels.frame_index):
        rows = np.flatnonzero(labels.frame_index == frame)
        here = detections.where(detections.frame_index == frame)
        if not len(here):
            continue
        overlap = box_iou(labels.box_px[rows], here.box_px)
        fit = np.clip((overlap - NO_OVERLAP) / (FULL_OVERLAP - NO_OVERLAP), 0, 1)
        score[rows] = (fit * here.score * (group[rows][:, None] == here.group[None])).max(1)
    judged = countable(labels)
    score[~judged] = np.nan
    return _filled(labels, score) if fill_gaps else score


def _filled(labels: Labels, score: np.ndarray) -> np.ndarray:
    """Each track's score after closing gaps of one frame."""
    out = score.copy()
    for track in np.unique(labels.track_id):
        rows = np.flatnonzero(labels.track_id == track)
        rows = rows[np.argsort(labels.frame_index[rows], kind="stable")]
        for before, row, after in zip(rows, rows[1:], rows[2:], strict=False):
            close = labels.frame_index[after] - labels.frame_index[before] == 2
            if close and np.isfinite(score[[before, row, after]]).all():
                out[row] = max(score[row], min(score[before], score[after]))
    return out


def clip_agreement(labels: Labels, detections: Detections) -> Agreement:
    """Recall of countable objects and precision of sure detections over a whole clip."""
    score = object_agreement(labels, detections)
    judged = np.isfinite(score)
    sure = detections.where(detections.score >= SHOWN)
    explained = np.zeros(len(sure), bool)
    group = GROUP_OF_CLASS[labels.class_id]
    for frame in np.unique(sure.frame_index):
        rows, seen = np.flatnonzero(labels.frame_index == frame), np.flatnonzero(sure.frame_index == frame)
        if not len(rows):
            continue
        overlap = box_iou(sure.box_px[seen], labels.box_px[rows])
        # Ignored labels explain what lies in them: they are too small or too hidden to have a box of their own.
        inside = _share_inside(sure.box_px[seen], labels.box_px[rows]) * ~np.isfinite(score[rows])
        fits = (np.maximum(overlap, inside) >= (NO_OVERLAP + FULL_OVERLAP) / 2) & (
            sure.group[seen][:, None] == group[rows][None]
        )
        explained[seen] = fits.any(1)
    return Agreement(
        float((score[judged] >= SHOWN).mean()) if judged.any() else None,
        float(explained.mean()) if len(sure) else None, int(judged.sum()), len(sure),
    )  # fmt: skip


def _share_inside(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of each box ``(n, 4)`` that lies in each other ``(m, 4)``: ``(n, m)``."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    area = np.prod(first[:, 2:] - first[:, :2], axis=1)
    return np.prod(np.clip(high - low, 0, None), axis=-1) / np.maximum(area, 1e-9)[:, None]

"""Labels of one frame matched to what a COCO detector found in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.data.export.class_maps import COCO80
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules
from worldgen.instruments.detector.coco_detector import CocoBoxes
from worldgen.instruments.detector.coco_families import FAMILY_OF_NAME, families_of
from worldgen.instruments.detector.detector import box_iou

NOT_FOUND = -1
UNCOUNTED, RIGHT, OTHER_CLASS, NOTHING = range(4)
"""What a detection is: not counted; a labelled object of a class that has this name; of another class; nothing that is
labelled."""
PART_OF = ("cyclist", "motorcycle")
"""Classes whose label may hold a rider or machine that a detector boxes apart."""
PART_AXIS = {"person": 0, "two_wheeler": 1}
"""Family of a part -> the axis along which it is smaller than the whole: a rider is narrower, a machine is lower."""
MIN_INSIDE, MIN_PART = 0.6, 0.3
"""Least share of a detection inside a label that holds it, and of a label's side that a part of it takes."""


@dataclass(frozen=True, eq=False)
class FrameMatch:
    """name: ``(N,)`` int64 into ``COCO80`` for each label, -1 where it was not found. person, bicycle: ``(N,)`` bool,
    whether a label was matched under that name. rider: ``(N,)`` bool, whether a person fits the label of a cyclist or
    motorcycle when only the part of the box that the person spans sideways counts. machine: likewise for a two-wheeler
    and the part that it spans in height. state: ``(D,)`` int64 of each detection."""

    name: np.ndarray
    person: np.ndarray
    bicycle: np.ndarray
    rider: np.ndarray
    machine: np.ndarray
    state: np.ndarray


def match_frame(frame: LabelledFrame, found: CocoBoxes, rules: RealismRules, labelled: frozenset[str]) -> FrameMatch:
    """Match one frame.

    In each family a label and a detection are matched one to one by falling overlap, from ``rules.overlap`` on, with
    labels that are not judged taking part. labelled: families of which the set labels every object; detections of
    others do not count.
    """
    targets = [rules.recognised.get(CLASSES[number], ()) for number in frame.class_id]
    overlap = box_iou(frame.box_px, found.box_px)
    family = np.array([FAMILY_OF_NAME[COCO80[number]] for number in found.name], "U16")
    partner: dict[str, np.ndarray] = {}
    owner = np.full(len(found), NOT_FOUND)
    for each in dict.fromkeys(family):
        rows = np.array([each in families_of(names) for names in targets], bool)
        allowed = rows[:, None] & (family == each)[None]
        partner[each] = matched_pairs(np.where(allowed, overlap, 0.0), rules.overlap)
        taken = np.flatnonzero(partner[each] >= 0)
        owner[partner[each][taken]] = taken
    count = len(frame.class_id)
    name = np.full(count, NOT_FOUND)
    person, bicycle = np.zeros(count, bool), np.zeros(count, bool)
    for row, names in enumerate(targets):
        said = [int(found.name[p[row]]) for each in families_of(names) if (p := partner.get(each)) is not None
                and p[row] >= 0]  # fmt: skip
        if said:
            name[row] = next((number for number in said if COCO80[number] in names), said[0])
            person[row] = any(COCO80[number] == "person" for number in said)
            bicycle[row] = any(COCO80[number] == "bicycle" for number in said)
    pairs = _Pairs(frame, found, targets, family, owner, overlap)
    fits = {
        each: _part_fits(pairs, each, partner[each] >= 0 if each in partner else np.zeros(count, bool), rules)
        for each in PART_AXIS
    }
    states = _states(pairs, labelled, rules)
    return FrameMatch(name, person, bicycle, rider=fits["person"], machine=fits["two_wheeler"], state=states)


def matched_pairs(overlap: np.ndarray, least: float) -> np.ndarray:
    """Column ``(N,)`` int64 matched to each row of overlaps ``(N, D)``, one to one by falling overlap; -1 for none."""
    partner = np.full(overlap.shape[0], NOT_FOUND)
    rows, columns = np.nonzero(overlap >= least)
    taken: set[int] = set()
    for k in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = int(rows[k]), int(columns[k])
        if partner[row] == NOT_FOUND and column not in taken:
            partner[row] = column
            taken.add(column)
    return partner


@dataclass(frozen=True, eq=False)
class _Pairs:
    """targets: right names of each label. family: of each detection. owner: label of each detection, -1 for none.
    overlap: ``(N, D)``."""

    frame: LabelledFrame
    found: CocoBoxes
    targets: list[tuple[str, ...]]
    family: np.ndarray
    owner: np.ndarray
    overlap: np.ndarray


def _states(pairs: _Pairs, labelled: frozenset[str], rules: RealismRules) -> np.ndarray:
    """State of each detection (see ``FrameMatch``)."""
    frame, found, owner, family = pairs.frame, pairs.found, pairs.owner, pairs.family
    inside = _share_inside(found.box_px, frame.box_px)
    parts = np.array([CLASSES[number] in PART_OF for number in frame.class_id], bool)
    state = np.full(len(found), NOTHING)
    for d in range(len(found)):
        low = found.box_px[d, 3] - found.box_px[d, 1] < rules.min_height_px
        if family[d] not in labelled or low:
            state[d] = UNCOUNTED
        elif owner[d] >= 0:
            right = RIGHT if COCO80[found.name[d]] in pairs.targets[owner[d]] else OTHER_CLASS
            state[d] = right if frame.wanted[owner[d]] else UNCOUNTED
        elif (inside[d] >= MIN_INSIDE)[~frame.wanted].any():
            state[d] = UNCOUNTED
        elif family[d] in ("person", "two_wheeler") and (inside[d] >= MIN_INSIDE)[parts].any():
            state[d] = UNCOUNTED  # a rider or a machine whose label is of both
        elif (pairs.overlap[:, d] >= rules.overlap).any():
            state[d] = OTHER_CLASS
    return state


def _part_fits(pairs: _Pairs, family: str, matched: np.ndarray, rules: RealismRules) -> np.ndarray:
    """Labels of ``PART_OF`` that a free detection of a family fits, see ``FrameMatch``. matched: labels with one."""
    frame, found, axis = pairs.frame, pairs.found, PART_AXIS[family]
    holds_both = np.array([CLASSES[number] in PART_OF for number in frame.class_id], bool)
    fits = matched & holds_both
    if not frame.whole_riders:
        return fits
    free = np.flatnonzero((pairs.family == family) & (pairs.owner < 0))
    for row in np.flatnonzero(holds_both & ~fits):
        for d in free:
            box, part = found.box_px[d], frame.box_px[row].copy()
            part[axis], part[axis + 2] = max(part[axis], box[axis]), min(part[axis + 2], box[axis + 2])
            whole_px = frame.box_px[row, axis + 2] - frame.box_px[row, axis]
            large = part[axis + 2] - part[axis] >= MIN_PART * whole_px
            if large and box_iou(part[None], box[None])[0, 0] >= rules.overlap:
                fits[row] = True
                free = free[free != d]
                break
    return fits


def _share_inside(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the area of each of ``boxes`` ``(n, 4)`` that lies in each of ``others`` ``(m, 4)``: ``(n, m)``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    area = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), -1)
    return np.prod(np.clip(high - low, 0, None), -1) / np.maximum(area, 1e-9)[:, None]

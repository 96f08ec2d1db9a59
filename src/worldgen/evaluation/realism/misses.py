"""Which labelled objects a detector misses, by class, height and light, and how many to put in for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.measures.intervals import Interval, ratio_interval
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules
from worldgen.evaluation.realism.matching import NOT_FOUND, match_frame, matched_pairs
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.coco_families import FAMILIES
from worldgen.instruments.detector.detector import GROUP_OF_CLASS, Detector, box_iou, find

Finder = Callable[[LabelledFrame], np.ndarray]
"""A frame with N labels -> ``(N,)`` bool, whether each was found."""
HEIGHTS_PX = (0.0, 16.0, 32.0, 64.0, 128.0, 10_000.0)
"""Bounds of the ranges of heights of visible boxes."""
ANY = "any"


@dataclass(frozen=True)
class InsertQuota:
    """Objects of one kind to put into pictures.

    what: of ``CLASSES``. light: "day", "dusk", "night", or "any". height_px: least and greatest height in the picture.
    count: objects.
    """

    what: str = "pedestrian"
    light: str = ANY
    height_px: tuple[float, float] = (0.0, 10_000.0)
    count: int = 1

    def __post_init__(self) -> None:
        if self.what not in CLASSES:
            raise InputError("what of an insert cell", self.what, "one of " + ", ".join(CLASSES))
        if not 0 <= self.height_px[0] < self.height_px[1] or not 1 <= self.count <= 10_000_000:
            raise InputError(
                "height_px, count of an insert cell", (tuple(self.height_px), self.count),
                "two rising numbers from 0, and a whole number from 1",
            )  # fmt: skip


@dataclass(frozen=True)
class InsertQuotas:
    """The ``insert:`` cells of a recipe."""

    insert: list[InsertQuota] = field(default_factory=list)  # omegaconf checks the fields of items of lists only


@dataclass(frozen=True)
class MissRules:
    """Which cells get a quota.

    share: greatest number of new objects as a share of the labelled ones; a few per cent gain most (Dream4Drive,
    arXiv:2510.19195, and copy-paste studies use 2 to 10 %). least: objects that a cell needs, or its recall is not
    believed. classes: names, empty for all.

    Raises:
        InputError: for numbers out of range.
    """

    share: float = 0.05
    least: int = 10
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.least < 1:
            raise InputError("share, least of mined misses", (self.share, self.least), "above 0 to 1, and 1 or more")
        unknown = sorted(set(self.classes) - set(CLASSES))
        if unknown:
            raise InputError("class of mined misses", unknown[0], "one of " + ", ".join(CLASSES))


@dataclass(frozen=True)
class MissCell:
    """Objects of one kind. recall: with its interval from drawing clips. count: objects to put in, 0 for none."""

    what: str
    light: str
    height_px: tuple[float, float]
    objects: int
    missed: int
    recall: Interval
    count: int = 0

    def to_json(self) -> dict:
        """Numbers rounded; undefined ones null."""
        return {
            "what": self.what, "light": self.light, "height_px": list(self.height_px), "objects": self.objects,
            "missed": self.missed, "recall": self.recall.to_json(), "insert": self.count,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class FoundLabels:
    """The judged labels of a set as columns of equal length N. clip: number of each one's clip."""

    class_id: np.ndarray
    height_px: np.ndarray
    light: np.ndarray
    found: np.ndarray
    clip: np.ndarray
    frames: int = field(default=0)

    def __len__(self) -> int:
        return len(self.class_id)


def coco_finder(detector: CocoDetector, rules: RealismRules) -> Finder:
    """Found under any name of the families that fit its class; a car that is taken for a truck is found."""

    def finder(frame: LabelledFrame) -> np.ndarray:
        assert frame.frame is not None
        boxes = detector.find(frame.frame, least_score=rules.least_score)
        return np.asarray(match_frame(frame, boxes, rules, frozenset(FAMILIES)).name != NOT_FOUND)

    return finder


def group_finder(detector: Detector, rules: RealismRules) -> Finder:
    """Found in the group of its class by a detector of this package."""

    def finder(frame: LabelledFrame) -> np.ndarray:
        assert frame.frame is not None
        boxes = find(detector, frame.frame[None], threshold=rules.least_score)[0]
        group = GROUP_OF_CLASS[frame.class_id]
        overlap = np.where(group[:, None] == boxes.group[None], box_iou(frame.box_px, boxes.box_px), 0.0)
        return np.asarray(matched_pairs(overlap, rules.overlap) >= 0)

    return finder


def found_labels(
    frames: Iterable[LabelledFrame], finder: Finder, *, progress: ProgressReporter = no_progress,
    total: int | None = None,
) -> FoundLabels:  # fmt: skip
    """Run a detector over labelled frames and keep, of each judged label, whether it was found.

    Raises: InputError where no label is judged.
    """
    columns: list[tuple[int, float, str, bool, int]] = []
    clips: dict[str, int] = {}
    count = 0
    for frame in progress(frames, total=total, desc="pictures"):
        found = finder(frame)
        clip = clips.setdefault(frame.clip or str(count), len(clips))
        count += 1
        height = frame.box_px[:, 3] - frame.box_px[:, 1]
        for row in np.flatnonzero(frame.wanted):
            columns.append((int(frame.class_id[row]), float(height[row]), frame.light or ANY, bool(found[row]), clip))
    if not columns:
        raise InputError("labels to judge", Received(f"none in {count} pictures"), "at least one")
    class_id, tall, light, seen, of_clip = zip(*columns, strict=True)
    return FoundLabels(
        np.array(class_id), np.array(tall), np.array(light), np.array(seen, bool), np.array(of_clip), count
    )


def miss_cells(labels: FoundLabels, rules: MissRules, *, heights_px: Sequence[float] = HEIGHTS_PX) -> list[MissCell]:
    """Every cell that has objects, the most missed first, with its quota.

    Only cells of ``rules.least`` objects whose recall is below that of the whole set get one, in proportion to the
    objects that are missed there beyond it. All quotas together are at most ``rules.share`` of the labelled objects.
    """
    whole = float(labels.found.mean())
    cells: list[MissCell] = []
    need: list[float] = []
    for class_id in np.unique(labels.class_id):
        for light in np.unique(labels.light):
            for low, high in pairwise(heights_px):
                rows = (labels.class_id == class_id) & (labels.light == light)
                rows &= (labels.height_px >= low) & (labels.height_px < high)
                if not rows.any():
                    continue
                objects, hits = int(rows.sum()), int(labels.found[rows].sum())
                clips = np.unique(labels.clip[rows], return_inverse=True)[1]
                recall = ratio_interval(np.bincount(clips, labels.found[rows]), np.bincount(clips).astype(float))
                name = CLASSES[int(class_id)]
                cells.append(MissCell(name, str(light), (float(low), float(high)), objects, objects - hits, recall))
                wanted = objects >= rules.least and (not rules.classes or name in rules.classes)
                need.append(max(0.0, objects * whole - hits) if wanted else 0.0)
    counts = shared_out(np.array(need), int(rules.share * len(labels)))
    cells = [replace(cell, count=int(count)) for cell, count in zip(cells, counts, strict=True)]
    return sorted(cells, key=lambda cell: (-cell.count, -cell.missed, cell.what, cell.height_px))


def shared_out(need: np.ndarray, total: int) -> np.ndarray:
    """``total`` shared out in proportion to ``need`` ``(N,)`` as whole numbers ``(N,)`` by largest remainders; zeros
    where nothing is needed."""
    if need.sum() <= 0 or total < 1:
        return np.zeros(len(need), np.int64)
    exact = need / need.sum() * total
    whole = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - whole), kind="stable")[: total - int(whole.sum())]
    whole[rest] += 1
    return whole


def insert_quotas(cells: Sequence[MissCell]) -> InsertQuotas:
    """The ``insert:`` cells of those with a quota."""
    return InsertQuotas([InsertQuota(c.what, c.light, c.height_px, c.count) for c in cells if c.count])

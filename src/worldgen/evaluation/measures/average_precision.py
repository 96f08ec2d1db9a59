"""Average precision of boxes by an independent evaluator (pycocotools), by group and slice, with intervals by clips."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, MissingDependencyError
from worldgen.evaluation.measures.intervals import Interval, bootstrap
from worldgen.instruments.detector.detector import GROUPS, Detections
from worldgen.instruments.detector.pictures import MIN_HEIGHT_PX, Boxes, Pictures

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlaps required for a match; AP is the mean over them, AP50 the first. Source: cocodataset.org/#detection-eval."""
RECALLS = np.linspace(0, 1, 101)
MAX_DETECTIONS = 100
"""Per picture and group, by falling score."""
ALL = "all"
RESAMPLES = 300
"""Draws per interval; each is a whole precision-recall curve."""


@dataclass(frozen=True)
class Slice:
    """Which objects count. tags: clips with any of these (empty: all clips); without: no clips with any of these.
    low_px, high_px: height of the visible box. far_m: objects nearer than this are ignored."""

    name: str
    tags: tuple[str, ...] = ()
    low_px: float = MIN_HEIGHT_PX
    high_px: float = 1e5
    far_m: float = 0.0
    without: tuple[str, ...] = ()


SLICES = (
    Slice(ALL), Slice("night", ("night_lit", "night_unlit")), Slice("rain", ("light_rain", "heavy_rain")),
    Slice("fog", ("fog",)), Slice("small", high_px=16.0), Slice("medium", low_px=16.0, high_px=32.0),
    Slice("large", low_px=32.0), Slice("far", far_m=25.0),
)  # fmt: skip


HEIGHTS_PX = (8, 12, 16, 24, 32, 48)
SIZES = tuple(Slice(f"from_{height}px", low_px=float(height)) for height in HEIGHTS_PX)
"""Objects of at least each height, to find the smallest objects that a detector judges reliably."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections of one group matched to its objects, by falling score.

    hit: ``(10, D)`` bool by threshold, whether a detection matched an object. counted: ``(10, D)`` bool, whether it
    counts; one that counts and is no hit is a false alarm. picture: ``(D,)``. wanted: ``(N,)`` objects per picture.
    """

    hit: np.ndarray
    counted: np.ndarray
    picture: np.ndarray
    wanted: np.ndarray


def matches(pictures: int, boxes: Boxes, found: Detections, group: int, piece: Slice | None = None) -> Matches:
    """Match the detections of one group to the boxes of ``pictures`` pictures, as pycocotools does.

    found.frame_index counts pictures. Ignored boxes are crowd regions: any number of detections in one does not count.
    Boxes outside the slice's heights or nearer than its distance are ignored, and so are unmatched detections outside
    its heights.

    Raises: MissingDependencyError without pycocotools.
    """
    piece = piece or Slice(ALL)
    boxes, found = boxes.where(boxes.group == group), found.where(found.group == group)
    judged = matched_evaluator(pictures, boxes, found, piece)
    wanted = np.zeros(pictures, np.int64)
    parts = []
    for entry in judged.evalImgs:
        if entry is None:
            continue
        wanted[entry["image_id"]] = int((np.asarray(entry["gtIgnore"]) == 0).sum())
        score = np.asarray(entry["dtScores"], np.float64)
        parts.append((entry["dtMatches"] > 0, ~entry["dtIgnore"], score, np.full(len(score), entry["image_id"])))
    if not parts:
        empty = np.zeros((len(THRESHOLDS), 0), bool)
        return Matches(empty, empty, np.zeros(0, np.int64), wanted)
    hit, counted, score, picture = (np.concatenate(column, -1) for column in zip(*parts, strict=True))
    order = np.argsort(-score, kind="mergesort")
    return Matches(hit[:, order], counted[:, order], picture[order], wanted)


def matched_evaluator(pictures: int, boxes: Boxes, found: Detections, piece: Slice) -> Any:
    """A pycocotools evaluator that has matched everything. Heights are put in its field for areas, so that its limits
    of area become limits of height."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingDependencyError("pycocotools", "eval", "average precision") from error
    far = ~(boxes.distance_m < piece.far_m)  # unknown distances count as far only where no distance is asked for
    far &= np.isfinite(boxes.distance_m) | (piece.far_m == 0)
    high = piece.high_px
    if piece.far_m and (far & ~boxes.ignore).any():
        high = float((boxes.box_px[:, 3] - boxes.box_px[:, 1])[far & ~boxes.ignore].max())
    crowd = boxes.ignore | ~far
    wanted = [
        {"id": k + 1, "image_id": int(p), "category_id": 1, "bbox": _xywh(box), "area": float(box[3] - box[1]),
         "iscrowd": int(c)}
        for k, (p, box, c) in enumerate(zip(boxes.picture_index, boxes.box_px, crowd, strict=True))
    ]  # fmt: skip
    detected = [
        {"id": k + 1, "image_id": int(p), "category_id": 1, "bbox": _xywh(box), "area": float(box[3] - box[1]),
         "score": float(s), "iscrowd": 0}
        for k, (p, box, s) in enumerate(zip(found.frame_index, found.box_px, found.score, strict=True))
    ]  # fmt: skip
    sets = []
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        for rows in (wanted, detected):
            coco = COCO()
            coco.dataset = {
                "images": [{"id": p} for p in range(pictures)], "categories": [{"id": 1}], "annotations": rows,
            }  # fmt: skip
            coco.createIndex()
            sets.append(coco)
        judged = COCOeval(*sets, iouType="bbox")
        judged.params.imgIds, judged.params.catIds = list(range(pictures)), [1]
        judged.params.areaRng, judged.params.areaRngLbl = [[piece.low_px, high]], [ALL]
        judged.params.maxDets = [MAX_DETECTIONS]
        judged.evaluate()
    return judged


def _xywh(box: np.ndarray) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


def average_precision(found: Matches, weight: np.ndarray | None = None, *, overlaps: int = 10) -> np.ndarray:
    """Average precision at the first ``overlaps`` thresholds ``(overlaps,)``, NaN where there is no object.

    weight: how often each picture counts ``(N,)``, by default once. Precision is made monotone and read at 101 recalls,
    as in ``accumulate`` of pycocotools (a test compares the two).
    """
    weight = np.ones(len(found.wanted)) if weight is None else weight
    wanted = float((weight * found.wanted).sum())
    if wanted == 0:
        return np.full(overlaps, math.nan)
    used = weight[found.picture] > 0
    each = weight[found.picture][used]
    hit, counted = found.hit[:overlaps, used], found.counted[:overlaps, used]
    right = np.cumsum((hit & counted) * each, axis=1)
    wrong = np.cumsum((~hit & counted) * each, axis=1)
    precision = right / np.maximum(right + wrong, np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    out = np.zeros(overlaps)
    for t in range(overlaps):
        place = np.searchsorted(right[t] / wanted, RECALLS, side="left")
        inside = place < right.shape[1]
        out[t] = precision[t, place[inside]].sum() / len(RECALLS)
    return out


@dataclass(frozen=True, eq=False)
class Judged:
    """All matches of a detector on a set of pictures, by slice and group; measures need no further matching.

    clip_index: ``(N,)`` clip of each picture; tags: of each clip.
    """

    slices: tuple[Slice, ...]
    table: dict[tuple[str, str], Matches]
    clip_index: np.ndarray
    tags: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> list[str]:
        """Names of the slices."""
        return [piece.name for piece in self.slices]

    def clip_weight(self, piece: Slice, drawn: np.ndarray | None = None) -> np.ndarray:
        """How often each clip counts in a slice ``(K,)``; drawn: clip numbers of a bootstrap draw."""
        weight = (
            np.ones(len(self.tags)) if drawn is None else np.bincount(drawn, minlength=len(self.tags)).astype(float)
        )
        if piece.tags:
            weight = weight * np.array([bool(set(piece.tags) & set(tags)) for tags in self.tags])
        if piece.without:
            weight = weight * np.array([not set(piece.without) & set(tags) for tags in self.tags])
        return weight

    def value(self, name: str, group: str, *, drawn: np.ndarray | None = None, all_overlaps: bool = False) -> float:
        """AP50, or AP over all overlaps, of a group in a slice. "all", or groups joined by "+": the mean of those that
        have objects."""
        groups = groups_in(group)
        if len(groups) > 1:
            values = [self.value(name, g, drawn=drawn, all_overlaps=all_overlaps) for g in groups]
            known = [value for value in values if math.isfinite(value)]
            return float(np.mean(known)) if known else math.nan
        piece = next(each for each in self.slices if each.name == name)
        weight = self.clip_weight(piece, drawn)[self.clip_index]
        return float(average_precision(self.table[name, group], weight, overlaps=10 if all_overlaps else 1).mean())

    def objects(self, name: str, group: str) -> int:
        """Number of objects of a group, or of groups joined by "+", in a slice."""
        piece = next(each for each in self.slices if each.name == name)
        weight = self.clip_weight(piece)[self.clip_index]
        return int(sum((weight * self.table[name, g].wanted).sum() for g in groups_in(group)))

    def interval(self, name: str, group: str, *, all_overlaps: bool = False, seed: int = 0) -> Interval:
        """The value with its 95 % interval from drawing clips."""
        if not self.objects(name, group):
            return Interval(math.nan, math.nan, math.nan, 0)

        def statistic(drawn: np.ndarray) -> float:
            return self.value(name, group, drawn=drawn, all_overlaps=all_overlaps)

        return bootstrap(len(self.tags), statistic, seed=seed, resamples=RESAMPLES, bounds=(0.0, 1.0))

    def to_json(self, *, seed: int = 0) -> dict:
        """Slice -> group -> AP50 with its interval, AP over all overlaps, and objects."""
        return {
            piece.name: {group: self._row(piece.name, group, seed) for group in (ALL, *GROUPS)} for piece in self.slices
        }

    def _row(self, name: str, group: str, seed: int) -> dict:
        whole = self.value(name, group, all_overlaps=True)
        return {
            "ap50": self.interval(name, group, seed=seed).to_json(), "objects": self.objects(name, group),
            "ap": round(whole, 5) if math.isfinite(whole) else None,
        }  # fmt: skip


def groups_in(words: str) -> tuple[str, ...]:
    """The groups that "all", one name, or names joined by "+" stand for."""
    return GROUPS if words == ALL else tuple(words.split("+"))


def judge(pictures: Pictures, found: Detections, *, slices: Sequence[Slice] = SLICES) -> Judged:
    """Match what a detector found (frame_index: number of the picture) to the pictures' boxes, by slice and group.

    Raises: InputError for detections of pictures that are not there.
    """
    if len(found) and not 0 <= int(found.frame_index.min()) <= int(found.frame_index.max()) < len(pictures):
        raise InputError("picture number of a detection", int(found.frame_index.max()), f"0 to {len(pictures) - 1}")
    table: dict[tuple[str, str], Matches] = {}
    matched: dict[tuple[float, float, float, int], Matches] = {}
    for piece in slices:
        for number, group in enumerate(GROUPS):
            key = (piece.low_px, piece.high_px, piece.far_m, number)  # slices by tags share their matches
            if key not in matched:
                matched[key] = matches(len(pictures), pictures.boxes, found, number, piece)
            table[piece.name, group] = matched[key]
    return Judged(tuple(slices), table, pictures.clip_index, pictures.tags)

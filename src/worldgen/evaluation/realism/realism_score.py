"""Recall, class agreement and precision of a detector on one set, with intervals by clips."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.data.export.class_maps import COCO80
from worldgen.evaluation.measures.intervals import Interval, bootstrap, count_interval
from worldgen.evaluation.realism.judged_objects import JudgedDetections, JudgedObjects
from worldgen.evaluation.realism.labelled_frame import LabelledFrame
from worldgen.evaluation.realism.matching import OTHER_CLASS, RIGHT, UNCOUNTED

UNDEFINED = Interval(math.nan, math.nan, math.nan, 0)
ALL = "all"
BANDS: dict[str, tuple[float, float]] = {
    "8-16": (8.0, 16.0), "16-32": (16.0, 32.0), "32-64": (32.0, 64.0), "64+": (64.0, math.inf),
}  # fmt: skip
"""Heights of labels in pixels, each without its upper end; "all" has lower labels too where the rules allow them."""
PART_ROWS: dict[str, tuple[str, str]] = {
    "motorcycle_rider": ("motorcycle", "rider"), "motorcycle_machine": ("motorcycle", "machine"),
    "cyclist_as_person": ("cyclist", "person"), "cyclist_as_bicycle": ("cyclist", "bicycle"),
    "cyclist_rider": ("cyclist", "rider"), "cyclist_machine": ("cyclist", "machine"),
}  # fmt: skip
"""Row of a class that is found in one way only -> class and column of ``JudgedObjects``."""
STEP = math.sqrt(2)
"""Ratio of neighbouring heights at which sets are compared at equal height."""


@dataclass(frozen=True, eq=False)
class RealismScore:
    """A set that was judged. frames: without their pixels."""

    frames: tuple[LabelledFrame, ...]
    objects: JudgedObjects
    detections: JudgedDetections

    @property
    def slices(self) -> list[str]:
        """Names of the slices that have frames: all, day, night, and each weather and light."""
        words = {f"weather {frame.weather}" for frame in self.frames if frame.weather}
        words |= {f"light {frame.light}" for frame in self.frames if frame.light}
        nights = {frame.night for frame in self.frames}
        return [ALL, *(["day"] * (False in nights)), *(["night"] * (True in nights)), *sorted(words)]

    @property
    def classes(self) -> list[str]:
        """Rows that have labels, in the order of ``CLASSES``; those of ``PART_ROWS`` follow their class."""
        present = [CLASSES[number] for number in sorted(set(self.objects.class_id.tolist()))]
        return [row for name in present for row in (name, *(p for p, (own, _) in PART_ROWS.items() if own == name))]

    def chosen(self, row: str, band: str = ALL, piece: str = ALL) -> np.ndarray:
        """Which labels ``(N,)`` bool a row is about."""
        name = PART_ROWS[row][0] if row in PART_ROWS else row
        low, high = BANDS.get(band, (0.0, math.inf))
        objects = self.objects
        kept = (objects.class_id == CLASSES.index(name)) & (objects.height_px >= low) & (objects.height_px < high)
        return kept & self._frames_in(piece)[objects.frame]

    def found(self, row: str) -> np.ndarray:
        """Which labels ``(N,)`` bool were found, for a class or in one way of ``PART_ROWS``."""
        column: np.ndarray = getattr(self.objects, PART_ROWS[row][1] if row in PART_ROWS else "found")
        return column

    def recall(self, row: str, band: str = ALL, piece: str = ALL) -> Interval:
        """Share of labels that were found under a name of their families."""
        chosen = self.chosen(row, band, piece)
        return self._share(self.found(row)[chosen], self.objects.frame[chosen])

    def agreement(self, row: str, band: str = ALL, piece: str = ALL) -> Interval:
        """Share of the labels that were found whose name is right."""
        chosen = self.chosen(row, band, piece) & self.objects.found
        if row in PART_ROWS:
            return UNDEFINED
        return self._share(self.objects.right[chosen], self.objects.frame[chosen])

    def precision(self, name: str, piece: str = ALL) -> tuple[Interval, Interval]:
        """Of what the detector calls ``name``: the share that is one, and the share that is any labelled object."""
        found = self.detections
        kept = (found.state != UNCOUNTED) & self._frames_in(piece)[found.frame]
        if name != ALL:
            kept &= found.name == COCO80.index(name)
        state, frame = found.state[kept], found.frame[kept]
        return self._share(state == RIGHT, frame), self._share((state == RIGHT) | (state == OTHER_CLASS), frame)

    def control(self, column: str, row: str = "") -> Interval:
        """Recall of labels that are "shifted" or "shuffled", of one class or of all: it must be near 0.

        Without frames of another clip nothing can be shuffled, and the recall is not defined.
        """
        kept = self.chosen(row) if row else np.ones(len(self.objects), bool)
        kept = kept & self.objects.exchanged if column == "shuffled" else kept
        return self._share(getattr(self.objects, column)[kept], self.objects.frame[kept])

    def at_heights_of(self, other: RealismScore, row: str, piece: str = ALL) -> tuple[Interval, float]:
        """Recall if the labels had the heights of another set's, and the share of those heights that this set has.

        Heights are compared in steps of a factor of 1.41, over the steps in which this set has labels. The slice of the
        other set is the same, or all of it where it has none of that name.
        """
        theirs = other.chosen(row, piece=piece if piece in other.slices else ALL)
        mine = self.chosen(row, piece=piece)
        if not theirs.any() or not mine.any():
            return UNDEFINED, 0.0
        step = _steps(self.objects.height_px[mine])
        wanted = Counter(_steps(other.objects.height_px[theirs]).tolist())
        shared = {k: count for k, count in wanted.items() if (step == k).any()}
        covered = sum(shared.values()) / sum(wanted.values())
        if not shared:
            return UNDEFINED, 0.0
        numbers = np.array(sorted(shared))
        weight = np.array([shared[k] for k in numbers], float)
        hits, clip = self.found(row)[mine], self._clip_number[self.objects.frame[mine]]
        used, clip = np.unique(clip, return_inverse=True)
        at = np.searchsorted(numbers, step).clip(max=len(numbers) - 1)
        inside = numbers[at] == step
        count, found = np.zeros((2, len(used), len(numbers)))
        np.add.at(count, (clip[inside], at[inside]), 1.0)
        np.add.at(found, (clip[inside], at[inside]), hits[inside].astype(float))

        def statistic(drawn: np.ndarray) -> float:
            total, part = count[drawn].sum(0), found[drawn].sum(0)
            there = total > 0
            return float((weight[there] * part[there] / total[there]).sum() / max(weight[there].sum(), 1e-9))

        return _of_clips(len(used), statistic), covered

    def row_json(self, row: str, band: str, piece: str) -> dict[str, Any] | None:
        """A row of the result: n, recall, class agreement and the names that the detector gave; None without labels."""
        chosen = self.chosen(row, band, piece)
        if not chosen.any():
            return None
        record: dict[str, Any] = {"n": int(chosen.sum()), "recall": self.recall(row, band, piece).to_json()}
        if row not in PART_ROWS:
            record["agreement"] = self.agreement(row, band, piece).to_json()
            names = Counter(COCO80[number] for number in self.objects.name[chosen & self.objects.found])
            record["called"] = dict(names.most_common())
        return record

    def to_json(self) -> dict[str, Any]:
        """Everything of the set, JSON-able: rows by class, slice and size band; precision; controls."""
        rows: dict[str, Any] = {}
        for row in self.classes:
            for piece in self.slices:
                for band in (ALL, *(BANDS if piece in (ALL, "day", "night") else ())):
                    record = self.row_json(row, band, piece)
                    if record:
                        rows.setdefault(row, {}).setdefault(piece, {})[band] = record
        return {
            "frames": len(self.frames), "clips": len(set(self._clip_number.tolist())),
            "sizes_px": [list(size) for size in sorted({frame.size_px for frame in self.frames})],
            "labels": len(self.objects), "rows": rows, "precision": self._precision_json(),
            "controls": {
                column: {"all": self.control(column).to_json()}
                | {row: self.control(column, row).to_json() for row in self.classes if row not in PART_ROWS}
                for column in ("shifted", "shuffled")
            },
        }  # fmt: skip

    def _precision_json(self) -> dict[str, Any]:
        counted = self.detections.name[self.detections.state != UNCOUNTED]
        out = {}
        for name in (ALL, *(COCO80[number] for number in sorted(set(counted.tolist())))):
            right, placed = self.precision(name)
            count = len(counted) if name == ALL else int((counted == COCO80.index(name)).sum())
            out[name] = {"n": count, "right": right.to_json(), "on_an_object": placed.to_json()}
        return out

    @cached_property
    def _clip_number(self) -> np.ndarray:
        """Number of the clip of each frame ``(F,)``."""
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(frame.clip, len(numbers)) for frame in self.frames], np.int64)

    def _frames_in(self, piece: str) -> np.ndarray:
        """Which frames ``(F,)`` bool are in a slice."""
        kind, _, word = piece.partition(" ")
        return np.array([
            piece == ALL or (kind in ("day", "night") and frame.night is (kind == "night"))
            or (kind == "weather" and frame.weather == word) or (kind == "light" and frame.light == word)
            for frame in self.frames
        ], bool)  # fmt: skip

    def _share(self, hits: np.ndarray, frame: np.ndarray) -> Interval:
        """Share of hits, the interval from drawing the clips that have any of these objects."""
        if not len(hits):
            return UNDEFINED
        used, clip = np.unique(self._clip_number[frame], return_inverse=True)
        total = np.bincount(clip, minlength=len(used)).astype(float)
        part = np.bincount(clip, weights=hits.astype(float), minlength=len(used))
        return _of_clips(len(used), lambda drawn: float(part[drawn].sum() / total[drawn].sum()))


def _of_clips(count: int, share: Callable[[np.ndarray], float]) -> Interval:
    """A share with its interval from drawing clips; the frames of a single clip say as much as one object."""
    if count == 1:
        value = share(np.arange(1))
        return Interval(value, *count_interval(value, 1), 1)
    return bootstrap(count, share, bounds=(0.0, 1.0))


def _steps(height_px: np.ndarray) -> np.ndarray:
    """Number ``(N,)`` int64 of the step of each height."""
    return np.floor(np.log(np.maximum(height_px, 1e-6)) / math.log(STEP) + 1e-9).astype(np.int64)


def compared(scores: Sequence[tuple[str, RealismScore]], reference: str) -> dict[str, Any]:
    """Recall of each other set at the heights of the reference's labels, beside that of the reference.

    Returns: name of a set -> class -> slice -> recall, covered share of the heights, and recall of the reference.
    """
    theirs = dict(scores)[reference]
    out: dict[str, Any] = {}
    for name, score in scores:
        for row in score.classes if name != reference else ():
            for piece in (ALL, "day", "night"):
                recall, covered = score.at_heights_of(theirs, row, piece) if piece in score.slices else (UNDEFINED, 0.0)
                if covered:
                    real = theirs.recall(row, piece=piece if piece in theirs.slices else ALL)
                    out.setdefault(name, {}).setdefault(row, {})[piece] = {
                        "recall": recall.to_json(), "covered": round(covered, 4), "reference": real.to_json(),
                    }  # fmt: skip
    return out

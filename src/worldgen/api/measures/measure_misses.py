"""What a detector misses on a labelled set, and the insert cells that would mend it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from worldgen.api.measures.measure_realism import choice_of
from worldgen.api.measures.measure_result import command_line, cost, result_head
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.realism.labelled_frame import RealismRules
from worldgen.evaluation.realism.misses import (
    Finder,
    MissRules,
    coco_finder,
    found_labels,
    group_finder,
    insert_quotas,
    miss_cells,
)
from worldgen.evaluation.realism.realism_sets import realism_set
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.detector import GROUP_OF_NAME, load_detector


@dataclass(frozen=True, kw_only=True)
class MissOptions:
    """Options of ``worldgen eval misses``.

    url: a labelled set. detector: a YOLOX file in ONNX, the folder of a detector of this package, or "shipped".
    share: greatest number of inserts as a share of the labelled objects. least: objects of a cell that gets inserts.
    classes: only cells of these classes get inserts. size, limit, split, category: as in ``RealismOptions``.
    min_height, overlap, score: which labels and detections count. threads: 0 for all.
    """

    url: str
    detector: str
    share: float = 0.05
    least: int = 10
    classes: Sequence[str] = ()
    size: str = ""
    limit: int = 0
    split: str = ""
    category: Sequence[str] = ()
    min_height: float = 8.0
    overlap: float = 0.5
    score: float = 0.3
    threads: int = 0


def measure_misses(options: MissOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Recall of every class, height and light, and the quotas of inserts.

    Raises: InputError for options out of range, a set without labels and a detector that cannot be read.
    """
    begun_s = time.monotonic()
    rules = MissRules(options.share, options.least, tuple(options.classes))
    judged = RealismRules(options.min_height, overlap=options.overlap, least_score=options.score)
    if not 0 <= options.threads <= 1024:
        raise InputError("threads", options.threads, "0 to 1024")
    if options.threads:
        cv2.setNumThreads(options.threads)
    finder, judged = _finder(options.detector, judged)
    found = realism_set(options.url, choice_of(options.size, options.limit, options.split, options.category), judged)
    labels = found_labels(found, finder, progress=progress, total=found.total)
    cells = miss_cells(labels, rules)
    names = ("detector", "share", "least", "size", "limit", "split", "category", "min_height", "overlap", "score")
    record = result_head(
        "misses", command_line("misses", options, names) + f" {options.url.rstrip('/').rsplit('/', 1)[-1]}"
    )
    record |= {
        "detector": options.detector.rstrip("/").rsplit("/", 1)[-1], "pictures": labels.frames, "objects": len(labels),
        "missed": int((~labels.found).sum()), "recall": round(float(labels.found.mean()), 4),
        "inserts": sum(cell.count for cell in cells), "cells": [cell.to_json() for cell in cells],
        "quotas": [
            {"what": q.what, "light": q.light, "height_px": list(q.height_px), "count": q.count}
            for q in insert_quotas(cells).insert
        ],
        "categories_left_out": list(found.left_out), "cost": cost(begun_s),
    }  # fmt: skip
    return record


def _finder(name: str, rules: RealismRules) -> tuple[Finder, RealismRules]:
    """The detector of a name, and the rules with the classes that it can find."""
    if name == "shipped" or Path(name).is_dir():
        detector = load_detector(None if name == "shipped" else name)
        known = {key: names for key, names in rules.recognised.items() if key in GROUP_OF_NAME}
        rules = replace(rules, recognised=known)
        return group_finder(detector, rules), rules
    return coco_finder(CocoDetector.load(name), rules), rules

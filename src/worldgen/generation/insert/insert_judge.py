"""Is an insert found where it was put? What a detector of the real world cannot find is taken out again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from worldgen.data.export.class_maps import COCO80
from worldgen.generation.insert.compositing import PutInsert, restored
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.coco_families import FAMILY_OF_NAME, RECOGNISED_AS, families_of
from worldgen.instruments.detector.detector import box_iou

AROUND = 2.2
"""Side of the part of the picture that is looked at, in longer sides of the insert."""
LEAST_SIDE_PX = 160
FOUND_OVERLAP, ELSEWHERE_OVERLAP = 0.5, 0.1
"""Overlap from which a detection is the insert, and below which it is something else."""
PART_INSIDE = 0.8
"""Share of a detection inside the box of a rider that makes it a part of the rider."""


@dataclass(frozen=True)
class InsertVerdict:
    """kept: whether the insert stays. reason: "found", "not found", "found elsewhere", or "not judged" for classes that
    COCO has not. score: of the best detection of its family, 0 without one. overlap: of that with the label. called:
    its name in COCO."""

    kept: bool
    reason: str
    score: float = 0.0
    overlap: float = 0.0
    called: str = ""


class BoxJudge(ABC):
    """Says of a box whether an object of a class is found there. name, hash: of the network that is asked."""

    name: str
    hash: str

    @abstractmethod
    def verdict_of(self, frame: np.ndarray, class_name: str, box_px: np.ndarray) -> InsertVerdict:
        """The verdict on a box ``(4,)`` in a frame ``(H, W, 3)`` uint8."""

    def verdict(self, frame: np.ndarray, put: PutInsert) -> InsertVerdict:
        """The verdict on one insert in a frame."""
        return self.verdict_of(frame, put.patch.class_name, np.array(put.box_px, np.float32))

    def keep_found(
        self, frame: np.ndarray, put: Sequence[PutInsert]
    ) -> tuple[np.ndarray, list[tuple[PutInsert, InsertVerdict]]]:
        """The frame without the inserts that are not found, and the verdicts on all. Inserts do not overlap."""
        verdicts = [(each, self.verdict(frame, each)) for each in put]
        for each, verdict in reversed(verdicts):
            if not verdict.kept:
                frame = restored(frame, each)
        return frame, verdicts


class InsertJudge(BoxJudge):
    """Asks a COCO detector for each insert. least_score: of a detection that counts."""

    def __init__(self, detector: CocoDetector, *, least_score: float = 0.3):
        self.detector, self.least_score = detector, least_score

    @property
    def name(self) -> str:  # type: ignore[override]
        """Of the detector."""
        return self.detector.name

    @property
    def hash(self) -> str:  # type: ignore[override]
        """Of its file."""
        return self.detector.hash

    def verdict_of(self, frame: np.ndarray, class_name: str, box_px: np.ndarray) -> InsertVerdict:
        """As :class:`BoxJudge` says; classes that COCO has not are not judged."""
        right = RECOGNISED_AS.get(class_name, ())
        if not right:
            return InsertVerdict(True, "not judged")
        box = np.asarray(box_px, np.float32)
        part, offset, scale = self._looked_at(frame, box)
        found = self.detector.find(part, least_score=self.least_score)
        family = [FAMILY_OF_NAME[COCO80[n]] in families_of(right) for n in found.name]
        boxes, scores, names = (
            found.box_px[family] / scale + np.tile(offset, 2),
            found.score[family],
            found.name[family],
        )
        if not len(boxes):
            return InsertVerdict(False, "not found")
        overlap = box_iou(box[None], boxes)[0]
        if class_name in ("cyclist", "motorcycle"):  # COCO boxes rider and machine apart
            overlap = np.maximum(overlap, _as_part(box, boxes))
        best = int(overlap.argmax())
        told = (float(scores[best]), float(overlap[best]), COCO80[int(names[best])])
        if overlap[best] >= FOUND_OVERLAP:
            return InsertVerdict(True, "found", *told)
        if overlap[best] >= ELSEWHERE_OVERLAP:
            return InsertVerdict(False, "found elsewhere", *told)
        return InsertVerdict(False, "not found", 0.0, told[1], "")

    def _looked_at(self, frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """A square part of the picture around a box, its corner and the factor of its size."""
        side = max(AROUND * float((box[2:] - box[:2]).max()), float(LEAST_SIDE_PX))
        middle = (box[:2] + box[2:]) / 2
        low = np.maximum(np.floor(middle - side / 2), 0).astype(int)
        high = np.minimum(np.ceil(middle + side / 2), frame.shape[1::-1]).astype(int)
        part = frame[low[1] : high[1], low[0] : high[0]]
        scale = min(1.0, self.detector.width_px / max(part.shape[:2]))
        if scale < 1:
            size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        return part, low.astype(np.float32), scale


def _as_part(box: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Overlap ``(N,)`` of detections with the label cut to the columns of the rider, or to the rows of the machine."""
    out = np.zeros(len(found), np.float32)
    for number, other in enumerate(found):
        shared = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None).prod()
        if shared < PART_INSIDE * max(float((other[2:] - other[:2]).prod()), 1e-6):
            continue
        for axis in (0, 1):
            cut = box.copy()
            cut[axis], cut[axis + 2] = max(box[axis], other[axis]), min(box[axis + 2], other[axis + 2])
            if cut[axis + 2] - cut[axis] >= 0.3 * (box[axis + 2] - box[axis]):
                out[number] = max(out[number], float(box_iou(cut[None], other[None])[0, 0]))
    return out


def verdict_json(verdict: InsertVerdict) -> dict[str, Any]:
    """A verdict for the record of a label."""
    return {
        "reason": verdict.reason, "score": round(verdict.score, 3), "overlap": round(verdict.overlap, 3),
        "called": verdict.called,
    }  # fmt: skip

"""All labels and detections of a set as columns, with the two controls that must fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.core.seeds import numpy_rng
from worldgen.data.export.class_maps import COCO80
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules
from worldgen.evaluation.realism.matching import NOT_FOUND, match_frame
from worldgen.instruments.detector.coco_detector import CocoBoxes
from worldgen.instruments.detector.coco_families import FAMILIES, families_of

Table = TypeVar("Table")


@dataclass(frozen=True, eq=False)
class JudgedObjects:
    """The labels that count, as columns of equal length N.

    frame: ``(N,)`` int64 number of the frame. class_id: into ``CLASSES``. height_px: of the visible box. name: into
    ``COCO80``, -1 where it was not found. right: bool, whether the name is right for the class. person, bicycle, rider,
    machine: bool, as in ``FrameMatch``. shifted, shuffled: bool, whether the detector "finds" the label when it is
    moved by its own width, and in the frame of another clip. exchanged: bool, whether there was such a frame.
    """

    frame: np.ndarray
    class_id: np.ndarray
    height_px: np.ndarray
    name: np.ndarray
    right: np.ndarray
    person: np.ndarray
    bicycle: np.ndarray
    rider: np.ndarray
    machine: np.ndarray
    shifted: np.ndarray
    shuffled: np.ndarray
    exchanged: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def found(self) -> np.ndarray:
        """``(N,)`` bool."""
        return self.name != NOT_FOUND


@dataclass(frozen=True, eq=False)
class JudgedDetections:
    """What the detector found, as columns: frame, name into ``COCO80``, height_px, state as in ``FrameMatch``."""

    frame: np.ndarray
    name: np.ndarray
    height_px: np.ndarray
    state: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)


def judge_frames(
    frames: Sequence[LabelledFrame], found: Sequence[CocoBoxes], rules: RealismRules, *, seed: int = 0
) -> tuple[JudgedObjects, JudgedDetections]:
    """Match every frame of a set, and both controls. seed: of the frames that are exchanged."""
    labelled = _labelled_families(frames, rules)
    other = _partners(frames, seed)
    objects: list[dict[str, np.ndarray]] = []
    detections: list[dict[str, np.ndarray]] = []
    for number, (frame, boxes) in enumerate(zip(frames, found, strict=True)):
        match = match_frame(frame, boxes, rules, labelled)
        moved = match_frame(_shifted(frame), boxes, rules, labelled)
        partner = other[number]
        strange = _scaled(found[partner], frames[partner].size_px, frame.size_px) if partner >= 0 else _none()
        exchanged = match_frame(frame, strange, rules, labelled)
        kept, height = frame.wanted, frame.box_px[:, 3] - frame.box_px[:, 1]
        right = [
            n >= 0 and COCO80[n] in rules.recognised.get(CLASSES[c], ())
            for n, c in zip(match.name, frame.class_id, strict=True)
        ]
        columns = {
            "frame": np.full(len(kept), number), "class_id": frame.class_id, "height_px": height, "name": match.name,
            "right": np.array(right, bool), "person": match.person, "bicycle": match.bicycle, "rider": match.rider,
            "machine": match.machine,
            "shifted": moved.name >= 0, "shuffled": exchanged.name >= 0, "exchanged": np.full(len(kept), partner >= 0),
        }  # fmt: skip
        objects.append({name: column[kept] for name, column in columns.items()})
        detections.append({
            "frame": np.full(len(boxes), number), "name": boxes.name,
            "height_px": boxes.box_px[:, 3] - boxes.box_px[:, 1], "state": match.state,
        })  # fmt: skip
    return _joined(JudgedObjects, objects), _joined(JudgedDetections, detections)


def _joined(table: type[Table], parts: list[dict[str, np.ndarray]]) -> Table:
    return table(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _labelled_families(frames: Sequence[LabelledFrame], rules: RealismRules) -> frozenset[str]:
    """Families whose detections can be wrong: of rendered scenes all, of other sets those that have a label.

    Labels of cyclists say that persons are labelled, and not that bicycles without a rider are.
    """
    if any(frame.whole_riders for frame in frames):
        return frozenset(FAMILIES)
    present = {CLASSES[number] for frame in frames for number in np.unique(frame.class_id)}
    return frozenset(family for name in present for family in families_of(rules.recognised.get(name, ()))[:1])


def _shifted(frame: LabelledFrame) -> LabelledFrame:
    """The labels moved sideways by their own width, to the side that has more room."""
    box = frame.box_px.copy()
    width = box[:, 2] - box[:, 0]
    to_right = box[:, 0] + box[:, 2] < frame.size_px[0]
    box[:, ::2] += np.where(to_right, width, -width)[:, None]
    return replace(frame, box_px=box)


def _partners(frames: Sequence[LabelledFrame], seed: int) -> np.ndarray:
    """A frame of another clip for each frame ``(F,)``, each used once where that is possible; -1 in a single clip."""
    order = np.array(sorted(range(len(frames)), key=lambda number: frames[number].clip))
    clips = [frames[number].clip for number in order]
    partner = np.full(len(frames), NOT_FOUND)
    if len(set(clips)) < 2:
        return partner
    largest = max(Counter(clips).values())
    # Frames lie clip by clip: a turn by at least the longest clip leaves each, unless one clip has over half of them.
    room = len(frames) - 2 * largest
    turn = largest + (int(numpy_rng("exchanged frames", len(frames), seed).integers(room + 1)) if room > 0 else 0)
    turned = np.roll(order, -turn)
    for own, strange in zip(order, turned, strict=True):
        if frames[own].clip != frames[strange].clip:
            partner[own] = strange
    return partner


def _scaled(found: CocoBoxes, size_px: tuple[int, int], target_px: tuple[int, int]) -> CocoBoxes:
    scale = np.array([target_px[0] / size_px[0], target_px[1] / size_px[1]] * 2, np.float32)
    return replace(found, box_px=found.box_px * scale)


def _none() -> CocoBoxes:
    return CocoBoxes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

"""Deliberate faults of clips and labels, by which the gate is calibrated and its detection rate measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.generation.quality.track_scores import MEASURED_AT_PX, judged_rows
from worldgen.instruments.detector.detector import box_iou

VEHICLES, PEOPLE = ("car", "truck", "bus", "motorcycle"), ("pedestrian", "cyclist", "bicycle")
NEAR = {
    "car": ("truck", "bus"),
    "truck": ("car", "bus"),
    "bus": ("car", "truck"),
    "motorcycle": ("car", "cyclist"),
    "bicycle": ("pedestrian", "motorcycle"),
    "cyclist": ("pedestrian", "motorcycle"),
    "pedestrian": ("cyclist", "traffic_cone"),
    "traffic_light": ("traffic_cone", "pedestrian"),
    "traffic_cone": ("pedestrian", "traffic_light"),
}
"""Class -> classes that it is easily confused with."""
FREE_OVERLAP = 0.1
SAME_PLACE = 0.5
"""Mean overlap from which boxes of another frame count as right."""


@dataclass(frozen=True, eq=False)
class FaultyLabels:
    """Labels with a fault. track: the wrong one, None for all of them. truth: the labels before.

    A gate that drops exactly the wrong track repairs "added". Dropping a swapped or shifted track leaves its object
    without a label.
    """

    labels: Labels
    track: int | None
    truth: Labels


def shifted(labels: Labels, rng: np.random.Generator) -> FaultyLabels:
    """All boxes shifted by the same 12 to 30 pixels (at 224 pixels of width) in a random direction."""
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(12, 30) * labels.width_px / MEASURED_AT_PX
    step = far * np.array([np.cos(angle), np.sin(angle)])
    return FaultyLabels(_moved(labels, np.ones(len(labels), bool), np.tile(step, (len(labels), 1))), None, labels)


def late(labels: Labels, rng: np.random.Generator) -> FaultyLabels | None:
    """All labels 4 to 8 frames late, as with unsynchronised clocks; the first frames keep the labels of frame 0.

    None when every judged track stays about where it was, as cars do that drive with the ego.
    """
    delay = int(rng.integers(4, 9))
    parts = []
    for frame in range(labels.num_frames):
        there = labels.at(max(frame - delay, 0))
        parts.append(replace(there, frame_index=np.full(len(there), frame)))
    faulty = _joined(labels, parts)
    return FaultyLabels(faulty, None, labels) if _least_overlap(labels, faulty) < SAME_PLACE else None


def _least_overlap(labels: Labels, other: Labels) -> float:
    """The least over judged tracks of the mean overlap of their boxes with those of the same tracks in other labels."""
    shares: dict[int, list[float]] = {}
    for row in np.flatnonzero(judged_rows(labels)):
        there = other.at(int(labels.frame_index[row]))
        box = there.box_px[there.track_id == labels.track_id[row]]
        overlap = float(box_iou(labels.box_px[row][None], box).max(initial=0.0))
        shares.setdefault(int(labels.track_id[row]), []).append(overlap)
    return min((float(np.mean(values)) for values in shares.values()), default=1.0)


def shifted_one(labels: Labels, rng: np.random.Generator) -> FaultyLabels:
    """One judged track shifted by 0.5 to 1.5 of its own box in a random direction."""
    track = _pick(labels, rng)
    mine = labels.track_id == track
    size = labels.box_px[:, 2:] - labels.box_px[:, :2]
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.5)
    return FaultyLabels(_moved(labels, mine, far * size * [np.cos(angle), np.sin(angle)]), track, labels)


def swapped(labels: Labels, rng: np.random.Generator) -> FaultyLabels:
    """One judged track with a very different class: a person for a vehicle, a vehicle for anything else."""
    track = _pick(labels, rng)
    name = CLASSES[int(labels.class_id[labels.track_id == track][0])]
    other = str(rng.choice(PEOPLE if name in VEHICLES else VEHICLES))
    return FaultyLabels(_renamed(labels, track, other), track, labels)


def swapped_near(labels: Labels, rng: np.random.Generator) -> FaultyLabels:
    """One judged track with a similar class, such as truck for car."""
    track = _pick(labels, rng)
    name = CLASSES[int(labels.class_id[labels.track_id == track][0])]
    return FaultyLabels(_renamed(labels, track, str(rng.choice(NEAR[name]))), track, labels)


def deleted(labels: Labels, rng: np.random.Generator) -> FaultyLabels:
    """One judged track left out of the labels although the frames show it."""
    track = _pick(labels, rng)
    return FaultyLabels(labels.where(labels.track_id != track), track, labels)


def added(labels: Labels, other: Labels, rng: np.random.Generator) -> FaultyLabels | None:
    """One judged track of another clip added to the labels; None when it overlaps a label of this clip."""
    track = _pick(other, rng)
    number = int(max([0, *labels.track_id.tolist()])) + 1
    donated = other.where((other.track_id == track) & (other.frame_index < labels.num_frames))
    donated = replace(donated, num_frames=labels.num_frames, track_id=np.full(len(donated), number))
    for frame in np.unique(donated.frame_index):
        if box_iou(donated.at(int(frame)).box_px, labels.at(int(frame)).amodal_box_px).max(initial=0.0) > FREE_OVERLAP:
            return None
    if not judged_rows(donated).any():
        return None
    return FaultyLabels(_joined(labels, [labels, donated]), number, labels)


LABEL_FAULTS: dict[str, Callable[[Labels, np.random.Generator], FaultyLabels | None]] = {
    "shifted": shifted, "late": late, "shifted_one": shifted_one, "swapped": swapped, "swapped_near": swapped_near,
    "deleted": deleted,
}  # fmt: skip
"""Faults of the labels alone; ``added`` and labels of another scene need a second clip."""


def blurred(clip: Clip, rng: np.random.Generator) -> Clip:
    """A blur that grows over the clip to 1.2 to 2 pixels (at 224 pixels of width)."""
    most = rng.uniform(1.2, 2.0) * clip.width_px / MEASURED_AT_PX
    levels = np.linspace(0.2, most, len(clip))
    return Clip(np.stack([cv2.GaussianBlur(f, (0, 0), s) for f, s in zip(clip.frames, levels, strict=True)]), clip.fps)


def flickering(clip: Clip, rng: np.random.Generator) -> Clip:
    """A random gain of about 8 % for each frame, and another for patches of each frame."""
    height, width = clip.frames.shape[1:3]
    frames = []
    for frame in clip.frames:
        patches = cv2.resize(
            rng.normal(0, 0.08, (4, 7)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        gain = 1 + rng.normal(0, 0.08) + patches[..., None]
        frames.append(np.clip((frame.astype(np.float32) + 8) * gain - 8, 0, 255).astype(np.uint8))
    return Clip(np.stack(frames), clip.fps)


def drifting(clip: Clip, rng: np.random.Generator) -> Clip:
    """A drift of lightness or colour by 6 to 12 units of CIELAB per second."""
    per_s = rng.uniform(6, 12) * rng.choice((-1, 1))
    channel = int(rng.integers(3))
    frames = []
    for i, frame in enumerate(clip.frames):
        lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        lab[..., channel] += per_s * i / clip.fps
        frames.append((np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255).round().astype(np.uint8))
    return Clip(np.stack(frames), clip.fps)


def frozen(clip: Clip, rng: np.random.Generator) -> Clip:
    """The frames repeat from a random one in the first two thirds on."""
    start = int(rng.integers(1, max(2, 2 * len(clip) // 3)))
    return Clip(clip.frames[np.minimum(np.arange(len(clip)), start)], clip.fps)


def blank(clip: Clip, rng: np.random.Generator) -> Clip:
    """At least one frame of uniform grey."""
    frames = clip.frames.copy()
    count = int(rng.integers(1, len(clip)))
    frames[rng.choice(len(clip), count, replace=False)] = int(rng.integers(0, 256))
    return Clip(frames, clip.fps)


PICTURE_FAULTS: dict[str, Callable[[Clip, np.random.Generator], Clip]] = {
    "blurred": blurred, "flickering": flickering, "drifting": drifting, "frozen": frozen, "blank": blank,
}  # fmt: skip
"""Faults of the frames alone."""
MEASURE_OF_FAULT = {
    "blurred": "sharpness",
    "flickering": "flicker",
    "drifting": "drift",
    "frozen": "frozen",
    "blank": "blank",
    "copied": "novelty",
    "absent": "presence",
    "shifted": "label_fit",
    "late": "label_fit",
    "deleted": "unlabelled",
    "swapped_near": "wrong_class",
}
"""Fault -> the measure that should notice it."""


def nearly_copied(clip: Clip, rng: np.random.Generator) -> Clip:
    """A training clip as a model may copy it: with another brightness, blurred, and shifted by up to 3 pixels."""
    step = np.array([[1, 0, rng.uniform(-3, 3)], [0, 1, rng.uniform(-3, 3)]], np.float32)
    gain, size = rng.uniform(0.95, 1.05), (clip.width_px, clip.height_px)
    frames = [
        cv2.GaussianBlur(cv2.warpAffine(f, step, size, borderMode=cv2.BORDER_REPLICATE), (0, 0), 0.8)
        for f in clip.frames
    ]
    return Clip(np.clip(np.stack(frames).astype(np.float32) * gain, 0, 255).astype(np.uint8), clip.fps)


def has_judged_track(labels: Labels) -> bool:
    """Whether the labels hold a judged track, which most faults need."""
    return bool(judged_rows(labels).any())


def _pick(labels: Labels, rng: np.random.Generator) -> int:
    return int(rng.choice(np.unique(labels.track_id[judged_rows(labels)])))


def _moved(labels: Labels, mine: np.ndarray, step: np.ndarray) -> Labels:
    """Boxes of some rows ``(N,)`` bool moved by ``(N, 2)`` pixels, the visible ones cut to the frame."""
    limit = np.array([labels.width_px, labels.height_px] * 2, np.float32)
    offset = np.where(mine[:, None], np.tile(step, (1, 2)), 0).astype(np.float32)
    box = np.clip(labels.box_px + offset, 0, limit)
    gone = (box[:, 2] - box[:, 0] < 1) | (box[:, 3] - box[:, 1] < 1)
    return replace(
        labels, box_px=box, amodal_box_px=labels.amodal_box_px + offset, ignore=labels.ignore | (mine & gone)
    )


def _renamed(labels: Labels, track: int, name: str) -> Labels:
    return replace(labels, class_id=np.where(labels.track_id == track, CLASSES.index(name), labels.class_id))


def _joined(like: Labels, parts: Sequence[Labels]) -> Labels:
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    order = np.lexsort((columns["track_id"], columns["frame_index"]))
    columns = {name: values[order] for name, values in columns.items()}
    return Labels(like.num_frames, like.width_px, like.height_px, like.source, **columns)

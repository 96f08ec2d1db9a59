"""Labelled pictures on which a detector is trained and judged: frames with the boxes of road users."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.samples import Sample
from worldgen.files.storage import atomic_file, read_bytes
from worldgen.instruments.detector.detector import GROUP_OF_CLASS, Detections, Detector, detect

MIN_HEIGHT_PX, MIN_WIDTH_PX, MIN_VISIBLE = 8.0, 3.0, 0.3
"""Smaller or less visible objects are ignored when a detector is judged: neither required nor counted as errors."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Road users in a sequence of pictures, as columns of equal length M, sorted by picture.

    picture_index: ``(M,)`` int64. group: ``(M,)`` int64 into ``GROUPS``. box_px: ``(M, 4)`` float32. ignore: ``(M,)``
    bool, neither required nor counted as errors. distance_m: ``(M,)`` float32, NaN where unknown.
    """

    picture_index: np.ndarray
    group: np.ndarray
    box_px: np.ndarray
    ignore: np.ndarray
    distance_m: np.ndarray

    def __len__(self) -> int:
        return len(self.group)

    def where(self, mask: np.ndarray) -> Boxes:
        """Only the rows that ``mask`` (bool, or numbers of rows) picks."""
        return Boxes(*(getattr(self, field.name)[mask] for field in fields(self)))

    def shifted(self, start: int) -> Boxes:
        """The same boxes with picture numbers counted from ``start``."""
        return Boxes(self.picture_index + start, self.group, self.box_px, self.ignore, self.distance_m)

    @classmethod
    def joined(cls, parts: Sequence[Boxes]) -> Boxes:
        """The parts one after the other, with their picture numbers unchanged."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def boxes_of(labels: Labels, *, min_height_px: float = MIN_HEIGHT_PX) -> Boxes:
    """The road users of a clip's labels; ``picture_index`` is the frame's number.

    Objects that are flagged, lower than ``min_height_px``, narrower than 3 pixels or less than 0.3 visible are ignored.
    The visible fraction counts as 1 where an annotator does not know it.
    """
    group = GROUP_OF_CLASS[labels.class_id]
    size = labels.box_px[:, 2:] - labels.box_px[:, :2]
    small = (size[:, 1] < min_height_px) | (size[:, 0] < MIN_WIDTH_PX) | (labels.visible_fraction < MIN_VISIBLE)
    shown = (group >= 0) & (size.min(1) > 0)
    distance = np.hypot(labels.box3d[:, 0], labels.box3d[:, 1])
    boxes = Boxes(labels.frame_index, group, labels.box_px, labels.ignore | small, distance.astype(np.float32))
    return boxes.where(shown)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size with their road users.

    frames: ``(N, H, W, 3)`` uint8 RGB. boxes: by picture number. clip_index: ``(N,)`` int64, clip of each picture.
    tags: of each clip.
    """

    frames: np.ndarray
    boxes: Boxes
    clip_index: np.ndarray
    tags: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.dtype != np.uint8 or len(self.frames) != len(self.clip_index):
            raise InputError("pictures", Received(f"{self.frames.dtype} {self.frames.shape}"), "uint8 (N, H, W, 3)")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def num_clips(self) -> int:
        return len(self.tags)

    def of_clips(self, clips: np.ndarray | Sequence[int]) -> Pictures:
        """Only the pictures of these clips, in their order; clips that are named twice come twice."""
        clips = np.asarray(clips, np.int64)
        by_clip = [np.flatnonzero(self.clip_index == clip) for clip in clips]
        picked = np.concatenate([*by_clip, np.zeros(0, np.int64)]).astype(np.int64)
        rows = [np.flatnonzero(self.boxes.picture_index == picture) for picture in picked]
        boxes = self.boxes.where(np.concatenate([*rows, np.zeros(0, np.int64)]).astype(np.int64))
        number = np.repeat(np.arange(len(picked)), [len(row) for row in rows])
        boxes = Boxes(number, boxes.group, boxes.box_px, boxes.ignore, boxes.distance_m)
        index = np.repeat(np.arange(len(clips)), [len(rows) for rows in by_clip])
        return Pictures(self.frames[picked], boxes, index, tuple(self.tags[clip] for clip in clips))

    @classmethod
    def joined(cls, parts: Sequence[Pictures]) -> Pictures:
        """One set after the other."""
        pictures = np.cumsum([0, *(len(part) for part in parts)])
        clips = np.cumsum([0, *(part.num_clips for part in parts)])
        return cls(
            np.concatenate([part.frames for part in parts]),
            Boxes.joined([part.boxes.shifted(int(start)) for part, start in zip(parts, pictures, strict=False)]),
            np.concatenate([part.clip_index + start for part, start in zip(parts, clips, strict=False)]),
            tuple(tags for part in parts for tags in part.tags),
        )  # fmt: skip

    def save(self, path: str) -> None:
        """Write everything as one ``.npz``, atomically. Reading it is much faster than decoding the clips again."""
        columns = {field.name: getattr(self.boxes, field.name) for field in fields(Boxes)}
        with atomic_file(path) as file:
            np.savez(file, frames=self.frames, clip_index=self.clip_index, tags=json.dumps(self.tags), **columns)

    @classmethod
    def load(cls, path: str) -> Pictures:
        """The inverse of :meth:`save`. Raises: InputError for any other file."""
        try:
            with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as kept:
                tags = tuple(tuple(words) for words in json.loads(str(kept["tags"])))
                boxes = Boxes(*(kept[field.name] for field in fields(Boxes)))
                return cls(kept["frames"], boxes, kept["clip_index"], tags)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"pictures {path}", Received(str(error)), "a file that Pictures.save wrote") from error

    def digest(self) -> str:
        """Hash of the content, 32 hexadecimal digits."""
        state = hashlib.blake2b(digest_size=16)
        for array in (self.frames, *(getattr(self.boxes, field.name) for field in fields(Boxes))):
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()


def pictures_of(
    samples: Iterable[Sample], *, first: int = 0, every: int = 1, size: tuple[int, int] | None = None,
    min_height_px: float = MIN_HEIGHT_PX,
) -> Pictures:  # fmt: skip
    """Every ``every``-th frame of labelled samples, from frame ``first`` on, with its boxes.

    size: width and height to resize to; without it all clips must have one size. min_height_px: after resizing. Clips
    that have no frame ``first`` are left out.

    Raises: InputError for a sample without labels, clips of several sizes, or no clip at all.
    """
    frames: list[np.ndarray] = []
    boxes: list[Boxes] = []
    index: list[np.ndarray] = []
    tags: list[tuple[str, ...]] = []
    start = 0
    for sample in samples:
        if sample.labels is None:
            raise InputError(f"labels of sample {sample.key}", Received("none"), "a labelled data set")
        picked = np.arange(first, len(sample.clip), every)
        if not len(picked):
            continue
        resized, scale = resize(sample.clip.frames[picked], size or (sample.clip.width_px, sample.clip.height_px))
        if frames and frames[0].shape[1:] != resized.shape[1:]:
            raise InputError(f"size of sample {sample.key}", resized.shape[2:0:-1], f"{frames[0].shape[2:0:-1]}")
        found = boxes_of(sample.labels, min_height_px=min_height_px / scale[1])
        since = found.picture_index - first
        found = found.where((since >= 0) & (since % every == 0))
        box = found.box_px * np.array([*scale, *scale], np.float32)
        place = (found.picture_index - first) // every + start
        boxes.append(Boxes(place, found.group, box, found.ignore, found.distance_m))
        frames.append(resized)
        index.append(np.full(len(picked), len(tags)))
        tags.append(tuple(sample.tags))
        start += len(picked)
    if not frames:
        raise InputError("pictures", Received("no clip"), "at least one labelled clip")
    return Pictures(np.concatenate(frames), Boxes.joined(boxes), np.concatenate(index), tuple(tags))


def resize(frames: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[float, float]]:
    """Frames ``(T, H, W, 3)`` at another width and height, and the factors (x, y) by which boxes are scaled."""
    scale = (size[0] / frames.shape[2], size[1] / frames.shape[1])
    if scale == (1.0, 1.0):
        return frames, scale
    kind = cv2.INTER_AREA if min(scale) < 1 else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, size, interpolation=kind) for frame in frames]), scale


def clip_pictures(clips: Sequence[Clip], labels: Sequence[Labels], tags: Sequence[tuple[str, ...]] = ()) -> Pictures:
    """All frames of clips of one size with the boxes of their labels.

    Raises: InputError when a clip and its labels differ in frames or size.
    """
    for clip, label in zip(clips, labels, strict=True):
        if (len(clip), clip.width_px, clip.height_px) != (label.num_frames, label.width_px, label.height_px):
            raise InputError(
                "frames, width and height of labels", (label.num_frames, label.width_px, label.height_px),
                f"{(len(clip), clip.width_px, clip.height_px)}, as the clip",
            )  # fmt: skip
    starts = np.cumsum([0, *(len(clip) for clip in clips)])
    return Pictures(
        np.concatenate([clip.frames for clip in clips]),
        Boxes.joined([boxes_of(label).shifted(int(start)) for label, start in zip(labels, starts, strict=False)]),
        np.repeat(np.arange(len(clips)), [len(clip) for clip in clips]),
        tuple(tags) or ((),) * len(clips),
    )


def find_in(detector: Detector, pictures: Pictures, *, threshold: float = 0.05) -> Detections:
    """Everything that a detector finds in the pictures; ``frame_index`` is the number of the picture."""
    return detect(detector, Clip(pictures.frames, 1.0), threshold=threshold)

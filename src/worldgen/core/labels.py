"""Labels of a clip: boxes, tracks and the visible share of each object."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, Received

LAYOUT_CLASSES = (
    "car", "truck", "bus", "motorcycle", "bicycle", "cyclist", "pedestrian", "traffic_light", "traffic_cone",
)  # fmt: skip
"""Classes with a channel in layouts, which trained weights read, and with an answer of the verifier. Fixed."""
CLASSES = (*LAYOUT_CLASSES, "animal")
"""Classes of labelled objects; ``class_id`` is an index into this. Later classes are added at the end."""

COCO_NAMES = {
    "car": "car", "truck": "truck", "bus": "bus", "motorcycle": "motorcycle", "bicycle": "bicycle",
    "cyclist": "person", "pedestrian": "person", "traffic_light": "traffic light", "traffic_cone": None,
    "animal": None,
}  # fmt: skip
"""Class -> name in COCO; None where COCO has none. COCO has a dog but no deer, and labels say animal for both."""
KITTI_NAMES = {
    "car": "Car", "truck": "Truck", "bus": "Misc", "motorcycle": "Misc", "bicycle": "Misc",
    "cyclist": "Cyclist", "pedestrian": "Pedestrian", "traffic_light": "DontCare", "traffic_cone": "Misc",
    "animal": "Misc",
}  # fmt: skip
"""Class -> object type in KITTI."""
NUSCENES_NAMES = {
    "car": "vehicle.car", "truck": "vehicle.truck", "bus": "vehicle.bus.rigid", "motorcycle": "vehicle.motorcycle",
    "bicycle": "vehicle.bicycle", "cyclist": "vehicle.bicycle", "pedestrian": "human.pedestrian.adult",
    "traffic_light": None, "traffic_cone": "movable_object.trafficcone", "animal": "animal",
}  # fmt: skip
"""Class -> category in nuScenes; None where nuScenes has none."""

SOURCES = ("scene", "annotated", "detector")
"""Origins of labels: measured on the scene, made by people, or found by a detector."""


@dataclass(frozen=True, eq=False)
class Labels:
    """All objects of all frames of a clip as columns of equal length N, sorted by frame, then track.

    One row is one object in one frame; ``len(labels)`` is N.

    Attributes:
        num_frames: frames of the clip.
        width_px: width of the frames.
        height_px: height of the frames.
        source: one of ``SOURCES``.
        frame_index: ``(N,)`` int64, 0 to ``num_frames - 1``.
        track_id: ``(N,)`` int64, the same for one object in all frames.
        class_id: ``(N,)`` int64 index into ``CLASSES``.
        box_px: ``(N, 4)`` float32 visible box x0 y0 x1 y1 in pixels; zero area when the object is fully hidden.
        amodal_box_px: ``(N, 4)`` float32 box of the whole object, cut neither by occluders nor by the image.
        visible_fraction: ``(N,)`` float32 in [0, 1], visible pixels over the object's pixels inside the image.
        occlusion: ``(N,)`` float32 in [0, 1], share hidden by other objects.
        truncation: ``(N,)`` float32 in [0, 1], share of the amodal box outside the image.
        box3d: ``(N, 7)`` float32 centre x y z (m), length, width, height (m) and yaw (rad) in the ego frame of that
            frame; NaN where unknown.
        ignore: ``(N,)`` bool, whether the object is too small or too hidden to count.

    Raises:
        InputError: for columns of other shapes and values out of range.
    """

    num_frames: int
    width_px: int
    height_px: int
    source: str
    frame_index: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    box_px: np.ndarray
    amodal_box_px: np.ndarray
    visible_fraction: np.ndarray
    occlusion: np.ndarray
    truncation: np.ndarray
    box3d: np.ndarray
    ignore: np.ndarray

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError("labels source", self.source, "one of " + ", ".join(SOURCES))
        count = len(self.frame_index)
        for name, (dtype, width) in COLUMNS.items():
            values: np.ndarray = np.asarray(getattr(self, name), dtype=dtype)
            shape = (count,) if width == 1 else (count, width)
            if values.shape != shape:
                raise InputError(f"labels {name}", Received(f"shape {values.shape}"), f"shape {shape}")
            object.__setattr__(self, name, values)
        if count:
            if self.frame_index.min() < 0 or self.frame_index.max() >= self.num_frames:
                raise InputError(
                    "labels frame_index",
                    (int(self.frame_index.min()), int(self.frame_index.max())),
                    f"0 to {self.num_frames - 1}",
                )
            if self.class_id.min() < 0 or self.class_id.max() >= len(CLASSES):
                raise InputError("labels class_id", int(self.class_id.max()), f"0 to {len(CLASSES) - 1}")
            for name in ("visible_fraction", "occlusion", "truncation"):
                share = getattr(self, name)
                if (share < -1e-6).any() or (share > 1 + 1e-6).any():
                    raise InputError(f"labels {name}", (float(share.min()), float(share.max())), "0 to 1")
            for name in ("box_px", "amodal_box_px"):
                box = getattr(self, name)
                if not np.isfinite(box).all() or (box[:, 2:] < box[:, :2]).any():
                    raise InputError(
                        f"labels {name}", Received("a box with x1 < x0, y1 < y0 or not finite"), "x0 <= x1, y0 <= y1"
                    )

    def __repr__(self) -> str:
        tracks = len(np.unique(self.track_id))
        return f"Labels({len(self)} boxes of {tracks} tracks in {self.num_frames} frames, source {self.source!r})"

    def __len__(self) -> int:
        return len(self.frame_index)

    def at(self, frame_index: int) -> Labels:
        """The rows of one frame; ``frame_index`` and ``num_frames`` stay as they are."""
        return self.where(self.frame_index == frame_index)

    def where(self, mask: np.ndarray) -> Labels:
        """The rows where ``mask`` ``(N,)`` bool is true."""
        columns = {name: getattr(self, name)[mask] for name in COLUMNS}
        return Labels(self.num_frames, self.width_px, self.height_px, self.source, **columns)

    @classmethod
    def empty(cls, num_frames: int, width_px: int, height_px: int, source: str = "scene") -> Labels:
        """Labels of a clip without objects."""
        columns: dict[str, Any] = {n: np.zeros((0,) if w == 1 else (0, w), d) for n, (d, w) in COLUMNS.items()}
        return cls(num_frames, width_px, height_px, source, **columns)

    def to_json(self) -> dict:
        """A JSON object with a list of N rows per column, rounded to 4 decimals; unknown numbers (NaN) become null."""
        header = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in COLUMNS}
        columns: dict[str, list] = {}
        for name in COLUMNS:
            values: np.ndarray = getattr(self, name)
            if values.dtype == np.float32:
                rounded = np.round(values.astype(np.float64), 4).astype(object)
                rounded[np.isnan(values)] = None
                values = rounded
            columns[name] = values.tolist()
        return {"labels_version": 1, "classes": list(CLASSES), **header, **columns}

    @classmethod
    def from_json(cls, record: dict) -> Labels:
        """The labels of a JSON object. Raises: InputError for other versions or classes, missing or wrong columns."""
        if record.get("labels_version") != 1:
            raise InputError("labels_version", record.get("labels_version"), "1")
        if tuple(record.get("classes", ())) not in (CLASSES, LAYOUT_CLASSES):  # the latter before animals had a class
            raise InputError("labels classes", record.get("classes"), ", ".join(CLASSES))
        needed = ("num_frames", "width_px", "height_px", "source", *COLUMNS)
        missing = [name for name in needed if name not in record]
        if missing:
            raise InputError("labels fields missing", missing, ", ".join(needed))
        for name in ("num_frames", "width_px", "height_px"):
            if not isinstance(record[name], int) or isinstance(record[name], bool) or record[name] < 1:
                raise InputError(f"labels {name}", record[name], "a whole number from 1")
        if not isinstance(record["frame_index"], list):
            raise InputError("labels frame_index", record["frame_index"], "a list of frames")
        count = len(record["frame_index"])
        columns: dict[str, Any] = {}
        for name, (dtype, width) in COLUMNS.items():
            try:
                with np.errstate(over="raise", invalid="raise"):
                    values: np.ndarray = np.array(record[name], dtype=dtype)  # None becomes NaN for floats
            except (TypeError, ValueError, ArithmeticError) as error:
                raise InputError(
                    f"labels {name}", Received("rows that are not numbers"), f"{dtype.__name__} rows"
                ) from error
            if count == 0:  # a column of no rows has lost its width in JSON
                values = values.reshape((0,) if width == 1 else (0, width))
            columns[name] = values
        return cls(record["num_frames"], record["width_px"], record["height_px"], record["source"], **columns)


COLUMNS: dict[str, tuple[type, int]] = {
    "frame_index": (np.int64, 1), "track_id": (np.int64, 1), "class_id": (np.int64, 1),
    "box_px": (np.float32, 4), "amodal_box_px": (np.float32, 4), "visible_fraction": (np.float32, 1),
    "occlusion": (np.float32, 1), "truncation": (np.float32, 1), "box3d": (np.float32, 7), "ignore": (np.bool_, 1),
}  # fmt: skip
"""Column name -> dtype and width of one row."""

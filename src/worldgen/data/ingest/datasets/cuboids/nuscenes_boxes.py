"""Boxes of nuScenes in the pictures of a camera: annotations between key frames, and their outline in pixels."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from worldgen.core.labels import CLASSES
from worldgen.data.ingest.datasets.cuboids.cuboid_outlines import CORNERS, outline_px, rotation
from worldgen.data.ingest.datasets.nuscenes_tables import NuscenesTables, Record

CLASS_OF_CATEGORY = {
    "vehicle.car": "car", "vehicle.emergency.police": "car", "vehicle.truck": "truck", "vehicle.construction": "truck",
    "vehicle.trailer": "truck", "vehicle.emergency.ambulance": "truck", "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus", "vehicle.motorcycle": "motorcycle", "vehicle.bicycle": "bicycle",
    "movable_object.trafficcone": "traffic_cone", "animal": "animal",
}  # fmt: skip
"""Category -> class; every ``human.pedestrian`` is a pedestrian, other categories are left out."""
WITH_RIDER = "cycle.with_rider"
HIDDEN = "1"
"""Visibility token of 0 to 40 %: such boxes are flagged ``ignore``."""


def class_of(tables: NuscenesTables, annotation: Record) -> int | None:
    """The class index of an annotation, None for what has no class here."""
    instance = tables.rows["instance"][annotation["instance_token"]]
    name = str(tables.rows["category"][instance["category_token"]]["name"])
    attributes = {tables.rows["attribute"][token]["name"] for token in annotation["attribute_tokens"]}
    if name == "vehicle.bicycle" and WITH_RIDER in attributes:
        return CLASSES.index("cyclist")
    found = "pedestrian" if name.startswith("human.pedestrian") else CLASS_OF_CATEGORY.get(name)
    return None if found is None else CLASSES.index(found)


def placed_boxes(
    tables: NuscenesTables, data: Record, annotations: dict[str, list[Record]]
) -> list[tuple[Record, np.ndarray, Rotation]]:
    """(annotation, centre ``(3,)`` m, orientation) in the world, at the time of a frame.

    A key frame has its annotations. A sweep lies between two samples: an object that both hold is placed between them
    (linear, spherical for the orientation), one that only the later holds stands where it is there. This is what
    ``NuScenes.get_boxes`` of the devkit does. annotations: sample token -> its annotations.
    """
    sample = tables.rows["sample"][data["sample_token"]]
    current = annotations.get(sample["token"], [])
    placed = [(a, np.array(a["translation"], float), rotation(a["rotation"])) for a in current]
    if data["is_key_frame"] or not sample["prev"]:
        return placed
    earlier = tables.rows["sample"][sample["prev"]]
    before = {a["instance_token"]: a for a in annotations.get(earlier["token"], [])}
    span = sample["timestamp"] - earlier["timestamp"]
    share = float(np.clip((data["timestamp"] - earlier["timestamp"]) / span, 0, 1))
    out = []
    for annotation, centre, turn in placed:
        other = before.get(annotation["instance_token"])
        if other is None:
            out.append((annotation, centre, turn))
            continue
        between = (1 - share) * np.array(other["translation"], float) + share * centre
        turns = Slerp([0, 1], Rotation.concatenate([rotation(other["rotation"]), turn]))
        out.append((annotation, between, turns([share])[0]))
    return out


def box_rows(
    tables: NuscenesTables, frames: list[Record], annotations: dict[str, list[Record]], tracks: dict[str, int]
) -> list[tuple[float, ...]]:
    """The boxes of the frames of a camera: (frame index, class index, track id, x0, y0, x1, y1, ignore).

    tracks: instance token -> track id from 1.
    """
    rows: list[tuple[float, ...]] = []
    for index, data in enumerate(frames):
        pose = tables.rows["ego_pose"][data["ego_pose_token"]]
        sensor = tables.rows["calibrated_sensor"][data["calibrated_sensor_token"]]
        for annotation, centre, turn in placed_boxes(tables, data, annotations):
            kind = class_of(tables, annotation)
            if kind is None:
                continue
            width, length, height = annotation["size"]
            corners = (CORNERS * [length, width, height]).reshape(-1, 3)
            world = turn.apply(corners) + centre
            ego = rotation(pose["rotation"]).inv().apply(world - pose["translation"])
            seen = rotation(sensor["rotation"]).inv().apply(ego - sensor["translation"])
            box = outline_px(seen.reshape(2, 2, 2, 3), np.array(sensor["camera_intrinsic"], float))
            if box is None or box[2] <= 0 or box[3] <= 0 or box[0] >= data["width"] or box[1] >= data["height"]:
                continue
            hidden = float(str(annotation.get("visibility_token")) == HIDDEN)
            rows.append((index, kind, tracks[annotation["instance_token"]], *box, hidden))
    return rows

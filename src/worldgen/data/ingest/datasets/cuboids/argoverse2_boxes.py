"""Boxes of Argoverse 2 in the pictures of a camera: cuboids of lidar sweeps, placed at the time of each picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.datasets.argoverse2_tables import (
    POSE,
    CameraPlace,
    PoseTrail,
    number_columns,
    rotations,
    table_columns,
)
from worldgen.data.ingest.datasets.cuboids.cuboid_outlines import CORNERS, outline_px

CLASS_OF_CATEGORY = {
    "REGULAR_VEHICLE": "car", "LARGE_VEHICLE": "truck", "BOX_TRUCK": "truck", "TRUCK": "truck", "TRUCK_CAB": "truck",
    "VEHICULAR_TRAILER": "truck", "BUS": "bus", "SCHOOL_BUS": "bus", "ARTICULATED_BUS": "bus",
    "MOTORCYCLE": "motorcycle", "BICYCLE": "bicycle", "BICYCLIST": "cyclist", "PEDESTRIAN": "pedestrian",
    "OFFICIAL_SIGNALER": "pedestrian", "CONSTRUCTION_CONE": "traffic_cone", "DOG": "animal", "ANIMAL": "animal",
}  # fmt: skip
"""Category -> class; others are left out. People on motorcycles have cuboids of their own beside the motorcycle's."""
MAX_STEP_NS = 250_000_000
"""An object that is not annotated for longer than this (two sweeps in a row) is not placed in between."""
SIZE, POINTS = ("length_m", "width_m", "height_m"), "num_interior_pts"


@dataclass(frozen=True, eq=False)
class Cuboids:
    """The annotated cuboids of a log, in the axes of the car at their times.

    times_ns: ``(M,)`` int64. tracks: name of each object. classes: ``(M,)`` class index. size_m: ``(M, 3)`` length,
    width, height. turns, position_m: M rotations and ``(M, 3)``. points: ``(M,)`` lidar points inside. span_ns: first
    and last annotated time, of all categories.
    """

    times_ns: np.ndarray
    tracks: tuple[str, ...]
    classes: np.ndarray
    size_m: np.ndarray
    turns: Rotation
    position_m: np.ndarray
    points: np.ndarray
    span_ns: tuple[int, int]


def read_cuboids(path: Path) -> Cuboids:
    """The table ``annotations.feather``.

    Raises:
        InputError: see :func:`table_columns`, and a table without rows.
    """
    columns = table_columns(path, ("timestamp_ns", "track_uuid", "category", *SIZE, *POSE, POINTS))
    times_ns = np.array(columns["timestamp_ns"], np.int64)
    if not len(times_ns):
        raise InputError(f"table {path.name}", Received("no rows"), "cuboids")
    kinds = [CLASS_OF_CATEGORY.get(str(name)) for name in columns["category"]]
    kept = np.array([row for row in np.argsort(times_ns, kind="stable") if kinds[row] is not None], np.int64)
    values = number_columns(path, columns, (*SIZE, *POSE, POINTS))[kept]
    classes = np.array([CLASSES.index(kind) for row in kept if (kind := kinds[row]) is not None], np.int64)
    # Without any known category there is one rotation too many, which nothing reads.
    turns = rotations(path, values[:, 3:7] if len(kept) else np.array([[1.0, 0.0, 0.0, 0.0]]))
    return Cuboids(
        times_ns[kept], tuple(str(columns["track_uuid"][row]) for row in kept), classes, values[:, :3], turns,
        values[:, 7:10], values[:, 10], (int(times_ns.min()), int(times_ns.max())),
    )  # fmt: skip


def box_rows(cuboids: Cuboids, poses: PoseTrail, camera: CameraPlace, times_ns: np.ndarray) -> list[tuple[float, ...]]:
    """The boxes of pictures: (picture, class index, track id from 1, x0, y0, x1, y1, ignore).

    Objects are placed between sweeps along straight lines in the city, so that their motion and that of the car are
    both at the time of the picture. Boxes of cuboids without a lidar point are flagged ``ignore``: hidden objects.

    times_ns: ``(F,)`` increasing times of the pictures, inside the span of the poses.
    """
    if not len(cuboids.times_ns):
        return []
    car_m, car_turns = poses.at(times_ns)
    then_m, then_turns = poses.at(cuboids.times_ns)
    city_m, city_turns = then_turns.apply(cuboids.position_m) + then_m, then_turns * cuboids.turns
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, track in enumerate(cuboids.tracks):
        rows_of[track].append(row)
    out: list[tuple[float, ...]] = []
    for number, rows in enumerate(rows_of.values(), 1):
        for frame, before, after, share in _between(cuboids.times_ns[rows], times_ns):
            one, other = rows[before], rows[after]
            place = (1 - share) * city_m[one] + share * city_m[other]
            turn = city_turns[one] if before == after else Slerp([0, 1], city_turns[[one, other]])([share])[0]
            nearer = other if share > 0.5 else one
            in_city = turn.apply((CORNERS * cuboids.size_m[nearer]).reshape(-1, 3)) + place
            in_car = car_turns[frame].inv().apply(in_city - car_m[frame])
            seen = camera.to_car.inv().apply(in_car - camera.position_m)
            box = outline_px(seen.reshape(2, 2, 2, 3), camera.intrinsic)
            if box is None or box[2] <= 0 or box[3] <= 0 or box[0] >= camera.width_px or box[1] >= camera.height_px:
                continue
            hidden = float(cuboids.points[nearer] < 1)
            out.append((frame, int(cuboids.classes[nearer]), number, *box, hidden))
    return sorted(out)


def _between(known_ns: np.ndarray, times_ns: np.ndarray) -> list[tuple[int, int, int, float]]:
    """Where pictures lie between the annotations of an object: (picture, annotation before, after, share of after).

    known_ns: ``(K,)`` times of its annotations, in order. times_ns: ``(F,)`` of the pictures.
    """
    out = []
    for frame, time_ns in enumerate(times_ns):
        after = int(np.searchsorted(known_ns, time_ns))
        if after < len(known_ns) and known_ns[after] == time_ns:
            out.append((frame, after, after, 0.0))
        elif 0 < after < len(known_ns) and (step := known_ns[after] - known_ns[after - 1]) <= MAX_STEP_NS:
            out.append((frame, after - 1, after, float((time_ns - known_ns[after - 1]) / step)))
    return out

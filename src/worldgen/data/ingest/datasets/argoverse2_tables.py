"""The Feather tables of an Argoverse 2 log: poses of the car, and the calibration of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.arrow_files import read_feather_table
from worldgen.data.ingest.logs.tables.log_table import TableLayout, is_blank

POSE = ("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")
NANOSECOND_S = 1e-9


@dataclass(frozen=True, eq=False)
class PoseTrail:
    """Poses of the car in the city. times_ns: ``(M,)`` int64, increasing. position_m: ``(M, 3)``. turns: M rotations,
    car to city."""

    times_ns: np.ndarray
    position_m: np.ndarray
    turns: Rotation

    def at(self, times_ns: np.ndarray) -> tuple[np.ndarray, Rotation]:
        """Positions ``(N, 3)`` in metres and rotations, car to city, at times ``(N,)`` inside the span."""
        clock_s = (self.times_ns - self.times_ns[0]) * NANOSECOND_S
        at_s = np.clip((np.asarray(times_ns) - self.times_ns[0]) * NANOSECOND_S, 0.0, clock_s[-1])
        position = np.stack([np.interp(at_s, clock_s, self.position_m[:, i]) for i in range(3)], 1)
        return position, Slerp(clock_s, self.turns)(at_s)


@dataclass(frozen=True, eq=False)
class CameraPlace:
    """A camera in the car.

    intrinsic: ``(3, 3)`` in pixels whose centres are whole numbers. width_px, height_px: of its pictures. to_car,
    position_m: its axes (x right, y down, z forward) and place in those of the car (x forward, y left, z up).
    """

    intrinsic: np.ndarray
    width_px: int
    height_px: int
    to_car: Rotation
    position_m: np.ndarray


def table_columns(path: Path, names: tuple[str, ...]) -> dict[str, list]:
    """Columns of a Feather table by name. Raises: InputError for a missing or damaged file, a column that is missing,
    and empty cells."""
    if not path.is_file():
        raise InputError("argoverse2", Received(f"no {path.name} in {path.parent.name}"), "the files of a log")
    cells = read_feather_table(path, TableLayout()).cells
    missing = [name for name in names if name not in cells]
    if missing:
        raise InputError(f"table {path.name}", Received(f"no column {missing[0]}"), ", ".join(names))
    columns = {name: list(cells[name]) for name in names}
    for name, column in columns.items():
        if any(is_blank(cell) for cell in column):
            raise InputError(f"table {path.name}, column {name}", Received("an empty cell"), "a value in every row")
    return columns


def number_columns(path: Path, columns: dict[str, list], names: tuple[str, ...]) -> np.ndarray:
    """Columns as finite numbers ``(M, N)`` float64. Raises: InputError."""
    try:
        values = np.array([columns[name] for name in names], np.float64).T
    except (TypeError, ValueError) as error:
        raise InputError(f"table {path.name}", Received("text in place of a number"), ", ".join(names)) from error
    if not np.isfinite(values).all():
        raise InputError(f"table {path.name}", Received("numbers that are not finite"), ", ".join(names))
    return values


def rotations(path: Path, quaternion_wxyz: np.ndarray) -> Rotation:
    """Rotations from quaternions ``(M, 4)``. Raises: InputError for one that is no unit quaternion."""
    if (np.abs(np.linalg.norm(quaternion_wxyz, axis=1) - 1) > 0.01).any():
        raise InputError(f"table {path.name}", Received("qw qx qy qz of another length than 1"), "unit quaternions")
    return Rotation.from_quat(quaternion_wxyz[:, [1, 2, 3, 0]])


def read_poses(path: Path) -> PoseTrail:
    """The table ``city_SE3_egovehicle``.

    Raises:
        InputError: see :func:`table_columns`, and fewer than two rows, or times that do not increase.
    """
    columns = table_columns(path, ("timestamp_ns", *POSE))
    times_ns = np.array(columns["timestamp_ns"], np.int64)
    if len(times_ns) < 2 or (np.diff(times_ns) <= 0).any():
        raise InputError(f"table {path.name}", Received("times that do not increase"), "two rows or more, in order")
    values = number_columns(path, columns, POSE)
    return PoseTrail(times_ns, values[:, 4:], rotations(path, values[:, :4]))


def read_camera(folder: Path, name: str) -> CameraPlace:
    """The camera ``name`` of a folder ``calibration``.

    Raises:
        InputError: see :func:`table_columns`, and a camera that is not in it.
    """
    inner, outer = folder / "intrinsics.feather", folder / "egovehicle_SE3_sensor.feather"
    parts = ("fx_px", "fy_px", "cx_px", "cy_px", "width_px", "height_px")
    fx_px, fy_px, cx_px, cy_px, width_px, height_px = _row(inner, name, parts)
    pose = _row(outer, name, POSE)
    intrinsic = np.array([[fx_px, 0.0, cx_px], [0.0, fy_px, cy_px], [0.0, 0.0, 1.0]])
    return CameraPlace(intrinsic, int(width_px), int(height_px), rotations(outer, pose[None, :4])[0], pose[4:])


def _row(path: Path, sensor: str, names: tuple[str, ...]) -> np.ndarray:
    columns = table_columns(path, ("sensor_name", *names))
    if sensor not in columns["sensor_name"]:
        raise InputError(f"table {path.name}", Received(f"no {sensor}"), "a row a sensor")
    return number_columns(path, columns, names)[columns["sensor_name"].index(sensor)]

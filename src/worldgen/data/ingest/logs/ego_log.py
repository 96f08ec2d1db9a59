"""Ego logs: tables of times and vehicle motion with stated units, read with every cell checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.axes import positions_in_vehicle_axes, quaternions_in_vehicle_axes
from worldgen.data.ingest.logs.cell_values import read_series, stated_units, time_column
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.log_formats import read_kitti_matrices, read_oxts_table
from worldgen.data.ingest.logs.table import SUFFIXES, read_table
from worldgen.data.ingest.logs.tables.log_table import Table
from worldgen.data.ingest.logs.units import ColumnMeaning, read_meanings

MAX_WHEEL_RAD = math.radians(70)
"""Front wheels of road vehicles turn by at most about 45 degrees; an angle above 70 means a wrong unit."""


@dataclass(frozen=True, eq=False)
class EgoLog:
    """A log with checked values in SI units, in axes of x forward, y left, z up.

    times_s: ``(M,)`` float64, strictly increasing, M >= 2, on the log's own clock; None where rows are frames
    (``kitti_poses``, ``ego.clock: frames``). series: quantity -> ``(M,)`` float64 (speed m/s; yaw_rate rad/s and
    yaw rad, left positive; steering rad of the front wheels, left positive; steering_side, its sign where the angle
    is not known; x y z m; qw qx qy qz; lat lon degrees; heading rad, clockwise from north), or ``matrix`` -> ``(M,
    4, 4)``. NaN marks rows without a value; each series has at least two. columns: quantity -> column of the file.
    unused: columns that are not read. row_times_s: ``(R,)`` times of all rows of the file, with repeated stamps.
    frame: ``(R,)`` frame number of those rows, or None. num_duplicates: number of rows left out because their time
    stamp is that of the row above. notes: how the log was read, where that was found out from its values.
    row_names: name of each row in the file. units: column -> unit that was read, of ``UNITS``.
    """

    path: str
    times_s: np.ndarray | None
    series: dict[str, np.ndarray]
    columns: dict[str, str]
    unused: tuple[str, ...] = ()
    row_times_s: np.ndarray | None = None
    frame: np.ndarray | None = None
    num_duplicates: int = 0
    notes: tuple[str, ...] = ()
    row_names: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.series.values())))

    @property
    def name(self) -> str:
        """File name of the log, for messages."""
        return self.path.replace("\\", "/").rsplit("/", 1)[-1]

    def row_name(self, row: int) -> str:
        """The name of a row of ``times_s`` in the file, for messages."""
        return self.row_names[row] if self.row_names else f"row {row + 1} of the data"


def read_ego_log(
    path: str | Path, config: EgoLogConfig | None = None, *, frames_s: tuple[float, float] | None = None
) -> EgoLog:
    """Read a log file. Angles become left positive, hand-wheel angles front-wheel angles, and all values SI units.

    Args:
        path: a csv, tsv, txt, json, jsonl, parquet, feather, npy or gpx file, a text file of KITTI poses, or the folder
            of OXTS records.
        config: default values if None.
        frames_s: first and last time of the frames, where they are on an absolute clock; it can settle the unit of
            times that state none.

    Raises:
        InputError: text in place of numbers, times that decrease, fewer than two rows, values that are not finite or
            not possible, columns without units, or repeated columns. It names file, row and column.
    """
    config = config or EgoLogConfig()
    path = Path(path)
    if config.format == "kitti_oxts" and path.is_dir():
        return log_from_table(read_oxts_table(path), config, frames_s)
    if not path.is_file():
        expected = "a folder oxts" if config.format == "kitti_oxts" else f"a file {', '.join(SUFFIXES)}"
        raise InputError("ego log", str(path), expected)
    if config.format == "kitti_poses":
        return EgoLog(str(path), None, {"matrix": read_kitti_matrices(path)}, {"matrix": "3x4 rows"})
    return log_from_table(read_table(path, config.layout), config, frames_s)


def log_from_table(table: Table, config: EgoLogConfig, frames_s: tuple[float, float] | None = None) -> EgoLog:
    """The log of a table; see :func:`read_ego_log`."""
    what = f"ego log {table.path.name}"
    units, notes = stated_units(table, config, frames_s)
    mapping = dict(config.columns)
    try:
        meanings = read_meanings(table.names, mapping, units)
        if not any(meaning.quantity == "time" for meaning in meanings.values()):
            dated = time_column(table)
            if dated is not None and dated not in mapping:
                meanings[dated] = ColumnMeaning("time", "text")
    except InputError as error:
        raise InputError(f"{what}, {error}") from error
    timed = any(meaning.quantity == "time" for meaning in meanings.values())
    if not timed and config.clock != "frames":
        raise InputError(
            what,
            Received(f"columns {', '.join(table.names)}"),
            "a time column such as time_s, time_ms or time_ns (map another name with ego.columns), or ego.clock: "
            "frames if row i belongs to frame i",
        )
    series, columns, more_notes = read_series(table, config, meanings)
    if timed:
        _check_times(table, columns["time"], series["time"])
    _to_conventions(table, config, meanings, series)
    unused = tuple(name for name in table.names if name not in meanings)
    notes = [*table.notes, *notes, *more_notes]
    if config.axes is None and config.format == "table" and {"x", "qw", "yaw"} & set(series):
        notes.append("poses taken in axes x forward, y left, z up (ego.axes names others: airsim, carla, camera, ...)")
    log = _assemble(table, series, columns, unused, tuple(notes))
    return replace(log, units={name: meaning.unit for name, meaning in meanings.items()})


def _assemble(
    table: Table, series: dict, columns: dict[str, str], unused: tuple[str, ...], notes: tuple[str, ...]
) -> EgoLog:
    """The log without rows whose time stamp repeats that of the row above. A value that only the later of such rows
    holds is kept."""
    what = f"ego log {table.path.name}"
    row_times_s = series.pop("time", None)
    frame = series.pop("frame", None)
    keep = np.ones(len(next(iter(table.cells.values()))), bool)
    if row_times_s is not None:
        keep[1:] = np.diff(row_times_s) > 0
    if keep.sum() < 2:
        raise InputError(what, Received("one distinct time stamp"), "at least two rows at different times")
    if not series:
        raise InputError(
            what,
            Received("no motion column" + (f" (unused: {', '.join(unused)})" if unused else "")),
            "speed, yaw rate, steering, pose or GPS columns with units in their names, or ego.columns that says which "
            "they are, as {COLUMN: speed_kmh}",
        )
    group = np.cumsum(keep) - 1
    kept, lost = {}, ~keep
    for name, values in series.items():
        merged = values[keep]
        for row in np.flatnonzero(~keep & ~np.isnan(values)):
            if np.isnan(merged[group[row]]):
                merged[group[row]] = values[row]
                lost[row] = False
        if (count := int((~np.isnan(merged)).sum())) < 2:
            column = columns.get(name, name)
            blank = int(np.flatnonzero(np.isnan(values))[0]) if np.isnan(values).any() else 0
            raise InputError(
                table.where(blank, column), Received(f"an empty cell ({count} values in the column)"),
                f"at least two values in a column that is read (ego.columns: {{{column}: ignore}})",
            )  # fmt: skip
        kept[name] = merged
    names = tuple(f"{table.row_word} {table.row_number(int(row))}" for row in np.flatnonzero(keep))
    times_s = None if row_times_s is None else row_times_s[keep]
    return EgoLog(str(table.path), times_s, kept, columns, unused, row_times_s, frame, int(lost.sum()), notes, names)


def _check_times(table: Table, name: str, times_s: np.ndarray) -> None:
    """Refuse times that decrease."""
    back = np.flatnonzero(np.diff(times_s) < 0)
    if len(back):
        row = int(back[0]) + 1
        raise InputError(
            table.where(row, name),
            Received(f"{table.cells[name][row]}, before the row above ({table.cells[name][row - 1]})"),
            "times that do not go back",
        )


def _to_conventions(table: Table, config: EgoLogConfig, meanings: dict[str, ColumnMeaning], series: dict) -> None:
    """Bring ``series`` to the conventions of :class:`EgoLog`, in place: axes, signs, front wheels, unit quaternions."""
    for quantity in ("yaw_rate", "yaw"):
        if quantity in series:
            series[quantity] = config.yaw_sign * series[quantity]
    for name, meaning in meanings.items():
        if meaning.quantity in ("steering", "steering_wheel"):
            _put_steering(table, name, meaning, config, series)
    _check_quaternions(table, series)
    if config.axes == "camera" and "x" in series and "z" in series and "y" not in series:
        series["y"] = np.zeros(len(series["x"]))  # camera axes: the ground plane is x and z
    for pair in (("lat", "lon"), ("x", "y")):
        if len(set(pair) & set(series)) == 1:
            raise InputError(f"ego log {table.path.name}", Received(f"only one of {pair[0]} and {pair[1]}"), "both")
    if "x" in series:
        _turn_poses(table, config, series)


def _check_quaternions(table: Table, series: dict) -> None:
    """Refuse parts of quaternions and quaternions that are no rotation; the others get length 1, in place."""
    quaternion = [q for q in ("qw", "qx", "qy", "qz") if q in series]
    if not quaternion:
        return
    if len(quaternion) < 4 or not {"x", "y", "z"} <= set(series):
        raise InputError(
            f"ego log {table.path.name}",
            Received(f"columns {', '.join(quaternion)}"),
            "qw qx qy qz together with x_m y_m z_m",
        )
    norm = np.sqrt(sum(series[q] ** 2 for q in quaternion))
    if np.isnan(norm).all():
        return
    off = int(np.nanargmax(np.abs(norm - 1)))
    if abs(norm[off] - 1) > 0.01:
        raise InputError(table.where(off, "qw qx qy qz"), Received(f"length {norm[off]:.6g}"), "a unit quaternion")
    for q in quaternion:
        series[q] = series[q] / norm


def _turn_poses(table: Table, config: EgoLogConfig, series: dict) -> None:
    """Positions and quaternions in axes of x forward, y left, z up, in place."""
    axes = config.log_axes
    flat = "z" not in series
    if flat and config.axes == "camera":
        raise InputError(
            f"ego log {table.path.name}", Received("x and y without z in camera axes"),
            "x_m and z_m (the ground plane of camera axes), or other ego.axes",
        )  # fmt: skip
    position = np.stack([series["x"], series["y"], np.zeros(len(series["x"])) if flat else series["z"]], 1)
    for i, name in enumerate("xyz"[: 2 if flat else 3]):
        series[name] = positions_in_vehicle_axes(position, axes)[:, i]
    if "qw" in series:
        turned = quaternions_in_vehicle_axes(np.stack([series[f"q{k}"] for k in "wxyz"], 1), axes)
        for i, k in enumerate("wxyz"):
            series[f"q{k}"] = turned[:, i]


def _put_steering(table: Table, name: str, meaning: ColumnMeaning, config: EgoLogConfig, series: dict) -> None:
    """Replace a steering series by front-wheel angles in rad, left positive, in place.

    A log that holds a yaw rate or poses needs no angles; without wheelbase only the side is kept, as ``steering_side``.
    """
    values = config.steering_sign * series.pop(meaning.quantity)
    if config.wheelbase_m is None:
        if {"yaw_rate", "yaw", "heading", "qw", "x", "lat"} & set(series):
            series["steering_side"] = values
            return
        raise InputError(
            f"ego log {table.path.name}, column {name}",
            Received("steering without a wheelbase"),
            f"ego.wheelbase_m in metres (or ego.columns: {{{name}: ignore}})",
        )
    if meaning.unit == "unit":
        if config.steering_max_rad is None:
            raise InputError(
                f"ego log {table.path.name}, column {name}",
                Received("steering in parts of an unknown maximum"),
                "ego.steering_max_rad, the angle that 1.0 stands for",
            )
        values = values * config.steering_max_rad
    if meaning.quantity == "steering_wheel":
        if config.steering_ratio is None:
            raise InputError(
                f"ego log {table.path.name}, column {name}",
                Received("a hand-wheel angle without a ratio"),
                "ego.steering_ratio, hand-wheel angle per front-wheel angle (12 to 20 for most cars)",
            )
        values = values / config.steering_ratio
    if not np.isnan(values).all():
        row = int(np.nanargmax(np.abs(values)))
        if abs(values[row]) > MAX_WHEEL_RAD:
            raise InputError(
                table.where(row, name),
                Received(f"{table.cells[name][row]}, a front-wheel angle of {math.degrees(values[row]):.4g} degrees"),
                "at most 70 degrees: is the unit right, and is it the hand wheel (steering_wheel_deg)?",
            )
    series["steering"] = values

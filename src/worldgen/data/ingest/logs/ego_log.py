"""Ego logs: tables of times and vehicle motion with stated units, read with every cell checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from worldgen.core.ego import MAX_SPEED_MPS, MAX_YAW_RATE_RADPS
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.table import Table, numbers, read_table
from worldgen.data.ingest.logs.units import ColumnMeaning, read_meanings

MAX_WHEEL_RAD = math.radians(70)
"""Front wheels of road vehicles turn by at most about 45 degrees; an angle above 70 means a wrong unit."""
KITTI_NUMBERS = 12


@dataclass(frozen=True)
class EgoLogConfig:
    """How to read an ego log and set its clock.

    File: path is relative to the SOURCE folder; "none" ingests without a log, None takes the file beside the video.
    format: ``table``, or ``kitti_poses`` (12 numbers a row: a 3x4 matrix from camera i to camera 0 in metres, row i is
    frame i). columns: column in the file -> ``quantity_unit`` or "ignore" (names: ``data/ingest/logs/units.py``).

    Bicycle model: wheelbase_m; steering_ratio is the angle of the hand wheel over that of the front wheels;
    steering_max_rad is the angle of the value 1.0 in a ``_unit`` column; steering_positive is the side of positive
    angles. Poses: yaw_positive is the side of positive yaw and yaw rate; pose_axes is ``vehicle`` (x forward, y left,
    z up) or ``camera`` (x right, y down, z forward). assume_yaw_rate_radps: yaw rate for a log that holds none.

    Clock: ``video``: log times are on the video's clock; ``first_row``: the first row is at the first frame.
    clock_offset_s: added to the log times. frame_times: ``video``, or ``log`` when row i holds the time of frame i (or
    of the frame named in a ``frame`` column). max_gap_s: a longer step between rows is a gap without motion. valid_s:
    (start, stop) on the video's clock, outside which the log is not used. outside: video without log is left out
    (``drop``), or kept with unknown motion (``unknown``).

    Raises:
        InputError: a value out of range.
    """

    path: str | None = None
    format: Literal["table", "kitti_poses"] = "table"
    columns: dict[str, str] = field(default_factory=dict)
    wheelbase_m: float | None = None
    steering_ratio: float | None = None
    steering_max_rad: float | None = None
    steering_positive: Literal["left", "right"] = "left"
    yaw_positive: Literal["left", "right"] = "left"
    pose_axes: Literal["vehicle", "camera"] = "vehicle"
    assume_yaw_rate_radps: float | None = None
    clock: Literal["video", "first_row"] = "video"
    clock_offset_s: float = 0.0
    frame_times: Literal["video", "log"] = "video"
    max_gap_s: float = 1.5
    valid_s: tuple[float, float] | None = None
    outside: Literal["drop", "unknown"] = "drop"

    def __post_init__(self) -> None:
        for name in ("wheelbase_m", "steering_ratio", "steering_max_rad", "max_gap_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"ego.{name}", value, "a positive number")
        if not math.isfinite(self.clock_offset_s):
            raise InputError("ego.clock_offset_s", self.clock_offset_s, "a finite number of seconds")
        if self.valid_s is not None and not self.valid_s[0] < self.valid_s[1]:
            raise InputError("ego.valid_s", tuple(self.valid_s), "start before stop, in seconds of the video")
        if self.assume_yaw_rate_radps is not None and not abs(self.assume_yaw_rate_radps) <= MAX_YAW_RATE_RADPS:
            raise InputError(
                "ego.assume_yaw_rate_radps", self.assume_yaw_rate_radps, f"at most {MAX_YAW_RATE_RADPS} in magnitude"
            )


@dataclass(frozen=True, eq=False)
class EgoLog:
    """A log with checked values in SI units.

    times_s: ``(M,)`` float64, strictly increasing, M >= 2, on the log's own clock; None where rows are frames
    (``kitti_poses``). series: quantity -> ``(M,)`` float64 (speed m/s; yaw_rate rad/s and yaw rad, left positive;
    steering rad of the front wheels, left positive; x y z m; qw qx qy qz; lat lon degrees; heading rad, clockwise from
    north), or ``matrix`` -> ``(M, 4, 4)``. columns: quantity -> column of the file. unused: columns that are not read.
    row_times_s: ``(R,)`` times of all rows of the file, with repeated stamps. frame: ``(R,)`` frame number of those
    rows, or None. num_duplicates: number of rows dropped because their time stamp is that of the row above.
    """

    path: str
    times_s: np.ndarray | None
    series: dict[str, np.ndarray]
    columns: dict[str, str]
    unused: tuple[str, ...] = ()
    row_times_s: np.ndarray | None = None
    frame: np.ndarray | None = None
    num_duplicates: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.series.values())))

    @property
    def name(self) -> str:
        """File name of the log, for messages."""
        return self.path.replace("\\", "/").rsplit("/", 1)[-1]


def read_ego_log(path: str | Path, config: EgoLogConfig | None = None) -> EgoLog:
    """Read a log file. Angles become left positive, hand-wheel angles front-wheel angles, and all values SI units.

    path: a csv, tsv, json or parquet file, or a text file of KITTI poses. config: default values if None.

    Raises:
        InputError: text in place of numbers, empty cells, times that decrease, fewer than two rows, values that are not
            finite or not possible, columns without units, or repeated columns. It names file, row and column.
    """
    config = config or EgoLogConfig()
    path = Path(path)
    if not path.is_file():
        raise InputError("ego log", str(path), "a .csv, .json or .parquet file")
    if config.format == "kitti_poses":
        return _read_kitti(path)
    table = read_table(path)
    try:
        meanings = read_meanings(table.names, dict(config.columns))
    except InputError as error:
        raise InputError(f"ego log {path.name}, {error}") from error
    columns = {meaning.quantity: name for name, meaning in meanings.items()}
    if "time" not in columns:
        raise InputError(
            f"ego log {path.name}",
            Received(f"columns {', '.join(table.names)}"),
            "a time column such as time_s, time_ms or time_ns (map another name with ego.columns)",
        )
    series = {meaning.quantity: numbers(table, name) * meaning.factor for name, meaning in meanings.items()}
    _check_times(table, columns["time"], series["time"])
    for name, meaning in meanings.items():
        _check_possible(table, name, meaning, series[meaning.quantity])
    _to_conventions(table, config, meanings, series)
    unused = tuple(name for name in table.names if name not in meanings)
    return _assemble(path, series, columns, unused)


def _assemble(path: Path, series: dict, columns: dict[str, str], unused: tuple[str, ...]) -> EgoLog:
    """The log without rows whose time stamp repeats that of the row above."""
    row_times_s = series.pop("time")
    frame = series.pop("frame", None)
    keep = np.concatenate([[True], np.diff(row_times_s) > 0])
    if keep.sum() < 2:
        raise InputError(
            f"ego log {path.name}", Received("one distinct time stamp"), "at least two rows at different times"
        )
    if not series:
        raise InputError(
            f"ego log {path.name}",
            Received("no motion column" + (f" (unused: {', '.join(unused)})" if unused else "")),
            "speed, yaw rate, steering, pose or GPS columns with units in their names",
        )
    kept = {name: values[keep] for name, values in series.items()}
    return EgoLog(str(path), row_times_s[keep], kept, columns, unused, row_times_s, frame, int((~keep).sum()))


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


LIMITS = {
    "speed": (MAX_SPEED_MPS, "m/s"), "yaw_rate": (MAX_YAW_RATE_RADPS, "rad/s"), "lat": (90.0, "degrees"),
    "lon": (360.0, "degrees"), "yaw": (1000.0, "rad"), "heading": (1000.0, "rad"),
}  # fmt: skip
"""Quantity -> largest magnitude and its unit."""


def _check_possible(table: Table, name: str, meaning: ColumnMeaning, values: np.ndarray) -> None:
    """Refuse values beyond ``LIMITS``: they have a wrong unit."""
    if meaning.quantity not in LIMITS and meaning.unit != "unit":
        return
    limit, unit = LIMITS.get(meaning.quantity, (1.0, "of the stated maximum"))
    row = int(np.abs(values).argmax())
    if abs(values[row]) > limit * (1 + 1e-9):
        raise InputError(
            table.where(row, name),
            Received(f"{table.cells[name][row]}, which is {values[row]:.6g} {unit}"),
            f"at most {limit:.6g} {unit} in magnitude: is the unit in the column name right?",
        )


def _to_conventions(table: Table, config: EgoLogConfig, meanings: dict[str, ColumnMeaning], series: dict) -> None:
    """Bring ``series`` to the conventions of :class:`EgoLog`, in place: signs, front wheels, unit quaternions."""
    if config.yaw_positive == "right":
        for quantity in ("yaw_rate", "yaw"):
            if quantity in series:
                series[quantity] = -series[quantity]
    for name, meaning in meanings.items():
        if meaning.quantity not in ("steering", "steering_wheel"):
            continue
        series["steering"] = _front_wheel_rad(table, name, meaning, config, series.pop(meaning.quantity))
    quaternion = [q for q in ("qw", "qx", "qy", "qz") if q in series]
    if quaternion:
        if len(quaternion) < 4 or not {"x", "y", "z"} <= set(series):
            raise InputError(
                f"ego log {table.path.name}",
                Received(f"columns {', '.join(quaternion)}"),
                "qw qx qy qz together with x_m y_m z_m",
            )
        norm = np.sqrt(sum(series[q] ** 2 for q in quaternion))
        off = int(np.abs(norm - 1).argmax())
        if abs(norm[off] - 1) > 0.01:
            raise InputError(table.where(off, "qw qx qy qz"), Received(f"length {norm[off]:.6g}"), "a unit quaternion")
        for q in quaternion:
            series[q] = series[q] / norm
    for pair in (("lat", "lon"), ("x", "y")):
        if len(set(pair) & set(series)) == 1:
            raise InputError(f"ego log {table.path.name}", Received(f"only one of {pair[0]} and {pair[1]}"), "both")


def _front_wheel_rad(
    table: Table, name: str, meaning: ColumnMeaning, config: EgoLogConfig, values: np.ndarray
) -> np.ndarray:
    """Front-wheel angles in rad, left positive, from a column of steering or hand-wheel angles."""
    if config.wheelbase_m is None:
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
    row = int(np.abs(values).argmax())
    if abs(values[row]) > MAX_WHEEL_RAD:
        raise InputError(
            table.where(row, name),
            Received(f"{table.cells[name][row]}, a front-wheel angle of {math.degrees(values[row]):.4g} degrees"),
            "at most 70 degrees: is the unit right, and is it the hand wheel (steering_wheel_deg)?",
        )
    return -values if config.steering_positive == "right" else values


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"pose file {path.name}", Received("bytes that are not text"), "lines of numbers") from error


def _read_kitti(path: Path) -> EgoLog:
    """KITTI odometry poses: 12 numbers a line, the row-major 3x4 matrix from camera i to camera 0, in metres.

    Source: KITTI odometry devkit readme (https://www.cvlibs.net/datasets/kitti/eval_odometry.php).
    """
    matrices = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"pose file {path.name}, line {number}"
        if len(words) != KITTI_NUMBERS:
            raise InputError(where, Received(f"{len(words)} numbers"), f"{KITTI_NUMBERS}: a 3x4 matrix by rows")
        try:
            values = np.array([float(word) for word in words])
        except ValueError as error:
            raise InputError(where, Received("text in numbers"), f"{KITTI_NUMBERS} numbers") from error
        matrix = np.vstack([values.reshape(3, 4), [0, 0, 0, 1]])
        if not np.isfinite(matrix).all() or np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() > 0.01:
            raise InputError(where, Received("a matrix whose first three columns are no rotation"), "a rigid 3x4 pose")
        matrices.append(matrix)
    if len(matrices) < 2:
        raise InputError(f"pose file {path.name}", Received(f"{len(matrices)} rows"), "at least two rows")
    return EgoLog(str(path), None, {"matrix": np.array(matrices)}, {"matrix": "3x4 rows"})


def read_times(path: str | Path, num_frames: int) -> np.ndarray:
    """Frame times ``(num_frames,)`` in seconds from the first, from a table with a time column and one row per frame.

    Raises:
        InputError: a damaged table, no time column, another number of rows, or times that do not increase.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("times_file", str(path), "a table with a time column")
    table = read_table(path)
    try:
        found = [(n, m) for n, m in read_meanings(table.names, {}).items() if m.quantity == "time"]
    except InputError as error:
        raise InputError(f"times file {path.name}, {error}") from error
    if not found:
        raise InputError(
            f"times file {path.name}", Received(f"columns {', '.join(table.names)}"), "a time column such as time_s"
        )
    name, meaning = found[0]
    times_s = numbers(table, name) * meaning.factor
    if len(times_s) != num_frames or (np.diff(times_s) <= 0).any():
        raise InputError(
            f"times file {path.name}",
            Received(f"{len(times_s)} rows" if len(times_s) != num_frames else "times that do not increase"),
            f"{num_frames} increasing times, one per frame",
        )
    return times_s - times_s[0]

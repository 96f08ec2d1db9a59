"""The config of an ego log: its file, columns, axes and clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from worldgen.core.ego import MAX_YAW_RATE_RADPS
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.axes import AXES, Axes, AxesName, Side
from worldgen.data.ingest.logs.tables.log_table import TableLayout
from worldgen.data.ingest.logs.time_cells import check_zone


@dataclass(frozen=True)
class EgoLogConfig:
    """How to read an ego log and set its clock.

    File: path is relative to the SOURCE folder; "none" ingests without a log, None takes the file beside the video.
    format: ``table``, ``kitti_poses`` (12 numbers a row: a 3x4 matrix from camera i to camera 0 in metres, row i is
    frame i), or ``kitti_oxts`` (the folder ``oxts`` of KITTI raw data: a text file a row, and ``timestamps.txt``).

    Table: columns: column in the file -> ``quantity_unit`` or "ignore" (names: ``data/ingest/logs/units.py``).
    column_names: names of the columns of a table without a header, in order; "-" for columns that are not read.
    decimal: ``comma`` reads 36,5 as 36.5, ``point`` never, ``auto`` where nothing else is possible. records: the list
    of a JSON file that holds several. time_format: format of ``datetime.strptime`` for dates that are not ISO 8601.
    time_zone: of dates without a zone, as ``+02:00`` or ``Europe/Berlin``. no_value: numbers that mean "no value" in
    every column, such as -999.

    Axes: ``axes`` holds for positions, quaternions, yaw, yaw rate and steering: ``vehicle`` (x forward, y left, z up;
    the default, which the report then says), ``camera`` (x right, y down, z forward), ``forward_right_down``,
    ``forward_right_up``, or those of a source: ``airsim``, ``carla``, ``comma``, ``ros``, ``nuscenes``, ``kitti``
    (``data/ingest/logs/axes.py``). yaw_positive, steering_positive: side of positive yaw and yaw rate, and of positive
    steering angles, where a log differs from its axes. quaternion_order: of columns q0 to q3 or ``quaternion``, whose
    names do not say which part is real.

    Bicycle model: wheelbase_m; steering_ratio is the angle of the hand wheel over that of the front wheels;
    steering_max_rad is the angle of the value 1.0 in a ``_unit`` column. assume_yaw_rate_radps: yaw rate for a log that
    holds none.

    Clock: ``video``: log times are on the clock of the frames: that of ``times_file`` where there is one, otherwise
    seconds from the first frame; ``first_frame``: seconds from the first frame, whatever the times file says;
    ``first_row``: the first row is at the first frame; ``frames``: row i is at frame i. clock_offset_s: added to the
    log times. frame_times: ``video``, or ``log`` when row i holds the time of frame i (or of the frame named in a
    ``frame`` column). max_gap_s: a longer step between rows is a gap without motion. valid_s: (start, stop) on the
    video's clock, outside which the log is not used. outside: video without log is left out (``drop``), or kept with
    unknown motion (``unknown``).

    Pixels: from_video: a source without a log gets speed and yaw rate from its pixels, with uncertainty. Windows in
    which the deviation of the speed is above max_speed_sigma (a share of the speed, or of 3 m/s where it is lower), or
    that of the yaw rate above max_yaw_rate_sigma_radps, have no motion.

    Raises:
        InputError: a value out of range.
    """

    RENAMED: ClassVar[dict[str, str]] = {"pose_axes": "axes"}

    path: str | None = None
    format: Literal["table", "kitti_poses", "kitti_oxts"] = "table"
    columns: dict[str, str] = field(default_factory=dict)
    column_names: tuple[str, ...] = ()
    decimal: Literal["auto", "point", "comma"] = "auto"
    records: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    no_value: tuple[float, ...] = ()
    axes: AxesName | None = None
    quaternion_order: Literal["wxyz", "xyzw"] | None = None
    yaw_positive: Side | None = None
    steering_positive: Side | None = None
    wheelbase_m: float | None = None
    steering_ratio: float | None = None
    steering_max_rad: float | None = None
    assume_yaw_rate_radps: float | None = None
    clock: Literal["video", "first_frame", "first_row", "frames"] = "video"
    clock_offset_s: float = 0.0
    frame_times: Literal["video", "log"] = "video"
    max_gap_s: float = 1.5
    valid_s: tuple[float, float] | None = None
    outside: Literal["drop", "unknown"] = "drop"
    impossible: Literal["drop", "keep"] = "drop"
    from_video: bool = False
    max_speed_sigma: float = 0.4
    max_yaw_rate_sigma_radps: float = 0.05

    def __post_init__(self) -> None:
        for name in (
            "wheelbase_m", "steering_ratio", "steering_max_rad", "max_gap_s", "max_speed_sigma",
            "max_yaw_rate_sigma_radps",
        ):  # fmt: skip
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
        if self.format == "table" and len(set(self.column_names) - {"-"}) != len(
            [name for name in self.column_names if name != "-"]
        ):
            raise InputError("ego.column_names", Received(", ".join(self.column_names)), "every name once")
        check_zone(self.time_zone)

    @property
    def layout(self) -> TableLayout:
        """What the table does not say itself."""
        return TableLayout(tuple(self.column_names), self.decimal, self.records)

    @property
    def log_axes(self) -> Axes:
        """The axes of the log's poses and angles."""
        return AXES[self.axes or "vehicle"]

    @property
    def yaw_sign(self) -> float:
        """1 where positive yaw and yaw rates turn left, -1 where they turn right."""
        if self.yaw_positive is not None:
            return 1.0 if self.yaw_positive == "left" else -1.0
        return self.log_axes.yaw_sign

    @property
    def steering_sign(self) -> float:
        """1 where positive steering turns left, -1 where it turns right."""
        return 1.0 if (self.steering_positive or self.log_axes.steering_positive) == "left" else -1.0

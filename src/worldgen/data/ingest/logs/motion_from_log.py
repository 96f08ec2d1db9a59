"""From the columns of a log to ego motion: measured rates first, then steering, poses, and GPS."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.ego import MAX_YAW_RATE_RADPS
from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.agreement import agreement_notes, refuse_turned_quaternions
from worldgen.data.ingest.logs.clocks import log_times
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.logs.noisy_course import STANDSTILL_MPS, course_poses, windowed_speed
from worldgen.data.ingest.logs.plausibility import held_positions, position_jumps, row_gaps, without_impossible
from worldgen.data.ingest.logs.trajectory import (
    arc_at,
    gps_plane,
    planar_from_se3,
    quaternion_poses,
    vehicle_poses_from_camera,
)

YAW_ONLY = "yaw angles"
"""Name of poses that hold no position."""
EARTH_RADIUS_M, EARTH_TOLERANCE_M, LEAST_Z_M = 6_371_000.0, 30_000.0, 20_000.0
"""Distance of the ground from the centre of the Earth, and what it differs by; heights of local axes are below the
last."""
NOISY_YAW_RATE_RADPS = 0.02
"""A yaw rate from positions that is noisier is said to be noise: straight driving would look like slight turns."""


@dataclass(frozen=True, eq=False)
class PoseTrack:
    """Planar poses of the rows that hold one. rows: ``(K,)`` of the log. poses: ``(K, 3)``. name: origin in words.
    breaks: ``(start, stop)`` times between which positions jump. notes: how the poses were made."""

    rows: np.ndarray
    poses: np.ndarray
    name: str
    breaks: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


def motion_from_log(
    log: EgoLog, config: EgoLogConfig, frame_times_s: np.ndarray, start_s: float | None = None
) -> LogMotion:
    """The motion of a log on the video's clock. Measured speed and yaw rate are preferred to derived ones.

    Columns with empty cells are read between the rows that hold a value; spans that no car can drive are left out.

    Args:
        log: the log.
        config: its config.
        frame_times_s: ``(F,)`` times of the video's frames in seconds, from 0 on.
        start_s: time of the first frame on the clock of its times file, None without one.

    Raises:
        InputError: a log without speed or yaw rate, clocks that do not meet, or motion that is mostly impossible.
    """
    times_s, notes = log_times(log, config, frame_times_s, start_s)
    refuse_turned_quaternions(log, config)
    speed, yaw_rate = log.series.get("speed"), log.series.get("yaw_rate")
    track = _poses(log, config, times_s) if speed is None or yaw_rate is None else None
    speed_from = yaw_rate_from = track.name if track else ""
    if speed is not None:
        speed_from = f"column {log.columns['speed']}"
    elif track is None or track.name == YAW_ONLY:
        raise InputError(
            f"ego log {log.name}",
            Received(f"no speed: only {_listing(log)}"),
            "a speed, pose or GPS column with a unit in its name",
        )
    if yaw_rate is not None:
        yaw_rate_from = f"column {log.columns['yaw_rate']}"
    elif "steering" in log.series and (track is None or track.name.startswith("GPS")):
        yaw_rate, yaw_rate_from = _bicycle(log, config, times_s, speed, track)
    elif track is None:
        if config.assume_yaw_rate_radps is None:
            raise InputError(
                f"ego log {log.name}", Received(f"no yaw rate, steering, pose or GPS: only {_listing(log)}"),
                "one of them, or ego.assume_yaw_rate_radps: 0.0 if the car drove straight, or ego.path: none",
            )  # fmt: skip
        yaw_rate = np.full(len(times_s), config.assume_yaw_rate_radps)
        yaw_rate_from = f"assumed {config.assume_yaw_rate_radps:g} rad/s"
    uses_poses = track is not None and (speed is None or yaw_rate is None)
    motion, rows = _joined(times_s, config, speed, yaw_rate, track if uses_poses else None)
    if uses_poses and track is not None:
        notes += track.notes
    notes += agreement_notes(log, config, times_s)
    motion = replace(motion, speed_from=speed_from, yaw_rate_from=yaw_rate_from, notes=tuple(notes))
    names = [log.row_name(int(row)) for row in rows]
    return without_impossible(motion, log.name, names, keep=config.impossible == "keep")


def _joined(
    times_s: np.ndarray, config: EgoLogConfig, speed: np.ndarray | None, yaw_rate: np.ndarray | None,
    track: PoseTrack | None,
) -> tuple[LogMotion, np.ndarray]:  # fmt: skip
    """The motion of the rows at which any of its parts is known, and the numbers of these rows.

    Every part is read between its own rows, in the span in which all are known; a gap of one is a gap of the motion.
    """
    parts = [np.flatnonzero(~np.isnan(values)) for values in (speed, yaw_rate) if values is not None]
    parts += [track.rows] if track is not None else []
    first, last = max(part[0] for part in parts), min(part[-1] for part in parts)
    rows = np.unique(np.concatenate(parts))
    rows = rows[(rows >= first) & (rows <= last)]
    if len(rows) < 2:
        raise InputError(
            "ego log", Received("columns without a value at the same time"), "columns that overlap in time"
        )
    at_s = times_s[rows]
    gaps = {gap for part in parts for gap in row_gaps(times_s[part], config.max_gap_s)}
    gaps |= set(track.breaks) if track is not None else set()

    def between(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        known = ~np.isnan(values)
        return np.interp(at_s, times_s[known], values[known])

    poses = None if track is None else arc_at(times_s[track.rows], track.poses, at_s)
    valid_s = (float(at_s[0]), float(at_s[-1]))
    if config.valid_s is not None:
        valid_s = (max(valid_s[0], config.valid_s[0]), min(valid_s[1], config.valid_s[1]))
    return LogMotion(at_s, between(speed), between(yaw_rate), poses, "", "", tuple(sorted(gaps)), valid_s), rows


def _listing(log: EgoLog) -> str:
    """The quantities and the unused columns of a log, for messages."""
    return ", ".join(log.series) + (f" (unused columns: {', '.join(log.unused)})" if log.unused else "")


def _poses(log: EgoLog, config: EgoLogConfig, times_s: np.ndarray) -> PoseTrack | None:
    """Planar poses from the most exact columns of the log, None without any.

    A log with yaw alone gives poses at a constant position.
    """
    series = log.series
    if "matrix" in series:
        poses = planar_from_se3(vehicle_poses_from_camera(series["matrix"]))
        return PoseTrack(np.arange(len(poses)), poses, "camera poses")
    if {"x", "y", "z", "qw"} <= set(series):
        rows = _rows_with(series, "x", "y", "z", "qw", "qx", "qy", "qz")
        position = np.stack([series[k][rows] for k in "xyz"], 1)
        matrices = quaternion_poses(position, np.stack([series[f"q{k}"][rows] for k in "wxyz"], 1))
        return PoseTrack(rows, planar_from_se3(matrices), "3-D poses")
    _refuse_earth_centred(log)
    # Yaw counts from the x of its positions and a compass heading from north, so other pairs have no common zero.
    kind = "x" if "x" in series and ("yaw" in series or "lat" not in series) else "lat" if "lat" in series else ""
    places, angles, name, course = {
        "x": (("x", "y"), ("yaw",), "planar poses", "course of positions"),
        "lat": (("lat", "lon"), ("heading",), "GPS with heading", "GPS course"),
        "": ((), ("yaw", "heading"), YAW_ONLY, ""),
    }[kind]
    angle = next((quantity for quantity in angles if quantity in series), None)
    if not kind and angle is None:
        return None
    rows = _rows_with(series, *places, *filter(None, [angle]))
    position = np.zeros((len(rows), 2))
    if kind:
        first, second = (series[quantity][rows] for quantity in places)
        position = gps_plane(first, second) if kind == "lat" else np.stack([first, second], 1)
    notes = []
    if kind and (held := held_positions(times_s[rows], position, config.max_gap_s)).any():
        notes.append(
            f"{int(held.sum())} of {counted(len(rows), 'row')} left out: the position is that of the row above"
        )
        rows, position = rows[~held], position[~held]
    if angle is None:
        track = _course(times_s, rows, position, config, course)
        return replace(track, notes=(*notes, *track.notes))
    yaw = series["yaw"][rows] if angle == "yaw" else _moving_headings(log, times_s, rows, position if kind else None)
    return PoseTrack(rows, np.concatenate([position, yaw[:, None]], 1), name, notes=tuple(notes))


def _refuse_earth_centred(log: EgoLog) -> None:
    """Refuse positions from the centre of the Earth without a rotation: their x and y are no plane of the road.

    Raises:
        InputError: such positions.
    """
    if not {"x", "y", "z"} <= set(log.series) or "lat" in log.series:
        return
    rows = _rows_with(log.series, "x", "y", "z")
    x, y, z = (log.series[k][rows] for k in "xyz")
    radius_m = float(np.median(np.sqrt(x**2 + y**2 + z**2)))
    if abs(radius_m - EARTH_RADIUS_M) < EARTH_TOLERANCE_M and float(np.median(np.abs(z))) > LEAST_Z_M:
        raise InputError(
            f"ego log {log.name}, x, y and z",
            Received(f"positions {radius_m / 1000:,.0f} km from their origin, as from the centre of the Earth (ECEF)"),
            "quaternions beside them, latitude and longitude, or metres east and north of a place near the drive",
        )


def _moving_headings(log: EgoLog, times_s: np.ndarray, rows: np.ndarray, position: np.ndarray | None) -> np.ndarray:
    """Yaw ``(K,)`` in rad from compass headings; where the car stands, the last one at which it moved.

    The course of a GPS receiver is random at standstill, and cars do not turn there.
    """
    yaw = np.pi / 2 - log.series["heading"][rows]
    speed = log.series.get("speed")
    if speed is not None:
        known = ~np.isnan(speed)
        slow = np.abs(np.interp(times_s[rows], times_s[known], speed[known])) < STANDSTILL_MPS
    elif position is not None:
        slow = windowed_speed(times_s[rows], position) < STANDSTILL_MPS
    else:
        return yaw
    if slow.all():
        return np.full(len(yaw), yaw[0])
    last = np.maximum.accumulate(np.where(slow, -1, np.arange(len(yaw))))
    return yaw[np.where(last < 0, int(np.flatnonzero(~slow)[0]), last)]


def _rows_with(series: dict[str, np.ndarray], *names: str) -> np.ndarray:
    """Rows in which all of these quantities have a value. Raises: InputError for fewer than two."""
    rows = np.flatnonzero(~np.isnan(np.stack([series[name] for name in names])).any(0))
    if len(rows) < 2:
        raise InputError(
            f"ego log, columns of {', '.join(names)}", Received(f"{len(rows)} rows with all"), "two or more"
        )
    return rows


def _course(times_s: np.ndarray, rows: np.ndarray, position: np.ndarray, config: EgoLogConfig, name: str) -> PoseTrack:
    """Poses along positions ``(K, 2)`` of the rows ``(K,)``, without single positions that jump."""
    outliers, breaks = position_jumps(times_s[rows], position)
    notes = [f"{counted(int(outliers.sum()), 'jump')} of positions away and back left out"] if outliers.any() else []
    rows, position = rows[~outliers], position[~outliers]
    at_s = times_s[rows]
    starts = [start for start, _ in (*row_gaps(at_s, config.max_gap_s), *breaks)]
    cuts = np.unique(np.concatenate([[0], np.searchsorted(at_s, starts, side="right"), [len(rows)]])).astype(int)
    parts = [course_poses(at_s[a:b], position[a:b]) for a, b in itertools.pairwise(cuts)]
    longest = parts[int(np.argmax(np.diff(cuts)))]
    if longest.baseline_s:
        notes.append(
            f"yaw rate from the course over {longest.baseline_s:.1f} s, because positions are noisy; about "
            f"{longest.yaw_rate_noise_radps:.3f} rad/s of noise remain"
        )
    if longest.yaw_rate_noise_radps > NOISY_YAW_RATE_RADPS:
        notes.append(
            f"the yaw rate from positions is noise of about {longest.yaw_rate_noise_radps:.2f} rad/s: a log with yaw "
            "rate or heading is better, or ego.assume_yaw_rate_radps with the positions mapped to ignore"
        )
    return PoseTrack(rows, np.concatenate([part.poses for part in parts]), name, breaks, tuple(notes))


def _bicycle(
    log: EgoLog, config: EgoLogConfig, times_s: np.ndarray, speed: np.ndarray | None, track: PoseTrack | None
) -> tuple[np.ndarray, str]:
    """Yaw rate of the kinematic bicycle model: speed * tan(front-wheel angle) / wheelbase.

    Source: Rajamani, Vehicle Dynamics and Control, section 2.2, rear-axle reference and no side slip.
    """
    if speed is None:
        assert track is not None, log.path
        at_s = times_s[track.rows]
        step_m = np.hypot(*np.diff(track.poses[:, :2], axis=0).T)
        speed = np.interp(times_s, (at_s[1:] + at_s[:-1]) / 2, step_m / np.diff(at_s))
    known = ~np.isnan(speed)
    rate = np.interp(times_s, times_s[known], speed[known]) * np.tan(log.series["steering"]) / config.wheelbase_m
    row = int(np.nanargmax(np.abs(rate)))
    if abs(rate[row]) > MAX_YAW_RATE_RADPS:
        raise InputError(
            f"ego log {log.name}",
            Received(f"steering that turns the car by {rate[row]:.3g} rad/s at {times_s[row]:.3f} s"),
            f"at most {MAX_YAW_RATE_RADPS} rad/s: are the units of steering, wheelbase and speed right?",
        )
    column = log.columns.get("steering") or log.columns.get("steering_wheel")
    return rate, f"bicycle model of column {column}, wheelbase {config.wheelbase_m:g} m"

"""From the columns of a log to ego motion: measured rates first, then steering, poses, and GPS."""

from __future__ import annotations

import numpy as np

from worldgen.core.ego import MAX_SPEED_MPS, MAX_YAW_RATE_RADPS
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.clocks import log_times
from worldgen.data.ingest.logs.ego_log import EgoLog, EgoLogConfig
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.logs.trajectory import (
    course_yaw,
    gps_plane,
    planar_from_se3,
    quaternion_poses,
    vehicle_poses_from_camera,
)

YAW_ONLY = "yaw angles"
"""Name of poses that hold no position."""


def motion_from_log(log: EgoLog, config: EgoLogConfig, frame_times_s: np.ndarray) -> LogMotion:
    """The motion of a log on the video's clock. Measured speed and yaw rate are preferred to derived ones.

    frame_times_s: ``(F,)`` times of the video's frames in seconds, from 0 on.

    Raises:
        InputError: a log without speed or yaw rate, or a derived value that is impossible.
    """
    times_s = log_times(log, config, frame_times_s)
    poses, pose_name = _poses(log, config)
    speed, yaw_rate = log.series.get("speed"), log.series.get("yaw_rate")
    speed_from = yaw_rate_from = pose_name
    if speed is not None:
        speed_from = f"column {log.columns['speed']}"
    elif poses is None or pose_name == YAW_ONLY:
        raise InputError(
            f"ego log {log.name}",
            Received(f"no speed: only {_listing(log)}"),
            "a speed, pose or GPS column with a unit in its name",
        )
    if yaw_rate is not None:
        yaw_rate_from = f"column {log.columns['yaw_rate']}"
    elif "steering" in log.series and (poses is None or pose_name.startswith("GPS")):
        yaw_rate, yaw_rate_from = _bicycle(log, config, times_s, speed, poses)
    elif poses is None:
        if config.assume_yaw_rate_radps is None:
            raise InputError(
                f"ego log {log.name}", Received(f"no yaw rate, steering, pose or GPS: only {_listing(log)}"),
                "one of them, or ego.assume_yaw_rate_radps: 0.0 if the car drove straight, or ego.path: none",
            )  # fmt: skip
        yaw_rate = np.full(len(times_s), config.assume_yaw_rate_radps)
        yaw_rate_from = f"assumed {config.assume_yaw_rate_radps:g} rad/s"
    if poses is not None:
        _check_steps(log, times_s, poses, speed is None)
    needs_poses = speed is None or yaw_rate is None
    valid_s = (float(times_s[0]), float(times_s[-1]))
    if config.valid_s is not None:
        valid_s = (max(valid_s[0], config.valid_s[0]), min(valid_s[1], config.valid_s[1]))
    return LogMotion(
        times_s, speed, yaw_rate, poses if needs_poses else None, speed_from, yaw_rate_from, config.max_gap_s, valid_s
    )


def _listing(log: EgoLog) -> str:
    """The quantities and the unused columns of a log, for messages."""
    return ", ".join(log.series) + (f" (unused columns: {', '.join(log.unused)})" if log.unused else "")


def _poses(log: EgoLog, config: EgoLogConfig) -> tuple[np.ndarray | None, str]:
    """Planar poses ``(M, 3)`` from the most exact columns of the log, and their name; (None, "") without any.

    A log with yaw alone gives poses at a constant position.
    """
    series = log.series
    poses, name = None, ""
    if "matrix" in series:
        poses, name = planar_from_se3(vehicle_poses_from_camera(series["matrix"])), "camera poses"
    elif {"x", "y", "z", "qw"} <= set(series):
        position = np.stack([series[k] for k in "xyz"], 1)
        matrices = quaternion_poses(position, np.stack([series[f"q{k}"] for k in "wxyz"], 1))
        if config.pose_axes == "camera":
            matrices = vehicle_poses_from_camera(matrices)
        poses, name = planar_from_se3(matrices), "3-D poses"
    elif {"x", "y", "yaw"} <= set(series):
        poses, name = np.stack([series["x"], series["y"], series["yaw"]], 1), "planar poses"
    elif {"lat", "lon"} <= set(series):
        position = gps_plane(series["lat"], series["lon"])
        has_heading = "heading" in series
        yaw = np.pi / 2 - series["heading"] if has_heading else course_yaw(position)
        poses, name = np.concatenate([position, yaw[:, None]], 1), "GPS with heading" if has_heading else "GPS course"
    elif {"x", "y"} <= set(series):
        position = np.stack([series["x"], series["y"]], 1)
        poses, name = np.concatenate([position, course_yaw(position)[:, None]], 1), "course of positions"
    elif "yaw" in series or "heading" in series:
        yaw = series["yaw"] if "yaw" in series else np.pi / 2 - series["heading"]
        poses, name = np.stack([0 * yaw, 0 * yaw, yaw], 1), YAW_ONLY
    return poses, name


def _bicycle(
    log: EgoLog, config: EgoLogConfig, times_s: np.ndarray, speed: np.ndarray | None, poses: np.ndarray | None
) -> tuple[np.ndarray, str]:
    """Yaw rate of the kinematic bicycle model: speed * tan(front-wheel angle) / wheelbase.

    Source: Rajamani, Vehicle Dynamics and Control, section 2.2, rear-axle reference and no side slip.
    """
    if speed is None:
        assert poses is not None, log.path
        step_m = np.hypot(*np.diff(poses[:, :2], axis=0).T)
        speed = np.interp(times_s, (times_s[1:] + times_s[:-1]) / 2, step_m / np.diff(times_s))
    rate = speed * np.tan(log.series["steering"]) / config.wheelbase_m
    row = int(np.abs(rate).argmax())
    if abs(rate[row]) > MAX_YAW_RATE_RADPS:
        raise InputError(
            f"ego log {log.name}",
            Received(f"steering that turns the car by {rate[row]:.3g} rad/s at {times_s[row]:.3f} s"),
            f"at most {MAX_YAW_RATE_RADPS} rad/s: are the units of steering, wheelbase and speed right?",
        )
    column = log.columns.get("steering") or log.columns.get("steering_wheel")
    return rate, f"bicycle model of column {column}, wheelbase {config.wheelbase_m:g} m"


def _check_steps(log: EgoLog, times_s: np.ndarray, poses: np.ndarray, speed_is_derived: bool) -> None:
    """Refuse poses with an impossible speed between them; the cause is a wrong unit or a jump."""
    speed = np.hypot(*np.diff(poses[:, :2], axis=0).T) / np.diff(times_s)
    row = int(speed.argmax())
    if speed_is_derived and speed[row] > MAX_SPEED_MPS:
        raise InputError(
            f"ego log {log.name}, row {row + 2} of the data",
            Received(f"a step of {speed[row]:.4g} m/s"),
            f"at most {MAX_SPEED_MPS:g} m/s: is the unit right, or did the position jump?",
        )

"""Brings a log and a video onto one clock: which frames to use and how the car moved between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.ego import MAX_SPEED_MPS, MAX_YAW_RATE_RADPS, EgoMotion, ego_from_planar_poses
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.ego_log import EgoLog, EgoLogConfig
from worldgen.data.ingest.trajectory import (
    arc_at,
    course_yaw,
    gps_plane,
    integral_at,
    planar_from_se3,
    quaternion_poses,
    vehicle_poses_from_camera,
)  # fmt: skip

YAW_ONLY = "yaw angles"
SKEW_TOLERANCE_S = 0.5
"""Log and video may end this far apart before it is worth a warning."""


@dataclass(frozen=True, eq=False)
class LogMotion:
    """How the car moved, on the video's clock.

    times_s: ``(M,)`` increasing. speed_mps, yaw_rate_radps: ``(M,)`` rates at those times, or None where poses tell.
    poses: ``(M, 3)`` x_m, y_m, yaw_rad, or None. speed_from, yaw_rate_from: what each was taken from, in words.
    max_gap_s: longest step between rows that is bridged. valid_s: (start, stop) outside of which nothing is known.
    """

    times_s: np.ndarray
    speed_mps: np.ndarray | None
    yaw_rate_radps: np.ndarray | None
    poses: np.ndarray | None
    speed_from: str
    yaw_rate_from: str
    max_gap_s: float
    valid_s: tuple[float, float]

    def gaps(self) -> list[tuple[float, float]]:
        """Spans (s) between neighbouring rows that are further apart than ``max_gap_s``."""
        wide = np.flatnonzero(np.diff(self.times_s) > self.max_gap_s)
        return [(float(self.times_s[i]), float(self.times_s[i + 1])) for i in wide]

    def covers(self, query_s: np.ndarray) -> np.ndarray:
        """Whether each time ``(Q,)`` lies in the log's span and not inside a gap, ``(Q,)`` bool."""
        # Stamps are rounded to micro- or milliseconds, so the ends get a millisecond of grace.
        inside = (query_s >= self.valid_s[0] - 1e-3) & (query_s <= self.valid_s[1] + 1e-3)
        for start_s, stop_s in self.gaps():
            inside &= ~((query_s > start_s + 1e-3) & (query_s < stop_s - 1e-3))
        return inside

    def covers_span(self, start_s: float, stop_s: float) -> bool:
        """Whether every moment of a span is known."""
        ends = bool(self.covers(np.array([start_s, stop_s])).all())
        return ends and not any(a < stop_s - 1e-3 and b > start_s + 1e-3 for a, b in self.gaps())

    def ego(self, times_s: np.ndarray, fps: float, *, before_s: float) -> EgoMotion:
        """Ego motion of frames taken at ``times_s`` ``(T,)`` and shown at ``fps``; their span must be covered.

        Row i carries the way from frame i-1 to frame i in one period of ``fps``, so poses made from it are where the
        frames were taken, even when those are not evenly spaced. before_s: time of the frame before the first, for row
        0; where the log does not reach it, row 0 is the value at the first frame (rates) or row 1 (poses).
        """
        has_before = self.covers_span(before_s, float(times_s[0]))
        query_s = np.concatenate([[before_s], times_s]) if has_before else np.asarray(times_s)
        query_s = np.clip(query_s, self.times_s[0], self.times_s[-1])
        speed = yaw_rate = None
        if self.poses is not None:
            at = arc_at(self.times_s, self.poses, query_s)
            by_pose = ego_from_planar_poses(at, fps, first=(0.0, 0.0) if len(at) == 1 else None)
            speed, yaw_rate = by_pose.speed_mps, by_pose.yaw_rate_radps
        if self.speed_mps is not None:
            speed = self._means(self.speed_mps, query_s, fps)
        if self.yaw_rate_radps is not None:
            yaw_rate = self._means(self.yaw_rate_radps, query_s, fps)
        first = 1 if has_before else 0
        return EgoMotion(speed[first:], yaw_rate[first:], fps)

    def _means(self, values: np.ndarray, query_s: np.ndarray, fps: float) -> np.ndarray:
        """What was gained over the step before each query, times ``fps``; the first query gets the value there."""
        steps = np.diff(integral_at(self.times_s, values, query_s)) * fps
        return np.concatenate([[np.interp(query_s[0], self.times_s, values)], steps])


def motion_from_log(log: EgoLog, config: EgoLogConfig, frame_times_s: np.ndarray) -> LogMotion:
    """The log as motion on the video's clock; measured speed and yaw rate win over derived ones.

    frame_times_s: ``(F,)`` times of the video's frames from 0 on.

    Raises InputError when speed or yaw rate cannot be told, or a derived value is impossible.
    """
    times_s = _log_clock(log, config, frame_times_s)
    poses, pose_name = _poses(log, config)
    speed, yaw_rate = log.series.get("speed"), log.series.get("yaw_rate")
    speed_from = yaw_rate_from = pose_name
    if speed is not None:
        speed_from = f"column {log.columns['speed']}"
    elif poses is None or pose_name == YAW_ONLY:
        raise InputError(
            f"ego log {_name(log)}",
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
                f"ego log {_name(log)}", Received(f"no yaw rate, steering, pose or GPS: only {_listing(log)}"),
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


def _name(log: EgoLog) -> str:
    return log.path.replace("\\", "/").rsplit("/", 1)[-1]


def _listing(log: EgoLog) -> str:
    """What a log gives, and what was left aside, for error messages."""
    return ", ".join(log.series) + (f" (unused columns: {', '.join(log.unused)})" if log.unused else "")


def _log_clock(log: EgoLog, config: EgoLogConfig, frame_times_s: np.ndarray) -> np.ndarray:
    if log.times_s is None:
        if len(log) != len(frame_times_s):
            raise InputError(
                f"pose file {_name(log)}", Received(f"{len(log)} rows"), f"{len(frame_times_s)}, one per frame"
            )
        return frame_times_s + config.clock_offset_s
    zero_s = log.times_s[0] if config.clock == "first_row" or config.frame_times == "log" else 0.0
    return log.times_s - zero_s + config.clock_offset_s


def _poses(log: EgoLog, config: EgoLogConfig) -> tuple[np.ndarray | None, str]:
    """Planar poses ``(M, 3)`` from the best the log holds, and its name; yaw alone gives poses that stand still."""
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
        step_m = np.hypot(*np.diff(poses[:, :2], axis=0).T)
        speed = np.interp(times_s, (times_s[1:] + times_s[:-1]) / 2, step_m / np.diff(times_s))
    rate = speed * np.tan(log.series["steering"]) / config.wheelbase_m
    row = int(np.abs(rate).argmax())
    if abs(rate[row]) > MAX_YAW_RATE_RADPS:
        raise InputError(
            f"ego log {_name(log)}",
            Received(f"steering that turns the car by {rate[row]:.3g} rad/s at {times_s[row]:.3f} s"),
            f"at most {MAX_YAW_RATE_RADPS} rad/s: are the units of steering, wheelbase and speed right?",
        )
    column = log.columns.get("steering") or log.columns.get("steering_wheel")
    return rate, f"bicycle model of column {column}, wheelbase {config.wheelbase_m:g} m"


def _check_steps(log: EgoLog, times_s: np.ndarray, poses: np.ndarray, speed_is_derived: bool) -> None:
    """Refuse poses that jump: a wrong unit shows as a speed no car reaches."""
    speed = np.hypot(*np.diff(poses[:, :2], axis=0).T) / np.diff(times_s)
    row = int(speed.argmax())
    if speed_is_derived and speed[row] > MAX_SPEED_MPS:
        raise InputError(
            f"ego log {_name(log)}, row {row + 2} of the data",
            Received(f"a step of {speed[row]:.4g} m/s"),
            f"at most {MAX_SPEED_MPS:g} m/s: is the unit right, or did the position jump?",
        )


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """A source resampled to a constant rate. Tick k is at ``k / fps`` on the video's clock.

    frame_index: ``(K,)`` source frame shown at each tick, -1 where there is none near enough. used: ``(K,)`` bool, has
    a frame and, where there is a log, motion. error_s: largest distance between a tick and its frame. fps.
    spans: runs of ticks (start, stop) that windows may be cut from.
    """

    frame_index: np.ndarray
    used: np.ndarray
    error_s: float
    fps: float
    spans: tuple[tuple[int, int], ...]


def resample(frame_times_s: np.ndarray, fps: float, motion: LogMotion | None) -> FrameGrid:
    """The frame nearest to each tick, and the runs of ticks without a hole in the video or in the log.

    frame_times_s: ``(F,)`` increasing, from 0 on. A frame serves one tick at most, and only within half a period.
    """
    # A tick after the last frame is not shown: unlike a player, a data set must not guess how long a frame lasts.
    num_ticks = int(np.floor(frame_times_s[-1] * fps + 1e-3)) + 1
    ticks_s = np.arange(num_ticks) / fps
    after = np.clip(np.searchsorted(frame_times_s, ticks_s), 1, max(len(frame_times_s) - 1, 1))
    if len(frame_times_s) == 1:
        index = np.zeros(num_ticks, np.int64)
    else:
        index = after - 1 + (frame_times_s[after] - ticks_s < ticks_s - frame_times_s[after - 1] - 1e-9)
    error_s = np.abs(frame_times_s[index] - ticks_s)
    usable = error_s <= 0.5 / fps + 1e-6
    usable[1:] &= (index[1:] != index[:-1]) | ~usable[:-1]
    used = usable & (motion.covers(ticks_s) if motion is not None else True)
    breaks = np.zeros(num_ticks, np.int64)
    for _, stop_s in motion.gaps() if motion is not None else []:
        breaks += ticks_s >= stop_s - 1e-3  # two ticks on the two sides of a gap never share a span
    spans = []
    start = None
    for k in range(num_ticks + 1):
        ends = k == num_ticks or not used[k] or (start is not None and breaks[k] != breaks[start])
        if start is not None and ends:
            spans.append((start, k))
            start = None
        if k < num_ticks and used[k] and start is None:
            start = k
    worst_s = float(error_s[usable].max()) if usable.any() else 0.0
    return FrameGrid(np.where(usable, index, -1), used, worst_s, fps, tuple(spans))


def clock_notes(log: EgoLog, motion: LogMotion, frame_times_s: np.ndarray) -> list[str]:
    """What a person should know about the two clocks, as sentences; InputError when they do not meet at all."""
    log_start_s, log_stop_s, video_stop_s = (
        float(motion.times_s[0]),
        float(motion.times_s[-1]),
        float(frame_times_s[-1]),
    )
    if log_start_s > video_stop_s or log_stop_s < 0:
        raise InputError(
            f"ego log {_name(log)}",
            Received(f"{log_start_s:.3f} to {log_stop_s:.3f} s, video 0 to {video_stop_s:.3f} s"),
            "clocks that meet: set ego.clock_offset_s, or ego.clock: first_row when the log starts with the video",
        )  # fmt: skip
    notes = []
    if log.num_duplicates:
        notes.append(f"{log.num_duplicates} log rows with a repeated time stamp dropped")
    if log_start_s > SKEW_TOLERANCE_S:
        notes.append(f"log starts {log_start_s:.2f} s after the video")
    if video_stop_s - log_stop_s > SKEW_TOLERANCE_S:
        notes.append(f"log ends {video_stop_s - log_stop_s:.2f} s before the video")
    span_s = log_stop_s - log_start_s
    rows_match_frames = log.row_times_s is not None and len(log.row_times_s) == len(frame_times_s)
    if rows_match_frames and video_stop_s > 0 and abs(span_s / video_stop_s - 1) > 1e-3:
        notes.append(
            f"one log row per frame, but the log's clock runs {100 * (span_s / video_stop_s - 1):+.2f} % against the "
            "video's: ego.frame_times: log would use the log's times"
        )
    for start_s, stop_s in motion.gaps():
        notes.append(f"log gap of {stop_s - start_s:.2f} s at {start_s:.2f} s")
    return notes


def frame_times_from_log(log: EgoLog, num_frames: int) -> np.ndarray:
    """Times ``(num_frames,)`` of a video's frames from a log with one row per frame, from 0 on.

    A ``frame`` column names each row's frame; without one row i is frame i. Repeated stamps are spread by a microsecond
    so that times increase; such frames are never both picked.

    Raises InputError when rows and frames do not match one to one.
    """
    times_s = log.row_times_s
    if times_s is None:
        raise InputError("ego.frame_times", "log", "a log with a time column")
    frame = np.arange(len(times_s)) if log.frame is None else log.frame
    if len(times_s) != num_frames or (np.sort(frame) != np.arange(num_frames)).any():
        raise InputError(
            f"ego log {_name(log)}",
            Received(
                f"{len(times_s)} rows"
                + ("" if log.frame is None else f" for frames {frame.min():g} to {frame.max():g}")
            ),
            f"one row for each of the {num_frames} frames (frames count from 0)",
        )
    out = np.empty(num_frames)
    out[frame.astype(np.int64)] = times_s
    if (np.diff(out) < 0).any():
        raise InputError(
            f"ego log {_name(log)}", Received("frames whose times go back"), "times in the order of the frames"
        )
    out -= out[0]
    for i in np.flatnonzero(np.diff(out) <= 0):
        out[i + 1] = out[i] + 1e-6
    return out

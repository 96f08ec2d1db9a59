"""Ego motion in physical units, and its conversions to poses and waypoints and back."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError, Received

MAX_SPEED_MPS = 100.0
"""Largest speed accepted, forward or in reverse."""
MAX_YAW_RATE_RADPS = 4.0
"""Largest yaw rate accepted, left or right."""
MAX_CURVATURE_PER_M = 0.2
"""Curvature of the path of a road vehicle at full steering lock: a turning circle of 10 m."""
YAW_ACCELERATION_RADPS2 = 1.0
"""Typical yaw acceleration at the start of a turn."""


@dataclass(frozen=True, eq=False)
class EgoMotion:
    """Speed and yaw rate of the ego vehicle, one row per frame. ``len(ego)`` is T.

    Row i is the motion that arrives at frame i; it is constant over the interval from frame i-1 to frame i. Row 0 is
    the motion before the clip. ``ego[start:stop]`` is the motion of a part of the frames.

    Attributes:
        speed_mps: ``(T,)`` float64, read-only, at most 100 in magnitude, negative in reverse.
        yaw_rate_radps: ``(T,)`` float64, read-only, at most 4 in magnitude, positive to the left.
        fps: frames per second of the rows, > 0.

    Raises:
        InputError: for arrays of different lengths, no rows, and values that are not finite or out of range.
    """

    speed_mps: np.ndarray
    yaw_rate_radps: np.ndarray
    fps: float

    def __post_init__(self) -> None:
        for name, limit in (("speed_mps", MAX_SPEED_MPS), ("yaw_rate_radps", MAX_YAW_RATE_RADPS)):
            values = np.array(getattr(self, name), dtype=np.float64)  # a copy: it is frozen below
            if values.ndim != 1 or len(values) < 1:
                raise InputError(f"ego motion {name}", Received(f"shape {values.shape}"), "shape (T,), T >= 1")
            if not np.isfinite(values).all():
                raise InputError(f"ego motion {name}", Received("non-finite values"), "finite numbers")
            if np.abs(values).max() > limit:
                raise InputError(f"ego motion {name}", float(np.abs(values).max()), f"at most {limit} in magnitude")
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if len(self.speed_mps) != len(self.yaw_rate_radps):
            raise InputError("ego motion rows", (len(self.speed_mps), len(self.yaw_rate_radps)), "equal lengths")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError("ego motion fps", self.fps, "a positive number")

    def __repr__(self) -> str:
        low, high = float(self.speed_mps.min()), float(self.speed_mps.max())
        return f"EgoMotion({len(self)} rows at {self.fps:g} fps, {low:.3g} to {high:.3g} m/s)"

    def __len__(self) -> int:
        return len(self.speed_mps)

    def __getitem__(self, span: slice) -> EgoMotion:
        return EgoMotion(self.speed_mps[span], self.yaw_rate_radps[span], self.fps)

    def to_array(self) -> np.ndarray:
        """Rows ``(T, 2)`` float32 of speed_mps and yaw_rate_radps, the format of shards."""
        return np.stack([self.speed_mps, self.yaw_rate_radps], 1).astype(np.float32)

    @classmethod
    def from_array(cls, rows: np.ndarray, fps: float) -> EgoMotion:
        """The inverse of :meth:`to_array`. Raises: InputError for another shape and for values out of range."""
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != 2:
            raise InputError("ego motion array", Received(f"shape {rows.shape}"), "(T, 2) speed_mps, yaw_rate_radps")
        return cls(rows[:, 0].astype(np.float64), rows[:, 1].astype(np.float64), fps)

    def extended(self, num_frames: int) -> EgoMotion:
        """Motion of ``num_frames`` rows: the first ones, with the last row repeated when there are too few."""
        pick = np.minimum(np.arange(num_frames), len(self) - 1)
        return EgoMotion(self.speed_mps[pick], self.yaw_rate_radps[pick], self.fps)


def wrap_angle(angle_rad: np.ndarray) -> np.ndarray:
    """Angles in radians, of any shape, wrapped to [-pi, pi)."""
    return (np.asarray(angle_rad) + np.pi) % (2 * np.pi) - np.pi


def planar_poses(ego: EgoMotion) -> np.ndarray:
    """Integrate ego motion to poses in the ego frame of frame 0.

    Between frames the car follows an arc of constant curvature. Over an interval dt it turns by w*dt and moves along a
    chord of length v*dt*sinc(w*dt/2) in the direction of the heading half way. This is the exact integral of a unicycle
    with constant speed v and yaw rate w.

    Returns:
        ``(T, 3)`` float64 x (m), y (m) and yaw (rad, not wrapped); row 0 is zero.
    """
    dt_s = 1.0 / ego.fps
    turn = ego.yaw_rate_radps[1:] * dt_s
    yaw = np.concatenate([[0.0], np.cumsum(turn)])
    chord_m = ego.speed_mps[1:] * dt_s * np.sinc(turn / (2 * np.pi))
    heading = yaw[:-1] + turn / 2
    x = np.concatenate([[0.0], np.cumsum(chord_m * np.cos(heading))])
    y = np.concatenate([[0.0], np.cumsum(chord_m * np.sin(heading))])
    return np.stack([x, y, yaw], 1)


def ego_from_planar_poses(poses: np.ndarray, fps: float, *, first: tuple[float, float] | None = None) -> EgoMotion:
    """The inverse of :func:`planar_poses`.

    Args:
        poses: ``(T, 3)`` x (m), y (m) and yaw (rad) in one fixed frame; T >= 2, or T >= 1 with ``first``.
        fps: frames per second.
        first: speed_mps and yaw_rate_radps of row 0, which poses do not determine; by default those of row 1.

    Raises:
        InputError: for another shape, values that are not finite, and motion out of range.
    """
    poses = np.asarray(poses, dtype=np.float64)
    if poses.ndim != 2 or poses.shape[1] != 3 or len(poses) < (2 if first is None else 1):
        raise InputError("planar poses", Received(f"shape {poses.shape}"), "(T, 3) x_m, y_m, yaw_rad with T >= 2")
    if not np.isfinite(poses).all():
        raise InputError("planar poses", Received("non-finite values"), "finite numbers")
    turn = wrap_angle(np.diff(poses[:, 2]))
    heading = poses[:-1, 2] + turn / 2
    step = np.diff(poses[:, :2], axis=0)
    chord_m = step[:, 0] * np.cos(heading) + step[:, 1] * np.sin(heading)
    speed = chord_m * fps / np.sinc(turn / (2 * np.pi))
    rate = turn * fps
    if first is None:
        first = (speed[0], rate[0])
    return EgoMotion(np.concatenate([[first[0]], speed]), np.concatenate([[first[1]], rate]), fps)


def se3_poses(ego: EgoMotion) -> np.ndarray:
    """Rigid transforms ``(T, 4, 4)`` float64 (m) from the ego frame of frame i to that of frame 0, on flat ground."""
    return se3_from_planar(planar_poses(ego))


def se3_from_planar(poses: np.ndarray) -> np.ndarray:
    """Planar poses ``(T, 3)`` as rigid transforms ``(T, 4, 4)`` float64: rotation about z, translation in x and y."""
    cos, sin = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    out = np.zeros((len(poses), 4, 4))
    out[:, 0, 0], out[:, 0, 1], out[:, 1, 0], out[:, 1, 1] = cos, -sin, sin, cos
    out[:, 2, 2] = out[:, 3, 3] = 1.0
    out[:, 0, 3], out[:, 1, 3] = poses[:, 0], poses[:, 1]
    return out


def ego_from_se3(poses: np.ndarray, fps: float, *, first: tuple[float, float] | None = None) -> EgoMotion:
    """Planar ego motion of vehicle poses in three dimensions.

    Motion is measured in the frame of each pose, so slopes do not shorten it. Pitch and roll are dropped otherwise.

    Args:
        poses: ``(T, 4, 4)`` rigid transforms from the ego frame (x forward, y left, z up, metres) to one fixed frame.
        fps: frames per second.
        first: speed_mps and yaw_rate_radps of row 0; by default those of row 1.

    Raises:
        InputError: for another shape, values that are not finite, and motion out of range.
    """
    poses = np.asarray(poses, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise InputError("SE(3) poses", Received(f"shape {poses.shape}"), "(T, 4, 4)")
    if not np.isfinite(poses).all():
        raise InputError("SE(3) poses", Received("non-finite values"), "finite numbers")
    relative = np.linalg.inv(poses[:-1]) @ poses[1:]
    turn = np.arctan2(relative[:, 1, 0], relative[:, 0, 0])
    forward = relative[:, 0, 3] * np.cos(turn / 2) + relative[:, 1, 3] * np.sin(turn / 2)
    planar = np.zeros((len(poses), 3))
    planar[1:, 2] = np.cumsum(turn)
    heading = planar[:-1, 2] + turn / 2
    planar[1:, 0] = np.cumsum(forward * np.cos(heading))
    planar[1:, 1] = np.cumsum(forward * np.sin(heading))
    return ego_from_planar_poses(planar, fps, first=first)


def pose_rows(ego: EgoMotion) -> np.ndarray:
    """Relative poses of successive frames as rows of nine numbers.

    Row i is the pose of frame i in the ego frame of frame i-1; row 0 follows from the motion that arrives at frame 0.
    Source: 6-D rotation of Zhou et al. 2019 (arXiv:1812.07035), in the layout of the ``av`` domain of Cosmos 3 in
    diffusers.

    Returns:
        ``(T, 9)`` float64: translation (3, metres) and the first two columns of the rotation matrix (6).
    """
    steps = [
        planar_poses(EgoMotion(ego.speed_mps[i].repeat(2), ego.yaw_rate_radps[i].repeat(2), ego.fps))[1]
        for i in range(len(ego))
    ]
    transforms = se3_from_planar(np.array(steps))
    return np.concatenate([transforms[:, :3, 3], transforms[:, :3, 0], transforms[:, :3, 1]], 1)


def ego_from_pose_rows(rows: np.ndarray, fps: float) -> EgoMotion:
    """The inverse of :func:`pose_rows`.

    Raises:
        InputError: for another shape than ``(T, 9)``, and rows that are not finite or hold no rotation.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 9 or not np.isfinite(rows).all():
        raise InputError(
            "pose rows", Received(f"shape {rows.shape}"), "(T, 9) finite numbers: translation, 6-D rotation"
        )
    norm = np.linalg.norm(rows[:, 3:6], axis=1)
    if (norm < 1e-6).any():
        raise InputError("pose rows", Received("a zero rotation column"), "two independent columns")
    first_column = rows[:, 3:6] / norm[:, None]
    turn = np.arctan2(first_column[:, 1], first_column[:, 0])
    chord_m = rows[:, 0] * np.cos(turn / 2) + rows[:, 1] * np.sin(turn / 2)
    return EgoMotion(chord_m * fps / np.sinc(turn / (2 * np.pi)), turn * fps, fps)


def waypoint_text(ego: EgoMotion, *, decimals: int = 3) -> str:
    """Positions at frames 1 to T-1 as text ``"(x, y), (x, y), ..."``, in metres in the ego frame of frame 0."""
    points = np.round(planar_poses(ego)[1:, :2], decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
    return ", ".join(f"({x:.{decimals}f}, {y:.{decimals}f})" for x, y in points)


_POINT = re.compile(r"\(\s*([^\s,()]+)\s*,\s*([^\s,()]+)\s*\)")


def ego_from_waypoint_text(text: str, fps: float, num_frames: int | None = None) -> EgoMotion:
    """Ego motion along waypoints. The car starts at (0, 0) with its heading along x.

    The result is exact to rounding for text of :func:`waypoint_text`. Points that a car cannot reach without a jump of
    its heading are passed as smoothly as the precision of the digits allows.

    Args:
        text: ``"(x, y), (x, y), ..."`` in metres in the ego frame of frame 0, one point per frame after frame 0.
        fps: frames per second.
        num_frames: rows of the result; the points are then spread evenly in time. By default one row per point and one
            for frame 0.

    Raises:
        InputError: for text that is not a list of points, and for motion out of range.
    """
    points = []
    rest = _POINT.sub("", text).replace(",", "").strip()
    for x, y in _POINT.findall(text):
        try:
            points.append((float(x), float(y)))
        except ValueError as error:
            raise InputError("waypoints", f"({x}, {y})", "numbers in metres, as in '(1.0, 0.0), (2.0, 0.1)'") from error
    if rest or not points:
        raise InputError("waypoints", text if len(text) < 60 else text[:57] + "...", "'(x, y), (x, y), ...' in metres")
    path = np.array([(0.0, 0.0), *points])
    if not np.isfinite(path).all():
        raise InputError("waypoints", Received("non-finite values"), "finite numbers in metres")
    decimals = max((len(digits) for digits in re.findall(r"\.(\d+)", text)), default=0)
    if num_frames is not None and num_frames > 1 and len(path) != num_frames:
        path = _resample_path(path, num_frames)
    # Rounding moves a point by up to half its last digit. Typed round numbers are taken as exact to 5 cm.
    tolerance_m = min(0.5 * 10.0**-decimals, 0.05)
    yaw = _headings(path, fps, tolerance_m)
    return ego_from_planar_poses(np.concatenate([path, yaw[:, None]], 1), fps)


def _headings(path: np.ndarray, fps: float, tolerance_m: float) -> np.ndarray:
    """Headings ``(T,)`` rad along points ``(T, 2)`` known to ``tolerance_m``, the first along x.

    The chord of an arc points along the mean of the headings at its ends. Solved step by step, this lets the rounding
    of the points swing the headings left and right without end. So all steps are solved at once by least squares, with
    the prior that curvature and yaw acceleration are those of a road vehicle.
    """
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    step = np.diff(path, axis=0)
    length_m = np.hypot(step[:, 0], step[:, 1])
    bearing, last, gear = np.zeros(len(step)), 0.0, 0.0
    for i in np.flatnonzero(length_m > 1e-6):
        angle = np.arctan2(step[i, 1], step[i, 0]) + gear
        if np.cos(angle - last) < 0:  # more than a right angle from one step to the next: the car changed direction
            angle, gear = angle + np.pi, np.pi - gear
        last = bearing[i] = last + float(wrap_angle(angle - last))
    # Equations of three kinds: the mean of two headings is the bearing; first differences; second differences.
    count, size = len(step), len(path)
    equations = sparse.vstack([
        sparse.diags([0.5, 0.5], [0, 1], (count, size)),
        sparse.diags([-1.0, 1.0], [0, 1], (count, size)),
        sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], (count - 1, size)),
    ], format="csr")[:, 1:]  # fmt: skip
    spread = np.concatenate([
        np.where(length_m > 1e-6, tolerance_m / np.maximum(length_m, 1e-6), 1e3),
        MAX_CURVATURE_PER_M * length_m + 1e-4,
        np.full(count - 1, YAW_ACCELERATION_RADPS2 / fps**2),
    ])  # fmt: skip
    target = np.concatenate([bearing, np.zeros(len(spread) - count)])
    # The augmented form of least squares stays accurate where the squared weights would drown the prior.
    system = sparse.bmat([[sparse.diags(spread**2), equations], [equations.T, None]], format="csc")
    solution = spsolve(system, np.concatenate([target, np.zeros(count)]))
    return np.concatenate([[0.0], solution[len(spread) :]])


def _resample_path(path: np.ndarray, num_frames: int) -> np.ndarray:
    """Path points ``(N, 2)`` at even times, resampled to ``(num_frames, 2)``; the path starts along x."""
    times = np.linspace(0.0, 1.0, len(path))
    wanted = np.linspace(0.0, 1.0, num_frames)
    # A Catmull-Rom spline passes through the points with a continuous heading, so the yaw rate stays finite.
    slopes = np.gradient(path, times, axis=0)
    still = np.hypot(*np.diff(path, axis=0).T) < 1e-6
    slopes[np.concatenate([[False], still]) | np.concatenate([still, [False]])] = 0.0  # no overshoot into a standstill
    slopes[0] = (np.hypot(*slopes[0]) * (1.0 if slopes[0, 0] >= 0 else -1.0), 0.0)
    index = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(path) - 2)
    width = (times[index + 1] - times[index])[:, None]
    u = ((wanted - times[index])[:, None]) / width
    h00, h10, h01, h11 = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u, -2 * u**3 + 3 * u**2, u**3 - u**2
    return h00 * path[index] + h10 * width * slopes[index] + h01 * path[index + 1] + h11 * width * slopes[index + 1]

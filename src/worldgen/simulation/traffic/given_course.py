"""A given ego motion: checks, the path that it drives, and the course of a road under it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import classify_manoeuvre
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.road_plan import AHEAD_M, BEHIND_M

MAX_GIVEN_SPEED_MPS = 60.0
MAX_GIVEN_LATERAL_MPS2 = 15.0
"""Above the grip of tyres (about 10 m/s2), with a margin for noise in logs."""
JUNCTION_TURN_RAD = math.radians(50)
"""A given motion that turns by more within ``JUNCTION_LENGTH_M`` turns at a junction."""
JUNCTION_LENGTH_M = 70.0
SMOOTH_M = 14.0
"""Length of the moving average over the heading of the road."""


@dataclass(frozen=True, eq=False)
class Course:
    """Path and road of a given motion.

    path: s = 0 at the start. travelled_m, speed_mps: ``(N,)`` per simulation step. manoeuvre: its classification.
    curvature_s_m, curvature: course of the road (1/m). exit_pose: (x, y, yaw) where it leaves a junction, or None.
    """

    path: Curve
    travelled_m: np.ndarray
    speed_mps: np.ndarray
    manoeuvre: str
    curvature_s_m: np.ndarray
    curvature: np.ndarray
    exit_pose: tuple[float, float, float] | None


def check_given(ego: EgoMotion, fps: float, num_frames: int | None) -> None:
    """Raises InputError for a motion that no road can carry or that does not fit the clip."""
    if not math.isclose(ego.fps, fps, rel_tol=1e-9):
        raise InputError("fps of the given ego motion", ego.fps, f"{fps}, the fps of the scene")
    if num_frames is not None and num_frames != len(ego):
        raise InputError("rows of the given ego motion", len(ego), f"{num_frames}, one per frame")
    speed = float(np.abs(ego.speed_mps).max())
    if speed > MAX_GIVEN_SPEED_MPS:
        raise InputError("speed of the given ego motion in m/s", round(speed, 1), f"at most {MAX_GIVEN_SPEED_MPS:.0f}")
    lateral = float(np.abs(ego.speed_mps * ego.yaw_rate_radps).max())
    if lateral > MAX_GIVEN_LATERAL_MPS2:
        raise InputError(
            "lateral acceleration of the given ego motion in m/s2",
            round(lateral, 1),
            f"at most {MAX_GIVEN_LATERAL_MPS2:.0f}",
        )


def course_of(ego: EgoMotion, substeps: int) -> Course:
    """The course of a checked motion at simulation steps."""
    speed = np.concatenate([ego.speed_mps[:1], np.repeat(ego.speed_mps[1:], substeps)])
    rate = np.concatenate([ego.yaw_rate_radps[:1], np.repeat(ego.yaw_rate_radps[1:], substeps)])
    fine = EgoMotion(speed, rate, ego.fps * substeps)
    poses = planar_poses(fine)
    travelled_m = np.concatenate([[0.0], np.cumsum(speed[1:] / fine.fps)])
    order = np.argsort(travelled_m, kind="stable")
    sorted_travelled_m, sorted_poses = travelled_m[order], poses[order]
    keep = np.concatenate([[True], np.diff(np.floor(sorted_travelled_m / 0.25)) > 0])
    s, xyh = sorted_travelled_m[keep], sorted_poses[keep]
    path = _line_through(s, xyh)
    turn, length = float(np.ptp(poses[:, 2])), float(np.ptp(travelled_m))
    net = float(poses[-1, 2])
    junction = abs(net) > JUNCTION_TURN_RAD and length < JUNCTION_LENGTH_M and turn < 2.3
    name = classify_manoeuvre(ego)
    if name.startswith("turn") and not junction:
        name = "keep"
    grid = np.arange(-BEHIND_M, float(s[-1]) + AHEAD_M, 1.0)
    if junction:
        return Course(path, travelled_m, speed, name, grid, np.zeros_like(grid), _exit_pose(poses[-1], ego))
    return Course(path, travelled_m, speed, name, grid, _road_curvature(grid, s, xyh[:, 2], name), None)


def _line_through(s_m: np.ndarray, poses: np.ndarray) -> Curve:
    """The driven line, straight before its first and beyond its last point."""
    grid = np.arange(min(-BEHIND_M, s_m[0] - 20.0), s_m[-1] + AHEAD_M, 0.5)
    inside = np.clip(grid, s_m[0], s_m[-1])
    heading = np.interp(inside, s_m, poses[:, 2])
    over = grid - inside
    x = np.interp(inside, s_m, poses[:, 0]) + over * np.cos(heading)
    y = np.interp(inside, s_m, poses[:, 1]) + over * np.sin(heading)
    return Curve(grid, np.stack([x, y], 1), heading, np.zeros(len(grid)))


def _road_curvature(grid: np.ndarray, s_m: np.ndarray, heading: np.ndarray, name: str) -> np.ndarray:
    """Curvature of the road under the motion: its smoothed heading; an even bend under a lane change."""
    if len(s_m) < 2 or np.ptp(s_m) < 1.0:
        return np.zeros_like(grid)
    if name.startswith("lane"):
        even = (heading[-1] - heading[0]) / (s_m[-1] - s_m[0])
        return np.where((grid >= s_m[0]) & (grid <= s_m[-1]), even, 0.0)
    along = np.interp(grid, s_m, heading)
    window = np.ones(int(SMOOTH_M) | 1) / (int(SMOOTH_M) | 1)
    padded = np.pad(along, len(window) // 2, mode="edge")
    return np.gradient(np.convolve(padded, window, "valid"), grid)


def _exit_pose(last: np.ndarray, ego: EgoMotion) -> tuple[float, float, float]:
    """Pose (x, y, yaw) at the end of the turn: the last pose, or where its last bend reaches a right angle."""
    x, y, yaw = (float(v) for v in last)
    goal = math.copysign(math.pi / 2, yaw)
    speed, rate = float(ego.speed_mps[-1]), float(ego.yaw_rate_radps[-1])
    if abs(yaw) < math.pi / 2 and rate * yaw > 0 and abs(rate) > 0.05 and speed > 0.5:
        radius = speed / rate
        x += radius * (math.sin(goal) - math.sin(yaw))
        y += radius * (math.cos(yaw) - math.cos(goal))
        yaw = goal
    return x, y, yaw

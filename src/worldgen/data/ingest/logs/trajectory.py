"""Geometry of vehicle motion: arcs through poses, integrals of rates, SE(3) and GPS positions as planar poses."""

from __future__ import annotations

import numpy as np

from worldgen.core.ego import wrap_angle
from worldgen.data.ingest.logs.axes import CAMERA

WGS84_A_M = 6378137.0
WGS84_E2 = 6.69437999014e-3
"""Semi-major axis and squared eccentricity. Source: NGA.STND.0036, WGS 84."""

MIN_COURSE_M = 0.5
"""Shortest distance between positions that gives a direction of travel; below it, noise dominates."""


def integral_at(times_s: np.ndarray, values: np.ndarray, query_s: np.ndarray) -> np.ndarray:
    """The exact integral of the piecewise linear values from the first time to each query, ``(Q,)`` float64.

    times_s, values: ``(M,)``; query_s: ``(Q,)`` inside the span of times_s.
    """
    steps = np.diff(times_s) * (values[1:] + values[:-1]) / 2
    total = np.concatenate([[0.0], np.cumsum(steps)])
    row = np.clip(np.searchsorted(times_s, query_s, side="right") - 1, 0, len(times_s) - 2)
    since_s = query_s - times_s[row]
    slope = (values[row + 1] - values[row]) / (times_s[row + 1] - times_s[row])
    return total[row] + since_s * (values[row] + slope * since_s / 2)


def arc_at(times_s: np.ndarray, poses: np.ndarray, query_s: np.ndarray) -> np.ndarray:
    """Planar poses ``(Q, 3)`` at other times, on the arc of constant curvature through each pair of rows.

    times_s: ``(M,)``. poses: ``(M, 3)`` x_m, y_m, yaw_rad. query_s: ``(Q,)`` inside the span of times_s.
    :class:`EgoMotion` uses the same arcs, so a turn of constant curvature is reproduced exactly at any rate.
    """
    row = np.clip(np.searchsorted(times_s, query_s, side="right") - 1, 0, len(times_s) - 2)
    part = (query_s - times_s[row]) / (times_s[row + 1] - times_s[row])
    turn = wrap_angle(poses[row + 1, 2] - poses[row, 2])
    step = poses[row + 1, :2] - poses[row, :2]
    # The chord of a part of an arc is turned back by (1 - part) / 2 of the turn and shortened by the ratio of the
    # sincs.
    ratio = part * np.sinc(turn * part / (2 * np.pi)) / np.sinc(turn / (2 * np.pi))
    back = -turn * (1 - part) / 2
    cos, sin = np.cos(back), np.sin(back)
    offset = np.stack([cos * step[:, 0] - sin * step[:, 1], sin * step[:, 0] + cos * step[:, 1]], 1) * ratio[:, None]
    return np.concatenate([poses[row, :2] + offset, (poses[row, 2] + turn * part)[:, None]], 1)


def pose_rates(times_s: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Speed in m/s along the heading and yaw rate in rad/s of the arcs between planar poses, ``(M - 1,)`` each.

    times_s: ``(M,)``. poses: ``(M, 3)`` x_m, y_m, yaw_rad.
    """
    seconds = np.diff(times_s)
    turn = wrap_angle(np.diff(poses[:, 2]))
    heading = poses[:-1, 2] + turn / 2
    step = np.diff(poses[:, :2], axis=0)
    chord_m = step[:, 0] * np.cos(heading) + step[:, 1] * np.sin(heading)
    return chord_m / np.sinc(turn / (2 * np.pi)) / seconds, turn / seconds


def planar_from_se3(poses: np.ndarray) -> np.ndarray:
    """Vehicle poses ``(M, 4, 4)`` (vehicle axes, m) unrolled into a plane: ``(M, 3)`` x_m, y_m, yaw_rad, from 0.

    Each step is measured in the axes of the previous pose, so slopes do not shorten distances.
    """
    relative = np.linalg.inv(poses[:-1]) @ poses[1:]
    turn = np.arctan2(relative[:, 1, 0], relative[:, 0, 0])
    chord_m = relative[:, 0, 3] * np.cos(turn / 2) + relative[:, 1, 3] * np.sin(turn / 2)
    return planar_from_arcs(chord_m / np.sinc(turn / (2 * np.pi)), turn)


def planar_from_arcs(arc_m: np.ndarray, turn: np.ndarray, start_yaw: float = 0.0) -> np.ndarray:
    """Planar poses ``(M, 3)`` from x = y = 0 along arcs of lengths ``(M - 1,)`` in metres that turn by ``(M - 1,)`` rad
    each. start_yaw: of the first pose in rad."""
    yaw = start_yaw + np.concatenate([[0.0], np.cumsum(turn)])
    chord_m = arc_m * np.sinc(turn / (2 * np.pi))
    heading = yaw[:-1] + turn / 2
    x = np.concatenate([[0.0], np.cumsum(chord_m * np.cos(heading))])
    y = np.concatenate([[0.0], np.cumsum(chord_m * np.sin(heading))])
    return np.stack([x, y, yaw], 1)


def vehicle_poses_from_camera(poses: np.ndarray) -> np.ndarray:
    """Camera poses ``(M, 4, 4)`` (camera axes, metres) to vehicle axes, the vehicle's origin below the camera."""
    change = np.eye(4)
    change[:3, :3] = CAMERA
    return change @ poses @ change.T


def quaternion_poses(position_m: np.ndarray, wxyz: np.ndarray) -> np.ndarray:
    """Positions ``(M, 3)`` and unit quaternions ``(M, 4)`` w x y z to rigid transforms ``(M, 4, 4)``."""
    w, x, y, z = wxyz.T
    out = np.zeros((len(wxyz), 4, 4))
    out[:, 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], 1)
    out[:, 1, :3] = np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], 1)
    out[:, 2, :3] = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 1)
    out[:, :3, 3] = position_m
    out[:, 3, 3] = 1.0
    return out


def gps_plane(lat_deg: np.ndarray, lon_deg: np.ndarray) -> np.ndarray:
    """East and north of the first position in metres, ``(M, 2)``; exact to 0.1 % for drives of tens of kilometres.

    Source: radii of curvature of the WGS 84 ellipsoid in the meridian and the prime vertical.
    """
    lat = np.radians(lat_deg)
    sin2 = np.sin(lat[0]) ** 2
    meridian_m = WGS84_A_M * (1 - WGS84_E2) / (1 - WGS84_E2 * sin2) ** 1.5
    vertical_m = WGS84_A_M / np.sqrt(1 - WGS84_E2 * sin2)
    east = np.radians((lon_deg - lon_deg[0] + 180) % 360 - 180) * vertical_m * np.cos(lat[0])
    return np.stack([east, (lat - lat[0]) * meridian_m], 1)


def course_yaw(position_m: np.ndarray) -> np.ndarray:
    """Direction of travel ``(M,)`` at each position ``(M, 2)`` m, in rad counter-clockwise from x.

    The direction is constant at standstill. Positions closer than ``MIN_COURSE_M`` to the last one are skipped. The
    direction of a chord is the mean heading of its ends, so the heading at a position is the mean of the directions of
    its two chords.
    """
    kept = [0]
    for i in range(1, len(position_m)):
        if np.hypot(*(position_m[i] - position_m[kept[-1]])) >= MIN_COURSE_M:
            kept.append(i)
    if len(kept) < 2:
        return np.zeros(len(position_m))
    step = np.diff(position_m[kept], axis=0)
    chord = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    inner = (chord[1:] + chord[:-1]) / 2
    if len(inner):
        yaw = np.concatenate([[2 * chord[0] - inner[0]], inner, [2 * chord[-1] - inner[-1]]])
    else:
        yaw = np.repeat(chord, 2)
    return np.interp(np.arange(len(position_m)), kept, yaw)

"""How a camera nods about the motion that its log tells, read from the frames of a clip."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.instruments.odometry.pair_geometry import Heading, solve_pair
from worldgen.instruments.odometry.point_tracks import MAX_WIDTH_PX, follow_points

MIN_POINTS = 20
HEADING_SHARE = 0.04
"""Deviation of the heading of a pair in focal lengths, as for odometry."""
SMOOTH_S = 1.6
"""Turns that last longer belong to the road and to the log, not to springs."""
MOST_TURN_RAD = 0.03
"""A pair of frames that nods by more is not believed."""


def camera_shake(frames: np.ndarray, camera: Camera, fps: float) -> np.ndarray:
    """Pitch (rad, positive downwards) of each frame ``(T,)`` beyond that of the camera record.

    frames: ``(T, H, W, 3)`` uint8 RGB. Turns of neighbouring frames are added up; what is slower than ``SMOOTH_S`` is
    taken away, because it is drift or slope. Zero where the frames show too few points. Yaw is left to the log: read
    from frames in the same way it made points of KITTI drive 03 slip by 0.37 px instead of 0.21 (medians).
    """
    width = min(MAX_WIDTH_PX, camera.width_px)
    focal = camera.fx_px * width / camera.width_px
    # Squeezed pixels are made square: the geometry of pairs knows one focal length.
    height = max(16, round(camera.height_px * focal / camera.fy_px))
    grey = [
        cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (width, height), interpolation=cv2.INTER_AREA)
        for frame in frames
    ]
    expected = Heading(
        camera.cx_px * width / camera.width_px, camera.horizon_px * height / camera.height_px, HEADING_SHARE * focal
    )
    turns = np.zeros(len(frames))
    for k in range(1, len(frames)):
        pair = follow_points(grey[k - 1], grey[k])
        if len(pair.before) < MIN_POINTS:
            continue
        step = -float(solve_pair(pair, focal, expected).turn_rad[0])
        if abs(step) < MOST_TURN_RAD:
            turns[k] = step
    return _without_trend(np.cumsum(turns), max(3, round(SMOOTH_S * fps)))


def _without_trend(path: np.ndarray, window: int) -> np.ndarray:
    """A path ``(T,)`` minus straight lines through its parts of ``window`` rows: local linear regression."""
    out = np.empty_like(path)
    at = np.arange(len(path), dtype=float)
    for k in range(len(path)):
        weight = np.exp(-0.5 * ((at - k) / (window / 2)) ** 2)
        design = np.stack([np.ones_like(at), at - k], 1) * np.sqrt(weight)[:, None]
        solved = np.linalg.lstsq(design, path * np.sqrt(weight), rcond=None)[0]
        out[k] = path[k] - solved[0]
    return out

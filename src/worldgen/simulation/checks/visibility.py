"""Visibility of tracks: inside the picture, not occluded by another track, height in pixels, distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera

REFERENCE_WIDTH_PX = 224
"""Heights are given for a picture of this width, so that they do not depend on the camera's resolution."""


@dataclass(frozen=True, eq=False)
class Visibility:
    """Visibility of A tracks in T frames, ``(T, A)`` each.

    visible: half of the body is inside the picture and not occluded. height_px: in a picture 224 pixels wide.
    distance_m: on the ground, from the camera.
    """

    visible: np.ndarray
    height_px: np.ndarray
    distance_m: np.ndarray


def measure_visibility(
    camera: Camera, ego_poses: np.ndarray, boxes: np.ndarray, heights_m: np.ndarray, lift_m: np.ndarray
) -> Visibility:
    """Visibility of tracks from the camera of the ego at poses ``(T, 3)``.

    boxes: ``(T, A, 5)`` x, y, yaw, half length, half width. heights_m: ``(A,)``. lift_m: ``(T, A)`` height of the
    lowest point above the ground under the ego.
    """
    dx, dy = boxes[..., 0] - ego_poses[:, None, 0], boxes[..., 1] - ego_poses[:, None, 1]
    cos, sin = np.cos(ego_poses[:, None, 2]), np.sin(ego_poses[:, None, 2])
    forward, left = dx * cos + dy * sin, dy * cos - dx * sin
    distance = np.hypot(forward, left)
    safe = np.maximum(forward, 0.5)
    half_view_tan = camera.width_px / (2 * camera.fx_px)
    # A body counts as inside when its centre is between the left and right edges of the picture.
    inside = (forward > 1.0) & (np.abs(left) < safe * half_view_tan)
    pitch = math.tan(camera.pitch_rad)
    rows = [camera.cy_px - camera.fy_px * (pitch + (z - camera.height_m) / safe) for z in (lift_m, lift_m + heights_m)]
    inside &= (rows[0] > 0) & (rows[1] < camera.height_px)
    scale = REFERENCE_WIDTH_PX / camera.width_px
    height_px = camera.fy_px * heights_m / np.maximum(distance, 1.0) * scale
    return Visibility(inside & ~_occluded(ego_poses, boxes, heights_m, distance), height_px, distance)


def _occluded(ego_poses: np.ndarray, boxes: np.ndarray, heights_m: np.ndarray, distance_m: np.ndarray) -> np.ndarray:
    """Whether each track is occluded, ``(T, A)``: the lines from the camera to both of its sides meet other tracks."""
    tall = heights_m[None, :] > 0.8 * np.minimum(heights_m, 1.5)[:, None]
    before = tall[None] & (distance_m[:, None, :] < distance_m[:, :, None])
    if not before.any():
        return np.zeros(distance_m.shape, bool)
    line_of_sight = boxes[..., :2] - ego_poses[:, None, :2]
    across = np.stack([-line_of_sight[..., 1], line_of_sight[..., 0]], -1) / np.maximum(distance_m, 0.1)[..., None]
    turn = np.arctan2(line_of_sight[..., 1], line_of_sight[..., 0]) - boxes[..., 2]
    half = np.abs(np.sin(turn)) * boxes[..., 3] + np.abs(np.cos(turn)) * boxes[..., 4]
    blocked = np.ones(distance_m.shape, bool)
    for side in (-0.75, 0.75):
        blocked &= (before & _line_meets(ego_poses, boxes[..., :2] + side * half[..., None] * across, boxes)).any(-1)
    return blocked


def _line_meets(ego_poses: np.ndarray, ends: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether the line from the camera to each end ``(T, A, 2)`` meets each box, ``(T, A, O)`` (slab test)."""
    middle = boxes[:, None, :, :2]
    start, end = ego_poses[:, None, None, :2] - middle, ends[:, :, None] - middle
    cos, sin = np.cos(boxes[:, None, :, 2]), np.sin(boxes[:, None, :, 2])
    enter, leave = np.zeros(end.shape[:3]), np.ones(end.shape[:3])
    for half, c, s in ((boxes[:, None, :, 3], cos, sin), (boxes[:, None, :, 4], -sin, cos)):
        a = start[..., 0] * c + start[..., 1] * s
        step = end[..., 0] * c + end[..., 1] * s - a
        step = np.where(np.abs(step) < 1e-9, 1e-9, step)
        first, second = (-half - a) / step, (half - a) / step
        enter, leave = np.maximum(enter, np.minimum(first, second)), np.minimum(leave, np.maximum(first, second))
    return enter < leave

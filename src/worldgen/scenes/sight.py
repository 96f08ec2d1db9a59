"""Who is seen: which tracks are inside the picture, how tall, how far, and whether another stands before them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera

REFERENCE_WIDTH_PX = 224


@dataclass(frozen=True, eq=False)
class Sight:
    """Per frame and track ``(T, A)``: visible (in the picture, not hidden), height_px (scaled to a picture 224 pixels
    wide), distance_m (on the ground, from the camera)."""

    visible: np.ndarray
    height_px: np.ndarray
    distance_m: np.ndarray


def look(camera: Camera, ego_poses: np.ndarray, boxes: np.ndarray, heights_m: np.ndarray, lift_m: np.ndarray) -> Sight:
    """What the camera sees. boxes: ``(T, A, 5)`` x, y, yaw, half length, half width; heights_m ``(A,)``;
    lift_m ``(T, A)`` height of the foot above the ground under the ego."""
    dx, dy = boxes[..., 0] - ego_poses[:, None, 0], boxes[..., 1] - ego_poses[:, None, 1]
    cos, sin = np.cos(ego_poses[:, None, 2]), np.sin(ego_poses[:, None, 2])
    forward, left = dx * cos + dy * sin, dy * cos - dx * sin
    distance = np.hypot(forward, left)
    safe = np.maximum(forward, 0.5)
    half_view = camera.width_px / (2 * camera.fx_px)
    # Half of the body inside the picture counts as seen.
    inside = (forward > 1.0) & (np.abs(left) < safe * half_view)
    pitch = math.tan(camera.pitch_rad)
    rows = [camera.cy_px - camera.fy_px * (pitch + (z - camera.height_m) / safe) for z in (lift_m, lift_m + heights_m)]
    inside &= (rows[0] > 0) & (rows[1] < camera.height_px)
    scale = REFERENCE_WIDTH_PX / camera.width_px
    height_px = camera.fy_px * heights_m / np.maximum(distance, 1.0) * scale
    return Sight(inside & ~_hidden(ego_poses, boxes, heights_m, distance), height_px, distance)


def _hidden(ego_poses: np.ndarray, boxes: np.ndarray, heights_m: np.ndarray, distance_m: np.ndarray) -> np.ndarray:
    """Whether the line from the camera to the middle of each track runs through another, ``(T, A)``."""
    middle = boxes[:, None, :, :2]  # (T, 1, O, 2) the body that may hide
    start = ego_poses[:, None, None, :2] - middle
    end = boxes[:, :, None, :2] - middle
    cos, sin = np.cos(boxes[:, None, :, 2]), np.sin(boxes[:, None, :, 2])
    enter, leave = np.zeros(end.shape[:3]), np.ones(end.shape[:3])
    for half, c, s in ((boxes[:, None, :, 3], cos, sin), (boxes[:, None, :, 4], -sin, cos)):
        a = start[..., 0] * c + start[..., 1] * s
        step = end[..., 0] * c + end[..., 1] * s - a
        step = np.where(np.abs(step) < 1e-9, 1e-9, step)
        first, second = (-half - a) / step, (half - a) / step
        enter, leave = np.maximum(enter, np.minimum(first, second)), np.minimum(leave, np.maximum(first, second))
    tall = heights_m[None, :] > 0.8 * np.minimum(heights_m, 1.5)[:, None]
    through = (enter < leave) & tall[None] & ~np.eye(boxes.shape[1], dtype=bool)[None]
    return (through & (distance_m[:, None, :] < distance_m[:, :, None])).any(-1)

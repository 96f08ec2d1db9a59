"""A world simple enough to know every pixel's motion: a patterned plane and a far wall, driven over."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion, planar_poses

WALL_M = 400.0


def plane_clip(ego: EgoMotion, camera: Camera) -> Clip:
    """The clip of a camera that moves over the plane with this ego motion."""
    rays = camera.rays()
    frames = []
    for x_m, y_m, yaw in planar_poses(ego):
        cos, sin = np.cos(yaw), np.sin(yaw)
        across = cos * rays[..., 0] - sin * rays[..., 1], sin * rays[..., 0] + cos * rays[..., 1]
        down = rays[..., 2]
        ground = down < -0.01
        depth = np.where(ground, camera.height_m / np.maximum(-down, 0.01), WALL_M)
        x, y = x_m + depth * across[0], y_m + depth * across[1]
        bearing = np.arctan2(across[1], across[0])
        height = down / np.hypot(*across)
        value = np.where(
            ground,
            np.sin(1.9 * x) * np.sin(2.3 * y + 0.4) + np.sin(0.7 * x + 1.1 * y) + 0.7 * np.sin(3.1 * x - 1.3 * y),
            np.sin(23 * bearing) + np.sin(41 * bearing + 1) + 0.6 * np.sin(31 * height + 9 * bearing),
        )
        shade = np.clip(128 + 45 * value, 0, 255).astype(np.uint8)
        frames.append(np.repeat(shade[..., None], 3, -1))
    return Clip(np.stack(frames), ego.fps)


def steady(speed_mps: float, yaw_rate_radps: float, frames: int = 4, fps: float = 8.0) -> EgoMotion:
    """Constant motion."""
    return EgoMotion(np.full(frames, speed_mps), np.full(frames, yaw_rate_radps), fps)

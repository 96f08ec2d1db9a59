"""Image velocity of every pixel from the motion of scene and camera, and the motion blur of one exposure."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.scene import Scene
from worldgen.rendering.drawing.raster import RasterScene
from worldgen.rendering.drawing.view import Rays, View

DAY_EXPOSURE_S, NIGHT_EXPOSURE_S = 1 / 180, 1 / 45
LEAST_BLUR_PX = 0.6


def agent_velocities(scene: Scene, frame: int) -> dict[int, np.ndarray]:
    """Track id -> world velocity ``(2,)`` x y in m/s of every moving agent, by central differences of its poses."""
    out = {}
    before, after = max(frame - 1, 0), min(frame + 1, scene.num_frames - 1)
    if after > before:
        for agent in scene.agents:
            velocity = (agent.poses[after, :2] - agent.poses[before, :2]) * scene.fps / (after - before)
            if np.abs(velocity).max() > 0.05:
                out[agent.track_id] = velocity
    return out


def pixel_velocity(raster_scene: RasterScene, view: View, rays: Rays) -> np.ndarray:
    """Image velocity ``(H, W, 2)`` float32 of the surface at each pixel, in pixels of ``view`` per second.

    The rotation of agents is neglected. Source: the motion field of H. C. Longuet-Higgins and K. Prazdny 1980.
    """
    scene, frame = raster_scene.scene, view.frame
    speed, rate = float(scene.ego.speed_mps[frame]), float(scene.ego.yaw_rate_radps[frame])
    yaw = scene.ego_poses[frame, 2]
    c, s = np.cos(yaw), np.sin(yaw)
    table = np.zeros((len(view.raster.track), 2), np.float32)
    for track, velocity in agent_velocities(scene, frame).items():
        table[view.raster.track == track] = (c * velocity[0] + s * velocity[1], -s * velocity[0] + c * velocity[1])
    own = np.take(table, view.index, 0)
    ahead = own[..., 0] - np.float32(speed) + np.float32(rate) * view.left
    left = own[..., 1] - np.float32(rate) * view.ahead
    turn = raster_scene.rotation.astype(np.float32)
    seen = [turn[k, 0] * ahead + turn[k, 1] * left for k in range(3)]
    scale = raster_scene.camera.fx_px * view.index.shape[1] / raster_scene.camera.width_px
    return np.stack(
        [(seen[0] - rays.x * seen[2]) / view.depth, (seen[1] - rays.y * seen[2]) / view.depth], -1
    ) * np.float32(scale)


def averaged_along(image: np.ndarray, reach: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The image ``(H, W, 3)`` float32 averaged along ``reach`` ``(H, W, 2)`` px; grid: x, y of the pixels, same shape.

    Unchanged where nothing moves by ``LEAST_BLUR_PX``.
    """
    longest = float(np.abs(reach).max())
    if longest < LEAST_BLUR_PX:
        return image
    steps = (-0.34, 0.34) if longest < 4 else (-0.42, -0.21, 0.21, 0.42)
    total = image.copy()
    for step in steps:
        at = grid + np.float32(step) * reach
        total += cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    total *= np.float32(1 / (len(steps) + 1))
    return total


class MotionBlur:
    """Averages an image along its motion over the exposure time, which is longer at night."""

    def __init__(self, raster_scene: RasterScene, rays: Rays, night: float):
        self.raster_scene, self.rays = raster_scene, rays
        self.exposure_s = DAY_EXPOSURE_S + (NIGHT_EXPOSURE_S - DAY_EXPOSURE_S) * night
        height, width = rays.ego.shape[:2]
        self.grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)

    def apply(self, image: np.ndarray, view: View) -> np.ndarray:
        """The image ``(H, W, 3)`` float32, linear light, averaged over an exposure centred on the frame's time."""
        reach = pixel_velocity(self.raster_scene, view, self.rays) * np.float32(self.exposure_s)
        return averaged_along(image, reach, self.grid)

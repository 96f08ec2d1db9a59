"""Motion blur of one exposure, from the motion of camera and agents."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.motion_blur import (
    DAY_EXPOSURE_S,
    NIGHT_EXPOSURE_S,
    agent_velocities,
    averaged_along,
)
from worldgen.rendering.raycast.geometry.scene_rays import SceneHits


class ExposureBlur:
    """Averages an image along its motion over the exposure time, which is longer at night."""

    def __init__(self, scene: Scene, camera: Camera, night: float):
        self.scene, self.camera = scene, camera
        self.exposure_s = DAY_EXPOSURE_S + (NIGHT_EXPOSURE_S - DAY_EXPOSURE_S) * night
        height, width = camera.height_px, camera.width_px
        self.grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
        self.rays = camera.rays().astype(np.float32)
        self.turn = camera.camera_from_ego()[:3, :3].astype(np.float32)

    def velocity(self, frame: int, hits: SceneHits) -> np.ndarray:
        """Image velocity ``(H, W, 2)`` float32 of the surface at each pixel centre, px/s.

        The rotation of agents is neglected. Source: the motion field of H. C. Longuet-Higgins and K. Prazdny 1980.
        """
        scene, camera = self.scene, self.camera
        depth = hits.distance.reshape(self.rays.shape[:2])
        speed, rate = np.float32(scene.ego.speed_mps[frame]), np.float32(scene.ego.yaw_rate_radps[frame])
        yaw = scene.ego_poses[frame, 2]
        c, s = np.cos(yaw), np.sin(yaw)
        table = np.zeros((len(scene.agents) + 2, 2), np.float32)  # the last two rows are for SKY and STATIC
        moving = agent_velocities(scene, frame)
        for index, agent in enumerate(scene.agents):
            if agent.track_id in moving:
                x, y = moving[agent.track_id]
                table[index] = c * x + s * y, -s * x + c * y
        own = table[hits.owner].reshape(*depth.shape, 2)
        ahead = own[..., 0] - speed + rate * (self.rays[..., 1] * depth)
        left = own[..., 1] - rate * (self.rays[..., 0] * depth)
        seen = [self.turn[k, 0] * ahead + self.turn[k, 1] * left for k in range(3)]
        x = (self.grid[..., 0] + 0.5 - np.float32(camera.cx_px)) / np.float32(camera.fx_px)
        y = (self.grid[..., 1] + 0.5 - np.float32(camera.cy_px)) / np.float32(camera.fy_px)
        flow = np.stack([(seen[0] - x * seen[2]) / depth, (seen[1] - y * seen[2]) / depth], -1)
        return flow * np.float32(camera.fx_px)

    def apply(self, image: np.ndarray, frame: int, hits: SceneHits) -> np.ndarray:
        """The image ``(H, W, 3)`` float32, linear light, averaged over an exposure centred on the frame's time."""
        reach = self.velocity(frame, hits) * np.float32(self.exposure_s)
        return averaged_along(image, reach, self.grid)

"""Water and snow in front of the scene: falling rain and snow, spray behind wheels, drops on the windscreen."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng

RAIN_FALL_MPS, SNOW_FALL_MPS = 7.0, 1.3
EXPOSURE_S = 0.022
BOX_M = np.array([16.0, 14.0, 8.0])
"""Particles fill a box that moves with the camera; a particle that leaves it enters on the other side."""


class PosedCamera(Protocol):
    """A camera on its way through a scene."""

    scene: Scene
    camera: Camera

    def pose(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera axes, and the position ``(3,)`` of the camera in the world (m)."""
        ...


class Precipitation:
    """Rain streaks and snowflakes, as particles in a box around the camera."""

    def __init__(self, scene: Scene):
        self.scene = scene
        air = scene.atmosphere
        rng = numpy_rng("precipitation", scene.seed, scene.scenario.key)
        self.rain = int(np.clip(200 + 16 * air.rain_mmph, 0, 640)) if air.rain_mmph > 0 else 0
        self.snow = int(np.clip(380 + 160 * air.snow_mmph, 0, 950)) if air.snow_mmph > 0 else 0
        self.places = rng.uniform(0, 1, (self.rain + self.snow, 3)) * BOX_M
        self.wind = rng.normal(0, 1.0, 2)
        self.sway = rng.normal(0, 0.5, (self.rain + self.snow, 2))

    def draw(self, frame: int, path: PosedCamera, shape: tuple[int, int]) -> np.ndarray | None:
        """Share of each pixel covered by drops or flakes, ``(H, W)`` float32 in [0, 1]; None without precipitation."""
        count = self.rain + self.snow
        if not count:
            return None
        height, width = shape
        scale = height / path.camera.height_px
        time_s = frame / self.scene.fps
        rotation, camera_position = path.pose(frame)
        snow = self.snow > 0
        velocity = np.concatenate(
            [
                np.broadcast_to(self.wind, (count, 2)) + (self.sway if snow else 0),
                np.full((count, 1), -SNOW_FALL_MPS if snow else -RAIN_FALL_MPS),
            ],
            1,
        )
        ego_yaw, speed = self.scene.ego_poses[frame, 2], self.scene.ego.speed_mps[frame]
        travel = speed * np.array([np.cos(ego_yaw), np.sin(ego_yaw), 0.0])
        here = self.places + velocity * time_s - camera_position
        ahead = np.array([np.cos(ego_yaw), np.sin(ego_yaw), 0.0]) * BOX_M[0] / 2
        here = (here - ahead + BOX_M / 2) % BOX_M - BOX_M / 2 + ahead
        relative = velocity - travel
        half = relative * (EXPOSURE_S / 2 if not snow else 0.008)
        start, end = (here - half) @ rotation.T, (here + half) @ rotation.T
        keep = (np.minimum(start[:, 2], end[:, 2]) > (1.6 if snow else 0.9)) & (here @ rotation[2] < 15)
        start, end = start[keep], end[keep]
        focal = path.camera.fx_px * scale
        centre = np.array([path.camera.cx_px, path.camera.cy_px]) * scale
        p, q = start[:, :2] / start[:, 2:] * focal + centre, end[:, :2] / end[:, 2:] * focal + centre
        layer = np.zeros((height, width), np.uint8)
        depth = start[:, 2]
        if snow:
            self._flakes(layer, p, q, depth, focal)
        else:
            self._streaks(layer, p, q, depth)
        return layer.astype(np.float32) * np.float32(1 / 255)

    def _streaks(self, layer: np.ndarray, p: np.ndarray, q: np.ndarray, depth: np.ndarray) -> None:
        strength = np.clip(46 + 150 / depth, 0, 130) * (0.85 if self.scene.atmosphere.rain_mmph < 4 else 1.0)
        thick = np.maximum(1, np.rint(layer.shape[0] / 260 * 2.2 / depth)).astype(int)
        inside = (p[:, 0] > -20) & (p[:, 0] < layer.shape[1] + 20) & (q[:, 1] > -20) & (p[:, 1] < layer.shape[0] + 20)
        a, b = np.rint(p * 16).astype(int), np.rint(q * 16).astype(int)
        for k in np.flatnonzero(inside):
            cv2.line(layer, a[k].tolist(), b[k].tolist(), float(strength[k]), int(thick[k]), cv2.LINE_AA, 4)

    def _flakes(self, layer: np.ndarray, p: np.ndarray, q: np.ndarray, depth: np.ndarray, focal: float) -> None:
        radius = 0.011 / depth * focal
        strength = 255 * np.clip(radius / 0.55, 0.12, 1.0) ** 1.2 * 0.9
        inside = (p[:, 0] > -20) & (p[:, 0] < layer.shape[1] + 20) & (p[:, 1] > -20) & (p[:, 1] < layer.shape[0] + 20)
        a, b = np.rint(p * 16).astype(int), np.rint(q * 16).astype(int)
        for k in np.flatnonzero(inside):
            thick = max(1, round(2 * float(radius[k])))
            cv2.line(layer, a[k].tolist(), b[k].tolist(), float(strength[k]), thick, cv2.LINE_AA, 4)


class LensDrops:
    """Water drops on the windscreen: each refracts the light of the scene around it; some run down."""

    def __init__(self, scene: Scene, shape: tuple[int, int]):
        rng = numpy_rng("lens", scene.seed, scene.scenario.key)
        rain = scene.atmosphere.rain_mmph
        count = 0 if rain <= 0 else int(np.clip(10 + rain * 0.7, 10, 30))
        self.shape, self.fps = shape, scene.fps
        self.centre = rng.random((count, 2))
        self.radius = 0.008 + 0.020 * rng.random(count) ** 2
        self.runs = rng.random(count) < 0.25
        self.speed = rng.uniform(0.02, 0.10, count)
        grid = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
        self.grid_x, self.grid_y = grid
        self.still = self._bend(
            [(*p, r) for p, r, runs in zip(self.centre, self.radius, self.runs, strict=True) if not runs]
        )

    def _bend(self, drops: list[tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sampling maps x and y, and coverage, each ``(H, W)`` float32.

        drops: (x, y, radius) as shares of the image.
        """
        height, width = self.shape
        map_x, map_y, share = self.grid_x.copy(), self.grid_y.copy(), np.zeros(self.shape, np.float32)
        for px, py, r in drops:
            x0, y0, radius = px * width, py * height, max(r * height * 1.35, 1.2)
            rows = slice(max(int(y0 - 1.3 * radius), 0), min(int(y0 + 1.3 * radius) + 2, height))
            columns = slice(max(int(x0 - radius) - 1, 0), min(int(x0 + radius) + 2, width))
            dx, dy = (self.grid_x[rows, columns] - x0) / radius, (self.grid_y[rows, columns] - y0) / (1.2 * radius)
            inside = np.clip((1.0 - dx * dx - dy * dy) * 2.2, 0, 1)
            mine = inside > share[rows, columns]
            share[rows, columns] = np.maximum(share[rows, columns], inside)
            # A drop acts as a wide-angle lens: it shows a large part of the scene upside down.
            map_x[rows, columns] = np.where(mine, np.clip(x0 - dx * radius * 6, 0, width - 1), map_x[rows, columns])
            map_y[rows, columns] = np.where(
                mine, np.clip(y0 + 0.05 * height - dy * radius * 6, 0, height - 1), map_y[rows, columns]
            )
        return map_x, map_y, share

    def apply(self, image: np.ndarray, frame: int) -> np.ndarray:
        """The image ``(H, W, 3)`` float32, linear light, seen through the drops."""
        if not len(self.radius):
            return image
        height, width = self.shape
        soft = cv2.resize(image, (max(width // 3, 1), max(height // 3, 1)), interpolation=cv2.INTER_AREA)
        soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
        image = self._through(image, soft, self.still)
        running = [
            (px, (py + speed * frame / self.fps) % 1.0, r)
            for (px, py), r, speed, runs in zip(self.centre, self.radius, self.speed, self.runs, strict=True)
            if runs
        ]
        return self._through(image, soft, self._bend(running)) if running else image

    def _through(
        self, image: np.ndarray, soft: np.ndarray, bend: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> np.ndarray:
        map_x, map_y, share = bend
        seen = cv2.remap(soft, map_x, map_y, cv2.INTER_LINEAR)
        return image + (0.8 * share)[..., None] * (0.5 * (seen + soft) - image)


def spray(path: PosedCamera, frame: int, shape: tuple[int, int]) -> np.ndarray | None:
    """Share of each pixel hidden by spray behind moving vehicles, ``(H, W)`` float32 in [0, 1]; None without spray."""
    scene = path.scene
    if scene.atmosphere.wetness < 0.45 or scene.atmosphere.snow_cover > 0.3:
        return None
    height, width = shape
    scale = height / path.camera.height_px
    rotation, camera_position = path.pose(frame)
    layer = None
    for agent in scene.agents:
        speed = float(agent.speed_mps[frame])
        if not agent.present[frame] or agent.kind not in ("car", "van", "truck", "bus", "motorcycle") or speed < 5:
            continue
        x, y, z, yaw = agent.poses[frame]
        strength = min(speed / 22.0, 1.0) * scene.atmosphere.wetness * 0.55
        for k, back in enumerate((0.3, 1.4, 2.8)):
            at = np.array(
                [
                    x - np.cos(yaw) * (agent.size_m[0] / 2 + back),
                    y - np.sin(yaw) * (agent.size_m[0] / 2 + back),
                    z + 0.35 + 0.12 * k,
                ]
            )
            seen = rotation @ (at - camera_position)
            if not 2.0 < seen[2] < 70.0:
                continue
            u = (seen[0] / seen[2] * path.camera.fx_px + path.camera.cx_px) * scale
            v = (seen[1] / seen[2] * path.camera.fy_px + path.camera.cy_px) * scale
            rx, ry = (
                (0.75 + 0.2 * k) * agent.size_m[1] / seen[2] * path.camera.fx_px * scale,
                (0.45 + 0.12 * k) / seen[2] * path.camera.fy_px * scale,
            )
            if layer is None:
                layer = np.zeros((height, width), np.uint8)
            if abs(u) < 4 * width and abs(v) < 4 * height:
                cv2.ellipse(
                    layer,
                    (int(u), int(v)),
                    (max(int(rx), 1), max(int(ry), 1)),
                    0,
                    0,
                    360,
                    float(min(255 * strength * (0.8 - 0.2 * k), 190)),
                    -1,
                    cv2.LINE_AA,
                )
    if layer is None:
        return None
    blur = max(3, int(height / 40) | 1)
    return cv2.GaussianBlur(layer, (blur, blur), 0).astype(np.float32) * np.float32(1 / 255)

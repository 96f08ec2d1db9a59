"""The sky above the horizon: gradient, sun, clouds, stars and a distant skyline."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.palette import Palette
from worldgen.rendering.drawing.texture import cloud_noise

SKYLINE_BINS = 2048
CLOUD_SCALE = 60.0


class Sky:
    """Renders the sky of a scene at one image size."""

    def __init__(self, scene: Scene, palette: Palette, camera: Camera):
        self.scene, self.palette = scene, palette
        rays = camera.rays()
        self.from_ego = camera.camera_from_ego()[:3, :3]
        self.focal, self.middle = np.array([camera.fx_px, camera.fy_px]), np.array([camera.cx_px, camera.cy_px])
        unit = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)
        self.rows = min(int((unit[:, 0, 2] > -0.02).sum()) + 1, len(unit))
        self.unit = unit[: self.rows]
        self.azimuth = np.arctan2(self.unit[..., 1], self.unit[..., 0])
        rng = numpy_rng("sky", scene.seed, scene.scenario.key)
        self.cloud_shift = rng.uniform(0, 512, 2)
        self.skyline = _skyline(scene, rng)
        self.stars = _stars(rng)
        self.windows = rng.random((64, SKYLINE_BINS))
        self.base = self._gradient()

    def _gradient(self) -> np.ndarray:
        palette = self.palette
        up = np.clip(self.unit[..., 2:3], 0.0, 1.0)
        return palette.horizon + (palette.zenith - palette.horizon) * np.sqrt(up) ** 1.1

    def image(self, yaw_rad: float) -> np.ndarray:
        """Linear RGB ``(rows, W, 3)`` float32 of the image rows that can show sky. yaw_rad: heading of the ego."""
        palette, atmosphere = self.palette, self.scene.atmosphere
        out = self.base.copy()
        azimuth = self.azimuth + yaw_rad
        self._add_sun(out, yaw_rad)
        if palette.night > 0.9 and atmosphere.cloud_cover < 0.6:
            self._add_stars(out, yaw_rad)
        self._add_clouds(out, yaw_rad)
        self._add_skyline(out, azimuth)
        return out

    def _add_stars(self, out: np.ndarray, yaw_rad: float) -> None:
        """Add stars as single pixels."""
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        x, y, z, bright = self.stars.T
        ahead, left = c * x + s * y, c * y - s * x
        points = np.stack([ahead, left, z], 1) @ self.from_ego.T
        front = points[:, 2] > 0.05
        u, v = (points[front, :2] / points[front, 2:] * self.focal + self.middle).T.astype(int)
        inside = (u >= 0) & (u < out.shape[1]) & (v >= 0) & (v < len(out))
        out[v[inside], u[inside]] += bright[front][inside, None].astype(np.float32)

    def _add_sun(self, out: np.ndarray, yaw_rad: float) -> None:
        """Add the bright sky around the sun, and its disc where clouds leave it visible."""
        palette = self.palette
        if palette.glow <= 0.01:
            return
        x, y, z = palette.sun_direction
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        toward = np.clip(self.unit @ np.array([c * x + s * y, -s * x + c * y, z], np.float32), 0.0, 1.0)
        warm = palette.sun / max(float(palette.sun.max()), 1e-3)
        out += (
            (palette.glow * (0.55 * toward**6 + 1.1 * toward**48))[..., None]
            * warm
            * (0.35 if palette.night > 0.3 else 1.0)
        )
        if palette.night < 0.3 and self.scene.atmosphere.cloud_cover < 0.7:
            out += (np.clip((toward - 0.9990) * 3000, 0, 1) * 12.0)[..., None] * warm

    def _add_clouds(self, out: np.ndarray, yaw_rad: float) -> None:
        """Add clouds on a plane overhead; an overcast sky only gets its brightness varied."""
        cover, palette = self.scene.atmosphere.cloud_cover, self.palette
        up = np.maximum(self.unit[..., 2], 0.03)
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        x, y = self.unit[..., 0] / up, self.unit[..., 1] / up
        mx = ((c * x - s * y) * CLOUD_SCALE + self.cloud_shift[0]).astype(np.float32)
        my = ((s * x + c * y) * CLOUD_SCALE + self.cloud_shift[1]).astype(np.float32)
        noise = cv2.remap(cloud_noise(), mx, my, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        fade = np.clip(self.unit[..., 2] * 9.0, 0, 1)
        if cover > 0.6:
            out *= (1.0 + 0.11 * noise * fade)[..., None]
            return
        share = np.clip(noise * 0.9 - 0.9 + 2.2 * cover, 0, 1) * fade * 0.85
        lit = palette.horizon * 0.85 + palette.sun * 0.16 + palette.ambient * 0.2
        out += share[..., None] * (lit - out)

    def _add_skyline(self, out: np.ndarray, azimuth: np.ndarray) -> None:
        """Add distant hills or roofs with aerial perspective, and lit windows in towns at night."""
        palette = self.palette
        bins = (azimuth * (SKYLINE_BINS / (2 * np.pi))).astype(int) % SKYLINE_BINS
        height = self.skyline[bins]
        share = np.clip((height - self.unit[..., 2]) * 160 + 0.5, 0, 1)
        haze = 1.0 - float(np.exp(-palette.haze_per_m * 900.0))
        haze = max(haze, 0.25)
        colour = self._skyline_colour()
        colour = colour + haze * (palette.airlight - colour)
        out += (share * (1.0 if haze < 0.98 else 0.0))[..., None] * (colour - out)
        if palette.night > 0.5 and self.scene.scenario.road in ("urban", "intersection", "construction") and haze < 0.9:
            row = np.clip((self.unit[..., 2] * 420).astype(int), 0, 63)
            lit = (self.windows[row, bins] > 0.93) & (share > 0.9) & (self.unit[..., 2] > 0.004)
            out += lit[..., None] * np.array([0.10, 0.07, 0.035], np.float32)

    def _skyline_colour(self) -> np.ndarray:
        palette = self.palette
        town = self.scene.scenario.road in ("urban", "intersection", "construction")
        albedo = np.array([0.16, 0.16, 0.18] if town else [0.07, 0.11, 0.06], np.float32)
        if self.scene.atmosphere.snow_cover > 0.2:
            albedo = np.array([0.45, 0.47, 0.5], np.float32)
        return albedo * (palette.ambient + 0.4 * palette.sun)


def _stars(rng: np.random.Generator) -> np.ndarray:
    """Unit directions and brightness of stars, ``(N, 4)`` float64; faint ones are more frequent."""
    turn, up = rng.uniform(0, 2 * np.pi, 900), rng.uniform(0.03, 1.0, 900)
    flat = np.sqrt(1 - up**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), up, 0.006 / rng.uniform(0.06, 1.0, 900)], 1)


def _skyline(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Tangent of the elevation of distant hills or roofs by azimuth, ``(SKYLINE_BINS,)`` float32."""
    turn = np.arange(SKYLINE_BINS) * 2 * np.pi / SKYLINE_BINS
    if scene.scenario.road in ("urban", "intersection", "construction", "suburban"):
        out = np.zeros(SKYLINE_BINS)
        at = 0
        top = 0.035 if scene.scenario.road == "suburban" else 0.075
        while at < SKYLINE_BINS:
            width = int(rng.integers(6, 34))
            out[at : at + width] = rng.uniform(0.15, 1.0) * top
            at += width
        return out.astype(np.float32)
    waves = sum(rng.uniform(0.3, 1.0) / k * np.sin(k * turn + rng.uniform(0, 6.3)) for k in (3, 5, 8, 13, 21, 34))
    trees = 0.15 * rng.random(SKYLINE_BINS)
    return (0.018 + 0.016 * (waves + trees)).clip(0.004).astype(np.float32)

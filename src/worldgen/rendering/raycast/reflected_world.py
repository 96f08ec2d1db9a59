"""What glossy surfaces reflect: sky, a distant skyline and the ground, by direction."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.palette import Palette

SKYLINE_STEPS = 512
TOWN_ROADS = ("urban", "intersection", "construction", "suburban")


class ReflectedWorld:
    """The light that comes from each direction of a scene, without its objects."""

    def __init__(self, scene: Scene, palette: Palette, ground_albedo: np.ndarray):
        self.palette = palette
        rng = numpy_rng("surroundings", scene.seed)
        knots = rng.random(64)
        smooth = np.interp(np.linspace(0, 64, SKYLINE_STEPS, endpoint=False), np.arange(65), np.append(knots, knots[0]))
        steps = np.repeat(rng.random(SKYLINE_STEPS // 4), 4)
        tall = 0.30 if scene.scenario.road in TOWN_ROADS else 0.12
        self.skyline = (0.04 + tall * (0.7 * smooth + 0.3 * steps)).astype(np.float32)
        self.trees = rng.random(SKYLINE_STEPS) < (0.4 if scene.scenario.road in TOWN_ROADS else 0.8)
        light = palette.ambient + 0.35 * palette.sun
        self.tree, self.wall = np.array([0.05, 0.06, 0.035]) * light, np.array([0.22, 0.21, 0.19]) * light
        down = max(float(palette.sun_direction[2]), 0.0)
        self.ground = (ground_albedo * (0.8 * palette.ambient + down * palette.sun)).astype(np.float32)
        """Radiance of open ground, ``(3,)``."""

    def sky(self, directions: np.ndarray) -> np.ndarray:
        """Radiance ``(M, 3)`` float32 of the sky along unit directions ``(M, 3)``."""
        palette = self.palette
        up = np.clip(directions[:, 2:3], 0.0, 1.0)
        out = palette.horizon + (palette.zenith - palette.horizon) * np.sqrt(up)
        if palette.glow > 0.01:
            toward = np.clip(directions @ palette.sun_direction, 0.0, 1.0)[:, None]
            warm = palette.sun / max(float(palette.sun.max()), 1e-3)
            out = out + palette.glow * (0.55 * toward**6 + 1.1 * toward**48) * warm
        return out.astype(np.float32)

    def reflected(self, directions: np.ndarray) -> np.ndarray:
        """Radiance ``(M, 3)`` float32 that a glossy surface mirrors along unit directions ``(M, 3)``."""
        out = self.sky(directions)
        turn = np.arctan2(directions[:, 1], directions[:, 0])
        step = ((turn / (2 * np.pi) + 0.5) * (SKYLINE_STEPS - 1)).astype(np.int32)
        below = np.clip((self.skyline[step] - directions[:, 2]) / 0.02, 0.0, 1.0)[:, None]
        out += below * (np.where(self.trees[step, None], self.tree, self.wall) - out)
        down = np.clip(-directions[:, 2:3] / 0.015, 0.0, 1.0)
        out += down * (self.ground - out)
        return out.astype(np.float32)

"""What faces are made of: colours, snow on them, wall textures, the grain of the ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.rendering.drawing.ground import SURFACE_LOOKS
from worldgen.rendering.drawing.palette import Palette
from worldgen.rendering.drawing.raster import FIRST_FACE, SKY, RasterScene
from worldgen.rendering.drawing.texture import (
    COARSE_METRES_PER_TEXEL,
    FINE_METRES_PER_TEXEL,
    LEVELS,
    METRES_PER_TEXEL,
    TILE_PX,
    ground_noise,
    wall_atlas,
)  # fmt: skip
from worldgen.rendering.drawing.view import View

SNOW_COLOUR = np.array([0.80, 0.83, 0.88], np.float32)
WINDOW_LIGHT = np.array([1.0, 0.70, 0.36], np.float32)
TOWN_ROADS = ("urban", "intersection", "construction")


@dataclass(eq=False)
class Layers:
    """Images of one frame before light. albedo, glow: ``(H, W, 3)`` float32; sun, sky: ``(H, W, 1)`` share of direct and
    of open-sky light that faces take by their slant; clear: ``(H, W, 1)`` share of open sky behind everything.
    ground, mirror: ``(H, W)`` 1 on the ground, and how well it mirrors when wet."""

    albedo: np.ndarray
    glow: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    clear: np.ndarray
    ground: np.ndarray
    mirror: np.ndarray


class Materials:
    """Tables of a scene's faces, and the images made by looking faces up. wetness, snow_cover: 0 to 1, of the ground."""

    def __init__(self, stage: RasterScene, look: Palette, camera: Camera, *, wetness: float, snow_cover: float):
        self.stage, self.look, self.camera, self.snow_cover = stage, look, camera, snow_cover
        self.shape = (camera.height_px, camera.width_px)
        road = stage.scene.scenario.road
        self.plain = SURFACE_LOOKS["sidewalk" if road in TOWN_ROADS else "grass"]
        self.colour = stage.colour * (1 - 0.42 * wetness * np.clip(stage.mirror, 0, 1))[:, None]
        # Snow lies on what looks up; less on what moves.
        self.lying = np.where(stage.of_agent >= 0, 0.55, 1.0) * ~stage.is_road * snow_cover
        self.sheen = (0.55 * look.horizon + 0.45 * look.zenith) * 0.8
        unlit = stage.scene.scenario.light == "night_unlit"
        self.window_light = np.float32(max(look.night - 0.15, 0.0) * (0.22 if unlit else 0.80))
        self.sides = TILE_PX >> np.arange(LEVELS)
        atlas = wall_atlas()
        self.level_starts = np.cumsum([0] + [level.size // 5 for level in atlas])
        self.atlas = np.concatenate([level.reshape(-1, 5) for level in atlas])

    def layers(self, view: View, glow: np.ndarray) -> Layers:
        """Images of a frame, averaged from the raster. glow: ``(N, 3)`` radiance of the drawn faces."""
        stage, faces, look = self.stage, view.fine.faces, self.look
        normals = stage.now["normals"][faces]
        table = np.zeros((len(faces) + FIRST_FACE, 8), np.float32)
        table[1, :3], table[1, 3], table[1, 7] = self.plain[0], max(float(look.sun_direction[2]), 0.0), 1.0
        body = table[FIRST_FACE:]
        body[:, :3] = self.colour[faces]
        if self.snow_cover > 0:
            lying = (np.clip((normals[:, 2] - 0.3) * 2.5, 0, 1) * self.lying[faces])[:, None]
            body[:, :3] += lying * (SNOW_COLOUR - body[:, :3])
        body[:, 3] = np.clip(
            np.abs(normals @ look.sun_direction) * stage.two_sided[faces]
            + np.clip(normals @ look.sun_direction, 0, 1) * ~stage.two_sided[faces],
            0,
            1,
        )
        body[:, 4:7] = glow + stage.gloss[faces][:, None] * self.sheen
        body[:, 7] = 0.62 + 0.38 * normals[:, 2]
        size = self.shape[::-1]
        averaged = [
            cv2.resize(
                np.take(np.ascontiguousarray(table[:, k : k + 4]), view.fine.index, 0),
                size,
                interpolation=cv2.INTER_AREA,
            )
            for k in (0, 4)
        ]
        clear = cv2.resize((view.fine.index == SKY).astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
        lead = lambda plain, values: np.concatenate([[0, plain], values]).astype(np.float32)  # noqa: E731
        out = Layers(
            np.ascontiguousarray(averaged[0][..., :3]), np.ascontiguousarray(averaged[1][..., :3]), averaged[0][..., 3:], averaged[1][..., 3:], clear,
            np.take(lead(1, stage.is_road[faces]), view.index), np.take(lead(0.2, stage.mirror[faces]), view.index),
        )  # fmt: skip
        self._walls(view, out)
        self._ground(view, out)
        return out

    def _walls(self, view: View, layers: Layers) -> None:
        """Windows, bricks and leaves: textures looked up along walls, in place."""
        faces = view.fine.faces
        kinds = np.concatenate([[0, 0], self.stage.texture[faces]])
        spots = np.flatnonzero(np.take(kinds, view.index))
        if not len(spots):
            return
        number = view.index.ravel()[spots]
        axes = self.stage.frame[faces[number - FIRST_FACE]]
        depth = view.depth.ravel()[spots]
        place_z = np.float32(self.stage.scene.ego_z_m[view.frame])
        u = view.east.ravel()[spots] * axes[:, 0] + view.north.ravel()[spots] * axes[:, 1] + axes[:, 2]
        v = view.up.ravel()[spots] + place_z - axes[:, 3]
        ratio = depth * np.float32(1.2 / (self.camera.fx_px * METRES_PER_TEXEL))
        level = np.clip(np.log2(np.maximum(ratio, 1.0)), 0, LEVELS - 1).astype(np.int32)
        side = self.sides[level]
        texel = (METRES_PER_TEXEL * (1 << level)).astype(np.float32)
        ui, vi = (u / texel).astype(np.int32) % side, (v / texel).astype(np.int32) % side
        looked = self.atlas[self.level_starts[level] + (kinds[number] * side + vi) * side + ui]
        pane = looked[:, 4:5]
        albedo, glow = layers.albedo.reshape(-1, 3), layers.glow.reshape(-1, 3)
        albedo[spots] *= looked[:, :3] * (1 - 0.5 * pane)
        lit = looked[:, 3:4] * WINDOW_LIGHT * self.window_light
        glow[spots] += pane * (0.22 * (self.look.horizon + self.look.zenith)) + lit

    def _ground(self, view: View, layers: Layers) -> None:
        """Grain of the ground and snow on it, in place."""
        top = max(int(self.camera.horizon_px) - 2 - (self.shape[0] // 10 if self.stage.crest else 0), 0)
        if top >= self.shape[0]:
            return
        stage, faces, index = self.stage, view.fine.faces, view.index[top:]
        fine, coarse = self._noise(view, top)
        grain = np.take(np.concatenate([[0, self.plain[1]], stage.grain[faces]]).astype(np.float32), index)
        layers.albedo[top:] *= np.maximum(1.0 + grain * fine + 0.32 * grain * coarse, 0.25)[..., None]
        snow_cover = self.snow_cover
        if snow_cover > 0:
            takes = np.concatenate([[0, 1], np.where(stage.is_road[faces], stage.snow[faces], 0)]).astype(np.float32)
            cover = 1.7 * snow_cover * np.take(takes, index) + 0.22 * coarse + 0.08 * fine - 0.5
            cover = (np.clip(cover * 2.2, 0, 1) * layers.ground[top:])[..., None]
            layers.albedo[top:] += cover * (SNOW_COLOUR * (1 + 0.05 * coarse[..., None]) - layers.albedo[top:])
            layers.mirror[top:] *= 1 - cover[..., 0]

    def _noise(self, view: View, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Fine and coarse noise of the ground below row ``top``, faded where it would flicker."""
        fine_tiles, coarse_tiles = ground_noise()
        depth = view.depth[top:]
        # The ground is seen at a slant, so the footprint along the view grows with the square of distance.
        slant = depth * depth * np.float32(1 / (self.camera.fx_px * self.camera.height_m))
        near, middle = np.clip(1.6 - slant / 0.5, 0, 1), np.clip(1.5 - slant / 8.0, 0, 1)
        out = []
        for tile, scale, fade in (
            (fine_tiles[self.shape[0] < 300], FINE_METRES_PER_TEXEL, near),
            (coarse_tiles[0], COARSE_METRES_PER_TEXEL, middle),
        ):
            east, north = view.east[top:] * np.float32(1 / scale), view.north[top:] * np.float32(1 / scale)
            out.append(cv2.remap(tile, east, north, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP) * fade)
        return out[0], out[1]

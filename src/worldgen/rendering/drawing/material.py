"""The G-buffer: albedo, emission and light factors of every pixel, with snow, wall textures and ground noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.rendering.drawing.ground import SURFACES
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
class GBuffer:
    """Surface properties of every pixel of one frame, before lighting; all float32.

    albedo, emission: ``(H, W, 3)`` linear RGB. sun_cosine: ``(H, W, 1)`` Lambert factor of direct sunlight. sky_share:
    ``(H, W, 1)`` share of sky light that a surface of this slope receives. open_sky: ``(H, W, 1)`` share of the pixel
    without any surface. ground: ``(H, W)``, 1 on the ground. mirror: ``(H, W)`` reflectance of the ground when wet.
    """

    albedo: np.ndarray
    emission: np.ndarray
    sun_cosine: np.ndarray
    sky_share: np.ndarray
    open_sky: np.ndarray
    ground: np.ndarray
    mirror: np.ndarray


class Materials:
    """Material tables of the faces of one scene, and the G-buffers made from them.

    camera: of the image (not of the finer raster). wetness, snow_cover: of the ground, 0 to 1.
    """

    def __init__(
        self, raster_scene: RasterScene, palette: Palette, camera: Camera, *, wetness: float, snow_cover: float
    ):
        self.raster_scene, self.palette, self.camera, self.snow_cover = raster_scene, palette, camera, snow_cover
        self.shape = (camera.height_px, camera.width_px)
        road = raster_scene.scene.scenario.road
        self.plain = SURFACES["sidewalk" if road in TOWN_ROADS else "grass"]
        self.colour = raster_scene.colour * (1 - 0.42 * wetness * np.clip(raster_scene.mirror, 0, 1))[:, None]
        # Snow lies on faces that point up; less on agents, which move.
        self.snow_share = np.where(raster_scene.of_agent >= 0, 0.55, 1.0) * ~raster_scene.is_road * snow_cover
        self.sheen = (0.55 * palette.horizon + 0.45 * palette.zenith) * 0.8
        unlit = raster_scene.scene.scenario.light == "night_unlit"
        self.window_light = np.float32(max(palette.night - 0.15, 0.0) * (0.22 if unlit else 0.80))
        self.sides = TILE_PX >> np.arange(LEVELS)
        atlas = wall_atlas()
        self.level_starts = np.cumsum([0] + [level.size // 5 for level in atlas])
        self.atlas = np.concatenate([level.reshape(-1, 5) for level in atlas])

    def g_buffer(self, view: View, emission: np.ndarray) -> GBuffer:
        """The G-buffer of a frame, averaged from the raster. emission: ``(N, 3)`` radiance of the drawn faces."""
        raster_scene, faces, palette = self.raster_scene, view.raster.faces, self.palette
        normals = raster_scene.now["normals"][faces]
        table = np.zeros((len(faces) + FIRST_FACE, 8), np.float32)
        table[1, :3], table[1, 3], table[1, 7] = self.plain[0], max(float(palette.sun_direction[2]), 0.0), 1.0
        body = table[FIRST_FACE:]
        body[:, :3] = self.colour[faces]
        if self.snow_cover > 0:
            snow = (np.clip((normals[:, 2] - 0.3) * 2.5, 0, 1) * self.snow_share[faces])[:, None]
            body[:, :3] += snow * (SNOW_COLOUR - body[:, :3])
        cosine, two_sided = normals @ palette.sun_direction, raster_scene.two_sided[faces]
        body[:, 3] = np.clip(np.abs(cosine) * two_sided + np.clip(cosine, 0, 1) * ~two_sided, 0, 1)
        body[:, 4:7] = emission + raster_scene.gloss[faces][:, None] * self.sheen
        body[:, 7] = 0.62 + 0.38 * normals[:, 2]
        size = self.shape[::-1]
        averaged = [
            cv2.resize(
                np.take(np.ascontiguousarray(table[:, k : k + 4]), view.raster.index, 0),
                size,
                interpolation=cv2.INTER_AREA,
            )
            for k in (0, 4)
        ]
        open_sky = cv2.resize((view.raster.index == SKY).astype(np.float32), size, interpolation=cv2.INTER_AREA)[
            ..., None
        ]
        prepended = lambda plain, values: np.concatenate([[0, plain], values]).astype(np.float32)  # noqa: E731
        out = GBuffer(
            np.ascontiguousarray(averaged[0][..., :3]), np.ascontiguousarray(averaged[1][..., :3]),
            averaged[0][..., 3:], averaged[1][..., 3:], open_sky,
            np.take(prepended(1, raster_scene.is_road[faces]), view.index),
            np.take(prepended(0.2, raster_scene.mirror[faces]), view.index),
        )  # fmt: skip
        self._walls(view, out)
        self._ground(view, out)
        return out

    def _walls(self, view: View, g_buffer: GBuffer) -> None:
        """Apply the textures of walls, roofs and foliage to the G-buffer, in place."""
        faces = view.raster.faces
        kinds = np.concatenate([[0, 0], self.raster_scene.texture[faces]])
        spots = np.flatnonzero(np.take(kinds, view.index))
        if not len(spots):
            return
        number = view.index.ravel()[spots]
        axes = self.raster_scene.texture_axes[faces[number - FIRST_FACE]]
        depth = view.depth.ravel()[spots]
        place_z = np.float32(self.raster_scene.scene.ego_z_m[view.frame])
        u = view.east.ravel()[spots] * axes[:, 0] + view.north.ravel()[spots] * axes[:, 1] + axes[:, 2]
        v = view.up.ravel()[spots] + place_z - axes[:, 3]
        ratio = depth * np.float32(1.2 / (self.camera.fx_px * METRES_PER_TEXEL))
        level = np.clip(np.log2(np.maximum(ratio, 1.0)), 0, LEVELS - 1).astype(np.int32)
        side = self.sides[level]
        texel = (METRES_PER_TEXEL * (1 << level)).astype(np.float32)
        ui, vi = (u / texel).astype(np.int32) % side, (v / texel).astype(np.int32) % side
        texels = self.atlas[self.level_starts[level] + (kinds[number] * side + vi) * side + ui]
        pane = texels[:, 4:5]
        albedo, emission = g_buffer.albedo.reshape(-1, 3), g_buffer.emission.reshape(-1, 3)
        albedo[spots] *= texels[:, :3] * (1 - 0.5 * pane)
        lit = texels[:, 3:4] * WINDOW_LIGHT * self.window_light
        emission[spots] += pane * (0.22 * (self.palette.horizon + self.palette.zenith)) + lit

    def _ground(self, view: View, g_buffer: GBuffer) -> None:
        """Apply ground noise and lying snow to the G-buffer, in place."""
        top = max(int(self.camera.horizon_px) - 2 - (self.shape[0] // 10 if self.raster_scene.crest else 0), 0)
        if top >= self.shape[0]:
            return
        raster_scene, faces, index = self.raster_scene, view.raster.faces, view.index[top:]
        fine, coarse = self._noise(view, top)
        grain = np.take(np.concatenate([[0, self.plain[1]], raster_scene.grain[faces]]).astype(np.float32), index)
        g_buffer.albedo[top:] *= np.maximum(1.0 + grain * fine + 0.32 * grain * coarse, 0.25)[..., None]
        snow_cover = self.snow_cover
        if snow_cover > 0:
            takes = np.concatenate([[0, 1], np.where(raster_scene.is_road[faces], raster_scene.snow[faces], 0)]).astype(
                np.float32
            )
            cover = 1.7 * snow_cover * np.take(takes, index) + 0.22 * coarse + 0.08 * fine - 0.5
            cover = (np.clip(cover * 2.2, 0, 1) * g_buffer.ground[top:])[..., None]
            g_buffer.albedo[top:] += cover * (SNOW_COLOUR * (1 + 0.05 * coarse[..., None]) - g_buffer.albedo[top:])
            g_buffer.mirror[top:] *= 1 - cover[..., 0]

    def _noise(self, view: View, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Fine and coarse ground noise from row ``top`` down, faded out where it would alias."""
        fine_tiles, coarse_tiles = ground_noise()
        depth = view.depth[top:]
        # At grazing angles the footprint of a pixel along the view grows with the square of the distance.
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

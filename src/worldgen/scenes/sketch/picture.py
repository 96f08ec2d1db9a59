"""From faces and light to a picture: colours, texture, shadows, lamps, wet mirrors, fog, weather, lens and tone."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.scenes.sketch.ground import SEM, SURFACE_LOOKS
from worldgen.scenes.sketch.lamps import BEAM_COLOUR, SODIUM, WHITE_LED, Lamps
from worldgen.scenes.sketch.palette import palette
from worldgen.scenes.sketch.raster import FAR_M, FIRST_FACE, SKY, TERRAIN, FrameRaster, Stage
from worldgen.scenes.sketch.shadow import Shadows
from worldgen.scenes.sketch.sky import Sky
from worldgen.scenes.sketch.texture import (
    COARSE_METRES_PER_TEXEL, FINE_METRES_PER_TEXEL, LEVELS, METRES_PER_TEXEL, TILE_PX, ground_noise, wall_atlas,
)  # fmt: skip
from worldgen.scenes.sketch.weather import LensDrops, Precipitation, spray

SNOW_COLOUR = np.array([0.80, 0.83, 0.88], np.float32)
TONE_STEPS, TONE_TOP = 4096, 8.0
SAMPLES = 2
"""Raster pixels per picture pixel along each side."""


@cache
def tone_table() -> np.ndarray:
    """Display values ``(TONE_STEPS,)`` uint8 over the square root of linear light up to ``TONE_TOP``.

    A filmic curve (K. Narkowicz's fit of the ACES reference curve, 2015) followed by the sRGB transfer function
    (IEC 61966-2-1).
    """
    x = np.square(np.linspace(0.0, np.sqrt(TONE_TOP), TONE_STEPS))
    film = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    shown = np.where(film <= 0.0031308, 12.92 * film, 1.055 * film ** (1 / 2.4) - 0.055)
    return np.rint(255 * shown).astype(np.uint8)


class Painter:
    """Paints the frames of one scene at one picture size."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.camera = scene, camera
        self.shape = (camera.height_px, camera.width_px)
        self.stage = Stage(scene, camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES))
        self.look = palette(scene)
        rays = camera.rays()
        self.rays = rays.astype(np.float32)
        self.ray_x = ((np.arange(camera.width_px, dtype=np.float32) + 0.5 - camera.cx_px) / camera.fx_px)[None, :]
        self.ray_y = ((np.arange(camera.height_px, dtype=np.float32) + 0.5 - camera.cy_px) / camera.fy_px)[:, None]
        self.sky = Sky(scene, self.look, rays)
        self.lamps = Lamps(self.stage, self.look.night)
        self.shadows = Shadows(self.stage, self.look.sun_direction)
        self.rain = Precipitation(scene)
        self.drops = LensDrops(scene, self.shape)
        self.noise = (
            numpy_rng("sensor", scene.seed).standard_normal((*(n + 64 for n in self.shape), 3)).astype(np.float32)
        )
        y, x = np.meshgrid(np.linspace(-1, 1, self.shape[0]), np.linspace(-1, 1, self.shape[1]), indexing="ij")
        self.vignette = (1.0 - 0.16 * (x * x + y * y)).astype(np.float32)[..., None]
        self._tables()

    def _tables(self) -> None:
        """Per-face constants with the sky and the plain ground in front."""
        stage, air = self.stage, self.scene.atmosphere
        surface = "grass" if self.scene.scenario.road in ("highway", "rural", "suburban") else "sidewalk"
        ground, grain = SURFACE_LOOKS[surface]
        lead = lambda sky, plain, values: np.concatenate([[sky, plain], values]).astype(np.float32)  # noqa: E731
        self.colour = lead([0, 0, 0], ground, stage.colour)
        self.grain = lead(0, grain, stage.grain)
        self.snow = lead(0, 1, np.where(stage.is_road, stage.snow, 0))
        self.mirror = lead(0, 0.2, stage.mirror)
        self.gloss = lead(0, 0, stage.gloss)
        self.on_ground = lead(0, 1, stage.is_road)
        self.texture = lead(0, 0, stage.texture).astype(np.int16)
        self.frame = lead([0, 0, 0, 0], [0, 0, 0, 0], stage.frame)
        if air.wetness > 0:
            darker = 1 - 0.42 * air.wetness * np.clip(self.mirror, 0, 1)
            self.colour *= darker[:, None]

    def raster(self, frame: int) -> tuple[FrameRaster, np.ndarray, np.ndarray]:
        """The face buffer at raster size, and at picture size with its inverse depth (1/m)."""
        fine = self.stage.draw(frame)
        index = np.ascontiguousarray(fine.index[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES])
        return fine, index, fine.inverse_depth(index, self.ray_x, self.ray_y)

    def paint(self, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One frame: RGB ``(H, W, 3)`` uint8, face numbers ``(H, W)`` int32, depth ``(H, W)`` float32 m."""
        fine, index, inverse = self.raster(frame)
        depth = 1.0 / np.maximum(inverse, 1 / FAR_M)
        albedo, light, glow, clear = self._layers(frame, fine.index)
        self._walls(frame, index, depth, albedo, glow)
        light = self._ground(frame, index, depth, albedo, light)
        image = albedo * light + glow
        air = self._air(image, frame)
        through = np.exp(-self.look.haze_per_m * depth)[..., None] * (1 - clear)
        if self.scene.atmosphere.wetness > 0.05:
            self._wet(image, air, index, clear)
        image = image * through + air * (1 - through)
        self._glare(image, glow, through, frame)
        self._falling(image, frame, air)
        return self._develop(self.drops.apply(image, frame), frame), index, depth

    def _layers(self, frame: int, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Albedo, light of sun and sky, glow ``(H, W, 3)`` and share of open sky ``(H, W, 1)``, averaged from the raster."""
        stage, look = self.stage, self.look
        normals = np.concatenate([[[0, 0, 0], [0, 0, 1.0]], stage.at("normals", frame)]).astype(np.float32)
        sun = np.clip(normals @ look.sun_direction, 0, 1)
        up = 0.62 + 0.38 * normals[:, 2]
        colour = self.colour
        air = self.scene.atmosphere
        if air.snow_cover > 0:
            lying = np.clip((normals[:, 2] - 0.3) * 2.5, 0, 1) * (1 - self.on_ground) * air.snow_cover
            lying[2:] *= np.where(stage.group_agent[stage.group] >= 0, 0.55, 1.0)
            colour = colour + lying[:, None] * (SNOW_COLOUR - colour)
        glow = np.zeros_like(colour)
        glow[FIRST_FACE:] = self.lamps.emission(frame)
        # Glass and paint mirror a little of the sky.
        glow += self.gloss[:, None] * (0.55 * look.horizon + 0.45 * look.zenith) * 0.8
        first = np.concatenate([colour, sun[:, None]], 1).astype(np.float32)
        second = np.concatenate([glow, up[:, None]], 1).astype(np.float32)
        size = (self.shape[1], self.shape[0])
        a = cv2.resize(np.take(first, index, 0), size, interpolation=cv2.INTER_AREA)
        b = cv2.resize(np.take(second, index, 0), size, interpolation=cv2.INTER_AREA)
        clear = cv2.resize((index == SKY).astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
        self.sun_share, self.up_share = a[..., 3:], b[..., 3:]
        return (
            np.ascontiguousarray(a[..., :3]),
            a[..., 3:] * look.sun + b[..., 3:] * look.ambient,
            np.ascontiguousarray(b[..., :3]),
            clear,
        )

    def _walls(self, frame: int, index: np.ndarray, depth: np.ndarray, albedo: np.ndarray, glow: np.ndarray) -> None:
        """Windows, bricks and leaves: textures looked up along walls, in place."""
        texture = self.texture[index]
        rows, columns = np.nonzero(texture)
        if not len(rows):
            return
        rotation, place = self.stage.pose(frame)
        z = depth[rows, columns]
        seen = np.stack([self.ray_x[0, columns] * z, self.ray_y[rows, 0] * z, z], 1)
        world = seen @ rotation.astype(np.float32) + place.astype(np.float32)
        axes = self.frame[index[rows, columns]]
        u = (world[:, 0] * axes[:, 0] + world[:, 1] * axes[:, 1] + axes[:, 2]) / METRES_PER_TEXEL
        v = (world[:, 2] - axes[:, 3]) / METRES_PER_TEXEL
        level = np.clip(
            np.log2(np.maximum(z / (self.camera.fx_px * METRES_PER_TEXEL), 1.0) * 1.2), 0, LEVELS - 1
        ).astype(int)
        kind = texture[rows, columns]
        looked = np.empty((len(rows), 5), np.float32)
        for k in range(LEVELS):
            mine = level == k
            if mine.any():
                side = TILE_PX >> k
                ui, vi = (u[mine] / (1 << k)).astype(int) % side, (v[mine] / (1 << k)).astype(int) % side
                looked[mine] = wall_atlas()[k][kind[mine], vi, ui]
        albedo[rows, columns] *= looked[:, :3]
        pane = looked[:, 4:5]
        albedo[rows, columns] = albedo[rows, columns] * (1 - 0.5 * pane)
        mirrored = pane * 0.22 * (self.look.horizon + self.look.zenith)
        lit = looked[:, 3:4] * np.array([1.0, 0.72, 0.38], np.float32) * (0.85 * max(self.look.night - 0.15, 0.0))
        glow[rows, columns] += mirrored + lit

    def _ground(
        self, frame: int, index: np.ndarray, depth: np.ndarray, albedo: np.ndarray, light: np.ndarray
    ) -> np.ndarray:
        """Grain, snow and shadows on the ground, and the light of lamps on everything; albedo changes in place."""
        _, place = self.stage.pose(frame)
        yaw = self.scene.ego_poses[frame, 2]
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        x, y = self.rays[..., 0] * depth, self.rays[..., 1] * depth
        east, north = c * x - s * y + np.float32(place[0]), s * x + c * y + np.float32(place[1])
        ground = self.on_ground[index]
        top = max(int(self.camera.horizon_px) - 2, 0)
        if self.stage.crest:
            top = max(top - self.shape[0] // 12, 0)
        fine, coarse = self._grain(east[top:], north[top:], depth[top:])
        grain = self.grain[index[top:]]
        factor = 1.0 + grain * fine + 0.55 * grain * coarse
        albedo[top:] *= np.maximum(factor, 0.25)[..., None]
        air, look = self.scene.atmosphere, self.look
        if air.snow_cover > 0:
            cover = self.snow[index[top:]] * air.snow_cover
            cover = (
                np.clip((1.7 * cover + 0.22 * coarse + 0.08 * fine - 0.5) * 2.2, 0, 1)[..., None]
                * (ground[top:] > 0)[..., None]
            )
            albedo[top:] += cover * (SNOW_COLOUR * (1 + 0.05 * coarse[..., None]) - albedo[top:])
        strong = float(look.sun.max()) > 0.12
        sunlit, open_sky = self.shadows.draw(frame, self.shape, cast=strong)
        sunlit = 1 - ground * (1 - sunlit)
        open_sky = 1 - ground * (1 - open_sky)
        light = self.sun_share * sunlit[..., None] * look.sun + self.up_share * open_sky[..., None] * look.ambient
        self.pools = None
        if look.night > 0.3 or air.headlights_on:
            light += self._lamp_light(frame, (x, y, east, north), depth, ground) * np.maximum(open_sky, 0.45)[..., None]
        return light

    def _grain(self, east: np.ndarray, north: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fine_tiles, coarse_tiles = ground_noise()
        pixel = depth / self.camera.fx_px
        # The ground is seen at a slant, so the footprint along the view grows with the square of distance.
        slant = pixel * depth / self.camera.height_m
        near = np.clip(1.6 - slant / 0.5, 0, 1)
        out = []
        for tile, scale, fade in (
            (fine_tiles[1 if self.shape[0] < 300 else 0], FINE_METRES_PER_TEXEL, near),
            (coarse_tiles[0], COARSE_METRES_PER_TEXEL, np.clip(1.5 - slant / 8.0, 0, 1)),
        ):
            out.append(
                cv2.remap(
                    tile,
                    east * np.float32(1 / scale),
                    north * np.float32(1 / scale),
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_WRAP,
                )
                * fade
            )
        return out[0], out[1]

    def _lamp_light(self, frame: int, at: tuple[np.ndarray, ...], depth: np.ndarray, ground: np.ndarray) -> np.ndarray:
        """Light of street lamps, the ego's headlamps and other vehicles, ``(H, W, 3)`` float32."""
        x, y, east, north = at
        _, place = self.stage.pose(frame)
        ego_z = self.rays[..., 2] * depth + np.float32(self.camera.height_m)
        dark = max(self.look.night, 0.15)
        light = np.zeros((*self.shape, 3), np.float32)
        if self.scene.atmosphere.headlights_on:
            beam = self.lamps.headlight(
                np.stack([x, y, ego_z], -1),
                high=self.scene.scenario.light == "night_unlit"
                and self.scene.scenario.weather in ("clear", "overcast"),
            )
            light += (beam * np.float32(0.85 * dark))[..., None] * BEAM_COLOUR
        if self.look.night > 0.3:
            world = np.stack([east, north, ego_z + np.float32(self.scene.ego_z_m[frame])], -1)
            lamps = self.lamps.street_light(world, place)
            tint = SODIUM if self.scene.seed % 3 else WHITE_LED
            light += (lamps * np.float32(0.30 * self.look.night))[..., None] * tint
            white, red = self.lamps.traffic_light_pools(frame, world, place)
            light += (white * ground * np.float32(0.30 * dark))[..., None] * BEAM_COLOUR
            light += (red * ground * np.float32(0.22 * dark))[..., None] * np.array([1.0, 0.08, 0.05], np.float32)
        return light

    def _air(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Colour behind and between things: the sky above the horizon, the air's own colour below, ``(H, W, 3)``."""
        air = np.empty((*self.shape, 3), np.float32)
        air[:] = self.look.air
        sky = self.sky.image(float(self.scene.ego_poses[frame, 2]))
        thick = float(np.clip(1.0 - np.exp(-self.look.haze_per_m * 500.0), 0, 1))
        air[: len(sky)] = sky * (1 - thick**4) + self.look.air * thick**4
        if self.look.night > 0.3:
            # Own headlamps scatter back from fog and falling drops.
            scatter = float(np.clip(self.look.haze_per_m * 22.0, 0, 1)) * self.look.night
            if scatter > 0.02 and self.scene.atmosphere.headlights_on:
                beam = np.exp(-np.square(self.ray_x / 0.5) - np.square((self.ray_y - 0.10) / 0.28))
                air += (0.085 * scatter * beam)[..., None] * BEAM_COLOUR
            if self.scene.atmosphere.street_lamps_on:
                air += 0.02 * scatter * SODIUM
        return air

    def _wet(self, image: np.ndarray, air: np.ndarray, index: np.ndarray, clear: np.ndarray) -> None:
        """Mirror images on wet ground: each ground pixel shows what stands above it in its column, turned over."""
        height, width = self.shape
        ground = self.on_ground[index] > 0
        rows = np.arange(height)[:, None]
        foot = np.maximum.accumulate(np.where(ground, 0, rows), 0)
        source = np.clip(2 * foot - rows + 1, 0, height - 1)
        whole = image * (1 - clear) + air * clear
        reach = max(3, height // 18) | 1
        columns = np.broadcast_to(np.arange(width), source.shape)
        mirrored = whole[source, columns]
        mirrored = cv2.blur(mirrored, (3 if height < 300 else 5, reach))
        wet = self.scene.atmosphere.wetness
        cosine = np.clip(-self.rays[..., 2] / np.linalg.norm(self.rays, axis=-1), 0, 1)
        fresnel = 0.04 + 0.96 * (1 - cosine) ** 5
        share = np.where(ground, self.mirror[index] * fresnel * wet, 0).astype(np.float32)
        share = np.clip(share * 1.15, 0, 0.85)[..., None]
        image *= 1 - 0.75 * share
        image += share * mirrored

    def _glare(self, image: np.ndarray, glow: np.ndarray, through: np.ndarray, frame: int) -> None:
        """Light that spills over: halos of lamps, stronger in fog, rain and at night, and the low sun."""
        look, air = self.look, self.scene.atmosphere
        height = self.shape[0]
        bright = glow * through
        if look.night > 0.05 or air.headlights_on:
            damp = min(1.0, 120.0 * look.haze_per_m) + 0.5 * min(air.rain_mmph / 10.0, 1.0)
            for sigma, gain in ((height / 100, 0.40), (height / 28, 0.30 + 0.7 * damp)):
                small = max(1, int(sigma / 1.5))
                size = (max(self.shape[1] // small, 8), max(height // small, 8))
                halo = cv2.GaussianBlur(cv2.resize(bright, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / small)
                image += (
                    gain
                    * max(look.night, 0.3)
                    * cv2.resize(halo, (self.shape[1], height), interpolation=cv2.INTER_LINEAR)
                )
        if look.glow > 0.4 and look.night < 0.3:
            rotation, _ = self.stage.pose(frame)
            x, y, z = rotation @ look.sun_direction
            if z > 0.2:
                gap = np.hypot(self.ray_x - x / z, self.ray_y - y / z)
                veil = 0.55 * np.exp(-gap / 0.22) + 0.16 * np.exp(-gap / 0.8)
                image += (look.glow * veil)[..., None].astype(np.float32) * look.sun / max(float(look.sun.max()), 1e-3)

    def _falling(self, image: np.ndarray, frame: int, air: np.ndarray) -> None:
        """Spray, rain and snow over the image, in place."""
        mist = spray(self.stage, frame, self.shape)
        lit = self.look.ambient * 0.9 + self.look.sun * 0.15
        if self.look.night > 0.3:
            lit = lit + np.array([0.10, 0.10, 0.095], np.float32) * self.look.night
        if mist is not None:
            image += mist[..., None] * (lit - image)
        cover = self.rain.draw(frame, self.stage, self.shape)
        if cover is not None:
            local = cv2.blur(image, (9, 9))
            if self.scene.atmosphere.snow_mmph > 0:
                flake = np.maximum(lit * 1.35, local * 1.2)
                image += cover[..., None] * (flake - image)
            else:
                image += cover[..., None] * (np.maximum(1.25 * local + 0.16 * lit, 0.55 * lit) - image) * 0.8

    def _develop(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Exposure, vignette, noise, tone: linear light to uint8."""
        height, width = self.shape
        image *= self.look.exposure
        image *= self.vignette
        position = np.sqrt(np.clip(image, 0.0, TONE_TOP)) * np.float32((TONE_STEPS - 1) / np.sqrt(TONE_TOP))
        shift = numpy_rng("sensor", self.scene.seed, frame).integers(0, 64, 2)
        grain = self.noise[shift[0] : shift[0] + height, shift[1] : shift[1] + width]
        # In the square-root domain photon noise is even.
        position += grain * np.float32(7.0 + 26.0 * self.look.night)
        return tone_table()[np.clip(position, 0, TONE_STEPS - 1).astype(np.int32)]


def plain_semantics() -> tuple[int, int]:
    """Codes of the sky and of the plain ground, for tables that start with them."""
    assert (SKY, TERRAIN) == (0, 1)
    return SEM["sky"], SEM["terrain"]

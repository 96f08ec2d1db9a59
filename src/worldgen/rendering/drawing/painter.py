"""From faces and light to a picture: one painter per scene and size, one call per frame."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.lamps import BEAM_COLOUR, SODIUM, Lamps
from worldgen.rendering.drawing.lens import Lens
from worldgen.rendering.drawing.material import Layers, Materials
from worldgen.rendering.drawing.motion_blur import MotionBlur
from worldgen.rendering.drawing.palette import palette
from worldgen.rendering.drawing.precipitation import LensDrops, Precipitation, spray
from worldgen.rendering.drawing.raster import RasterScene
from worldgen.rendering.drawing.shadow import Shadows
from worldgen.rendering.drawing.sky import Sky
from worldgen.rendering.drawing.view import SAMPLES, Rays, View


class Painter:
    """Paints the frames of one scene at one picture size."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.camera = scene, camera
        self.shape = (camera.height_px, camera.width_px)
        self.stage = RasterScene(scene, camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES))
        self.look = palette(scene)
        self.rays = Rays.of(camera)
        air = scene.atmosphere
        self.materials = Materials(self.stage, self.look, camera, wetness=air.wetness, snow_cover=air.snow_cover)
        self.sky = Sky(scene, self.look, camera)
        self.lamps = Lamps(self.stage, self.look.night)
        self.shadows = Shadows(self.stage, self.look.sun_direction, cast=float(self.look.sun.max()) > 0.2)
        self.rain = Precipitation(scene)
        self.drops = LensDrops(scene, self.shape)
        self.blur = MotionBlur(self.stage, self.rays, self.look.night)
        self.lens = Lens(scene, self.look, self.rays)
        self._air_at: tuple[float, np.ndarray] | None = None
        sight = self.rays.ego / np.linalg.norm(self.rays.ego, axis=-1, keepdims=True)
        # Schlick's approximation of Fresnel's law for water, C. Schlick 1994.
        self.fresnel = (0.04 + 0.96 * (1 - np.clip(-sight[..., 2], 0, 1)) ** 5).astype(np.float32)

    def paint(self, frame: int) -> tuple[np.ndarray, View]:
        """One frame: RGB ``(H, W, 3)`` uint8, and the view it was painted from."""
        view = View.of(self.stage, frame, self.rays)
        layers = self.materials.layers(view, self.lamps.emission(frame)[view.fine.faces])
        image = layers.albedo * self._light(view, layers)
        image += layers.glow
        air = self._air(frame)
        through = np.exp(view.depth * np.float32(-self.look.haze_per_m))[..., None] * (1 - layers.clear)
        if self.scene.atmosphere.wetness > 0.05:
            self._wet(image, air, view, layers)
        image -= air
        image *= through
        image += air
        self.lens.halos(image, layers.glow * through)
        self.lens.sun_veil(image, view)
        image = self.blur.apply(image, view)
        self._falling(image, frame)
        return self.lens.develop(self.drops.apply(image, frame), frame), view

    def _light(self, view: View, layers: Layers) -> np.ndarray:
        """Light on every pixel, ``(H, W, 3)`` float32: sun, sky and lamps, less the shadows on the ground."""
        look, air = self.look, self.scene.atmosphere
        sunlit, open_sky = self.shadows.draw(view.frame, self.shape)
        light = (layers.sky * (1 - layers.ground * (1 - open_sky))[..., None]) * look.ambient
        if float(look.sun.max()) > 0.02:
            light += (layers.sun * (1 - layers.ground * (1 - sunlit))[..., None]) * look.sun
        if look.night > 0.3 or air.headlights_on:
            light += self.lamps.light(view, layers.ground * np.maximum(open_sky, 0.45), layers.ground)
        return light

    def _air(self, frame: int) -> np.ndarray:
        """Colour behind and between things: the sky above the horizon, the air's own colour below, ``(H, W, 3)``."""
        look, air_state = self.look, self.scene.atmosphere
        yaw_rad = float(self.scene.ego_poses[frame, 2])
        if self._air_at is not None and abs(self._air_at[0] - yaw_rad) < 1e-9:
            return self._air_at[1]  # on a straight road the sky stands still
        air = np.empty((*self.shape, 3), np.float32)
        air[:] = look.air
        sky = self.sky.image(yaw_rad)
        thick = np.float32(np.clip(1.0 - np.exp(-look.haze_per_m * 500.0), 0, 1) ** 4)
        air[: len(sky)] = sky * (1 - thick) + look.air * thick
        if look.night > 0.3:
            # The ego's headlamps scatter back from fog and falling drops.
            scatter = float(np.clip(look.haze_per_m * 22.0, 0, 1)) * look.night
            if scatter > 0.02 and air_state.headlights_on:
                beam = np.exp(-np.square(self.rays.x / 0.5) - np.square((self.rays.y - 0.10) / 0.28))
                air += (np.float32(0.085 * scatter) * beam)[..., None] * BEAM_COLOUR
            if air_state.street_lamps_on:
                air += np.float32(0.02 * scatter) * SODIUM
        self._air_at = (yaw_rad, air)
        return air

    def _wet(self, image: np.ndarray, air: np.ndarray, view: View, layers: Layers) -> None:
        """Mirror images on wet ground: each ground pixel shows what stands above it in its column, turned over."""
        height, width = self.shape
        rows = np.arange(height, dtype=np.int32)[:, None]
        foot = np.maximum.accumulate(np.where(layers.ground > 0, 0, rows), 0)
        source = np.clip(2 * foot - rows + 1, 0, height - 1)
        whole = image + layers.clear * (air - image)
        mirrored = whole.reshape(-1, 3)[source * width + np.arange(width)]
        # Twice the box is close to a bell, and ripples smear images more along the view than across it.
        kernel = (max(3, height // 90) | 1, max(5, height // 16) | 1)
        mirrored = cv2.blur(cv2.blur(mirrored, kernel), kernel)
        share = layers.mirror * layers.ground * self.fresnel * np.float32(1.15 * self.scene.atmosphere.wetness)
        share = np.minimum(share, 0.85)[..., None]
        image *= 1 - 0.75 * share
        image += share * mirrored

    def _falling(self, image: np.ndarray, frame: int) -> None:
        """Spray, rain and snow over the image, in place."""
        lit = (
            self.look.ambient * 0.9
            + self.look.sun * 0.15
            + np.array([0.10, 0.10, 0.095], np.float32) * max(self.look.night - 0.3, 0.0) * 1.4
        )
        mist = spray(self.stage, frame, self.shape)
        if mist is not None:
            image += mist[..., None] * (lit - image)
        cover = self.rain.draw(frame, self.stage, self.shape)
        if cover is None:
            return
        local = cv2.blur(image, (9, 9))
        if self.scene.atmosphere.snow_mmph > 0:
            image += cover[..., None] * (np.maximum(lit * 1.35, local * 1.2) - image)
        else:
            image += (0.8 * cover)[..., None] * (np.maximum(1.25 * local + 0.16 * lit, 0.55 * lit) - image)

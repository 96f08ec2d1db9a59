"""Shading: from the geometry and the illumination of a scene to its images, one call per frame."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.lamps import BEAM_COLOUR, SODIUM, Lamps
from worldgen.rendering.drawing.lens import Lens
from worldgen.rendering.drawing.material import GBuffer, Materials
from worldgen.rendering.drawing.motion_blur import MotionBlur
from worldgen.rendering.drawing.palette import scene_palette
from worldgen.rendering.drawing.precipitation import LensDrops, Precipitation, spray
from worldgen.rendering.drawing.raster import RasterScene
from worldgen.rendering.drawing.shadow import Shadows
from worldgen.rendering.drawing.sky import Sky
from worldgen.rendering.drawing.view import SAMPLES, Rays, View


class FrameRenderer:
    """Renders the frames of one scene at one image size."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.camera = scene, camera
        self.shape = (camera.height_px, camera.width_px)
        self.raster_scene = RasterScene(scene, camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES))
        self.palette = scene_palette(scene)
        self.rays = Rays.of(camera)
        wetness, snow_cover = scene.atmosphere.wetness, scene.atmosphere.snow_cover
        self.materials = Materials(self.raster_scene, self.palette, camera, wetness=wetness, snow_cover=snow_cover)
        self.sky = Sky(scene, self.palette, camera)
        self.lamps = Lamps(self.raster_scene, self.palette.night)
        self.shadows = Shadows(self.raster_scene, self.palette.sun_direction, cast=float(self.palette.sun.max()) > 0.2)
        self.precipitation = Precipitation(scene)
        self.drops = LensDrops(scene, self.shape)
        self.blur = MotionBlur(self.raster_scene, self.rays, self.palette.night)
        self.lens = Lens(scene, self.palette, self.rays)
        self._background_at: tuple[float, np.ndarray] | None = None
        sight = self.rays.ego / np.linalg.norm(self.rays.ego, axis=-1, keepdims=True)
        # Fresnel reflectance of water. Source: the approximation of C. Schlick 1994.
        self.fresnel = (0.04 + 0.96 * (1 - np.clip(-sight[..., 2], 0, 1)) ** 5).astype(np.float32)

    def render(self, frame: int) -> tuple[np.ndarray, View]:
        """One frame: sRGB ``(H, W, 3)`` uint8, and the view it was shaded from."""
        view = View.of(self.raster_scene, frame, self.rays)
        g_buffer = self.materials.g_buffer(view, self.lamps.emission(frame)[view.raster.faces])
        image = g_buffer.albedo * self._lighting(view, g_buffer)
        image += g_buffer.emission
        background = self._background(frame)
        transmittance = np.exp(view.depth * np.float32(-self.palette.haze_per_m))[..., None] * (1 - g_buffer.open_sky)
        if self.scene.atmosphere.wetness > 0.05:
            self._wet_reflections(image, background, g_buffer)
        image -= background
        image *= transmittance
        image += background
        self.lens.bloom(image, g_buffer.emission * transmittance)
        self.lens.veiling_glare(image, view)
        image = self.blur.apply(image, view)
        self._precipitation(image, frame)
        return self.lens.tone_map(self.drops.apply(image, frame), frame), view

    def _lighting(self, view: View, g_buffer: GBuffer) -> np.ndarray:
        """Irradiance of every pixel, ``(H, W, 3)`` float32: sun, sky and lamps, less the shadows on the ground."""
        palette = self.palette
        sunlit, open_sky = self.shadows.draw(view.frame, self.shape)
        light = (g_buffer.sky_share * (1 - g_buffer.ground * (1 - open_sky))[..., None]) * palette.ambient
        if float(palette.sun.max()) > 0.02:
            light += (g_buffer.sun_cosine * (1 - g_buffer.ground * (1 - sunlit))[..., None]) * palette.sun
        if palette.night > 0.3 or self.scene.atmosphere.headlights_on:
            light += self.lamps.light(view, g_buffer.ground * np.maximum(open_sky, 0.45), g_buffer.ground)
        return light

    def _background(self, frame: int) -> np.ndarray:
        """Radiance behind and between objects: the sky above the horizon, airlight below, ``(H, W, 3)`` float32."""
        palette, atmosphere = self.palette, self.scene.atmosphere
        yaw_rad = float(self.scene.ego_poses[frame, 2])
        if self._background_at is not None and abs(self._background_at[0] - yaw_rad) < 1e-9:
            return self._background_at[1]  # the heading of the last frame: the sky is the same
        background = np.empty((*self.shape, 3), np.float32)
        background[:] = palette.airlight
        sky = self.sky.image(yaw_rad)
        thick = np.float32(np.clip(1.0 - np.exp(-palette.haze_per_m * 500.0), 0, 1) ** 4)
        background[: len(sky)] = sky * (1 - thick) + palette.airlight * thick
        if palette.night > 0.3:
            # The ego's headlamps scatter back from fog and falling drops.
            scatter = float(np.clip(palette.haze_per_m * 22.0, 0, 1)) * palette.night
            if scatter > 0.02 and atmosphere.headlights_on:
                beam = np.exp(-np.square(self.rays.x / 0.5) - np.square((self.rays.y - 0.10) / 0.28))
                background += (np.float32(0.085 * scatter) * beam)[..., None] * BEAM_COLOUR
            if atmosphere.street_lamps_on:
                background += np.float32(0.02 * scatter) * SODIUM
        self._background_at = (yaw_rad, background)
        return background

    def _wet_reflections(self, image: np.ndarray, background: np.ndarray, g_buffer: GBuffer) -> None:
        """Add reflections to wet ground, in place; a ground pixel mirrors the image column above its contact line."""
        height, width = self.shape
        rows = np.arange(height, dtype=np.int32)[:, None]
        foot = np.maximum.accumulate(np.where(g_buffer.ground > 0, 0, rows), 0)
        source = np.clip(2 * foot - rows + 1, 0, height - 1)
        whole = image + g_buffer.open_sky * (background - image)
        mirrored = whole.reshape(-1, 3)[source * width + np.arange(width)]
        # Two box filters approximate a Gaussian; ripples blur reflections more along the view than across it.
        kernel = (max(3, height // 90) | 1, max(5, height // 16) | 1)
        mirrored = cv2.blur(cv2.blur(mirrored, kernel), kernel)
        share = g_buffer.mirror * g_buffer.ground * self.fresnel * np.float32(1.15 * self.scene.atmosphere.wetness)
        share = np.minimum(share, 0.85)[..., None]
        image *= 1 - 0.75 * share
        image += share * mirrored

    def _precipitation(self, image: np.ndarray, frame: int) -> None:
        """Add spray, rain and falling snow to the image, in place."""
        lit = (
            self.palette.ambient * 0.9
            + self.palette.sun * 0.15
            + np.array([0.10, 0.10, 0.095], np.float32) * max(self.palette.night - 0.3, 0.0) * 1.4
        )
        mist = spray(self.raster_scene, frame, self.shape)
        if mist is not None:
            image += mist[..., None] * (lit - image)
        cover = self.precipitation.draw(frame, self.raster_scene, self.shape)
        if cover is None:
            return
        local = cv2.blur(image, (9, 9))
        if self.scene.atmosphere.snow_mmph > 0:
            image += cover[..., None] * (np.maximum(lit * 1.35, local * 1.2) - image)
        else:
            image += (0.8 * cover)[..., None] * (np.maximum(1.25 * local + 0.16 * lit, 0.55 * lit) - image)

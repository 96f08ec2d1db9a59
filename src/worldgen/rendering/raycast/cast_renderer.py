"""Frames of a scene by ray casting: image, depth, instances and classes from one set of rays."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.ground import SEM, SEMANTICS, SURFACES
from worldgen.rendering.drawing.lamps import BEAM_COLOUR, SODIUM
from worldgen.rendering.drawing.lens import Lens
from worldgen.rendering.drawing.palette import scene_palette
from worldgen.rendering.drawing.precipitation import LensDrops, Precipitation, spray
from worldgen.rendering.drawing.sky import Sky
from worldgen.rendering.drawing.view import Rays
from worldgen.rendering.raycast.exposure_blur import ExposureBlur
from worldgen.rendering.raycast.geometry.pixel_samples import PixelGrid, PixelSamples
from worldgen.rendering.raycast.geometry.scene_rays import SKY, STATIC, SceneHits, SceneRays
from worldgen.rendering.raycast.lamp_field import LampField
from worldgen.rendering.raycast.reflected_world import ReflectedWorld
from worldgen.rendering.raycast.shading import Shading
from worldgen.rendering.raycast.surface_points import SurfacePoints, SurfaceReader

WET_ENOUGH = 0.05
DAY_EXPOSURE, NIGHT_EXPOSURE = 0.72, 0.78
"""Factors on the palette's exposure: mean luma is nearer to that of dashcams (BDD100K: 104 by day, 36 at night)."""
BREATHING = 0.05
"""Largest relative drift of the exposure: cameras follow the light of what they see."""
SOFT_FLAKES_FROM_PX = 200
"""Rows of a picture from which falling flakes are large enough to look hard-edged."""
SPILL_FROM = 4.0
"""Radiance from which on a light spills over as much as a lamp. The radiance of lamps is bounded far below the true
one, so their spill is enlarged; that of windows is true, and would otherwise hide who walks in front of them."""
HAZE_DEPTH_M = 500.0
"""The sky is seen through as much haze as an object this far away."""


class CameraPath:
    """Where the camera of a scene is, at one image size: what weather and lens need to know of the geometry."""

    def __init__(self, rays: SceneRays, camera: Camera):
        self.rays, self.camera, self.scene = rays, camera, rays.scene
        self.rotation = camera.camera_from_ego()[:3, :3]

    def pose(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera axes, and the position ``(3,)`` of the camera (m)."""
        return self.rays.camera_pose(frame, self.camera)


class CastRenderer:
    """Renders the frames of one scene at one image size."""

    def __init__(self, scene: Scene, camera: Camera, *, rays: SceneRays | None = None):
        self.scene, self.camera = scene, camera
        self.shape = (camera.height_px, camera.width_px)
        self.rays = rays or SceneRays.of(scene)
        self.grid, self.path = PixelGrid(self.rays, camera), CameraPath(self.rays, camera)
        self.palette = scene_palette(scene)
        road = scene.scenario.road in ("urban", "intersection", "construction", "highway")
        albedo = np.array(SURFACES["asphalt" if road else "grass"][0], np.float32)
        albedo = albedo + scene.atmosphere.snow_cover * (0.7 - albedo)
        self.surroundings = ReflectedWorld(scene, self.palette, albedo)
        self.lamps = LampField(self.rays, self.palette.night)
        self.reader = SurfaceReader(self.rays, self.lamps, 1.0 / camera.fx_px)
        self.shading = Shading(self.rays, self.palette, self.surroundings, self.lamps)
        self.view_rays = Rays.of(camera)
        self.sky = Sky(scene, self.palette, camera)
        self.precipitation = Precipitation(scene)
        self.drops = LensDrops(scene, self.shape)
        self.blur = ExposureBlur(scene, camera, self.palette.night)
        self.lens = Lens(scene, self.palette, self.view_rays)

    def render(self, frame: int) -> tuple[np.ndarray, SceneHits]:
        """One frame: sRGB ``(H, W, 3)`` uint8, and what the rays through the pixel centres meet, row by row."""
        centres = self.grid.centres(frame)
        samples = self.grid.refined(frame, centres)
        _, position = self.path.pose(frame)
        points = self.reader.read(frame, position[None], samples.directions, samples.hits)
        colour = self.shading.radiance(frame, points)
        if self.scene.atmosphere.wetness > WET_ENOUGH:
            self._add_wet_reflections(frame, samples, points, colour)
        clear = np.exp(np.float32(-self.palette.haze_per_m) * samples.hits.distance.take(points.rows))[:, None]
        count = self.shape[0] * self.shape[1]
        layer: np.ndarray = np.zeros((len(samples.pixel), 4), np.float32)
        layer[points.rows] = np.concatenate([colour * clear, clear], 1)
        layer = samples.averaged(layer, count)
        image = self._background(frame)
        image *= 1 - layer[:, 3].reshape(*self.shape, 1)
        image += layer[:, :3].reshape(*self.shape, 3)
        if len(points.lit):
            bright = np.zeros((count, 3), np.float32)
            rays = points.rows[points.lit]
            spilt = np.minimum(points.emission.max(1, keepdims=True) / SPILL_FROM, np.float32(1))
            seen = points.emission * spilt * clear[points.lit] * samples.weight(rays)[:, None]
            np.add.at(bright, samples.pixel[rays], seen)
            self.lens.bloom(image, bright.reshape(*self.shape, 3))
        self._veiling_glare(image, frame)
        image = self.blur.apply(image, frame, centres.hits)
        self._precipitation(image, frame)
        image *= self._exposure(frame)
        return self.lens.tone_map(self.drops.apply(image, frame), frame), centres.hits

    def _exposure(self, frame: int) -> np.float32:
        """Exposure of one frame relative to the palette's: it drifts slowly around a level for day or night."""
        level = DAY_EXPOSURE + (NIGHT_EXPOSURE - DAY_EXPOSURE) * self.palette.night
        time_s, phase = frame / self.scene.fps, self.scene.seed % 97
        drift = 0.6 * np.sin(0.9 * time_s + phase) + 0.4 * np.sin(2.3 * time_s + 1.7 * phase)
        return np.float32(level * (1 + BREATHING * drift))

    def _background(self, frame: int) -> np.ndarray:
        """Radiance behind objects: the sky above the horizon, airlight below, ``(H, W, 3)`` float32."""
        palette, atmosphere = self.palette, self.scene.atmosphere
        background = np.empty((*self.shape, 3), np.float32)
        background[:] = palette.airlight
        sky = self.sky.image(float(self.scene.ego_poses[frame, 2]))
        thick = np.float32(np.clip(1.0 - np.exp(-palette.haze_per_m * HAZE_DEPTH_M), 0, 1) ** 4)
        background[: len(sky)] = sky * (1 - thick) + palette.airlight * thick
        if palette.night > 0.3:
            # The ego's headlamps scatter back from fog and falling drops.
            scatter = float(np.clip(palette.haze_per_m * 22.0, 0, 1)) * palette.night
            if scatter > 0.02 and atmosphere.headlights_on:
                beam = np.exp(-np.square(self.view_rays.x / 0.5) - np.square((self.view_rays.y - 0.10) / 0.28))
                background += (np.float32(0.085 * scatter) * beam)[..., None] * BEAM_COLOUR
            if atmosphere.street_lamps_on:
                background += np.float32(0.02 * scatter) * SODIUM
        return background

    def _add_wet_reflections(
        self, frame: int, samples: PixelSamples, points: SurfacePoints, colour: np.ndarray
    ) -> None:
        """Add the mirror image of the scene to wet ground, in place: one ray per ground pixel, then blurred."""
        wetness, part = self.scene.atmosphere.wetness, slice(0, points.num_ground)
        fresnel = 0.04 + 0.96 * (1 - np.clip(-points.view[part, 2], 0, 1)) ** 5
        share = np.minimum(np.float32(1.15 * wetness) * points.mirror * fresnel, np.float32(0.85))
        pixel_of = samples.pixel.take(points.rows[part])
        wet = np.flatnonzero(share > 0.01)
        if not len(wet):
            return
        first = np.full(self.shape[0] * self.shape[1], -1)
        first[pixel_of[wet[::-1]]] = wet[::-1]
        pixels = np.flatnonzero(first >= 0)
        at = first[pixels]
        upward = points.view.take(at, 0)
        upward[:, 2] *= -1
        start = points.place.take(at, 0)
        start[:, 2] += np.float32(0.03)
        hits = self.rays.first_hits(frame, start, upward, self.rays.near_mirrored(frame, self.camera, upward))
        seen = self.reader.read(frame, start, upward, hits)
        mirrored = np.empty((len(at), 3), np.float32)
        mirrored[seen.rows] = self.shading.radiance(frame, seen, plain=True)
        sky = np.flatnonzero(hits.owner == SKY)
        mirrored[sky] = self.surroundings.sky(upward[sky])
        far = np.where(hits.owner == SKY, np.float32(HAZE_DEPTH_M), hits.distance)
        hazy = 1 - np.exp(np.float32(-self.palette.haze_per_m) * far)
        mirrored += hazy[:, None] * (self.palette.airlight - mirrored)
        layer: np.ndarray = np.zeros((self.shape[0] * self.shape[1], 4), np.float32)
        layer[pixels, :3], layer[pixels, 3] = mirrored, 1.0
        # Two box filters approximate a Gaussian; ripples blur reflections more along the view than across it.
        height = self.shape[0]
        kernel = (max(3, height // 90) | 1, max(5, height // 16) | 1)
        layer = cv2.blur(cv2.blur(layer.reshape(*self.shape, 4), kernel), kernel).reshape(-1, 4)
        soft = layer.take(pixel_of, 0)
        share = share[:, None]
        colour[part] *= 1 - np.float32(0.75) * share
        colour[part] += share * soft[:, :3] / np.maximum(soft[:, 3:], np.float32(1e-3))

    def _veiling_glare(self, image: np.ndarray, frame: int) -> None:
        """Add the veiling glare of a low sun in front of the camera to ``image``, in place."""
        palette = self.palette
        if palette.glow <= 0.3 or palette.night >= 0.3:
            return
        rotation, _ = self.path.pose(frame)
        x, y, z = rotation @ palette.sun_direction
        if z > 0.2:
            gap = np.sqrt(np.square(self.view_rays.x - x / z) + np.square(self.view_rays.y - y / z))
            veil = (0.55 * np.exp(-gap / 0.22) + 0.14 * np.exp(-gap / 0.8)).astype(np.float32)
            image += (palette.glow * veil)[..., None] * (palette.sun / max(float(palette.sun.max()), 1e-3))

    def _precipitation(self, image: np.ndarray, frame: int) -> None:
        """Add spray, rain and falling snow to the image, in place."""
        palette = self.palette
        glow = np.array([0.10, 0.10, 0.095], np.float32) * max(palette.night - 0.3, 0.0) * 1.4
        lit = palette.ambient * 0.9 + palette.sun * 0.15 + glow
        mist = spray(self.path, frame, self.shape)
        if mist is not None:
            image += mist[..., None] * (lit - image)
        cover = self.precipitation.draw(frame, self.path, self.shape)
        if cover is None:
            return
        local = cv2.blur(image, (9, 9))
        if self.scene.atmosphere.snow_mmph > 0:
            if self.shape[0] >= SOFT_FLAKES_FROM_PX:  # larger flakes are out of focus
                cover = cv2.GaussianBlur(cover, (0, 0), self.shape[0] / 300)
            image += cover[..., None] * (np.maximum(lit * 1.35, local * 1.2) - image)
        else:
            image += (0.8 * cover)[..., None] * (np.maximum(1.25 * local + 0.16 * lit, 0.55 * lit) - image)


def instances(rays: SceneRays, hits: SceneHits) -> np.ndarray:
    """Track ids ``(M,)`` int32 of hits: 0 for none, negative for a thing that the person of this track carries."""
    out = np.zeros(len(hits.owner), np.int32)
    for body in rays.bodies:
        rows = np.flatnonzero(hits.owner == body.index)
        mine = body.body_triangles[hits.triangle[rows]]
        out[rows] = np.where(mine, body.agent.track_id, -body.agent.track_id)
    return out


def semantics(rays: SceneRays, hits: SceneHits) -> np.ndarray:
    """Class codes ``(M,)`` uint8 of hits, as in :class:`worldgen.rendering.render.Rendering`."""
    out = np.full(len(hits.owner), SEM["sky"], np.uint8)
    still = hits.owner == STATIC
    out[still] = rays.world.semantic[hits.triangle[still]]
    for body in rays.bodies:
        label = body.agent.label
        code = len(SEMANTICS) + LAYOUT_CLASSES.index(label) if label in LAYOUT_CLASSES else SEM["object"]
        out[hits.owner == body.index] = code
    return out

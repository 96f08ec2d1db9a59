"""Road users cast by rays for the camera and the light of a picture."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Agent, Patch, Road, Scene
from worldgen.generation.insert.insert_plan import InsertPatch, InsertPlan
from worldgen.generation.insert.picture_light import PictureLight
from worldgen.rendering.drawing.palette import Palette, scene_palette
from worldgen.rendering.raycast.geometry.pixel_samples import PixelGrid
from worldgen.rendering.raycast.geometry.scene_rays import STATIC, SceneHits, SceneRays
from worldgen.rendering.raycast.lamp_field import LampField
from worldgen.rendering.raycast.reflected_world import ReflectedWorld
from worldgen.rendering.raycast.shading import Shading
from worldgen.rendering.raycast.surface_points import SurfaceReader

GROUND_ALBEDO = np.full(3, 0.16, np.float32)
"""Asphalt and pavement, linear. Source: measured albedos of roads, 0.05 when new to 0.2 when old."""
MOST_RAYS = 250_000
"""Rays of one insert: near ones get fewer a pixel."""
SIDES = (4, 3, 2)
"""Rays a pixel along each axis, in the order in which they are tried."""
STREET_GLOW = 6.0
"""Light from above at night in streets over that of the renderer's sky, which has lamps as objects."""
NIGHT_CONTACT = 0.7
"""Share of its depth that a contact shadow keeps at night, where light comes from several lamps."""
NEAR_M = 0.8
"""Nothing nearer than this in front of the camera is looked for."""
MARGIN_M = 0.4
SHADOW_M = 1.6
"""Ground around an object that its shadow may reach, as a share of its height in sunlight; contact alone: MARGIN_M."""


def cast_insert(plan: InsertPlan, camera: Camera, light: PictureLight, *, seed: int = 0) -> InsertPatch | None:
    """The pixels of a planned road user as the camera of the picture sees it; None when it lies outside the picture.

    seed: of what glossy paint mirrors.
    """
    window = _window(plan, camera, light)
    if window is None:
        return None
    left, top, width, height = window
    side = next((s for s in SIDES if width * height * s * s <= MOST_RAYS), SIDES[-1])
    fine = camera.cropped(left, top, width, height).resized(width * side, height * side)
    cast = _Cast(_scene(plan, fine, light, seed), 1 / camera.fx_px, light, (side, height, width))
    alpha = cast.mean(cast.covered[:, None])[..., 0]
    if not (alpha >= 0.5).any():
        return None
    ground_light = cast.shading.surroundings.ground
    return InsertPatch(
        left, top, cast.mean(cast.colour * cast.covered[:, None]), alpha, cast.shade(), ground_light, plan.class_name,
        _feet(plan, camera)[1], plan.distance_m, cast.mirror(), plan,
    )  # fmt: skip


class _Cast:
    """The rays of one insert: what they meet and the light that comes back.

    shape: rays a pixel along each axis, height and width in pixels. covered: ``(M,)`` float32, 1 for rays that meet the
    object. colour: ``(M, 3)`` float32 linear light.
    """

    def __init__(self, scene: Scene, pixel_angle: float, light: PictureLight, shape: tuple[int, int, int]):
        self.light, self.shape, self.pixel_angle = light, shape, pixel_angle
        self.palette = _palette(scene, light)
        self.rays = SceneRays(scene)
        samples = PixelGrid(self.rays, scene.camera).centres(0)
        self.directions, self.hits = samples.directions, samples.hits
        self.position = self.rays.camera_pose(0, scene.camera)[1]
        self.reader, self.shading = self._optics(self.rays)
        points = self.reader.read(0, self.position[None], self.directions, self.hits)
        self.colour: np.ndarray = np.zeros((len(self.directions), 3), np.float32)
        self.colour[points.rows] = self.shading.radiance(0, points)
        self.covered = (self.hits.owner >= 0).astype(np.float32)
        self.ground = np.flatnonzero(self.hits.owner == STATIC)
        self.open_sky: np.ndarray = np.ones(len(self.directions), np.float32)
        part = slice(0, points.num_ground)
        self.open_sky[points.rows[part]] = points.sky[part]

    def _optics(self, rays: SceneRays) -> tuple[SurfaceReader, Shading]:
        lamps = LampField(rays, self.palette.night)
        around = ReflectedWorld(rays.scene, self.palette, GROUND_ALBEDO)
        if self.palette.night > 0.3 and rays.scene.agents:
            # The ego's headlamps light the ground, which the reflected world does not know.
            foot = rays.scene.agents[0].poses[:1, :3].astype(np.float32)
            lamp = lamps.irradiance(0, foot, np.array([[0, 0, 1]], np.float32))[0]
            around.ground = (around.ground + GROUND_ALBEDO * lamp).astype(np.float32)
        return SurfaceReader(rays, lamps, self.pixel_angle), Shading(rays, self.palette, around, lamps)

    def _some(self, hits: SceneHits, rows: np.ndarray) -> SceneHits:
        return SceneHits(*(getattr(hits, name)[rows] for name in ("owner", "triangle", "distance", "u", "v")))

    def shade(self) -> np.ndarray:
        """Factor on the light of the ground in each pixel ``(h, w, 3)``; 1 where no ray meets the ground."""
        shade: np.ndarray = np.ones((len(self.directions), 3), np.float32)
        if len(self.ground):
            empty = SceneRays(dataclasses.replace(self.rays.scene, agents=()))
            reader, shading = self._optics(empty)
            part = self._some(self.hits, self.ground)
            points = reader.read(0, self.position[None], self.directions[self.ground], part)
            rows = self.ground[points.rows]
            shade[rows] = np.clip(self.colour[rows] / np.maximum(shading.radiance(0, points), 1e-6), 0.0, 1.0)
            if self.light.night > 0.5:
                # The renderer's headlamps cast no shadow and outshine the sky; contact is dark under any light.
                shade[rows] = np.minimum(shade[rows], 1 - NIGHT_CONTACT * (1 - self.open_sky[rows, None]))
        bare = 1 - self.covered[:, None]
        weight = self.mean(bare)
        return np.where(weight > 0, self.mean(shade * bare) / np.maximum(weight, 1e-6), 1.0).astype(np.float32)

    def mirror(self) -> np.ndarray | None:
        """Mirror image of the object in wet ground ``(h, w, 4)``, None for dry ground."""
        if self.light.wetness <= 0:
            return None
        layer: np.ndarray = np.zeros((len(self.directions), 4), np.float32)
        start = self.position[None] + self.directions[self.ground] * self.hits.distance[self.ground, None]
        start = start.astype(np.float32)
        start[:, 2] = 0.03
        upward = self.directions[self.ground] * np.array([1, 1, -1], np.float32)
        found = self.rays.first_hits(0, start, upward, {0: np.arange(len(self.ground))})
        met = np.flatnonzero(found.owner >= 0)
        if len(met):
            points = self.reader.read(0, start[met], upward[met], self._some(found, met))
            layer[self.ground[met[points.rows]], :3] = self.shading.radiance(0, points, plain=True)
            layer[self.ground[met], 3] = 1.0
        return self.mean(layer)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Means of pixels ``(h, w, C)`` of ray values ``(M, C)``."""
        side, height, width = self.shape
        return values.reshape(height, side, width, side, -1).mean((1, 3), dtype=np.float32)


def _palette(scene: Scene, light: PictureLight) -> Palette:
    """The renderer's light; at night with the glow of a street."""
    palette = scene_palette(scene)
    if light.night <= 0.5:
        return palette
    return dataclasses.replace(palette, ambient=palette.ambient * np.float32(STREET_GLOW))


def _feet(plan: InsertPlan, camera: Camera) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Corners of the box in the ego frame, row of the contact (px), the projected corners and their depths.

    The contact of what reaches beside the camera lies below every picture: nothing is nearer.
    """
    length, width, height = plan.size_m
    if plan.lean_rad:
        length = width = max(length, 2 * height)
    c, s = np.cos(plan.yaw_rad), np.sin(plan.yaw_rad)
    corner = np.array([(a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]) * (length, width)
    flat = corner @ np.array([[c, s], [-s, c]]) + (plan.x_m, plan.y_m)
    corners = np.array([(*place, z) for z in (plan.z_m, plan.z_m + height) for place in flat])
    pixels, depth = camera.project(corners)
    contact = float(pixels[:4, 1].max()) if depth[:4].min() > NEAR_M else 4.0 * camera.height_px
    return corners, contact, pixels, depth


def _window(plan: InsertPlan, camera: Camera, light: PictureLight) -> tuple[int, int, int, int] | None:
    """Left, top, width, height (px) of the part of the picture that the object and its shadow may change."""
    corners, _, _, depth = _feet(plan, camera)
    if depth.max() < NEAR_M:
        return None
    reach = MARGIN_M + (SHADOW_M * plan.size_m[2] * light.sun_share if light.night < 0.5 else 0.0)
    back = min(reach, max(float(depth.min()) / 2, 0.0))
    steps = ((0, 0, 0), (reach, 0, 0), (-back, 0, 0), (0, reach, 0), (0, -reach, 0))
    around = np.concatenate([corners, *(corners[:4] + np.array(step) for step in steps)])
    if depth.min() < NEAR_M:  # reaches beside the camera: points on its edges that lie before the camera say where
        share = np.linspace(0, 1, 25)[:, None, None]
        around = (corners[:, None] * share[..., None] + corners[None] * (1 - share[..., None])).reshape(-1, 3)
    pixels, ahead = camera.project(around)
    pixels = pixels[ahead >= NEAR_M]
    low, high = np.floor(pixels.min(0)).astype(int) - 2, np.ceil(pixels.max(0)).astype(int) + 3
    low = np.maximum(low, 0)
    high = np.minimum(high, (camera.width_px, camera.height_px))
    if (high - low < 3).any():
        return None
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _scene(plan: InsertPlan, camera: Camera, light: PictureLight, seed: int) -> Scene:
    """Flat ground and one agent, one frame."""
    one = np.ones(1)
    agent = Agent(
        1, plan.kind, plan.class_name, plan.variant, plan.size_m,
        np.array([[plan.x_m, plan.y_m, plan.z_m, plan.yaw_rad]]), plan.speed_mps * one, np.ones(1, bool),
        plan.phase_rad * one, np.array([plan.braking]), np.array([plan.indicator]), plan.door_open * one,
        lights_on=plan.lights_on, style=plan.style, reflective=plan.reflective,
        lean_rad=None if plan.lean_rad is None else plan.lean_rad * one,
    )  # fmt: skip
    ego = EgoMotion(np.zeros(1), np.zeros(1), 10.0)
    word = "night_lit" if light.night > 0.5 else "day"
    return Scene(
        Scenario(weather="clear", light=word, road="urban"), seed, 10.0, camera, ego, np.zeros((1, 3)), np.zeros(1),
        flat_road(), (), (agent,), light.atmosphere(),
    )  # fmt: skip


@lru_cache(maxsize=1)
def flat_road() -> Road:
    """Level asphalt as far as the eye sees."""
    far = 400.0
    corners = np.array([[-50, -far, 0], [far, -far, 0], [far, far, 0], [-50, far, 0.0]])
    middle = np.array([[-50.0, 0, 0], [far, 0, 0]])
    return Road("urban", middle, 3.4, ((0.0, 1),), (Patch(corners, "asphalt", True),), ())

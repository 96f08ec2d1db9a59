"""Road users cast by rays for the camera and the light of a picture."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Agent, Patch, Road, Scene
from worldgen.generation.insert.insert_plan import InsertPatch, InsertPlan, box_of
from worldgen.generation.insert.picture_light import PictureLight
from worldgen.rendering.drawing.palette import Palette, scene_palette
from worldgen.rendering.raycast.geometry.pixel_samples import PixelGrid
from worldgen.rendering.raycast.geometry.scene_rays import SceneHits, SceneRays
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
    fine = dataclasses.replace(fine, height_m=camera.height_m)
    scene = _scene(plan, fine, light, seed)
    rays = SceneRays(scene)
    samples = PixelGrid(rays, fine).centres(0)
    palette = _palette(scene, light)
    _, position = rays.camera_pose(0, fine)
    reader, shading = _optics(rays, palette, 1 / camera.fx_px)
    points = reader.read(0, position[None], samples.directions, samples.hits)
    radiance = shading.radiance(0, points)
    count = width * side * height * side
    colour, covered = np.zeros((count, 3), np.float32), samples.hits.owner >= 0
    colour[points.rows] = radiance
    alpha = _mean(covered.astype(np.float32)[:, None], side, (height, width))[..., 0]
    if not (alpha >= 0.5).any():
        return None
    shade = _shade(rays, palette, samples.directions, samples.hits, camera, colour, light)
    _, foot_px, _, _ = _feet(plan, camera)
    mirror = _mirror(rays, reader, shading, samples.directions, samples.hits, position, (side, height, width), light)
    return InsertPatch(
        left, top, _mean(colour * covered[:, None], side, (height, width)), alpha,
        _ground_mean(shade, ~covered, side, (height, width)), shading.surroundings.ground, plan.class_name, foot_px,
        plan.distance_m, mirror, plan,
    )  # fmt: skip


def _optics(rays: SceneRays, palette: Palette, pixel_angle: float) -> tuple[SurfaceReader, Shading]:
    lamps = LampField(rays, palette.night)
    surroundings = ReflectedWorld(rays.scene, palette, GROUND_ALBEDO)
    if palette.night > 0.3:  # the ego's headlamps light the ground, which the table of open ground does not know
        foot = rays.scene.agents[0].poses[:1, :3].astype(np.float32)
        up = np.array([[0, 0, 1]], np.float32)
        surroundings.ground = (surroundings.ground + GROUND_ALBEDO * lamps.irradiance(0, foot, up)[0]).astype(
            np.float32
        )
    return SurfaceReader(rays, lamps, pixel_angle), Shading(rays, palette, surroundings, lamps)


def _palette(scene: Scene, light: PictureLight) -> Palette:
    """The renderer's light; at night with the glow of a street."""
    palette = scene_palette(scene)
    if light.night <= 0.5:
        return palette
    return dataclasses.replace(palette, ambient=palette.ambient * np.float32(STREET_GLOW))


def _feet(plan: InsertPlan, camera: Camera) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Corners of the box in the ego frame, row of the contact (px), the projected corners and their depths."""
    length, width, height = plan.size_m
    c, s = np.cos(plan.yaw_rad), np.sin(plan.yaw_rad)
    corner = np.array([(a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]) * (length, width)
    flat = corner @ np.array([[c, s], [-s, c]]) + (plan.x_m, plan.y_m)
    corners = np.array([(*place, z) for z in (0.0, height) for place in flat])
    pixels, depth = camera.project(corners)
    return corners, float(pixels[:4, 1].max()), pixels, depth


def _window(plan: InsertPlan, camera: Camera, light: PictureLight) -> tuple[int, int, int, int] | None:
    """Left, top, width, height (px) of the part of the picture that the object and its shadow may change."""
    corners, _, _, depth = _feet(plan, camera)
    if depth.min() < 0.8:
        return None
    reach = MARGIN_M + (SHADOW_M * plan.size_m[2] * light.sun_share if light.night < 0.5 else 0.0)
    around = np.concatenate([corners, corners[:4] + [reach, 0, 0], corners[:4] - [min(reach, depth.min() / 2), 0, 0],
                             corners[:4] + [0, reach, 0], corners[:4] - [0, reach, 0]])  # fmt: skip
    pixels, _ = camera.project(around)
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
        np.array([[plan.x_m, plan.y_m, 0.0, plan.yaw_rad]]), plan.speed_mps * one, np.ones(1, bool),
        plan.phase_rad * one, np.zeros(1, bool), np.zeros(1, int), np.zeros(1), lights_on=plan.lights_on,
        style=plan.style,
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


def _shade(
    rays: SceneRays, palette: Palette, directions: np.ndarray, hits: SceneHits, camera: Camera, colour: np.ndarray,
    light: PictureLight,
) -> np.ndarray:  # fmt: skip
    """Factor on the light of the ground for each ray ``(M, 3)``, 1 where a ray meets no ground."""
    shade = np.ones((len(directions), 3), np.float32)
    ground = np.flatnonzero(hits.owner == -1)
    if not len(ground):
        return shade
    empty = SceneRays(dataclasses.replace(rays.scene, agents=()))
    reader, shading = (
        SurfaceReader(empty, LampField(empty, palette.night), 1 / camera.fx_px),
        Shading(empty, palette, ReflectedWorld(empty.scene, palette, GROUND_ALBEDO), LampField(empty, palette.night)),
    )
    part = SceneHits(*(getattr(hits, name)[ground] for name in ("owner", "triangle", "distance", "u", "v")))
    _, position = empty.camera_pose(0, empty.scene.camera)
    points = reader.read(0, position[None], directions[ground], part)
    open_light = shading.radiance(0, points)
    rows = ground[points.rows]
    shade[rows] = np.clip(colour[rows] / np.maximum(open_light, 1e-6), 0.0, 1.0)
    if light.night > 0.5:
        # The renderer's headlamps cast no shadow and outshine the sky; the contact itself is dark under any light.
        seen = _contact_only(rays, palette, directions, part, ground, camera, position)
        shade[rows] = np.minimum(shade[rows], 1 - NIGHT_CONTACT * (1 - seen[points.rows][:, None]))
    return shade


def _contact_only(
    rays: SceneRays, palette: Palette, directions: np.ndarray, part: SceneHits, ground: np.ndarray, camera: Camera,
    position: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Share of the sky that ground points see, ``(len(ground),)``, in the order of the rays."""
    reader = SurfaceReader(rays, LampField(rays, palette.night), 1 / camera.fx_px)
    points = reader.read(0, position[None], directions[ground], part)
    out = np.ones(len(ground), np.float32)
    out[points.rows] = points.sky
    return out


def _mirror(
    rays: SceneRays, reader: SurfaceReader, shading: Shading, directions: np.ndarray, hits: SceneHits,
    position: np.ndarray, shape: tuple[int, int, int], light: PictureLight,
) -> np.ndarray | None:  # fmt: skip
    """Mirror image of the object in wet ground ``(h, w, 4)``, None for dry ground."""
    if light.wetness <= 0:
        return None
    side, height, width = shape
    ground = np.flatnonzero(hits.owner == -1)
    layer = np.zeros((len(directions), 4), np.float32)
    if len(ground):
        start = position[None] + directions[ground] * hits.distance[ground, None]
        start[:, 2] = 0.03
        upward = directions[ground] * np.array([1, 1, -1], np.float32)
        start = start.astype(np.float32)
        found = rays.first_hits(0, start, upward, {0: np.arange(len(ground))})
        met = np.flatnonzero(found.owner >= 0)
        if len(met):
            part = SceneHits(*(getattr(found, name)[met] for name in ("owner", "triangle", "distance", "u", "v")))
            points = reader.read(0, start[met], upward[met], part)
            layer[ground[met[points.rows]], :3] = shading.radiance(0, points, plain=True)
            layer[ground[met], 3] = 1.0
    return _mean(layer, side, (height, width))


def _mean(values: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Means of pixels ``(h, w, C)`` of ray values ``(h * side * w * side, C)``."""
    height, width = size
    return values.reshape(height, side, width, side, -1).mean((1, 3), dtype=np.float32)


def _ground_mean(shade: np.ndarray, ground: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Mean factor of the rays of each pixel that meet no object; 1 where all do."""
    weight = _mean(ground.astype(np.float32)[:, None], side, size)
    total = _mean(shade * ground[:, None], side, size)
    return np.where(weight > 0, total / np.maximum(weight, 1e-6), 1.0).astype(np.float32)


def silhouette_box(patch: InsertPatch) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1 of the object in the picture, cut by its border but by nothing else."""
    return box_of(patch.silhouette, patch.left_px, patch.top_px)

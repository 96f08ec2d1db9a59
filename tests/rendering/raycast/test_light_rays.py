"""Which bodies rays are tested against: the quick choice loses no hit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rendering.small_scenes import agent, plain_scene
from worldgen.rendering.raycast.geometry.outline_cells import points_in_boxes
from worldgen.rendering.raycast.geometry.pixel_samples import PixelGrid
from worldgen.rendering.raycast.geometry.scene_rays import SceneRays

ACTORS = (
    agent(1, "car", "sedan", x=9.0, y=2.0, yaw=0.4, speed=8.0),
    replace(agent(2, "pedestrian", "adult", x=8.0, y=-1.0, yaw=-1.57, speed=1.4), lean_rad=np.array([0.0, 0.5, -0.9])),
    agent(3, "truck", "box_truck", x=24.0, y=-3.0),
)


@pytest.fixture(scope="module")
def rays() -> SceneRays:
    return SceneRays(plain_scene(agents=ACTORS))


def test_points_in_boxes_are_those_that_comparisons_find() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 4, (2, 5000)).astype(np.float32)
    x[:9] = np.nan
    low = rng.normal(0, 3, (7, 2))
    high = low + rng.uniform(0.01, 3, (7, 2))
    boxes = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], 1).astype(np.float32)
    boxes[3] = (-np.inf, np.inf, -np.inf, np.inf)
    found = dict(points_in_boxes(x, y, boxes))
    for number, (x0, x1, y0, y1) in enumerate(boxes):
        inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) if number != 3 else np.ones(5000, bool)
        np.testing.assert_array_equal(found.get(number, []), np.flatnonzero(inside))
    assert not list(points_in_boxes(x[:0], y[:0], boxes[:3]))


def ground(count: int, height_m: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    place = rng.uniform((-4, -12, 0.03), (34, 12, height_m), (count, 3))
    return place.astype(np.float32)


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("elevation", [0.05, 0.6, 1.5])
def test_no_shadow_of_the_sun_is_lost(rays, frame, elevation) -> None:
    points = ground(20000, 3.0)
    sun = np.array([np.cos(elevation) * 0.6, np.cos(elevation) * 0.8, np.sin(elevation)], np.float32)
    way = np.broadcast_to(sun, points.shape)
    expected = rays.world.mesh.blocked(points, way)
    for body in rays.bodies:
        expected |= body.blocked(frame, points, way, None)
    assert 0.001 < expected.mean() < 0.9
    np.testing.assert_array_equal(rays.blocked(frame, points, sun), expected)


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("lamp", [(10.0, 0.5, 8.0), (20.0, 6.0, 3.3), (12.0, 3.0, 1.1)])
def test_no_shadow_of_a_lamp_is_lost(rays, frame, lamp) -> None:
    points = ground(20000, 9.0)
    toward = (np.array(lamp) - points + 0.03 / np.sqrt(3)).astype(np.float32)
    expected = rays.world.mesh.blocked(points, toward, np.full(len(points), 0.92, np.float32))
    for body in rays.bodies:
        expected |= body.blocked(frame, points, toward, np.full(len(points), 0.92, np.float32))
    assert 0.01 < expected.mean() < 0.9
    np.testing.assert_array_equal(rays.blocked_from(frame, points, toward, np.array(lamp), 0.92), expected)


def test_no_mirror_image_is_lost(rays) -> None:
    scene = rays.scene
    grid = PixelGrid(rays, scene.camera)
    directions = grid.directions(1, grid.u, grid.v)
    down = directions[:, 2] < -0.02
    _, position = rays.camera_pose(1, scene.camera)
    start = position + directions[down] * (position[2] / -directions[down, 2:]) + np.array([0, 0, 0.03])
    upward = directions[down] * np.array([1, 1, -1], np.float32)
    everything = {body.index: np.arange(len(start)) for body in rays.bodies}
    expected = rays.first_hits(1, start, upward, everything)
    found = rays.first_hits(1, start, upward, rays.near_mirrored(1, scene.camera, upward))
    np.testing.assert_array_equal(found.owner, expected.owner)
    assert {0, 1, 2} <= set(np.unique(found.owner))

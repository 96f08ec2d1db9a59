"""Rasterisation: clipping, drawing order, depth from planes, and crests of the road."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rendering.small_scenes import agent, plain_scene
from worldgen.core.camera import Camera
from worldgen.core.scene import Agent, Patch, Scene
from worldgen.rendering.drawing.depth_order import AgentOrder
from worldgen.rendering.drawing.ground import quads
from worldgen.rendering.drawing.raster import FAR_M, RasterScene, clipped
from worldgen.rendering.drawing.view import Rays, View
from worldgen.rendering.meshes.mesh import MeshBuilder, Paint, srgb

WHITE = Paint(srgb("#ffffff"))


def test_clipping_keeps_the_part_beyond_the_near_plane() -> None:
    square = np.array([[-1.0, 0, -1], [1, 0, -1], [1, 0, 3], [-1, 0, 3]])
    cut = clipped(square, 1.0)
    assert cut[:, 2].min() == pytest.approx(1.0) and cut[:, 2].max() == pytest.approx(3.0)
    assert len(cut) == 4
    assert len(clipped(square - [0, 0, 10], 1.0)) == 0


@pytest.mark.parametrize("make", ["box", "ball", "tube", "limb", "loft"])
def test_faces_of_convex_parts_look_outwards(make: str) -> None:
    builder = MeshBuilder()
    if make == "box":
        builder.box((1, 2, 3), (1, 2, 0.5), WHITE, taper=0.5)
    elif make == "ball":
        builder.ball(np.array([1.0, 0, 2]), (0.5, 0.4, 0.3), WHITE)
    elif make == "tube":
        builder.tube((0, 1, 0), 2.0, (0.3, 0.2), WHITE)
    elif make == "limb":
        builder.limb(np.array([0.0, 0, 1]), np.array([0.3, 0, 0.2]), (0.2, 0.1, 0.15), WHITE)
    else:
        builder.loft([(-1, 0, 1, 0.5), (0, 0, 1.2, 0.6), (1, 0, 0.8, 0.4)], WHITE)
    mesh = builder.build()
    points, start = mesh.vertices[0], 0
    middle = points.mean(0)
    volume = 0.0
    for count in mesh.counts:
        corners = points[mesh.flat[start : start + count]]
        start += count
        normal = np.cross(corners, np.roll(corners, -1, 0)).sum(0) / 2
        assert normal @ (corners.mean(0) - middle) >= -1e-9
        volume += normal @ corners.mean(0) / 3
    assert volume > 0


def test_a_strip_is_cut_into_quads_that_cover_it() -> None:
    s = np.linspace(0, 40, 21)
    left, right = np.stack([s, 0.002 * s**2 + 2, 0 * s], 1), np.stack([s, 0.002 * s**2 - 1, 0 * s], 1)
    pieces = quads(np.concatenate([right, left[::-1]]))
    area = lambda p: 0.5 * abs(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1)))  # noqa: E731
    assert sum(area(p) for p in pieces) == pytest.approx(3.0 * 40, rel=1e-3)
    assert len(pieces) < 20  # a gentle bend needs fewer pieces than it has points


def _order(agents: list[Agent]) -> list[int]:
    scene = plain_scene(agents=tuple(agents))
    order = AgentOrder(scene)
    distance = order.distances(0, np.zeros(3), np.ones(len(agents), bool))
    return list(np.argsort(-distance))


def test_a_car_behind_a_long_truck_is_drawn_first() -> None:
    truck = agent(1, "truck", "semi_truck", x=17.5, y=3.7, size=(15.0, 2.5, 3.9))
    beyond = agent(2, "car", "sedan", x=13.0, y=8.0)  # nearer than the truck's middle, on its far side
    assert _order([truck, beyond])[0] == 1


def test_a_pedestrian_before_a_truck_is_drawn_last() -> None:
    truck = agent(1, "truck", "semi_truck", x=17.5, y=3.7, size=(15.0, 2.5, 3.9))
    near_side = agent(2, "pedestrian", "adult", x=22.0, y=1.9)  # farther than the truck's middle, on its near side
    assert _order([truck, near_side])[-1] == 1


def test_ground_depth_is_exact() -> None:
    scene = plain_scene()
    rays = Rays.of(scene.camera)
    raster_scene = RasterScene(scene, scene.camera.resized(448, 256))
    view = View.of(raster_scene, 0, rays)
    down = rays.ego[..., 2]
    seen = (down < -0.02) & (view.raster.semantic[view.index] >= 1)
    expected = -scene.camera.height_m / down
    assert seen.sum() > 5000
    np.testing.assert_allclose(view.depth[seen], expected[seen], rtol=2e-4)
    assert view.depth[:20].min() == pytest.approx(FAR_M)


def test_depth_of_a_box_is_its_near_face() -> None:
    scene = plain_scene(agents=(agent(1, "cargo", "cargo_box", x=10.0, y=0.0, size=(2.0, 2.0, 1.2), label=None),))
    raster_scene = RasterScene(scene, scene.camera.resized(448, 256))
    view = View.of(raster_scene, 0, Rays.of(scene.camera))
    u, v = (int(k) for k in scene.camera.project(np.array([9.0, 0.0, 0.6]))[0])
    assert view.raster.track[view.index[v, u]] == 1
    assert view.depth[v, u] == pytest.approx(9.0, abs=0.05)


def test_what_is_near_hides_what_is_far() -> None:
    near, far = agent(1, "car", "sedan", x=10.0), agent(2, "truck", "box_truck", x=25.0)
    raster_scene = RasterScene(plain_scene(agents=(far, near)), Camera.from_fov(448, 256))
    raster = raster_scene.draw(0)
    track = raster.track[raster.index]
    u, v = (int(k) for k in raster_scene.camera.project(np.array([7.7, 0.0, 0.8]))[0])
    assert track[v, u] == 1
    assert (track == 2).any()  # the truck stands out above the car


def _with_crest(scene: Scene) -> Scene:
    x = np.linspace(-20, 160, 91)
    z = 2.2 * np.exp(-((x - 50) ** 2) / 400)
    centre = np.stack([x, 0 * x, z], 1)
    outline = np.concatenate([centre - np.array([0, 8, 0]), (centre + np.array([0, 8, 0]))[::-1]])
    return replace(
        scene, road=replace(scene.road, centre_m=centre, patches=(Patch(outline, "asphalt", True),), lines=())
    )


def test_a_crest_hides_what_is_behind_it() -> None:
    hidden = agent(1, "car", "sedan", x=95.0, y=0.0)
    tall = agent(2, "truck", "box_truck", x=95.0, y=4.0, size=(8.0, 2.4, 6.5))
    scene = plain_scene(agents=(hidden, tall))
    flat, crest = (RasterScene(s, s.camera.resized(896, 512)) for s in (scene, _with_crest(scene)))
    open_view, raster = flat.draw(0), crest.draw(0)
    tracks = raster.track[raster.index]
    assert (open_view.track[open_view.index] == 1).sum() > 60
    assert (tracks == 1).sum() <= 12  # at most a line of pixels on the crest itself
    assert 0 < (tracks == 2).sum() < (open_view.track[open_view.index] == 2).sum()


def test_absent_agents_are_not_drawn() -> None:
    present = np.ones(3, bool)
    present[1] = False
    scene = plain_scene(agents=(replace(agent(1, "car", "sedan", x=12.0, frames=3), present=present),), frames=3)
    raster_scene = RasterScene(scene, scene.camera)
    counts = [(r.track[r.index] == 1).sum() for r in (raster_scene.draw(k) for k in range(3))]
    assert counts[0] > 0 and counts[1] == 0 and counts[2] > 0

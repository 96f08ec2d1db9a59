"""Roads: curves, plans, the ground and what stands beside it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import ROADS, Scenario
from worldgen.core.scene import LINE_STYLES, STATIC_KINDS, SURFACES, Scene, Static
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.junctions import turn_extent_m
from worldgen.simulation.road.road_needs import RoadNeeds
from worldgen.simulation.road.roads import draw_plan
from worldgen.simulation.simulate import simulate

DRIVES = [(road, name) for road in ROADS for name in MANOEUVRES if not (road == "highway" and name.startswith("turn"))]


def test_constant_curvature_is_a_circle():
    s = np.arange(0.0, 40.0, 0.25)
    circle = Curve.from_curvature(s, np.full(len(s), 1 / 20.0))
    x, y, heading = circle.world(np.array([10 * math.pi]))
    assert heading[0] == pytest.approx(math.pi / 2, abs=1e-9)
    assert (x[0], y[0]) == pytest.approx((20.0, 20.0), abs=2e-3)
    assert circle.curvature[5:-5] == pytest.approx(0.05)


def test_project_inverts_world_on_bends_and_straights(rng):
    s = np.arange(-40.0, 200.0, 1.0)
    for curvature in (np.zeros_like(s), 0.012 * np.sin(s / 30.0)):
        line = Curve.from_curvature(s, curvature, origin_m=(3.0, -2.0), heading_rad=0.3)
        at, off = rng.uniform(-30, 180, 200), rng.uniform(-12, 12, 200)
        x, y, _ = line.world(at, off)
        back_s, back_d = line.project(x, y)
        assert np.abs(back_s - at).max() < 0.05 and np.abs(back_d - off).max() < 1e-2


def test_reversed_line_swaps_sides():
    s = np.arange(-20.0, 21.0, 1.0)
    line = Curve.from_curvature(s, np.full(len(s), 0.01))
    there = line.world(np.array([5.0]), 2.0)
    back = line.reversed_at(5.0).world(np.array([0.0]), -2.0)
    assert there[0] == pytest.approx(back[0]) and there[1] == pytest.approx(back[1])
    assert math.cos(float(there[2][0] - back[2][0])) == pytest.approx(-1.0)


def test_turn_is_a_right_angle():
    reach, across, curvature = turn_extent_m(9.0)
    assert (0.5 * (curvature[1:] + curvature[:-1]) * 0.25).sum() == pytest.approx(math.pi / 2, abs=1e-9)
    assert 9.0 < reach < 13.0 and 9.0 < across < 13.0


@pytest.mark.parametrize("road", ROADS)
def test_plan_has_what_is_wanted(road, rng):
    for _ in range(20):
        needs = RoadNeeds(road, "lane_left", 10.0, 40.0)
        plan = draw_plan(rng, needs)
        assert plan.ego_lane >= 1 and plan.section.forward >= 2
        if road not in ("highway", "rural"):
            plan = draw_plan(rng, RoadNeeds(road, "keep", 10.0, 40.0, frozenset({"parking", "single_lane"})))
            assert plan.section.forward == 1 and plan.section.parking_right_m > 0
    if road == "intersection":
        assert plan.junction is not None
    if road == "construction":
        assert plan.closure is not None


def test_turn_on_a_highway_is_refused(rng):
    with pytest.raises(InputError, match=r"highway.*turn_left"):
        draw_plan(rng, RoadNeeds("highway", "turn_left", 20.0, 80.0))


def last_patch_is_drivable(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Whether the topmost patch under each point is drivable."""
    drivable = np.zeros(len(points), bool)
    for patch in scene.road.patches:
        outline = patch.points_m[:, :2].astype(np.float32)
        inside = np.array([cv2.pointPolygonTest(outline, (float(x), float(y)), False) > 0 for x, y in points])
        drivable[inside] = patch.drivable
    return drivable


def footprint(static: Static) -> np.ndarray:
    """Corners and centre of what touches the ground: a tree's trunk, else the whole body."""
    length, width = (0.3, 0.3) if static.kind == "tree" else static.size_m[:2]
    c, s = math.cos(static.yaw_rad), math.sin(static.yaw_rad)
    corners = [(a * length / 2 * 0.98, b * width / 2 * 0.98) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1), (0, 0))]
    return np.array([[static.position_m[0] + a * c - b * s, static.position_m[1] + a * s + b * c] for a, b in corners])


@pytest.mark.parametrize("road", ROADS)
def test_nothing_stands_on_the_road(road):
    for seed, name in enumerate(n for r, n in DRIVES if r == road):
        scene = simulate(Scenario(road=road, manoeuvre=name), seed)
        near = [s for s in scene.statics if abs(s.position_m[1]) < 30.0]
        points = np.concatenate([footprint(s) for s in near])
        on_road = last_patch_is_drivable(scene, points).reshape(len(near), 5).any(1)
        assert not on_road.any(), [near[i] for i in np.flatnonzero(on_road)][:3]


@pytest.mark.parametrize(("road", "name"), DRIVES)
def test_ground_is_complete_and_under_the_ego(road, name):
    scene = simulate(Scenario(road=road, manoeuvre=name), 11)
    road_ = scene.road
    assert road_.patches[0].surface in ("grass", "sidewalk") and not road_.patches[0].drivable
    assert all(p.surface in SURFACES and p.points_m.shape[1] == 3 and len(p.points_m) >= 3 for p in road_.patches)
    assert all(line.style in LINE_STYLES and np.isfinite(line.points_m).all() for line in road_.lines)
    assert all(s.kind in STATIC_KINDS for s in scene.statics) and len(scene.statics) > 20
    assert last_patch_is_drivable(scene, scene.ego_poses[:, :2]).all()
    if not name.startswith("turn"):
        line = Curve.from_points(road_.centre_m[:, :2])
        s, d = line.project(scene.ego_poses[:, 0], scene.ego_poses[:, 1])
        assert s[0] >= 30.0 and line.s_m[-1] - s[-1] >= 150.0
        assert min(abs(d[0] - offset) for offset, way in road_.lanes if way > 0) < 0.05
        shift = {"lane_left": 1, "lane_right": -1}.get(name, 0) * road_.lane_width_m
        assert d[-1] - d[0] == pytest.approx(shift, abs=0.5)


def test_town_is_denser_than_country():
    count = {
        road: np.mean([sum(s.kind == "building" for s in simulate(Scenario(road=road), k).statics) for k in range(4)])
        for road in ("urban", "suburban", "rural")
    }
    assert count["urban"] > count["suburban"] > count["rural"]

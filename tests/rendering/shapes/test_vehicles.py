"""Shapes of vehicles: surfaces that are closed and look outward, sizes, symmetry, lamps and windows in their place."""

import time

import numpy as np
import pytest

from tests.rendering.shapes.surface_checks import check_surface
from worldgen.core.scene import VARIANTS
from worldgen.rendering.shapes.solid import LAMP_CODES, Finish, Surface
from worldgen.rendering.shapes.vehicle_parts.body_loft import BodyLines, Rounding, cut_arch, loft
from worldgen.rendering.shapes.vehicle_parts.car_doors import REACH_M
from worldgen.rendering.shapes.vehicle_parts.smooth_curve import monotone_curve
from worldgen.rendering.shapes.vehicle_parts.surface_patches import PatchPaint, box_patch
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import BODY_CODE, DOOR_CODE, GLASS, RIM_CODE
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import profiles
from worldgen.rendering.shapes.vehicle_shapes import door_solid, num_bodies, vehicle_shape

CARS = ("sedan", "hatchback", "suv", "estate", "van", "pickup")
HEAVY = ("box_truck", "semi_truck", "city_bus")
BODIES = [(variant, body) for variant in CARS + HEAVY for body in range(num_bodies(variant))]
CAR_BODIES = [(variant, body) for variant, body in BODIES if variant in CARS]


def _corners(shape, frame=0):
    return shape.solid.vertices[frame][shape.solid.triangles].astype(float)


def _area(shape):
    corners = _corners(shape)
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1) / 2


def _painted(shape, count=60_000, footprint=0.004, seed=0):
    """The surface at points that are even over the area, with the points."""
    rng = np.random.default_rng(seed)
    area = _area(shape)
    triangle = rng.choice(len(area), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    corners = shape.solid.triangles[triangle]
    mix = lambda values: values[corners[:, 0]] * (1 - u - v) + values[corners[:, 1]] * u + values[corners[:, 2]] * v  # noqa: E731
    points, normals = mix(shape.solid.vertices[0]), mix(shape.solid.normals[0])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    print_m = np.full(count, footprint, np.float32)
    colour = np.array([0.4, 0.1, 0.1], np.float32)
    surface = shape.surface(triangle, points.astype(np.float32), normals.astype(np.float32), print_m, colour)
    return surface, points, normals, triangle


def test_every_motor_vehicle_of_scenes_has_bodies():
    assert set(CARS + HEAVY) <= set(VARIANTS)
    assert all(num_bodies(variant) >= 2 for variant in CARS + HEAVY)
    with pytest.raises(KeyError):
        vehicle_shape("adult", 0)


@pytest.mark.parametrize(("variant", "body"), BODIES)
def test_surfaces_are_closed_and_look_outward(variant, body):
    shape = vehicle_shape(variant, body)
    check_surface(shape.solid, disagree=0.012)
    assert 2_500 < len(shape.solid.triangles) < 9_000


@pytest.mark.parametrize(("variant", "body"), BODIES)
def test_sizes_are_those_of_the_profile_without_mirrors(variant, body):
    shape = vehicle_shape(variant, body)
    points = shape.solid.vertices[0]
    low, high = points.min(0), points.max(0)
    assert np.allclose([-low[0], high[0]], shape.size_m[0] / 2, atol=0.02)
    assert abs(low[2]) < 1e-3 and abs(high[2] - shape.size_m[2]) < 0.02
    codes = np.array([f.code for f in shape.solid.finishes])[shape.solid.finish]
    skin = points[shape.solid.triangles[codes == BODY_CODE]].reshape(-1, 3)
    mirror_x = profiles(variant)[body].glazing.side_front - 0.14 if variant in CARS else np.inf
    skin = skin[np.abs(skin[:, 0] - mirror_x) > 0.3]
    if variant in CARS or variant == "city_bus":
        assert abs(skin[:, 1].max() - shape.size_m[1] / 2) < 0.02
    mirrors = np.abs(points[:, 1]).max() - shape.size_m[1] / 2
    assert 0.05 < mirrors < 0.45


@pytest.mark.parametrize(("variant", "body"), BODIES)
def test_left_and_right_are_alike_but_for_driver_and_doors(variant, body):
    """Every triangle of the skin and the wheels has its mirror image."""
    shape = vehicle_shape(variant, body)
    codes = np.array([f.code for f in shape.solid.finishes])[shape.solid.finish]
    middles = _corners(shape)[np.isin(codes, (BODY_CODE, RIM_CODE))].mean(1)
    area = _area(shape)[np.isin(codes, (BODY_CODE, RIM_CODE))]
    assert abs((middles[:, 1] * area).sum() / area.sum()) < 2e-3
    left, right = area[middles[:, 1] > 0.01].sum(), area[middles[:, 1] < -0.01].sum()
    assert abs(left - right) < 0.005 * left


@pytest.mark.parametrize(("variant", "body"), BODIES)
def test_lamps_and_windows_are_where_they_belong(variant, body):
    surface, points, _, triangle = _painted(vehicle_shape(variant, body))
    shape = vehicle_shape(variant, body)
    area = _area(shape).sum() / len(points)  # m2 a point
    front = points[:, 0].max()
    at = lambda name: surface.lamp == LAMP_CODES[name]  # noqa: E731
    assert 0.025 < at("head").sum() * area < 0.35 and points[at("head"), 0].min() > front - 1.2
    assert 0.04 < at("tail").sum() * area < 0.6 and points[at("tail"), 0].max() < points[:, 0].min() + 0.8
    assert (points[at("left"), 1] > 0).all() and (points[at("right"), 1] < 0).all()
    for side in ("left", "right"):
        assert {True, False} == {bool(x > 0) for x in points[at(side), 0]}, "indicators in front and behind"
    assert at("reverse").any() and points[at("reverse"), 0].max() < 0
    body_area = (np.array([f.code for f in shape.solid.finishes])[shape.solid.finish][triangle] == BODY_CODE).sum()
    share = (surface.glass > 0.5).sum() / body_area
    assert 0.05 < share < 0.4
    windscreen = (surface.glass > 0.5) & (np.abs(points[:, 1]) < 0.3) & (points[:, 0] > front - 2.9)
    assert windscreen.any()


@pytest.mark.parametrize(("variant", "body"), [("sedan", 0), ("suv", 2), ("box_truck", 3), ("city_bus", 0)])
def test_wide_footprints_soften_edges_and_keep_the_mean(variant, body):
    shape = vehicle_shape(variant, body)
    sharp, _, normals, _ = _painted(shape)
    wide, *_ = _painted(shape, footprint=0.12)
    flat = (np.abs(normals[:, 1]) > 0.95) | (np.abs(normals[:, 0]) > 0.95)
    mean = lambda s: s.albedo[flat].mean()  # noqa: E731
    assert abs(mean(wide) - mean(sharp)) < 0.06 * mean(sharp)
    assert wide.albedo[flat].std() < sharp.albedo[flat].std()


def test_thin_patches_cover_their_area_at_every_footprint():
    """A gap of 12 mm darkens a pixel of 20 cm by its share, not by half."""
    patches = [p for p in vehicle_shape("sedan", 0).paint.patches[BODY_CODE] if p.view == "side"]
    gap = min(patches, key=lambda p: p.bounds[1] - p.bounds[0])
    paint = PatchPaint({BODY_CODE: [gap]})
    u0, u1, v0, v1 = gap.bounds
    for footprint in (0.004, 0.02, 0.08, 0.2):
        u, v = np.meshgrid(np.arange(u0 - 0.2, u1 + 0.2, 0.002), np.arange(v0 - 0.2, v1 + 0.2, 0.01))
        count, depth = u.size, np.clip(0.8, *gap.span)
        points = np.stack([u.ravel(), np.full(count, depth), v.ravel()], 1).astype(np.float32)
        normals = np.tile(np.float32([0, 1, 0]), (count, 1))
        surface = Surface(np.ones((count, 3), np.float32), *np.zeros((2, count), np.float32), np.zeros(count, np.int16))
        size = np.full(count, footprint, np.float32)
        paint(surface, points, normals, np.full(count, BODY_CODE), size)
        cover = (1 - surface.albedo[:, 0]) / (1 - gap.finish.colour[0]) / gap.opacity
        assert abs(cover.sum() * 0.002 * 0.01 / gap.shape[0] - 1) < 0.1, footprint


def test_later_patches_lie_over_earlier_ones_and_one_view_over_another():
    """Two patches that cover a hit whole and by half, and lamps of both halves."""
    red, white, lamp = Finish((1.0, 0.0, 0.0)), Finish((1.0, 1.0, 1.0), gloss=2.0), Finish((0, 0, 1.0), lamp="left")
    patches = [
        box_patch("front", (0.0, 0.5), (0.0, 1.0), lamp), box_patch("side", (-1.0, 1.0), (0.0, 1.0), red),
        box_patch("side", (0.0, 1.0), (0.0, 1.0), white),
    ]  # fmt: skip
    points = np.float32([(-0.5, 0.9, 0.5), (0.0, 0.9, 0.5), (0.5, -0.9, 0.5), (2.0, 0.3, 0.5), (2.0, -0.3, 0.5)])
    normals = np.float32([(0, 1, 0), (0, 1, 0), (0, -1, 0), (1, 0, 0), (1, 0, 0)])
    surface = Surface(np.zeros((5, 3), np.float32), *np.zeros((2, 5), np.float32), np.zeros(5, np.int16))
    PatchPaint({BODY_CODE: patches})(surface, points, normals, np.full(5, BODY_CODE), np.full(5, 0.1, np.float32))
    expected = [(1, 0, 0), (1, 0.5, 0.5), (1, 1, 1), (0, 0, 1), (0, 0, 1)]
    np.testing.assert_allclose(surface.albedo, expected, atol=0.02)
    np.testing.assert_allclose(surface.gloss, [0, 1, 2, 0, 0], atol=0.02)
    assert surface.lamp.tolist() == [0, 0, 0, LAMP_CODES["left"], LAMP_CODES["right"]]


def test_shapes_are_built_once_and_the_same_again():
    from worldgen.rendering.shapes import vehicle_shapes

    first = vehicle_shape("hatchback", 1)
    assert vehicle_shape("hatchback", 1) is first and vehicle_shape("hatchback", 1 + num_bodies("hatchback")) is first
    vehicle_shapes._shape.cache_clear()
    again = vehicle_shape("hatchback", 1)
    assert again is not first
    for name in ("vertices", "normals", "triangles", "finish"):
        assert np.array_equal(getattr(first.solid, name), getattr(again.solid, name))
    assert first.solid.finishes == again.solid.finishes
    one, *_ = _painted(first, count=3_000)
    two, *_ = _painted(again, count=3_000)
    assert all(np.array_equal(getattr(one, k), getattr(two, k)) for k in Surface.__dataclass_fields__)


def test_building_is_quick():
    """All bodies of a scene are built when it starts."""
    from worldgen.rendering.shapes import vehicle_shapes

    vehicle_shapes._shape.cache_clear()
    start = time.process_time()
    for variant, body in BODIES:
        vehicle_shape(variant, body)
    assert (time.process_time() - start) / len(BODIES) < 0.1  # s; about 0.02 on an idle machine


@pytest.mark.parametrize(("variant", "body"), CAR_BODIES)
def test_the_door_opens_to_the_left_as_far_as_simulated(variant, body):
    shape = vehicle_shape(variant, body)
    solid = door_solid(shape, np.array([0.0, 0.3, 1.0]))
    check_surface(door_solid(shape, np.array([0.3, 1.0])), disagree=0.03)
    shut, ajar, wide = solid.vertices
    assert np.ptp(shut, 0).max() < 0.01, "nothing of a shut door is seen"
    skin = np.abs(shape.solid.vertices[0][:, 1])
    assert skin.max() > np.abs(shut[:, 1]).max()
    assert ajar[:, 1].max() < wide[:, 1].max()
    half = shape.size_m[1] / 2
    assert half + 0.6 < wide[:, 1].max() < half + REACH_M + 0.06
    colours = np.array([f.code for f in solid.finishes])[solid.finish]
    assert set(colours) & set(shape.body_codes) == {DOOR_CODE} and any(f.glass for f in solid.finishes)
    lengths = [np.linalg.norm(v[solid.triangles[:, 0]] - v[solid.triangles[:, 1]], axis=-1) for v in (ajar, wide)]
    assert np.allclose(*lengths, atol=1e-4), "it turns, it does not stretch"


def test_trucks_and_buses_have_no_door_that_opens():
    with pytest.raises(ValueError, match="door"):
        door_solid(vehicle_shape("city_bus", 0), np.ones(2))


def test_monotone_curves_pass_their_knots_and_never_overshoot():
    knots, values = np.array([0.0, 1.0, 1.5, 4.0]), np.array([0.0, 2.0, 2.0, 1.0])
    assert np.allclose(monotone_curve(knots, values, knots), values)
    fine = monotone_curve(knots, values, np.linspace(-1, 5, 601))
    assert fine.min() == 0.0 and fine.max() == 2.0
    line = monotone_curve(knots, 3 * knots + 1, np.linspace(0, 4, 50))
    assert np.allclose(line, 3 * np.linspace(0, 4, 50) + 1)


def test_arches_are_cut_along_their_circle():
    line = lambda value: ((-1.0, value), (1.0, value))  # noqa: E731
    end = Rounding(across_m=0.1, up_m=0.1)
    body = loft(BodyLines(line(1.0), line(0.7), line(0.2), line(0.6), 0.1, end, end, spacing_m=0.1))
    rows, columns = body.points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1], np.roll(number, -1, 1)[:-1], np.roll(number, -1, 1)[1:], number[1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    flat = body.points.reshape(-1, 3), body.normals.reshape(-1, 3)
    vertices, normals, kept = cut_arch(*flat, triangles, (0.0, 0.3, 0.3), 0.3)
    corners = vertices[kept]
    side = np.abs(corners[..., 1]).min(1) >= 0.3
    distance = np.hypot(corners[..., 0], corners[..., 2] - 0.3)[side]
    assert distance.min() > 0.3 - 1e-6
    assert (np.abs(distance - 0.3) < 1e-6).sum() > 20
    assert np.allclose(np.linalg.norm(normals[np.unique(kept)], axis=-1), 1)

    def total(points, faces):
        p = points[faces]
        return np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=-1).sum() / 2

    flank = triangles[np.abs(flat[0][triangles][..., 1]).min(1) >= 0.3]
    cut = total(flat[0], triangles) - total(vertices, kept)
    assert 0 < cut < total(flat[0], flank)


def test_tinted_windows_are_glass_that_one_does_not_see_through():
    surface, points, *_ = _painted(vehicle_shape("suv", 1))
    dark = (surface.albedo.max(-1) < 0.012) & (surface.gloss > 0.9)
    assert (dark & (surface.glass < 0.1) & (points[:, 0] < -0.5) & (points[:, 2] > 1.2)).any()
    assert GLASS.glass and GLASS.gloss == 1.0

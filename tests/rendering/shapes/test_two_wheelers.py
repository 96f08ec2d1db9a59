import numpy as np
import pytest

from tests.rendering.shapes.surface_checks import check_surface
from worldgen.rendering.shapes.bicycles import CRANK_M, BicycleFrame
from worldgen.rendering.shapes.riders import rider_pose
from worldgen.rendering.shapes.solid import Shape
from worldgen.rendering.shapes.two_wheelers import (
    BICYCLE_KINDS,
    MOTORCYCLE_KINDS,
    bicycle_shape,
    cyclist_shape,
    fitted_rider,
    motorcyclist_shape,
)

PHASES = np.linspace(0, 2 * np.pi, 16, endpoint=False)
CYCLIST_M, MOTORCYCLE_M, PARKED_M = (1.8, 0.6, 1.72), (2.15, 0.8, 1.68), (1.75, 0.45, 1.05)


def extent(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    return shape.solid.vertices.min((0, 1)), shape.solid.vertices.max((0, 1))


def machine_share(shape: Shape) -> float:
    return float(np.mean([shape.solid.finishes[f].machine for f in shape.solid.finish]))


@pytest.mark.parametrize("factor", [0.95, 1.0, 1.05])
@pytest.mark.parametrize("seed", range(5))
def test_cyclists_fill_their_size_and_stand_on_the_ground(seed, factor):
    size = tuple(v * factor for v in CYCLIST_M)
    low, high = extent(cyclist_shape(size, PHASES, np.random.default_rng(seed)))
    assert abs(low[2]) < 0.01 and size[2] - 0.012 < high[2] <= size[2] + 1e-3
    assert abs(low[0] + size[0] / 2) < 0.03 and abs(high[0] - size[0] / 2) < 0.03
    assert max(-low[1], high[1]) < 0.42


@pytest.mark.parametrize("factor", [0.95, 1.0, 1.05])
@pytest.mark.parametrize("seed", range(8))
def test_motorcycles_fill_their_size_and_stand_on_the_ground(seed, factor):
    size = tuple(v * factor for v in MOTORCYCLE_M)
    low, high = extent(motorcyclist_shape(size, np.random.default_rng(seed)))
    assert abs(low[2]) < 0.01 and size[2] - 0.012 < high[2] <= size[2] + 1e-3
    assert abs(low[0] + size[0] / 2) < 0.12 and abs(high[0] - size[0] / 2) < 0.06
    assert max(-low[1], high[1]) < size[1] / 2 + 0.05


@pytest.mark.parametrize("seed", range(4))
def test_parked_bicycles_are_machines_alone(seed):
    shape = bicycle_shape(PARKED_M, np.random.default_rng(seed))
    low, high = extent(shape)
    assert machine_share(shape) == 1.0 and not shape.solid.moves
    assert abs(low[2]) < 0.01 and abs(high[2] - PARKED_M[2]) < 0.03 and abs(high[0] - low[0] - PARKED_M[0]) < 0.03


@pytest.mark.parametrize("seed", range(5))
def test_surfaces_face_outwards_and_machine_and_rider_are_told_apart(seed):
    cyclist = cyclist_shape(CYCLIST_M, PHASES[::8], np.random.default_rng(seed))
    motorcyclist = motorcyclist_shape(MOTORCYCLE_M, np.random.default_rng(seed))
    for shape in (cyclist, motorcyclist, bicycle_shape(PARKED_M, np.random.default_rng(seed))):
        check_surface(shape.solid)
    assert 0.2 < machine_share(cyclist) < 0.8 and 0.3 < machine_share(motorcyclist) < 0.8
    assert len(cyclist.solid.triangles) < 6500 and len(motorcyclist.solid.triangles) < 8000
    for shape, lamps in ((cyclist, {"head", "tail"}), (motorcyclist, {"head", "tail", "left", "right"})):
        assert {f.lamp for f in shape.solid.finishes} - {"none"} == lamps
        highest = max(shape.solid.vertices[0, shape.solid.triangles[shape.solid.finish == k], 2].max()
                      for k, f in enumerate(shape.solid.finishes) if not f.machine)  # fmt: skip
        assert highest > 1.4  # the rider's head is no part of the machine


@pytest.mark.parametrize("kind", sorted(set(BICYCLE_KINDS)))
def test_legs_reach_the_pedals_and_bones_keep_their_length(kind):
    body, bike, seat = fitted_rider(CYCLIST_M, kind, PHASES, "")
    pose = rider_pose(body, seat)
    for a, b, length in (
        ("hips", "knees", body.thigh), ("knees", "ankles", body.shank), ("shoulders", "elbows", body.upper_arm),
        ("elbows", "wrists", body.forearm),
    ):  # fmt: skip
        assert np.allclose(np.linalg.norm(getattr(pose, a) - getattr(pose, b), axis=-1), length, atol=1e-6), (a, b)
    reach = np.linalg.norm(pose.ankles - bike.pedals(PHASES), axis=-1)
    assert np.ptp(reach) < 0.03 and reach.max() < 0.8 * body.foot  # the foot stays on its pedal
    hands = np.linalg.norm(pose.wrists[0] - bike.grips, axis=-1)
    assert hands.max() < body.hand  # and the hands on the bar
    knee = pose.knees[..., 0]
    assert (knee > pose.hips[..., 0]).all()  # knees bend forwards
    assert 1.45 < body.height < 1.95


def test_hands_of_motorcyclists_reach_the_bar():
    from worldgen.rendering.shapes.gait import Stature
    from worldgen.rendering.shapes.motorcycles import MotorcycleFrame
    from worldgen.rendering.shapes.riders import rider_stature

    for kind in set(MOTORCYCLE_KINDS):
        seat = MotorcycleFrame.of(kind, MOTORCYCLE_M).seat
        body = Stature.of(rider_stature(MOTORCYCLE_M[2], float(seat.seat[2]), seat), grown=True)
        pose = rider_pose(body, seat)
        assert np.linalg.norm(pose.wrists[0] - seat.grips, axis=-1).max() < body.hand, kind
        assert np.linalg.norm(pose.ankles[0] - seat.feet[0], axis=-1).max() < 0.8 * body.foot, kind
        assert 1.35 < body.height < 1.95, (kind, body.height)


def test_pedals_turn_and_legs_follow_half_a_turn_apart():
    bike = BicycleFrame.of("city", 1.8, 0.9)
    pedals = bike.pedals(PHASES)
    assert np.allclose(np.linalg.norm((pedals - bike.bracket)[..., [0, 2]], axis=-1), CRANK_M)
    assert np.allclose(pedals[:, 0, 0] - bike.bracket[0], -(pedals[:, 1, 0] - bike.bracket[0]))
    shapes = [cyclist_shape(CYCLIST_M, phase, np.random.default_rng(0)) for phase in (PHASES, PHASES + np.pi)]
    one, two = (s.solid.vertices for s in shapes)
    assert np.allclose(one[:8], two[8:], atol=1e-4) and np.abs(one[0] - one[8]).max() > 0.2


def test_same_seed_same_shape():
    one, two = (motorcyclist_shape(MOTORCYCLE_M, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.solid.vertices, two.solid.vertices) and one.solid.finishes == two.solid.finishes
    kinds = {len(motorcyclist_shape(MOTORCYCLE_M, np.random.default_rng(k)).solid.triangles) for k in range(12)}
    assert len(kinds) > 2

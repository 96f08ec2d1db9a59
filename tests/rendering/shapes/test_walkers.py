import numpy as np
import pytest

from tests.rendering.shapes.surface_checks import check_surface, piece_volumes
from worldgen.rendering.shapes.gait import (
    ANKLE_DEG,
    KNEE_DEG,
    THIGH_DEG,
    BodyPose,
    Manner,
    Stature,
    harmonic,
    walking_pose,
)  # fmt: skip
from worldgen.rendering.shapes.solid import Shape
from worldgen.rendering.shapes.walkers import grounded, walker_shape

PHASES = np.linspace(0, 2 * np.pi, 32, endpoint=False)
HEIGHTS = {"adult": 1.74, "elder": 1.66, "child": 1.2}
JOINTS = ("hips", "knees", "ankles", "shoulders", "elbows", "wrists")


def walker(kind: str, speed: float = 1.4, seed: int = 0, phases: np.ndarray = PHASES, **options: bool) -> Shape:
    size = (0.5, 0.55, HEIGHTS[kind])
    rng = np.random.default_rng(seed)
    return walker_shape(size, phases, np.full(len(phases), speed), rng, elder=kind == "elder", **options)


def own_z(shape: Shape) -> np.ndarray:
    """Heights ``(T, V)`` of the vertices of the person, without what is carried."""
    finishes = shape.solid.finishes
    own = np.array([not f.carried for f in finishes])[shape.solid.finish]
    return shape.solid.vertices[:, np.unique(shape.solid.triangles[own]), 2]


@pytest.mark.parametrize("kind", HEIGHTS)
@pytest.mark.parametrize("seed", range(6))
def test_people_are_as_tall_as_asked_and_stand_on_the_ground(kind, seed):
    for speed in (0.0, 0.2, 1.4, 2.8):
        z = own_z(walker(kind, speed, seed, rain=seed % 2 == 0))
        assert np.abs(z.min(1)).max() < 0.01, (speed, z.min(1))
        assert z.max() <= HEIGHTS[kind] + 1e-4, (speed, z.max())
        assert z.max() > HEIGHTS[kind] * (0.96 if speed else 0.997), (speed, z.max())


@pytest.mark.parametrize("seed", range(4))
def test_surfaces_are_closed_and_face_outwards(seed):
    shape = walker("adult", seed=seed, rain=True, phases=PHASES[::8])
    check_surface(shape.solid)
    assert len(piece_volumes(shape.solid)) > 8
    assert 800 < len(shape.solid.triangles) < 3500


def test_triangles_of_most_people_are_few():
    counts = [len(walker("adult", seed=seed, phases=PHASES[:1]).solid.triangles) for seed in range(30)]
    assert np.median(counts) < 2400


def mirrored(joints: np.ndarray) -> np.ndarray:
    return joints[:, ::-1] * [1.0, -1.0, 1.0]


@pytest.mark.parametrize("speed", [0.5, 1.4, 3.0])
def test_half_a_cycle_later_the_other_leg_does_the_same(speed):
    body = Stature.of(1.74)
    pose = [walking_pose(body, PHASES + shift, np.full(32, speed), Manner()) for shift in (0.0, np.pi)]
    for name in JOINTS:
        assert np.allclose(mirrored(getattr(pose[0], name)), getattr(pose[1], name), atol=1e-9), name


MANNERS = (Manner(), Manner(0.8, 0.15, 0.1, -0.2), Manner(arms="phone"), Manner(arms="umbrella"))


@pytest.mark.parametrize("manner", MANNERS)
def test_bones_keep_their_length(manner):
    body = Stature.of(1.7)
    speed = np.linspace(0.0, 3.5, 32)
    pose = grounded(body, walking_pose(body, PHASES, speed, manner), manner)
    for a, b, length in (
        ("hips", "knees", body.thigh), ("knees", "ankles", body.shank), ("shoulders", "elbows", body.upper_arm),
        ("elbows", "wrists", body.forearm),
    ):  # fmt: skip
        assert np.allclose(np.linalg.norm(getattr(pose, a) - getattr(pose, b), axis=-1), length), (a, b)


def test_gait_curves_follow_the_table():
    for table in (THIGH_DEG, KNEE_DEG, ANKLE_DEG):
        curve = np.degrees(harmonic(table, np.arange(20) / 20))
        assert np.abs(curve - table).max() < 2.5
        assert np.allclose(harmonic(table, np.array([0.3])), harmonic(table, np.array([1.3])))


def stance_slip(pose: BodyPose, stride_m: float, height: float) -> float:
    """Greatest way (m) that the foot moves over the ground while its sole is flat, in a cycle of ``stride_m``."""
    forward = np.arange(len(PHASES)) * stride_m / len(PHASES)
    on_ground = forward + pose.ankles[:, 0, 0]
    flat = slice(int(0.12 * len(PHASES)), int(0.40 * len(PHASES)))
    return float(np.ptp(on_ground[flat]))


def test_feet_hardly_slip():
    body = Stature.of(1.74)
    pose = walking_pose(body, PHASES, np.full(32, 1.4), Manner())
    assert stance_slip(pose, 1.45, 1.74) < 0.08
    assert stance_slip(pose, 0.0, 1.74) > 0.3  # a foot on the spot would be seen


def test_the_walk_is_smooth():
    phases = np.linspace(0, 4 * np.pi, 400)
    z = own_z(walker("adult", phases=phases)).max(1)
    assert np.abs(np.diff(z)).max() < 0.004 and np.ptp(z) < 0.06


def test_same_seed_same_person_whatever_the_frames():
    one, two = walker("adult", seed=5), walker("adult", seed=5, phases=PHASES[:3])
    assert np.array_equal(one.solid.triangles, two.solid.triangles) and one.solid.finishes == two.solid.finishes
    assert np.array_equal(one.solid.vertices[:3], two.solid.vertices)
    other = walker("adult", seed=6)
    assert other.solid.finishes != one.solid.finishes


def test_what_is_carried_is_marked_and_dark_clothes_are_dark():
    rain = [walker("adult", seed=seed, rain=True, phases=PHASES[:1]) for seed in range(60)]
    high = [s for s in rain if s.solid.vertices[..., 2].max() > 1.9]  # umbrellas
    assert 0.4 < len(high) / 60 < 0.8
    for shape in high:
        assert own_z(shape).max() <= HEIGHTS["adult"] + 1e-4
    for seed in range(10):
        finishes = walker("adult", seed=seed, dark=True, phases=PHASES[:1]).solid.finishes
        assert max(finishes[0].colour) < 0.04  # trousers


def test_a_vest_is_worn():
    area = [
        len(np.unique(walker("adult", seed=3, vest=vest, phases=PHASES[:1]).solid.finish)) for vest in (True, False)
    ]
    assert area[0] == area[1] + 2

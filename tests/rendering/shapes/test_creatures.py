import numpy as np
import pytest

from tests.rendering.shapes.surface_checks import check_surface
from worldgen.rendering.shapes.creatures import creature_shape
from worldgen.rendering.shapes.road_objects import cargo_box_shape, cone_shape, signal_shape, tyre_shape
from worldgen.rendering.shapes.solid import LAMP_CODES, Shape

PHASES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
SIZES = {"deer": (1.7, 0.5, 1.35), "dog": (0.85, 0.28, 0.6)}


def creature(variant: str, seed: int = 0, speed: float = 3.0) -> Shape:
    return creature_shape(variant, SIZES[variant], PHASES, np.full(12, speed), np.random.default_rng(seed))


@pytest.mark.parametrize("variant", SIZES)
@pytest.mark.parametrize("seed", range(4))
def test_animals_fill_their_size_and_stand_on_the_ground(variant, seed):
    for speed in (0.0, 1.0, 5.0):
        vertices = creature(variant, seed, speed).solid.vertices
        length, width, height = SIZES[variant]
        assert np.abs(vertices[..., 2].min(1)).max() < 1e-4
        assert abs(vertices[..., 2].max() - height) < 1e-4 and vertices[..., 2].max(1).min() > 0.93 * height
        assert abs(np.ptp(vertices[0, :, 0]) - length) < 1e-3 and np.ptp(vertices[..., 1]) < 1.2 * width


@pytest.mark.parametrize("variant", SIZES)
def test_animals_face_outwards_and_trot(variant):
    shape = creature(variant, 1)
    check_surface(shape.solid)
    assert len(shape.solid.triangles) < 3000
    legs = shape.solid.vertices[:, shape.solid.vertices[0, :, 2] < 0.3 * SIZES[variant][2]]
    assert np.ptp(legs[..., 0], axis=0).max() > 0.12 * SIZES[variant][0]
    still = creature(variant, 1, 0.0).solid.vertices
    assert np.abs(still - still[:1]).max() < 1e-5


def test_half_a_cycle_later_the_other_diagonal_does_the_same():
    x = np.sort(creature("dog").solid.vertices.round(4)[..., 0], axis=1)
    assert np.allclose(x[:6], x[6:], atol=2e-3)


def things() -> dict[str, Shape]:
    rng = np.random.default_rng
    return {
        "cone": cone_shape((0.38, 0.38, 0.75), rng(0)), "other cone": cone_shape((0.38, 0.38, 0.75), rng(3)),
        "carton": cargo_box_shape((0.9, 0.8, 0.8), rng(0)), "crate": cargo_box_shape((0.9, 0.8, 0.8), rng(2)),
        "tyre": tyre_shape((0.7, 0.7, 0.25), rng(0)), "signal": signal_shape((0.3, 0.35, 0.95)),
    }  # fmt: skip


@pytest.mark.parametrize("name", things())
def test_things_face_outwards_and_fill_their_size(name):
    shape = things()[name]
    check_surface(shape.solid)
    low, high = shape.solid.vertices.min((0, 1)), shape.solid.vertices.max((0, 1))
    assert abs(low[2]) < 0.01 and abs(high[2] - shape.size_m[2]) < 0.03
    assert len(shape.solid.triangles) < 800


def test_a_traffic_light_has_its_lamps_from_green_to_red():
    shape = signal_shape((0.3, 0.35, 0.95))
    lamps = shape.tables["lamp"][shape.solid.finish]
    heights = [
        shape.solid.vertices[0, shape.solid.triangles[lamps == LAMP_CODES[name]]].mean((0, 1))
        for name in ("green", "amber", "red")
    ]
    assert heights[0][2] < heights[1][2] < heights[2][2] and all(h[0] > 0.05 for h in heights)


def test_tape_is_painted_on_cartons_at_any_footprint():
    shape = things()["carton"]
    points = np.array([[0.45, 0.0, 0.7], [0.45, 0.3, 0.7], [0.45, 0.0, 0.1]], np.float32)
    normals = np.tile(np.array([1.0, 0.0, 0.0], np.float32), (3, 1))
    face = np.flatnonzero(shape.tables["code"][shape.solid.finish] == 1)[:1]
    for footprint in (0.001, 0.02):
        albedo = shape.surface(np.repeat(face, 3), points, normals, np.full(3, footprint, np.float32)).albedo
        assert albedo[0].mean() > 1.1 * albedo[1].mean() and np.allclose(albedo[1], albedo[2])


def test_same_seed_same_animal():
    one, two, other = creature("deer", 4), creature("deer", 4), creature("deer", 6)
    assert np.array_equal(one.solid.vertices, two.solid.vertices)
    assert one.solid.finishes == two.solid.finishes != other.solid.finishes

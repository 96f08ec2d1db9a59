import numpy as np
import pytest

from tests.rendering.shapes.surface_checks import check_surface
from worldgen.core.scene import STATIC_KINDS
from worldgen.rendering.shapes.roadside import sign_faces
from worldgen.rendering.shapes.roadside.furniture import ARM_M, FURNITURE, furniture_shape
from worldgen.rendering.shapes.roadside.sign_faces import PlatePaint
from worldgen.rendering.shapes.solid import LAMP_CODES, Shape

SIZES = {
    "pole": ((0.25, 0.25, 8.0), (0.16, 0.16, 3.4)), "street_lamp": ((0.2, 0.2, 7.5), (0.22, 0.22, 10.0)),
    "traffic_light": ((0.2, 0.2, 3.4),), "sign": ((0.08, 0.6, 2.4), (0.15, 3.0, 5.0)),
    "construction_sign": ((0.1, 0.9, 1.6), (0.1, 1.5, 1.6)), "barrier": ((4.0, 0.5, 0.9), (2.4, 0.45, 1.0)),
    "guard_rail": ((4.0, 0.25, 0.75),), "fence": ((5.8, 0.08, 1.1), (14.0, 0.1, 1.3)), "bus_stop": ((4.0, 1.3, 2.5),),
    "bollard": ((0.15, 0.15, 0.9), (0.12, 0.12, 1.0)), "bin": ((0.5, 0.5, 1.0), (0.6, 0.6, 1.1)),
}  # fmt: skip
CASES = [(kind, size, style) for kind, sizes in SIZES.items() for size in sizes for style in range(5)]


def test_every_kind_that_is_no_plant_and_no_building_has_a_shape():
    assert set(FURNITURE) == set(STATIC_KINDS) - {"building", "tree", "bush", "hedge"} == set(SIZES)


@pytest.mark.parametrize(("kind", "size", "style"), CASES)
def test_furniture_faces_outwards_and_fills_its_size(kind, size, style):
    shape = furniture_shape(kind, size, style)
    check_surface(shape.solid, disagree=0.02)
    low, high = shape.solid.vertices[0].min(0), shape.solid.vertices[0].max(0)
    assert -0.35 < low[2] < 0.1 and abs(high[2] - size[2]) < 0.15
    if size[0] > 2:
        assert abs(high[0] - size[0] / 2) < 0.2 and abs(low[0] + size[0] / 2) < 0.2
    assert len(shape.solid.triangles) < 1300 and not shape.solid.moves
    again = furniture_shape(kind, size, style)
    assert np.array_equal(shape.solid.vertices, again.solid.vertices) and shape.solid.finishes == again.solid.finishes


def middle_of(shape: Shape, lamp: str) -> np.ndarray:
    lit = shape.tables["lamp"][shape.solid.finish] == LAMP_CODES[lamp]
    assert lit.any()
    return shape.solid.vertices[0, shape.solid.triangles[lit]].mean((0, 1))


def test_lamps_are_where_light_is_cast_from():
    x, y, z = middle_of(furniture_shape("street_lamp", (0.2, 0.2, 7.5), 2), "warm")
    assert abs(x - ARM_M) < 0.05 and abs(y) < 0.01 and abs(z - 7.42) < 0.05
    post = furniture_shape("traffic_light", (0.2, 0.2, 3.4), 0)
    green, red = middle_of(post, "green"), middle_of(post, "red")
    assert green[2] < red[2] and red[0] < 0  # it faces -x
    middle_of(furniture_shape("construction_sign", (0.1, 0.9, 1.6), 0), "beacon")
    middle_of(furniture_shape("bus_stop", (4.0, 1.3, 2.5), 0), "window")


def painted(shape: Shape, right_m: float, up_m: float, facing: int, footprint_m: float) -> np.ndarray:
    """Albedo of the first face at a place from the middle of its plate."""
    face = int(np.flatnonzero(shape.tables["code"][shape.solid.finish] == 1)[0])
    corners = shape.solid.vertices[0, np.unique(shape.solid.triangles[shape.tables["code"][shape.solid.finish] == 1])]
    middle = (corners.min(0) + corners.max(0)) / 2
    point = middle + np.array([0.0, facing * right_m, up_m])
    row = lambda v: np.asarray(v, np.float32)[None]  # noqa: E731
    surface = shape.surface(
        np.array([face]), row(point), row([facing, 0, 0]), np.array([footprint_m], np.float32)
    )  # fmt: skip
    return surface.albedo[0]


def test_signs_show_their_faces_upright_and_the_right_way_round():
    picture = sign_faces.speed_limit("30")
    assert picture[0, 48, 0] > 2 * picture[0, 48, 1] and picture[20, 48].min() > 0.4  # red ring, white inside
    work = furniture_shape("construction_sign", (0.1, 0.9, 1.6), 0)
    assert painted(work, 0.0, 0.38, -1, 0.002)[0] > 0.2  # orange above the figure
    arrows = furniture_shape("construction_sign", (0.1, 1.5, 1.6), 0)
    tip = painted(
        arrows, -0.75 + 0.75 * (0.25 + 0.38), 0.0, -1, 0.002
    )  # the first arrow's tip is black, its notch is not
    notch = painted(arrows, -0.75 + 0.75 * (0.25 + 0.12), 0.0, -1, 0.002)
    assert tip.mean() < 0.1 < notch.mean()


def test_far_away_a_sign_has_its_mean_colour():
    picture = np.zeros((64, 64, 3), np.float32)
    picture[::2] = 0.8
    paint = PlatePaint([(picture, (0.0, 2.0), (0.5, 0.5), 1)])
    shape = furniture_shape("sign", (0.08, 0.6, 2.4), 0)
    shape = Shape(shape.solid, shape.size_m, paint)
    near = [painted(shape, 0.0, k / 300, 1, 0.0001)[0] for k in range(20)]
    far = [painted(shape, 0.0, k / 300, 1, 0.5)[0] for k in range(20)]
    assert np.ptp(near) > 0.5 and np.ptp(far) < 0.05 and abs(np.mean(far) - 0.4) < 0.05


def test_stripes_fade_to_their_mean_and_concrete_is_grey():
    shape = furniture_shape("barrier", (2.4, 0.45, 1.0), 0)
    code = shape.tables["code"][shape.solid.finish]
    face = int(np.flatnonzero(code == 2)[0])
    x = np.linspace(-1, 1, 200, dtype=np.float32)
    points = np.stack([x, 0 * x, 0 * x + 0.5], 1)
    normals = np.tile(np.array([0, 1, 0], np.float32), (200, 1))
    reds = [
        shape.surface(np.full(200, face), points, normals, np.full(200, f, np.float32)).albedo[:, 1]
        for f in (0.005, 2.0)
    ]
    assert np.ptp(reds[0]) > 0.3 and np.ptp(reds[1]) < 1e-6
    assert abs(reds[0].mean() - reds[1].mean()) < 0.06

"""Boxes and maps are where geometry says: closed forms of filling, projection and borders."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rendering.controls.scenes import FRAMES, street
from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES
from worldgen.core.scene import Patch
from worldgen.rendering.controls.cuboids import Cuboid, CuboidPainter, label_cuboids, scene_cuboids
from worldgen.rendering.controls.map_elements import road_borders
from worldgen.rendering.controls.pixel_fill import NEAR_M, clipped, draw_line, fill_convex, in_camera, on_image
from worldgen.rendering.controls.scenario_map import BOX_COLOURS, LIGHT_COLOURS, MAP_COLOURS, ScenarioMapPainter
from worldgen.rendering.controls.scene_controls import scene_controls

CAMERA = Camera.from_fov(200, 120, 90.0, height_m=1.5)
GREY = (9, 9, 9)


def test_a_polygon_fills_the_pixels_whose_centres_it_holds() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    fill_convex(image, np.array([(3.6, 2.4), (10.4, 2.4), (10.4, 7.6), (3.6, 7.6)]), GREY)
    rows, columns = np.nonzero(image[..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 7, 4, 9) and len(rows) == 36
    back = np.zeros_like(image)
    fill_convex(back, np.array([(3.6, 7.6), (10.4, 7.6), (10.4, 2.4), (3.6, 2.4)]), GREY)
    assert np.array_equal(back, image)
    fill_convex(back, np.array([(-50.0, -50.0), (90.0, -50.0), (90.0, 90.0), (-50.0, 90.0)]), GREY)
    assert (back == 9).all()


def test_lines_have_their_width_and_end_in_front_of_the_camera() -> None:
    image = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
    ends = in_camera(CAMERA, np.array([[-5.0, 0.0, 0.0], [400.0, 0.0, 0.0]]))  # from behind the car to the horizon
    draw_line(image, CAMERA, ends, width_px=4.0, colour=GREY)
    filled = (image[..., 0] > 0).sum(1)
    assert (filled[63:] == 4).all() and not filled[:58].any()
    cut = clipped(np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 3.0]]), closed=False)
    assert cut[:, 2].tolist() == [NEAR_M, 3.0]
    assert len(clipped(np.array([[0, 0, -2.0], [1, 0, 2.0], [-1, 0, 2.0]]))) == 4


def test_a_box_straight_ahead_has_its_analytic_picture() -> None:
    image = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
    depth = np.full(image.shape[:2], np.inf)
    box = Cuboid("car", np.array([12.0, 0.0, 1.5, 4.0, 2.0, 2.0, 0.0]))
    CuboidPainter(CAMERA).paint(image, depth, box, front=(200, 0, 0), rear=(0, 200, 0), edge_px=0.0, edge=GREY)
    rows, columns = np.nonzero(np.isfinite(depth))
    assert depth[60, 100] == pytest.approx(10.0, abs=1e-4)  # the rear face, half a length before the centre
    assert (columns.min(), columns.max()) == (90, 109) and (rows.min(), rows.max()) == (50, 69)  # 1 m at 10 m: 10 px
    assert image[60, 100].tolist() == [0, 200, 0]  # only its rear is seen
    behind = Cuboid("car", np.array([30.0, 0.0, 1.5, 4.0, 2.0, 2.0, 0.0]))
    before = image.copy()
    CuboidPainter(CAMERA).paint(image, depth, behind, front=GREY, rear=GREY, edge_px=0.0, edge=GREY)
    assert np.array_equal(image, before)


def test_the_colour_of_a_box_goes_from_front_to_rear() -> None:
    image = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
    side = Cuboid("car", np.array([10.0, 0.0, 1.5, 8.0, 2.0, 2.0, np.pi / 2]))  # it faces left
    CuboidPainter(CAMERA).paint(
        image, np.full(image.shape[:2], np.inf), side, front=(200, 0, 0), rear=(0, 0, 0), edge_px=0.0, edge=GREY
    )
    red = image[60, :, 0][image[60].any(-1)].astype(int)
    assert red[0] > 190 and (np.diff(red) <= 0).all() and red[-1] < 10


def test_boxes_of_a_scene_enclose_what_is_drawn_and_equal_those_of_its_labels() -> None:
    scene, rendering, labels = street()
    painter = CuboidPainter(scene.camera)
    checked = 0
    for number, frame in enumerate(FRAMES):
        agents = [agent for agent in scene.agents if agent.present[frame]]
        cuboids = scene_cuboids(scene, frame)
        placed = [c.row for c, a in zip(cuboids, agents, strict=True) if a.label is not None]
        for cuboid in label_cuboids(labels, number):
            assert min(np.abs(cuboid.row - row).max() for row in placed) < 1e-4
        for agent, cuboid in zip(agents, cuboids, strict=True):
            shown = rendering.instance[number] == agent.track_id
            if agent.label in ("car", "truck") and shown.sum() > 60:
                image = np.zeros((*shown.shape, 3), np.uint8)
                depth = np.full(shown.shape, np.inf)
                painter.paint(image, depth, cuboid, front=GREY, rear=GREY, edge_px=0.0, edge=GREY)
                assert (np.isfinite(depth) & shown).sum() > 0.95 * shown.sum(), agent
                checked += 1
    assert checked >= 3


def test_the_map_has_the_published_colours_only() -> None:
    scene, rendering, _ = street()
    video = scene_controls(scene, rendering, ["wsm"], frames=FRAMES)["wsm"]
    flat = {tuple(c) for c in np.unique(video.reshape(-1, 3), axis=0).tolist()}
    kinds = {name for name, colour in MAP_COLOURS.items() if colour in flat}
    assert {"lanelines_white", "road_boundaries", "crosswalks", "poles"} <= kinds
    assert flat & set(LIGHT_COLOURS.values())
    known = {(0, 0, 0), (200, 200, 200), *MAP_COLOURS.values(), *LIGHT_COLOURS.values()}
    for colour in flat - known:  # the rest lies between the two colours of a kind of cuboid
        gaps = []
        for front, rear in BOX_COLOURS.values():
            first, last = np.array(front, float), np.array(rear, float)
            share = np.clip((np.array(colour) - first) @ (last - first) / ((last - first) @ (last - first)), 0, 1)
            gaps.append(np.abs(first + share * (last - first) - colour).max())
        assert min(gaps) <= 1, colour


def test_a_traffic_light_shows_its_state_and_recorded_ones_are_unknown() -> None:
    box = np.array([10.0, 0.0, 1.5, 0.3, 0.4, 1.0, 0.0])
    for light, colour in ((3, "red"), (2, "amber"), (1, "green"), (0, "off"), (None, "off")):
        image = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
        ScenarioMapPainter(CAMERA).paint_cuboids(image, [Cuboid("traffic_light", box, light)], [])
        assert tuple(image[60, 100].tolist()) == LIGHT_COLOURS[colour]
    assert CLASSES.index("traffic_light") >= 0


def test_borders_of_a_road_are_the_outline_of_the_union_of_its_patches() -> None:
    def rectangle(x0: float, y0: float, x1: float, y1: float, drivable: bool = True) -> Patch:
        return Patch(np.array([[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0]], float), "asphalt", drivable)

    cross = (rectangle(0, -4, 80, 4), rectangle(36, -40, 44, 40), rectangle(-9, -9, 90, 9, drivable=False))
    pieces = road_borders(cross)
    length = sum(float(np.linalg.norm(b - a)) for a, b in pieces)
    # A cross of two streets 8 m wide: 4 ends of 8 m, and 8 sides, of 36 m each.
    assert length == pytest.approx(4 * 8 + 8 * 36, abs=8 * 0.8)
    inner = [p for p in np.concatenate(pieces) if 36.9 < p[0] < 43.1 and abs(p[1]) < 3.1]
    assert not inner


def test_on_image_agrees_with_the_camera() -> None:
    points = np.array([[10.0, 2.0, 0.5], [4.0, -1.0, 2.0]])
    assert np.allclose(on_image(CAMERA, in_camera(CAMERA, points)), CAMERA.project(points)[0])

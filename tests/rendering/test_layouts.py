"""Layouts: shares of cells, at any resolution, consistent with the rendered classes and depth."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rendering.small_scenes import agent, plain_scene
from worldgen.core.errors import InputError
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.layout_channels import DEPTH_SCALE_M, MOTION_CHANNELS, MOTION_RANGE_MPS
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.rendering.drawing.ground import SEMANTICS
from worldgen.rendering.drawing.raster import RasterScene
from worldgen.rendering.layouts import LAYOUT_CHANNELS, layout_maps
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

CAR = LAYOUT_CHANNELS.index("car")


@pytest.fixture(scope="module")
def scene():
    cast = (
        agent(1, "car", "sedan", x=14.0, speed=8.0),
        agent(2, "pedestrian", "adult", x=18.0, y=3.0, yaw=-1.57, speed=1.4),
        agent(3, "traffic_cone", "cone", x=30.0, y=-3.0),
    )
    return plain_scene(agents=cast)


def test_channels_and_range(scene) -> None:
    maps = layout_maps(scene, 16, 28)
    assert LAYOUT_CHANNELS[:3] == ("drivable", "lane_marks", "crossing") and LAYOUT_CHANNELS[3:12] == LAYOUT_CLASSES
    assert maps.shape == (3, len(LAYOUT_CHANNELS), 16, 28) and maps.dtype == np.float16
    assert maps.min() >= 0.0 and maps.max() <= 1.0


def test_low_resolution_is_the_area_average_of_high_resolution(scene) -> None:
    fine, coarse = layout_maps(scene, 128, 224), layout_maps(scene, 16, 28)
    averaged = fine.astype(np.float32).reshape(3, len(LAYOUT_CHANNELS), 16, 8, 28, 8).mean((3, 5))
    np.testing.assert_allclose(coarse, averaged, atol=1e-3)  # float16


def test_small_objects_leave_a_fraction(scene) -> None:
    cone = layout_maps(scene, 16, 28)[0, LAYOUT_CHANNELS.index("traffic_cone")]
    assert 0.0 < cone.max() < 0.5


def test_silhouettes_agree_with_the_rendered_classes(scene) -> None:
    semantic = render_scene(scene).semantic
    maps = layout_maps(scene, 128, 224)
    for name in ("car", "pedestrian"):
        seen = semantic == len(SEMANTICS) + LAYOUT_CLASSES.index(name)
        drawn = maps[:, LAYOUT_CHANNELS.index(name)] > 0.5
        assert (seen & drawn).sum() / (seen | drawn).sum() > 0.8


def test_road_is_ahead_and_marks_lie_on_it(scene) -> None:
    maps = layout_maps(scene, 64, 112)[0]
    drivable, marks = maps[0], maps[1]
    assert drivable[-1, 56] > 0.99 and drivable[0].max() == 0.0
    assert marks.max() > 0.5 and (marks <= drivable + 1e-6).all()


def test_inverse_depth_is_that_of_the_rendered_depth(scene) -> None:
    ground = layout_maps(scene, 128, 224)[0, LAYOUT_CHANNELS.index("inverse_depth")]
    depth = render_scene(scene, frames=[0]).depth[0]
    rows = [75, 90, 127]
    np.testing.assert_allclose(ground[rows, 20], DEPTH_SCALE_M / (DEPTH_SCALE_M + depth[rows, 20]), rtol=0.01)
    assert ground[0, 5] == 0.0 and ground[127, 20] > ground[90, 20] > ground[75, 20] > 0


def test_edges_separate_touching_cars() -> None:
    one, other = agent(1, "car", "sedan", x=14.0), agent(2, "car", "sedan", x=19.0, y=0.4)
    maps = layout_maps(plain_scene(agents=(one, other)), 128, 224)[0]
    inside = (maps[CAR] > 0.99) & (maps[13] > 0.4)
    assert inside.sum() > 10  # edges within the union of both silhouettes


@pytest.mark.parametrize("size", [(0, 10), (10, 4000), (2.5, 10)])
def test_bad_sizes(scene, size) -> None:
    with pytest.raises(InputError, match="layout size"):
        layout_maps(scene, *size)


def test_motion_is_the_velocity_of_what_is_seen_along_the_ego_axes():
    """Moved back by its motion over one step, the ground below a car's mask is where the car stood before."""
    scene = simulate(Scenario(agents=(AgentRequest("car"),)), 3, fps=8.0, num_frames=4)
    maps = layout_maps(scene, 128, 224)
    forward, left = (2 * MOTION_RANGE_MPS * (maps[:, c] - 0.5) for c in MOTION_CHANNELS)
    raster = RasterScene(scene, scene.camera.resized(224, 128)).draw(2)
    track = np.take(raster.track, raster.index)
    moving = [a for a in scene.agents if (track == a.track_id).sum() > 60 and abs(a.speed_mps[2]) > 1.0]
    assert moving
    yaw = scene.ego_poses[2, 2]
    for mover in moving:
        step = (mover.poses[2, :2] - mover.poses[1, :2]) * scene.fps
        expected = (step @ [np.cos(yaw), np.sin(yaw)], step @ [-np.sin(yaw), np.cos(yaw)])
        inner = track == mover.track_id
        assert np.median(forward[2][inner]) == pytest.approx(expected[0], abs=0.01)
        assert np.median(left[2][inner]) == pytest.approx(expected[1], abs=0.01)
    assert np.quantile(abs(forward[2][track == 0]), 0.98) < 1e-4  # the rest shares its cells with objects

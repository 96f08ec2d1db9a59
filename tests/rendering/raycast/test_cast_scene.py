"""Ray-cast frames: geometry as computed by hand, labels from the same ids, light that is blocked where it must be."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rendering.small_scenes import DAY, NIGHT, agent, plain_scene
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.core.scene import Static
from worldgen.rendering.drawing.ground import SEM
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.raycast.cast_renderer import CastRenderer
from worldgen.rendering.raycast.geometry import ray_mesh
from worldgen.rendering.raycast.geometry.agent_bodies import rigid_parts
from worldgen.rendering.raycast.geometry.scene_rays import FAR_M, SceneRays
from worldgen.rendering.render import render_scene

ACTORS = (
    agent(1, "car", "sedan", x=14.0, speed=8.0),
    agent(2, "pedestrian", "adult", x=16.0, y=3.0, yaw=-1.57, speed=1.4),
    agent(3, "car", "suv", x=24.0, y=0.4, size=(4.6, 1.88, 1.67)),
)


@pytest.fixture(scope="module")
def drawn():
    return draw_scene(plain_scene(agents=ACTORS))


def test_the_ground_is_as_far_as_its_row_says() -> None:
    scene = plain_scene(camera=Camera.from_fov(96, 64, 70.0, height_m=1.5))
    depth = draw_scene(scene, frames=[0])[0].depth[0]
    camera = scene.camera
    for row in (40, 50, 60):
        expected = camera.height_m * camera.fy_px / (row + 0.5 - camera.cy_px)
        # Layers of paint lie up to some millimetres above the ground.
        assert depth[row, 48] == pytest.approx(expected, rel=0.02)
    assert depth[0].min() == pytest.approx(FAR_M)


def test_masks_are_the_ids_and_boxes_enclose_them(drawn) -> None:
    rendering, labels = drawn
    assert len(labels.track_id)
    for row in range(len(labels.track_id)):
        mask = rendering.instance[labels.frame_index[row]] == labels.track_id[row]
        if not mask.any():
            assert labels.visible_fraction[row] == 0
            continue
        y, x = np.nonzero(mask)
        np.testing.assert_array_equal(labels.box_px[row], (x.min(), y.min(), x.max() + 1, y.max() + 1))
        whole = labels.amodal_box_px[row]
        assert (whole[:2] <= labels.box_px[row][:2]).all() and (whole[2:] >= labels.box_px[row][2:]).all()
    codes = {CLASSES[c] for c in labels.class_id}
    assert codes == {"car", "pedestrian"}
    np.testing.assert_array_equal(rendering.semantic == SEM["sky"], rendering.depth >= 0.99 * FAR_M)


def test_a_hidden_object_is_as_visible_as_its_pixels_without_the_others() -> None:
    both, labels = draw_scene(plain_scene(agents=ACTORS), frames=[0])
    alone, _ = draw_scene(plain_scene(agents=ACTORS[2:]), frames=[0])
    row = labels.track_id.tolist().index(3)
    seen, whole = (both.instance[0] == 3).sum(), (alone.instance[0] == 3).sum()
    assert 0 < seen < whole
    assert labels.visible_fraction[row] == pytest.approx(seen / whole, abs=1e-6)


def test_a_box_of_known_size_projects_to_its_corners() -> None:
    # The rear of the car stands 12 m ahead; its box is at least as wide as the rear and at most as the front corners.
    scene = plain_scene(agents=(agent(1, "car", "van", x=14.0, size=(5.0, 1.95, 1.95)),))
    _, labels = draw_scene(scene, frames=[0])
    length, width, height = scene.agents[0].size_m
    camera, near, far = scene.camera, 14.0 - length / 2, 14.0 + length / 2
    left, top, right, bottom = labels.amodal_box_px[0]
    assert camera.fx_px * width / far < right - left < camera.fx_px * (width + 0.5) / near
    assert bottom - camera.horizon_px == pytest.approx(camera.fy_px * camera.height_m / near, abs=2.0)
    assert bottom - top == pytest.approx(camera.fy_px * height / near, rel=0.15)


def test_a_wall_between_sun_and_ground_casts_its_shadow() -> None:
    # Sun from the left (north), 45 degrees high: a wall 9 m high and 6 m to the left shades the 9 m to its right.
    sun = {"sun_azimuth_rad": np.pi / 2, "sun_elevation_rad": np.pi / 4, "cloud_cover": 0.0}
    wall = Static("building", (12.0, 7.0, 0.0), 0.0, (10.0, 2.0, 9.0))
    scene = plain_scene(air=DAY | sun, statics=(wall,))
    rays = SceneRays(scene)
    direction = np.array([0.0, np.sqrt(0.5), np.sqrt(0.5)], np.float32)
    ground = np.array([(12.0, y, 0.05) for y in (5.5, 1.0, -2.5, -3.5)], np.float32)
    np.testing.assert_array_equal(rays.blocked(0, ground, direction), [True, True, True, False])
    lit, shaded = (
        draw_scene(plain_scene(air=DAY | sun, statics=things), frames=[0])[0].clip.frames[0] for things in ((), (wall,))
    )
    camera = scene.camera
    u, v = camera.cx_px - camera.fx_px * 1.0 / 12.0, camera.cy_px + camera.fy_px * camera.height_m / 12.0
    box = slice(int(v) - 1, int(v) + 2), slice(int(u) - 2, int(u) + 3)
    assert shaded[box].mean() < 0.75 * lit[box].mean()


@pytest.mark.parametrize(("weather", "light", "air"), [("clear", "day", DAY), ("clear", "night_lit", NIGHT)])
def test_a_frame_depends_on_the_scene_alone(weather, light, air) -> None:
    scene = plain_scene(agents=ACTORS, weather=weather, light=light, air=air)
    (all_frames, labels), (one, _) = draw_scene(scene, size=(96, 64)), draw_scene(scene, frames=[2], size=(96, 64))
    np.testing.assert_array_equal(all_frames.clip.frames[2], one.clip.frames[0])
    np.testing.assert_array_equal(all_frames.instance[2], one.instance[0])
    assert labels.num_frames == 3 and labels.width_px == 96


def test_edge_pixels_are_averages_of_four_rays() -> None:
    scene = plain_scene(agents=ACTORS)
    renderer = CastRenderer(scene, scene.camera.resized(96, 64))
    samples = renderer.grid.refined(0, renderer.grid.centres(0))
    share = np.bincount(samples.pixel, samples.weight(np.arange(len(samples.pixel))), 96 * 64)
    np.testing.assert_allclose(share, 1.0, atol=1e-6)
    counts = np.bincount(samples.pixel, minlength=96 * 64)
    assert set(np.unique(counts)) == {1, 4}
    values = np.stack([samples.pixel, 0 * samples.pixel], 1).astype(np.float32)
    np.testing.assert_allclose(samples.averaged(values, 96 * 64)[:, 0], np.arange(96 * 64), rtol=1e-5)


@pytest.mark.slow
def test_without_embree_the_same_objects_are_seen(monkeypatch) -> None:
    size = (64, 40)
    with_embree = draw_scene(plain_scene(agents=ACTORS), frames=[0], size=size)
    rigid_parts.cache_clear()
    monkeypatch.setattr(ray_mesh, "EMBREE", False)
    without = draw_scene(plain_scene(agents=ACTORS), frames=[0], size=size)  # rays of the first scene are kept
    rigid_parts.cache_clear()
    assert (with_embree[0].instance == without[0].instance).mean() >= 0.999
    assert (with_embree[0].semantic == without[0].semantic).mean() >= 0.999
    difference = np.abs(with_embree[0].clip.frames.astype(int) - without[0].clip.frames)
    assert difference.mean() < 0.5
    np.testing.assert_allclose(with_embree[1].box_px, without[1].box_px, atol=1)


def test_a_scene_drawn_at_a_second_size_looks_as_if_drawn_alone() -> None:
    first, again = plain_scene(agents=ACTORS), plain_scene(agents=ACTORS)
    draw_scene(first, frames=[1], size=(48, 32))
    after, alone = (draw_scene(scene, frames=[0], size=(64, 40))[0] for scene in (first, again))
    assert np.array_equal(after.clip.frames, alone.clip.frames)
    assert np.array_equal(after.depth, alone.depth)


def test_the_sketch_is_what_it_was() -> None:
    scene = plain_scene(agents=ACTORS)
    drawn, labels = draw_scene(scene, renderer="sketch")
    before = render_scene(scene)
    np.testing.assert_array_equal(drawn.clip.frames, before.clip.frames)
    np.testing.assert_array_equal(labels.box_px, labels_of(scene, before).box_px)
    with pytest.raises(InputError, match="renderer: received 'painter'; expected raycast or sketch"):
        draw_scene(scene, renderer="painter")  # type: ignore[arg-type]

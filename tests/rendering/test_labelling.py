"""Labels from the instance buffer, compared with pixels of separate renderings and with projected boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rendering.small_scenes import DAY, agent, plain_scene
from worldgen.core.labels import CLASSES
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate


@pytest.fixture(scope="module")
def simulated():
    asked = (AgentRequest("pedestrian", 3), AgentRequest("cyclist", 2), AgentRequest("truck", 1))
    scene = simulate(Scenario(road="urban", agents=asked), 3, num_frames=9)
    rendering = render_scene(scene)
    return scene, rendering, labels_of(scene, rendering)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.maximum(high - low, 0))
    return float(both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both))


def _mask_box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def test_boxes_surround_the_instance_masks(simulated) -> None:
    _, rendering, labels = simulated
    checked = 0
    for row in range(len(labels)):
        mask = rendering.instance[labels.frame_index[row]] == labels.track_id[row]
        if mask.any():
            assert _iou(labels.box_px[row], _mask_box(mask)) == pytest.approx(1.0)
            checked += 1
        else:
            assert labels.visible_fraction[row] == 0.0 and labels.ignore[row]
    assert checked > 50


def test_amodal_boxes_of_free_objects_agree_with_masks(simulated) -> None:
    _, rendering, labels = simulated
    free = (
        (labels.visible_fraction > 0.999)
        & (labels.truncation == 0.0)
        & (labels.amodal_box_px[:, 3] - labels.amodal_box_px[:, 1] > 24)
    )
    overlaps = []
    for row in np.flatnonzero(free):
        mask = rendering.instance[labels.frame_index[row]] == labels.track_id[row]
        overlaps.append(_iou(labels.amodal_box_px[row], _mask_box(mask)))
    assert len(overlaps) > 5 and np.mean(overlaps) > 0.88  # outlines are exact, pixels are not


def test_visible_fraction_is_a_pixel_count(simulated) -> None:
    """Against a scene in which the object stands alone, rendered by the ordinary path."""
    scene, rendering, labels = simulated
    errors = []
    for track in np.unique(labels.track_id)[:8]:
        person = next(a for a in scene.agents if a.track_id == track)
        alone = render_scene(replace(scene, agents=(person,), statics=()), frames=[0, 8])
        for picture, frame in enumerate((0, 8)):
            row = np.flatnonzero((labels.frame_index == frame) & (labels.track_id == track))
            whole = (alone.instance[picture] == track).sum()
            if len(row) and whole > 40:
                seen = (rendering.instance[frame] == track).sum()
                errors.append(abs(labels.visible_fraction[row[0]] - seen / whole))
    assert len(errors) >= 5 and max(errors) < 0.02


def _walkers(rain_mmph: float):
    """Pedestrians side by side, each alone in view, of many styles, all of them adults of 1.74 m."""
    air = DAY | {"rain_mmph": rain_mmph}
    for style in range(24):
        person = replace(agent(1, "pedestrian", "adult", x=9.0, y=0.8), style=style)
        yield plain_scene(agents=(person,), air=air)


@pytest.mark.parametrize("rain_mmph", [0.0, 8.0])
def test_the_box_of_a_person_is_the_body(rain_mmph) -> None:
    """Umbrellas, bags and backpacks are out of the box: its height is that of the body in rain as in dry weather."""
    ratios, carrying = [], 0
    for scene in _walkers(rain_mmph):
        rendering = render_scene(scene, size=(448, 256))
        labels = labels_of(scene, rendering).at(0)
        camera = scene.camera.resized(448, 256)
        foot, head = (camera.project(np.array([9.0, 0.8, z]))[0][1] for z in (0.0, 1.74))
        for box in (labels.box_px[0], labels.amodal_box_px[0]):
            ratios.append((box[3] - box[1]) / (foot - head))
        carrying += bool((rendering.instance[0] == -1).any())
        assert _iou(labels.box_px[0], _mask_box(rendering.instance[0] == 1)) == pytest.approx(1.0)
        assert labels.visible_fraction[0] > 0.7  # the own umbrella may hide a part
    assert 0.98 < np.median(ratios) < 1.02 and min(ratios) > 0.94 and max(ratios) < 1.06
    assert carrying > 4


def test_tracks_are_continuous(simulated) -> None:
    _, _, labels = simulated
    for track in np.unique(labels.track_id):
        rows = labels.track_id == track
        frames = labels.frame_index[rows]
        assert len(set(labels.class_id[rows])) == 1
        gaps = np.diff(frames)
        centre = labels.box3d[rows][:, :2]
        assert (gaps >= 1).all()
        # A track may leave the picture and come back, but it never jumps in space.
        assert np.linalg.norm(np.diff(centre, axis=0), axis=1).max(initial=0) < 6.0 * gaps.max(initial=1)


def test_boxes_in_space_project_into_boxes_in_the_picture(simulated) -> None:
    scene, _, labels = simulated
    pixels, depth = scene.camera.project(labels.box3d[:, :3].astype(float))
    box = labels.amodal_box_px
    ahead = depth > 3.0
    inside = (
        (pixels[:, 0] >= box[:, 0] - 2)
        & (pixels[:, 0] <= box[:, 2] + 2)
        & (pixels[:, 1] >= box[:, 1] - 2)
        & (pixels[:, 1] <= box[:, 3] + 2)
    )
    assert ahead.sum() > 50 and inside[ahead].mean() > 0.99
    left = labels.box3d[ahead, 1] > 0.05 * labels.box3d[ahead, 0]
    middle = (box[ahead, 0] + box[ahead, 2]) / 2
    assert (middle[left] < scene.camera.cx_px + 8).all()


def test_farther_means_smaller() -> None:
    cast = tuple(agent(k, "car", "sedan", x=10.0 + 14 * k, y=-4.0 + 3.0 * k) for k in range(1, 4))
    labels = labels_of(plain_scene(agents=cast)).at(0)
    heights = labels.amodal_box_px[:, 3] - labels.amodal_box_px[:, 1]
    assert list(labels.track_id) == [1, 2, 3] and (np.diff(heights) < 0).all()
    assert (np.diff(labels.box3d[:, 0]) > 0).all()


def test_hidden_and_tiny_objects_are_flagged_not_dropped() -> None:
    cast = (
        agent(1, "truck", "box_truck", x=12.0), agent(2, "pedestrian", "adult", x=22.0),
        agent(3, "traffic_cone", "cone", x=90.0, y=8.0), agent(4, "car", "sedan", x=-15.0),
    )  # fmt: skip
    labels = labels_of(plain_scene(agents=cast)).at(0)
    assert list(labels.track_id) == [1, 2, 3]  # what is behind the camera has no label
    assert labels.visible_fraction[1] == 0.0 and labels.occlusion[1] == 1.0 and labels.ignore[1]
    assert labels.amodal_box_px[1, 3] > labels.amodal_box_px[1, 1]
    assert labels.ignore[2] and not labels.ignore[0]


def test_half_occlusion_is_half() -> None:
    wall = agent(1, "cargo", "cargo_box", x=10.0, y=1.5, size=(0.2, 3.0, 4.0), label=None)
    behind = agent(2, "car", "sedan", x=20.0, y=0.0)
    labels = labels_of(plain_scene(agents=(wall, behind)), size=(896, 512)).at(0)
    assert labels.visible_fraction[0] == pytest.approx(0.5, abs=0.08)


def test_truncation_is_the_share_outside() -> None:
    cut = labels_of(plain_scene(agents=(agent(1, "car", "sedan", x=4.8, y=2.6),))).at(0)
    box = cut.amodal_box_px[0]
    inside = np.prod(np.minimum(box[2:], (224, 128)) - np.maximum(box[:2], 0))
    assert cut.truncation[0] == pytest.approx(1 - inside / np.prod(box[2:] - box[:2]), abs=1e-4)
    assert cut.truncation[0] > 0.2


def test_fog_beyond_sight_is_flagged() -> None:
    cast = (agent(1, "car", "sedan", x=20.0), agent(2, "car", "sedan", x=75.0, y=3.5))
    labels = labels_of(plain_scene(agents=cast, weather="fog", air=DAY | {"visibility_m": 60.0})).at(0)
    assert list(labels.ignore) == [False, True]


def test_labels_need_no_picture(simulated) -> None:
    scene, _, labels = simulated
    alone = labels_of(scene, frames=[2, 5])
    expected = labels.where(np.isin(labels.frame_index, (2, 5)))
    np.testing.assert_array_equal(alone.track_id, expected.track_id)
    np.testing.assert_array_equal(alone.box_px, expected.box_px)
    assert set(alone.frame_index) == {0, 1}


def test_classes_come_from_labels_not_kinds() -> None:
    cast = (
        agent(1, "van", "sedan", x=15.0, label="car"),
        agent(2, "animal", "deer", x=12.0, y=3.0, size=(1.7, 0.5, 1.35), label=None),
    )
    labels = labels_of(plain_scene(agents=cast))
    assert {CLASSES[k] for k in labels.class_id} == {"car"} and set(labels.track_id) == {1}

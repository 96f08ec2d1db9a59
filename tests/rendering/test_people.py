"""Bodies of people: as high as their size says and on the ground in every frame, whatever they wear, carry or do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rendering.small_scenes import agent
from worldgen.core.scenario import Scenario
from worldgen.rendering.drawing.scene_geometry import agent_mesh
from worldgen.rendering.labelling import labels_of
from worldgen.simulation.actors import draw_size
from worldgen.simulation.simulate import simulate

FRAMES = 24
PEOPLE = [
    ("pedestrian", "adult"), ("pedestrian", "elder"), ("child", "child"), ("cyclist", "bicycle"),
    ("motorcycle", "motorbike"), ("bicycle", "bicycle"),
]  # fmt: skip


def heights(kind: str, variant: str, speed_mps: float, style: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest point ``(T,)`` of a body over one gait cycle, over its height."""
    size = draw_size(np.random.default_rng(style), kind, variant)
    one = replace(
        agent(1, kind, variant, x=9.0, size=size, frames=FRAMES), style=style, speed_mps=np.full(FRAMES, speed_mps),
        gait_phase=np.linspace(0, 2 * np.pi, FRAMES, endpoint=False),
    )  # fmt: skip
    mesh = agent_mesh(one, rain=True)
    ends = np.cumsum(mesh.counts)
    body = np.concatenate(
        [mesh.flat[e - n : e] for e, n, c in zip(ends, mesh.counts, mesh.carried, strict=True) if not c]
    )
    z = np.broadcast_to(mesh.vertices, (FRAMES, *mesh.vertices.shape[1:]))[:, np.unique(body), 2] / size[2]
    return z.min(1), z.max(1)


@pytest.mark.parametrize(("kind", "variant"), PEOPLE)
def test_a_body_at_rest_is_as_high_as_its_size_says(kind, variant):
    for style in range(20):
        low, high = heights(kind, variant, 0.0, style)
        assert np.abs(low).max() < 0.002 and np.abs(high - 1).max() < 0.01, (style, low, high)


@pytest.mark.parametrize(("kind", "variant"), PEOPLE)
@pytest.mark.parametrize("speed_mps", [0.8, 1.4, 3.5])
def test_a_body_that_moves_stays_on_the_ground_and_never_grows(kind, variant, speed_mps):
    for style in range(5):
        low, high = heights(kind, variant, speed_mps, style)
        assert np.abs(low).max() < 0.005 and high.max() < 1.01
        if speed_mps < 2:  # a runner with spread legs is lower
            assert np.median(high) > 0.97 and high.min() > 0.94


def test_boxes_of_people_in_rain_are_as_high_as_the_people():
    """The labels of walkers in night rain, at the places where they really are, against their upright axis."""
    ratios = []
    for seed, event in enumerate(("jaywalker", "group_crossing", "pedestrian_on_crossing", "jaywalker")):
        scenario = Scenario("heavy_rain", "night_lit", "urban", events=(event,), duration_s=3.0)
        scene = simulate(scenario, seed, fps=8.0)
        labels = labels_of(scene, frames=range(0, scene.num_frames, 3))
        camera = scene.camera
        for row in np.flatnonzero((labels.visible_fraction > 0.95) & (labels.truncation < 0.01)):
            x, y, z, _, _, height, _ = labels.box3d[row].astype(float)
            person = next(a for a in scene.agents if a.track_id == labels.track_id[row])
            box = labels.amodal_box_px[row]
            if person.label == "pedestrian" and box[3] - box[1] >= 15:
                ends = [camera.project(np.array([x, y, z + part * height]))[0][1] for part in (-0.5, 0.5)]
                ratios.append((box[3] - box[1]) / (ends[0] - ends[1]))
    assert len(ratios) >= 30 and 0.98 < np.median(ratios) < 1.02, (len(ratios), np.median(ratios))

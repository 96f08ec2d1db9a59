"""Scenes simulated again from the record of a clip, and the same scenes under other weather and light."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.rendering.labelling import labels_of
from worldgen.simulation.remake import remake_scene, restyled_scene
from worldgen.simulation.simulate import simulate

SEED = 3
CAMERA = Camera.from_fov(48, 32, 70.0)
SCENARIO = Scenario("clear", "day", "urban", "keep", duration_s=0.5)


def made(**options) -> tuple[Scene, Sample]:
    """A scene, and the clip that was made of it as its record would have it."""
    scene = simulate(SCENARIO, SEED, fps=8.0, num_frames=4, camera=CAMERA, **options)
    clip = Clip(np.zeros((4, 32, 48, 3), np.uint8), 8.0)
    sample = Sample(
        "scene_a", clip, "A clear day in town.", "scene_a", "val", scene.ego, scene.camera, labels_of(scene), SCENARIO,
        ("clear", "day", "urban"), {"seed": SEED, **options}, "CC0-1.0",
    )  # fmt: skip
    return scene, sample


def test_the_scene_is_made_again():
    scene, sample = made()
    again = remake_scene(sample)
    assert np.array_equal(labels_of(again).box_px, sample.labels.box_px)
    assert np.array_equal(again.ego.to_array(), scene.ego.to_array()) and again.camera == scene.camera


def test_a_scene_that_was_begun_at_a_given_speed_is_made_again_at_that_speed():
    scene, sample = made(speed_mps=4.0)
    assert np.array_equal(remake_scene(sample).ego.to_array(), scene.ego.to_array())
    with pytest.raises(InputError):
        remake_scene(dataclasses.replace(sample, provenance={"seed": SEED}))


@pytest.mark.parametrize(
    "lost", [{"scenario": None}, {"ego": None}, {"camera": None, "labels": None}, {"provenance": {}}]
)
def test_clips_without_a_scene_have_none(lost):
    assert remake_scene(dataclasses.replace(made()[1], **lost)) is None


def test_another_scene_is_refused_with_what_may_be_done_instead():
    other = dataclasses.replace(made()[1], provenance={"seed": SEED + 1, "version": "0.0.1"})
    with pytest.raises(InputError, match=r"clip scene_a: .*made by version 0\.0\.1.*made by this version$"):
        remake_scene(other)
    with pytest.raises(InputError, match=r"made by this version, or data\.layouts=false$"):
        remake_scene(other, instead="data.layouts=false")


def test_a_restyled_scene_keeps_road_and_motion():
    scene, _ = made()
    night = restyled_scene(scene, weather="fog", light="night_lit", seed=1)
    before, after = labels_of(scene), labels_of(night)
    assert np.array_equal(before.box_px, after.box_px) and np.array_equal(before.track_id, after.track_id)
    assert (night.scenario.weather, night.scenario.light) == ("fog", "night_lit") and night.atmosphere.headlights_on
    assert night.ego is scene.ego and night.road is scene.road
    assert restyled_scene(scene, weather=None, light=None).scenario == scene.scenario

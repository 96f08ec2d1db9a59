"""Sample, generate and restyle with a pretrained family: diffusers' own Wan VACE classes at tiny size in a folder."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import worldgen
from tests.instruments.tiny_depth import save_depth_model
from tests.models.backbones import tiny_families
from worldgen.core.samples import Sample
from worldgen.core.scenario import Scenario
from worldgen.data.dataset.index import DataSet
from worldgen.files.config_files import load_config
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.quality.seams import seam_colour, seam_flicker, with_seams
from worldgen.generation.restyle.restyle_run import RestyleRun
from worldgen.generation.restyle.restyler import RestyleConfig, Restyler
from worldgen.models.contract import contract_rows, honoured
from worldgen.models.families import FAMILIES, WAN_VACE
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.simulation.simulate import simulate

PROMPT = "pedestrian at night in rain"
SHAPE = {"frames": 5, "size": (64, 48), "steps": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from worldgen.models.native.loading import quiet_libraries

    quiet_libraries()
    return tiny_families.save_wan_vace(tmp_path_factory.mktemp("models") / "Tiny-VACE")


@pytest.fixture(scope="module")
def model(folder) -> worldgen.Model:
    return worldgen.load(folder)


def test_labels_and_control_of_a_sample_come_from_the_same_rays(model):
    sample = model.sample(PROMPT, **SHAPE)
    rendering, labels = draw_scene(sample.scene)
    np.testing.assert_array_equal(sample.labels.box_px, labels.box_px)
    assert len(labels) and sample.clip.frames.shape == rendering.clip.frames.shape
    assert sample.ego is not None and len(sample.ego) == 5  # the motion is known though the model takes none
    meta = sample.meta
    assert meta["controls"] == ["depth"] and meta["conditions_given"] == ["text"] and meta["model"] == "Tiny-VACE"
    words = meta["notes"]["model_prompt"]
    assert words.startswith(PROMPT) and "heavy rain" in words and "at night" in words


def rows_of_vace() -> list:
    """Rows of the table; one condition and one control are enough for the fast tests."""
    rows = [row for row in contract_rows(FAMILIES) if row["family"] == "wan_vace"]
    fast = ("context", "depth")
    name = {id(row): row.get("control") or row.get("condition") for row in rows}
    return [
        pytest.param(row, marks=() if name[id(row)] in fast else pytest.mark.slow, id=name[id(row)]) for row in rows
    ]


@pytest.mark.parametrize("row", rows_of_vace())
def test_each_yes_of_the_table_samples(model, row, tmp_path):
    name = row.get("control") or row.get("condition")
    assert row["sample"]
    if name == "context":
        known = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), np.uint8)
        clip = model.sample(PROMPT, context=worldgen.Clip(known, 16.0), context_frames=5, **{**SHAPE, "frames": 9}).clip
        np.testing.assert_array_equal(clip.frames[:5], known)
    elif name == "text":
        other = model.sample("a bus in snow by day", scenario=worldgen.parse(PROMPT).scenario, **SHAPE).clip
        assert not np.array_equal(other.frames, model.sample(PROMPT, **SHAPE).clip.frames)
    else:
        sample = model.sample(PROMPT, controls=name, **SHAPE)
        assert sample.meta["controls"] == [name] and sample.labels is not None


def test_each_no_of_the_table_is_refused(model):
    for name in ("ego", "layout", "wsm"):
        assert not any(honoured(WAN_VACE, name, use) for use in WAN_VACE.uses)
    with pytest.raises(worldgen.InputError, match=r"wsm.*expected depth, seg, edge, blur, sketch, boxes"):
        model.sample(PROMPT, controls="wsm", **SHAPE)
    known = worldgen.Clip(np.zeros((5, 48, 64, 3), np.uint8), 16.0)
    with pytest.raises(worldgen.InputError, match="does not honour: received 'ego'"):
        model.sample(PROMPT, context=known, ego="brake", **{**SHAPE, "frames": 9})


def test_without_controls_there_are_no_labels(model):
    sample = model.sample(PROMPT, controls="none", **SHAPE)
    assert sample.labels is None and "controls" not in sample.meta


def test_a_length_and_a_size_are_refused_before_a_scene_is_made(model, monkeypatch):
    monkeypatch.setattr("worldgen.generation.sample.sampler.prepare", None)
    for arguments, line in (({"frames": 6}, "4k"), ({"size": (60, 48)}, "multiples of 16")):
        with pytest.raises(worldgen.InputError, match=line):
            model.sample(PROMPT, **{**SHAPE, **arguments})


def test_options_of_a_pretrained_model_are_refused_for_the_native_one():
    with pytest.raises(worldgen.InputError, match="backbone options"):
        worldgen.load(backbone={"offload": "model"})


SMALL = ("clip.frames=13", "clip.fps=4.0", "clip.width_px=64", "clip.height_px=48", "model.steps=1", "model.chunk=9")


@pytest.mark.slow
def test_the_photoreal_recipe_makes_judged_labelled_clips_with_seams(folder, tmp_path):
    recipe = load_config(
        Recipe, ["configs/generate/night_rain_pedestrians_photoreal.yaml"],
        [*SMALL, f"output={json.dumps(str(tmp_path / 'set'))}", f"model.pipeline={json.dumps(str(folder))}",
         "work.max_attempts=1", "candidates=1"],
    )  # fmt: skip
    one = dataclasses.replace(recipe.cells[0], count=1, weather=("heavy_rain",), event=("jaywalker",))
    recipe = dataclasses.replace(recipe, cells=[one])
    report = worldgen.generate(recipe, page=False)
    assert report["met"] is False  # random weights
    [sample] = list(DataSet(str(tmp_path / "set")))
    card = sample.scorecard
    assert not card["accepted"] and card["seam_colour"] > 0 and card["seam_flicker"] > 0
    assert sample.provenance["controls"] == ["depth"] and sample.provenance["sampler"]["chunk"] == 9
    assert sample.labels is not None and len(sample.clip) == 13 and sample.ego is not None


@pytest.mark.slow
def test_the_fleet_recipe_restyles_clips_with_and_without_a_scene(folder, tmp_path):
    scene = simulate(Scenario(weather="clear", light="day"), 3, fps=8.0, num_frames=13, camera=worldgen_camera())
    rendering, labels = draw_scene(scene)
    recorded = Sample("day1", rendering.clip, caption="a street", labels=labels, camera=scene.camera)
    config = load_config(
        RestyleConfig, ["configs/restyle/restyle_fleet_to_night_rain.yaml"],
        [f"model.pipeline={json.dumps(str(folder))}", "model.steps=1", "model.chunk=9", "tries=2"],
    )  # fmt: skip
    run = RestyleRun(config, str(tmp_path / "out"), lambda: iter([recorded]), "a fleet", print, page=False)
    assert [step.done for step in run.steps()] == [1]
    [made] = list(DataSet(str(tmp_path / "out")))
    assert made.labels is not None and made.caption == "a street. heavy rain, night lit."
    assert "seam_colour" in made.scorecard and len(made.provenance["tried"]) == 2
    assert made.clip.frames.shape == rendering.clip.frames.shape
    assert not np.array_equal(made.clip.frames, rendering.clip.frames)


@pytest.mark.slow
@pytest.mark.parametrize(("frames", "held"), [(10, 3), (4, 1), (9, 0)])
def test_clips_of_any_length_are_restyled_and_keep_every_frame(folder, tmp_path, frames, held):
    """By the depth that a model of transformers, saved in a folder, reads from the pixels."""
    scene = simulate(Scenario(weather="clear", light="day"), 3, fps=8.0, num_frames=frames, camera=worldgen_camera())
    rendering, labels = draw_scene(scene)
    recorded = Sample("day1", rendering.clip, caption="a street", labels=labels, camera=scene.camera)
    depth = save_depth_model(tmp_path / "depth")
    config = load_config(
        RestyleConfig, ["configs/restyle/restyle_fleet_to_night_rain.yaml"],
        [f"model.pipeline={json.dumps(str(folder))}", "model.steps=1", "tries=1", "model.controls=[depth]",
         f"depth_model={json.dumps(str(depth))}"],
    )  # fmt: skip
    restyler = Restyler.load(config)
    task = restyler.task(recorded)
    control = task.conditions.controls["depth"]
    assert len(control) == task.conditions.num_frames == frames + held
    assert (control[frames:] == control[frames - 1]).all() and control[:frames].std() > 0
    made, _ = restyler.restyle(recorded)
    assert made.clip.frames.shape == rendering.clip.frames.shape and made.labels is not None
    assert made.provenance["held_frames"] == held


def worldgen_camera():
    from worldgen.core.camera import Camera

    return Camera.from_fov(64, 48, 70.0)


def test_a_seam_shows_in_the_measures_and_a_smooth_clip_does_not():
    rng = np.random.default_rng(0)
    texture = rng.integers(60, 180, (48, 200, 3)).astype(np.uint8)
    texture = np.repeat(np.repeat(texture, 2, axis=0), 2, axis=1)
    smooth = np.stack([texture[:96, 2 * t : 2 * t + 128] for t in range(20)])
    stepped = smooth.copy()
    stepped[10:] = np.clip(stepped[10:].astype(int) + np.array([25, 0, -25]), 0, 255).astype(np.uint8)
    torn = smooth.copy()
    torn[10:] = np.stack([texture[:96, 200 + 2 * t : 328 + 2 * t] for t in range(10)])
    assert seam_colour(smooth, (10,)) < 2 and seam_flicker(smooth, (10,)) < 2
    assert seam_colour(stepped, (10,)) > 10 and seam_flicker(torn, (10,)) > 2 * seam_flicker(smooth, (10,))
    card = Scorecard({"blank": 0.0})
    assert with_seams(card, worldgen.Clip(smooth, 8.0), ()) is card
    assert set(with_seams(card, worldgen.Clip(stepped, 8.0), (10,)).values) == {"blank", "seam_colour", "seam_flicker"}
    short = with_seams(card, worldgen.Clip(smooth[:4], 8.0), (2,))
    assert set(short.unmeasured) == {"seam_colour", "seam_flicker"}

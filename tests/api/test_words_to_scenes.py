"""``parse``, ``simulate`` and ``render``: the bytes of ``worldgen scenes render``, and scenes that are drawn again."""

from __future__ import annotations

import numpy as np
import pytest

import worldgen
from worldgen.cli.main import main
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.data.export.sample_folder import FILES

PROMPT = "two cyclists on the right at dusk, zorblatt"


def test_rendering_gives_the_bytes_of_the_command(tmp_path):
    options = ["--seed", "3", "--frames", "5", "--fps", "6", "--size", "96x64", "--out", str(tmp_path / "command")]
    assert main(["scenes", "render", "--prompt", PROMPT, *options]) == 0
    worldgen.render(PROMPT, seed=3, frames=5, fps=6, size=(96, 64)).save(tmp_path / "api")
    for name in FILES:
        assert (tmp_path / "command" / name).read_bytes() == (tmp_path / "api" / name).read_bytes(), name


def test_a_prompt_a_scenario_and_a_scene_give_the_same_frames():
    parsed = worldgen.parse(PROMPT)
    from_words = worldgen.render(PROMPT, seed=1, frames=4, size=(96, 64))
    from_scenario = worldgen.render(parsed.scenario, seed=1, frames=4, size=(96, 64))
    from_scene = worldgen.render(worldgen.simulate(PROMPT, seed=1, frames=4, size=(96, 64)))
    assert np.array_equal(from_words.clip.frames, from_scenario.clip.frames)
    assert np.array_equal(from_words.clip.frames, from_scene.clip.frames)
    assert from_words.notes["not_understood"] == ["zorblatt"] and from_scenario.notes["not_understood"] == []


def test_a_rendered_sample_is_labelled_and_has_a_layout():
    sample = worldgen.render(PROMPT, frames=4, size=(96, 64))
    assert (sample.labels.num_frames, sample.labels.width_px, sample.labels.source) == (4, 96, "scene")
    assert sample.layout.shape == (4, len(LAYOUT_CHANNELS), 64, 96) and sample.layout.dtype == np.float16
    assert len(sample.ego) == 4 and sample.scene.num_frames == 4 and sample.scenario.light == "dusk"


def test_a_scene_is_drawn_at_another_size_on_request():
    scene = worldgen.simulate("a highway in fog", seed=2, frames=3, fps=5)
    assert (scene.num_frames, scene.fps, scene.seed) == (3, 5.0, 2)
    large = worldgen.render(scene, size=(160, 96))
    assert large.clip.frames.shape == (3, 96, 160, 3) and (large.camera.width_px, large.labels.width_px) == (160, 160)
    with pytest.raises(worldgen.InputError, match="received seed, fps; expected size or renderer"):
        worldgen.render(scene, seed=1, fps=8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: worldgen.parse(7), "prompt: received int 7"),
        (lambda: worldgen.parse(""), "prompt"),
        (lambda: worldgen.render(None), "scene: received NoneType"),
        (lambda: worldgen.render("  "), "nothing to render"),
        (lambda: worldgen.render("a car", size=(95, 64)), "even numbers"),
        (lambda: worldgen.render("a car", size=()), "size: received tuple ()"),
        (lambda: worldgen.render("a car", frames=0), "number of frames"),
        (lambda: worldgen.simulate("a car", fps=float("nan")), "frames per second"),
        (lambda: worldgen.simulate("a car", seed=1.5), "seed"),
        (lambda: worldgen.simulate("day and night"), "night"),
    ],
)
def test_wrong_arguments_are_one_clear_line(call, words):
    with pytest.raises(worldgen.InputError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)

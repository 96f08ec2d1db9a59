"""``Model.sample`` returns what ``worldgen sample`` writes, byte for byte; wrong arguments are one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import worldgen
from worldgen.cli.main import main
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.data.export.sample_folder import FILES
from worldgen.data.video.reading import read_clip

PROMPT = "pedestrian at night in rain"
SMALL = {"frames": 6, "size": (64, 32), "steps": 1}
WAYPOINTS = "(1, 0), (2, 0), (3, 0.1), (4, 0.2), (5, 0.4)"


def command(folder: Path, model: Path, *arguments: str) -> None:
    small = ("--frames", "6", "--size", "64x32", "--steps", "1")
    assert main(["sample", "--model", str(model), "--out", str(folder), *small, *arguments]) == 0


def assert_equal_folders(one: Path, other: Path) -> None:
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def requests(drive: Path, scenario: Path) -> dict[str, tuple[dict, list[str]]]:
    """Arguments of the API and of the command that ask for the same clip."""
    return {
        "prompt": ({"prompt": PROMPT, "seed": 3}, ["--prompt", PROMPT, "--seed", "3"]),
        "manoeuvre": ({"context": drive, "ego": "brake"}, ["--context", str(drive), "--ego", "brake"]),
        "nothing but a context": ({"context": str(drive)}, ["--context", str(drive)]),
        "waypoints": (
            {"context": drive, "ego": WAYPOINTS, "context_frames": 2, "context_start_s": 0.5},
            ["--context", str(drive), "--ego", WAYPOINTS, "--context-frames", "2", "--context-start", "0.5"],
        ),
        "scenario": ({"scenario": scenario}, ["--scenario", str(scenario)]),
        "noise, guidance, chunks": (
            {"prompt": PROMPT, "start": "noise", "guidance": {"text": 2, "layout": 1.5}, "chunk": 2, "fps": 6},
            ["--prompt", PROMPT, "--start", "noise", "--guidance", "text=2,layout=1.5", "--chunk", "2", "--fps", "6"],
        ),
    }  # fmt: skip


@pytest.fixture
def scenario(tmp_path) -> Path:
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(worldgen.parse("two cyclists at dusk in fog").scenario.to_json()))
    return path


@pytest.mark.parametrize("name", requests(Path(), Path()))
def test_the_command_and_the_api_write_the_same_bytes(name, tiny, tiny_folder, tmp_path, drive, scenario):
    arguments, options = requests(drive, scenario)[name]
    command(tmp_path / "command", tiny_folder, *options)
    folder = tiny.sample(**arguments, **SMALL).save(tmp_path / "api")
    assert folder == str(tmp_path / "api")
    assert_equal_folders(tmp_path / "command", tmp_path / "api")


def test_a_manoeuvre_goes_on_at_the_speed_that_the_pixels_show(tiny, repository):
    """The context is given as a file, as a clip read by hand, and as bare frames: the motion is the same."""
    drive = repository / "assets" / "clips" / "downtown.mp4"
    # With the camera given: what is estimated of it depends on how much of the video there is.
    shape = {"frames": 12, "size": (224, 128), "steps": 1, "camera": {"fov_deg": 70, "pitch_deg": 0}}
    known = read_clip(drive, fps=8.0, size=(224, 128), duration_s=1.0)
    from_file = tiny.sample(context=drive, ego="brake", **shape)
    speed = from_file.notes["seen_speed_mps"]
    assert 2 < speed < 9 and np.allclose(from_file.ego.speed_mps[:6], speed)
    for context in (known, known.frames):
        again = tiny.sample(context=context, ego="brake", **shape)
        assert np.array_equal(again.clip.frames, from_file.clip.frames) and again.notes == from_file.notes
    assert from_file.meta["context"]["file"] == "downtown.mp4" and again.meta["context"]["file"] is None


def test_motion_in_memory_is_followed_row_by_row(tiny, drive):
    ego = worldgen.EgoMotion(np.linspace(5, 8, 6), np.full(6, 0.05), 8.0)
    continued = tiny.sample(context=drive, ego=ego, **SMALL)
    assert continued.ego is ego and continued.meta["ego"].startswith("motion in memory")
    staged = tiny.sample("an urban street", ego=ego, **SMALL)
    np.testing.assert_allclose(staged.ego.speed_mps[1:], ego.speed_mps[1:], atol=0.05)
    with pytest.raises(worldgen.InputError, match="6 rows at 8 fps"):
        tiny.sample(context=drive, ego=ego[:5], **SMALL)


def test_a_sample_holds_what_is_known_of_the_clip(tiny):
    sample = tiny.sample(PROMPT + ", zorblatt", seed=1, **SMALL)
    assert sample.clip.frames.shape == (6, 32, 64, 3) and sample.clip.fps == tiny.fps
    assert (sample.labels.num_frames, len(sample.ego), sample.scenario.weather) == (6, 6, "heavy_rain")
    assert sample.layout.shape == (6, len(LAYOUT_CHANNELS), 32, 64) and sample.layout is sample.layout
    assert sample.notes["not_understood"] == ["zorblatt"] and sample.notes["assumed"]
    assert sample.meta["weights_hash"] == tiny.weights_hash and sample.meta["seed"] == 1
    assert isinstance(sample, worldgen.Sample) and sample.provenance["weights_hash"] == tiny.weights_hash


def test_the_layout_is_the_one_that_the_model_was_given(tiny):
    from worldgen.generation.sample.request import SampleRequest

    request = SampleRequest(PROMPT, frames=6, fps=tiny.fps, width_px=64, height_px=32, seed=2)
    given = tiny.prepare(request).conditions.layout
    assert np.array_equal(tiny.sample(PROMPT, seed=2, **SMALL).layout, given)


def test_a_stream_is_the_sample_in_parts(tiny, drive):
    whole = tiny.sample(context=drive, ego="brake", context_frames=3, **SMALL)
    parts = list(tiny.stream(context=drive, ego="brake", context_frames=3, **SMALL))
    assert [len(part) for part in parts] == [3, 1, 1, 1]
    assert np.array_equal(np.concatenate([part.frames for part in parts]), whole.clip.frames)


def test_a_stream_refuses_before_the_first_frame(tiny):
    with pytest.raises(worldgen.InputError, match="number of frames"):
        tiny.stream(PROMPT, frames=1)


def test_the_one_liner_is_load_and_sample(tiny, tiny_folder):
    one = worldgen.sample(PROMPT, model=tiny_folder, **SMALL)
    assert np.array_equal(one.clip.frames, tiny.sample(PROMPT, **SMALL).clip.frames)


@pytest.mark.slow
def test_scenarios_are_taken_in_every_form(tiny, scenario):
    record = json.loads(scenario.read_text())
    clips = [
        tiny.sample(scenario=form, **SMALL).clip.frames
        for form in (scenario, str(scenario), record, {"scenario": record}, worldgen.Scenario.from_json(record))
    ]
    assert all(np.array_equal(frames, clips[0]) for frames in clips)


def test_short_clips_in_memory_are_used_whole(tiny):
    frames = np.random.default_rng(1).integers(0, 256, (2, 32, 64, 3), np.uint8)
    sample = tiny.sample(context=frames, ego="keep", frames=9, size=(64, 32), steps=1)
    assert sample.meta["context"] == {"file": None, "frames": 2, "start_s": 0.0}
    with pytest.raises(worldgen.InputError, match="a clip of 2 frames"):
        tiny.sample(context=frames, ego="keep", context_frames=4, **SMALL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prompt": 3}, "prompt: received int 3; expected text"),
        ({}, "nothing to make"),
        ({"prompt": PROMPT, "frames": 6.5}, "number of frames: received float 6.5; expected a whole number"),
        ({"prompt": PROMPT, "frames": True}, "number of frames"),
        ({"prompt": PROMPT, "fps": "8"}, "frames per second"),
        ({"prompt": PROMPT, "size": "64x32"}, "size: received str"),
        ({"prompt": PROMPT, "size": (64, 32, 3)}, "size: received tuple"),
        ({"prompt": PROMPT, "size": (50, 50)}, "multiples of 16"),
        ({"prompt": PROMPT, "seed": None}, "seed"),
        ({"prompt": PROMPT, "start": "drawn"}, "start of a clip"),
        ({"prompt": PROMPT, "guidance": "2"}, "guidance"),
        ({"prompt": PROMPT, "guidance": {"colour": 2}}, "colour"),
        ({"prompt": PROMPT, "steps": 2.0}, "sampling steps"),
        ({"prompt": PROMPT, "chunk": 100}, "frames per chunk"),
        ({"prompt": PROMPT, "ego": 3}, "ego: received int 3"),
        ({"prompt": PROMPT, "ego": "turn_lft"}, "turn_left"),
        ({"context": [1, 2]}, "context: received list"),
        ({"context": np.zeros((3, 32, 64, 3))}, "uint8"),
        ({"context": "missing.mp4"}, "missing.mp4"),
        ({"scenario": "missing.json"}, "missing.json"),
        ({"scenario": 3}, "scenario: received int 3"),
        ({"scenario": {"wether": "fog"}}, "scenario"),
        ({"prompt": PROMPT, "context_frames": 3}, "context_frames: received given without a context"),
        ({"prompt": PROMPT, "context_start_s": 0.5}, "context_start_s: received given without a context"),
        ({"prompt": PROMPT, "speed_mps": 9.0}, "speed in m/s: received 9.0; expected none here"),
        ({"context": "a.mp4", "scenario": {"weather": "fog"}}, "scenario: received given beside a context"),
        ({"context": "a.mp4", "start": "noise"}, "start of a clip: received 'noise'; expected none beside a context"),
        ({"context": "a.mp4", "ego": WAYPOINTS, "speed_mps": 9.0}, "speed in m/s"),
    ],
)
def test_wrong_arguments_are_one_clear_line(tiny, arguments, words):
    with pytest.raises(worldgen.InputError) as error:
        tiny.sample(**({"size": (64, 32)} | arguments))
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": 3}, "model: received int 3"), ({"model": "no-such-folder"}, "no-such-folder"),
        ({"device": "abacus"}, "abacus"), ({"device": 0}, "device"), ({"threads": -1}, "threads"),
        ({"threads": "2"}, "threads"), ({"adapter": "no-such-adapter"}, "no-such-adapter"), ({"adapter": 1}, "adapter"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_loaded_are_one_clear_line(tiny_folder, arguments, words):
    with pytest.raises(worldgen.InputError) as error:
        worldgen.load(**({"model": tiny_folder} | arguments))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_model_says_what_it_is(tiny):
    assert tiny.name == "tiny" and tiny.size_px == tiny.promise.size_px and len(tiny.weights_hash) == 32
    assert "tiny" in repr(tiny) and "layout" in repr(tiny) and set(tiny.accepts) == {"context", "text", "ego", "layout"}

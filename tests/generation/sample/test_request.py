"""Requests become conditions: motion from every kind of source, context at the right rate, scenes with their labels."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tests.generation.sample.promises import accepting
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import planar_poses, waypoint_text
from worldgen.core.errors import InputError
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.core.manoeuvres import MANOEUVRES, classify_manoeuvre, manoeuvre_motion
from worldgen.core.scenario import Scenario
from worldgen.data.export.sample_folder import write_ego_csv
from worldgen.data.video.encoding import write_clip
from worldgen.generation.sample.request import SampleRequest, prepare, read_context, read_ego, read_scenario
from worldgen.models.families import NATIVE
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

FPS = 8.0
ALL = NATIVE


def request(**changes) -> SampleRequest:
    return SampleRequest(
        **{
            "prompt": "a pedestrian at night in rain",
            "frames": 17,
            "fps": FPS,
            "width_px": 64,
            "height_px": 32,
            **changes,
        }
    )


@pytest.fixture
def drive(tmp_path):
    """A clip at 16 frames a second; the brightness of a frame says its number."""
    frames = np.stack([np.full((72, 128, 3), 5 * i, np.uint8) for i in range(40)])
    path = tmp_path / "drive.mp4"
    write_clip(path, Clip(frames, 16.0), crf=0)
    return path


@pytest.mark.parametrize("name", [*MANOEUVRES, " brake "])
def test_a_named_manoeuvre_begins_after_the_context(name, drive):
    ego = prepare(request(ego=name, context=str(drive), context_frames=5, frames=30, speed_mps=9.0), ALL).conditions.ego
    assert len(ego) == 30
    assert np.allclose(ego.speed_mps[:5], 9.0) and np.allclose(ego.yaw_rate_radps[:5], 0.0)
    assert classify_manoeuvre(ego[4:]) == name.strip()


def test_waypoints_and_logs_give_back_the_motion_they_were_made_from(tmp_path):
    ego = manoeuvre_motion("turn_left", 17, FPS)
    from_text = read_ego(request(ego=waypoint_text(ego, decimals=6)))
    np.testing.assert_allclose(planar_poses(from_text), planar_poses(ego), atol=1e-3)
    path = tmp_path / "drive.ego.csv"
    write_ego_csv(path, ego)
    from_log = read_ego(request(ego=str(path)))
    np.testing.assert_allclose(from_log.speed_mps, ego.speed_mps, atol=0.2)
    np.testing.assert_allclose(from_log.yaw_rate_radps, ego.yaw_rate_radps, atol=0.05)


def test_context_is_cut_at_the_wanted_rate_and_size(drive):
    clip = read_context(request(context=str(drive), context_frames=4, context_start_s=0.5))
    assert clip.frames.shape == (4, 32, 64, 3)
    # Second 0.5 at 16 frames a second is frame 8; half the rate takes every second frame.
    np.testing.assert_allclose(clip.frames.mean((1, 2, 3)), [40, 50, 60, 70], atol=3)


def test_a_scene_gives_layout_labels_and_motion_that_belong_together():
    prepared = prepare(request(), ALL)
    c = prepared.conditions
    assert c.given == ("context", "text", "ego", "layout") and len(c.context) == 2
    assert prepare(request(start="noise"), ALL).conditions.given == ("text", "ego", "layout")
    assert c.layout.shape[:2] == (17, len(LAYOUT_CHANNELS)) and len(c.ego) == 17
    assert (prepared.labels.num_frames, prepared.labels.width_px, prepared.labels.height_px) == (17, 64, 32)
    assert prepared.scenario.weather == "heavy_rain" and prepared.scenario.light.startswith("night")
    again = prepare(request(), ALL)
    assert np.array_equal(again.conditions.layout, c.layout)
    assert not np.array_equal(prepare(request(seed=1), ALL).conditions.layout, c.layout)


def test_a_model_without_layout_or_ego_is_not_given_them():
    assert prepare(request(), accepting("text")).conditions.given == ("text",)


def test_manoeuvre_and_waypoints_shape_the_scene():
    turned = prepare(request(prompt="an urban street", ego="turn_left", frames=33), ALL)
    assert turned.scenario.manoeuvre == "turn_left"
    assert planar_poses(turned.conditions.ego)[-1, 2] > 0.3
    exact = manoeuvre_motion("keep", 17, FPS, speed_mps=6.0)
    followed = prepare(request(prompt="an urban street", ego=waypoint_text(exact)), ALL)
    np.testing.assert_allclose(followed.conditions.ego.speed_mps[1:], 6.0, atol=0.05)


def test_continuing_a_clip_claims_no_labels(drive):
    prepared = prepare(request(context=str(drive), context_frames=4, ego="brake"), ALL)
    assert prepared.labels is None and prepared.conditions.given == ("context", "text", "ego")


def test_a_clip_without_a_log_continues_at_the_speed_recovered_from_its_pixels(tmp_path):
    camera = Camera.from_fov(224, 128, 70.0)
    commanded_mps = 9.0
    scene = simulate(
        Scenario(road="rural"),
        3,
        fps=FPS,
        num_frames=12,
        camera=camera,
        ego=manoeuvre_motion("keep", 12, FPS, speed_mps=commanded_mps),
    )
    write_clip(tmp_path / "drive.mp4", render_scene(scene).clip, crf=10)
    asked = request(context=str(tmp_path / "drive.mp4"), context_frames=8, ego="stop", width_px=224, height_px=128)
    prepared = prepare(asked, ALL)
    recovered_mps = prepared.notes["seen_speed_mps"]
    assert recovered_mps == pytest.approx(commanded_mps, rel=0.2)
    speed_mps = prepared.conditions.ego.speed_mps
    assert np.allclose(speed_mps[:8], recovered_mps) and speed_mps[-1] < recovered_mps - 4
    keeping = prepare(dataclasses.replace(asked, ego=""), ALL)
    assert np.allclose(keeping.conditions.ego.speed_mps, recovered_mps)
    assert prepare(dataclasses.replace(asked, ego=""), accepting("context", "text")).conditions.ego is None
    one = prepare(dataclasses.replace(asked, context_frames=1, ego="keep"), ALL)
    assert np.allclose(one.conditions.ego.speed_mps, 10.0)  # a single frame shows no motion


def test_scenario_file_as_printed_by_parse(tmp_path):
    scenario = Scenario(weather="fog", road="rural")
    for record in (scenario.to_json(), {"scenario": scenario.to_json(), "assumed": []}):
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps(record))
        assert read_scenario(str(path)) == scenario


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": 1}, "number of frames"), ({"fps": 0.0}, "frames per second"), ({"speed_mps": 90.0}, "speed"),
        ({"context": "x.mp4", "context_frames": 17}, "context frames"),
    ],
)  # fmt: skip
def test_impossible_requests_are_one_line(changes, words):
    with pytest.raises(InputError, match=words):
        request(**changes)


@pytest.mark.parametrize(
    ("ego", "words"),
    [
        ("turn_lft", "turn_left"), ("(1, x)", "waypoints"), ("(1 2)", "waypoints"), ("missing.csv", "missing.csv"),
    ],
)  # fmt: skip
def test_motion_that_cannot_be_read_is_one_line(ego, words):
    with pytest.raises(InputError, match=words):
        read_ego(request(ego=ego))


def test_log_that_is_too_short_names_what_it_covers(tmp_path):
    path = tmp_path / "short.ego.csv"
    write_ego_csv(path, manoeuvre_motion("keep", 9, FPS))
    with pytest.raises(InputError, match=r"0\.00 to 2\.00 s without gaps"):
        read_ego(request(ego=str(path)))


def test_context_that_is_too_short_says_how_much_there_is(drive):
    with pytest.raises(InputError, match=r"2\.50 s long"):
        read_context(request(context=str(drive), context_frames=16, context_start_s=2.0))


def test_a_model_that_does_not_read_words_cannot_begin_from_noise():
    request = SampleRequest("fog", frames=4, fps=8.0, width_px=64, height_px=32, start="noise")
    with pytest.raises(InputError, match="does not honour text"):
        prepare(request, accepting("context", "ego", "layout"))

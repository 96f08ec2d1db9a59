"""The camera of a continued clip: given, recorded, estimated, or said to be unknown."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.generation.sample.promises import accepting
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.data.video.encoding import write_clip
from worldgen.generation.sample.context_camera import GivenCamera, context_camera, recorded_camera
from worldgen.generation.sample.request import SampleRequest, frames_around, prepare
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

PITCH_DEG = 5.0
CAMERA = Camera.from_fov(224, 128, 70.0, pitch_rad=math.radians(PITCH_DEG))


@pytest.fixture(scope="module")
def drive() -> Clip:
    """Five seconds of a drawn drive, by a camera that looks down by five degrees."""
    scene = simulate(Scenario(road="urban"), 3, num_frames=40, fps=8.0, camera=CAMERA, speed_mps=9.0)
    return render_scene(scene).clip


def request(context, **changes) -> SampleRequest:
    values = dict(prompt="a street", frames=12, fps=8.0, width_px=224, height_px=128, context=context, context_frames=4)
    return SampleRequest(**{**values, **changes})


def test_a_camera_that_looks_down_is_found_in_the_frames_and_scales_the_speed(drive):
    prepared = prepare(request(drive), accepting("context", "ego"))
    note, camera = prepared.notes["camera"], prepared.conditions.camera
    assert note["from"] == "frames" and camera.horizon_px == pytest.approx(CAMERA.horizon_px, abs=6)
    assert abs(note["pitch_deg"] - PITCH_DEG) < 3 * max(note["pitch_sigma_deg"], 0.5)
    level = prepare(request(drive, camera=GivenCamera(70.0, 0.0)), accepting("context", "ego"))
    assert level.notes["camera"] == {"from": "given"} and level.conditions.camera.pitch_rad == 0
    errors = [abs(each.notes["seen_speed_mps"] - 9.0) for each in (prepared, level)]
    assert errors[0] < errors[1]


def test_what_is_given_is_kept_and_the_rest_is_found(drive):
    camera, note = context_camera(drive, "", GivenCamera(fov_deg=70.0, height_m=1.2))
    assert camera.fov_deg == pytest.approx(70, abs=1) and camera.height_m == 1.2
    assert camera.horizon_px == pytest.approx(CAMERA.horizon_px, abs=6) and note["fov_sigma_deg"] < 2
    camera, _ = context_camera(drive, "", GivenCamera(pitch_deg=2.0))
    assert math.degrees(camera.pitch_rad) == pytest.approx(2.0)


def test_frames_that_show_no_motion_say_so(drive):
    still = Clip(np.repeat(drive.frames[:1], 20, 0), 8.0)
    camera, note = context_camera(still, "", GivenCamera())
    assert note["from"] == "expected" and note["unknown"] and camera.pitch_rad == 0


def test_the_record_beside_a_clip_of_worldgen_comes_first(drive, tmp_path):
    write_clip(tmp_path / "clip.mp4", drive)
    other = Camera.from_fov(448, 256, 50.0, pitch_rad=0.1)
    (tmp_path / "meta.json").write_text(json.dumps({"camera": other.to_json()}))
    video = str(tmp_path / "clip.mp4")
    found = recorded_camera(video, (224, 128))
    assert found is not None and (found.width_px, found.fov_deg) == (224, pytest.approx(50.0))
    prepared = prepare(request(video), accepting("context", "ego"))
    assert prepared.notes["camera"] == {"from": "record"} and prepared.conditions.camera == found
    given = prepare(request(video, camera=GivenCamera(60.0, 1.0)), accepting("context", "ego"))
    assert given.conditions.camera.fov_deg == pytest.approx(60.0)
    for text in ("{}", "no json", '{"camera": null}', '{"camera": {"fx_px": 1}}'):
        (tmp_path / "meta.json").write_text(text)
        assert recorded_camera(video, (224, 128)) is None


def test_the_camera_is_estimated_from_the_video_around_the_known_frames(drive, tmp_path):
    write_clip(tmp_path / "drive.mp4", drive)
    around = frames_around(request(str(tmp_path / "drive.mp4"), context_start_s=2.0))
    assert len(around) == 40 and (around.width_px, around.height_px) == (224, 128)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fov_deg": 200.0}, "camera fov_deg"),
        ({"pitch_deg": float("nan")}, "camera pitch_deg"),
        ({"height_m": 0.0}, "camera height_m"),
        ({"fov": 60.0}, "value of a camera"),
        ({"fov_deg": "wide"}, "a number"),
        ({"pitch_deg": True}, "a number"),
    ],
)
def test_bad_cameras_are_refused(values, said):
    with pytest.raises(InputError, match=said):
        GivenCamera.of(values)

"""The camera that an adapter remembers: taken for continued clips unless something nearer states it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from worldgen.core.camera import Camera
from worldgen.generation.sample.context_camera import GivenCamera, adapter_camera
from worldgen.generation.sample.request import SampleRequest
from worldgen.generation.sample.sampler import Sampler

CAMERA = Camera.from_fov(224, 128, 98.0, height_m=1.7, pitch_rad=math.radians(3))


@pytest.fixture
def adapter(tmp_path) -> Path:
    (tmp_path / "adapter.json").write_text(json.dumps({"camera": CAMERA.to_json()}))
    return tmp_path


def request(context: str = "drive.mp4", **changes) -> SampleRequest:
    return SampleRequest("", 9, 8.0, 224, 128, context=context, **changes)


def seen(adapter: Path, asked: SampleRequest) -> GivenCamera:
    return Sampler(None, "model", "hash", adapter_camera(str(adapter)))._with_camera(asked).camera


def test_the_record_is_read_as_field_of_view_pitch_and_height(adapter):
    found = adapter_camera(str(adapter))
    assert found.fov_deg == pytest.approx(98.0) and found.pitch_deg == pytest.approx(3.0) and found.height_m == 1.7
    assert adapter_camera("").is_empty and adapter_camera(str(adapter / "nowhere")).is_empty
    (adapter / "adapter.json").write_text(json.dumps({"camera": None}))
    assert adapter_camera(str(adapter)).is_empty


def test_a_continued_clip_is_taken_for_one_of_that_camera(adapter):
    assert seen(adapter, request()).fov_deg == pytest.approx(98.0)
    assert seen(adapter, request("")).is_empty, "a scene has a camera of its own"


def test_what_the_user_or_the_clip_says_comes_first(adapter, tmp_path):
    given = GivenCamera(fov_deg=60.0)
    assert seen(adapter, request(camera=given)) == given
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "meta.json").write_text(json.dumps({"camera": Camera.from_fov(224, 128, 70.0).to_json()}))
    assert seen(adapter, request(str(folder / "clip.mp4"))).is_empty, "the record beside the clip states its camera"

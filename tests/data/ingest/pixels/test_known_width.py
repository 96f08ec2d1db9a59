"""A known width on the road gives the height of the camera, and so the metre of motion from pixels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.data.drives import make_video, write_log
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.pixels.known_width import WIDTH_SHARE, KnownWidth, with_known_width
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig

LANE_M = 3.6


def lane_of(camera: Camera, ahead_m: float) -> KnownWidth:
    """Where the edges of a lane are seen."""
    pixels, _ = camera.project(np.array([[ahead_m, LANE_M / 2, 0.0], [ahead_m, -LANE_M / 2, 0.0]]))
    return KnownWidth(LANE_M, float(pixels[0, 0]), float(pixels[1, 0]), float(pixels[0, 1]))


def motion_at(camera: Camera) -> PixelMotion:
    times_s = np.arange(0.05, 3.0, 0.1)
    speed = np.linspace(8, 12, len(times_s))
    turn, sure = np.full(len(times_s), 0.1), np.full(len(times_s), 0.01)
    return PixelMotion(times_s, speed, turn, 0.1 * speed, sure, 0.1, camera, "test")


@pytest.mark.parametrize("pitch_rad", [-0.03, 0.0, 0.12])
@pytest.mark.parametrize("ahead_m", [7.0, 15.0])
def test_the_height_is_that_of_the_camera_that_saw_the_lane(pitch_rad, ahead_m):
    camera = Camera.from_fov(640, 360, 62.0, height_m=1.85, pitch_rad=pitch_rad)
    height_m, share = lane_of(camera, ahead_m).camera_height(replace(camera, height_m=1.4), "a")
    assert height_m == pytest.approx(1.85, rel=1e-9)
    assert WIDTH_SHARE < share < 0.1


def test_speeds_grow_with_the_height_and_turns_do_not():
    camera = Camera.from_fov(640, 360, 62.0, height_m=1.4, pitch_rad=0.05)
    before = motion_at(camera)
    after = with_known_width(before, lane_of(replace(camera, height_m=2.1), 9.0), camera, "a")
    np.testing.assert_allclose(after.speed_mps, 1.5 * before.speed_mps)
    np.testing.assert_array_equal(after.yaw_rate_radps, before.yaw_rate_radps)
    assert (after.speed_sigma_mps > 1.5 * before.speed_sigma_mps).all() and after.scale_sigma > before.scale_sigma
    assert after.camera.height_m == pytest.approx(2.1) and "speeds times 1.50" in after.notes[-1]


def test_an_error_of_a_pixel_is_within_what_is_stated():
    camera = Camera.from_fov(640, 360, 62.0, height_m=1.4, pitch_rad=0.05)
    lane = lane_of(camera, 12.0)
    for wrong in (replace(lane, left_px=lane.left_px - 1), replace(lane, width_m=1.03 * LANE_M)):
        height_m, share = wrong.camera_height(camera, "a")
        assert abs(math.log(height_m / 1.4)) < 1.1 * share


@pytest.mark.parametrize("row_px", [60.0, 185.0, 400.0])
def test_a_row_that_is_no_road_is_refused(row_px):
    camera = Camera.from_fov(640, 360, 62.0)
    with pytest.raises(InputError, match=r"camera.known_row_px of a: received row .*a row of road from 198 to 360"):
        KnownWidth(LANE_M, 100, 300, row_px).camera_height(camera, "a")


@pytest.mark.parametrize(
    "settings",
    [
        {"known_width_m": 3.5},
        {"known_width_m": 3.5, "known_left_px": 300, "known_right_px": 200, "known_row_px": 200},
        {"known_width_m": -1.0, "known_left_px": 100, "known_right_px": 200, "known_row_px": 200},
    ],
)
def test_half_a_width_is_refused(settings):
    with pytest.raises(InputError, match="known width of a camera"):
        CameraConfig(**settings)


def test_ingest_takes_the_metre_from_the_width(tmp_path):
    make_video(tmp_path / "a.mp4", 60, 20.0)
    seen = Camera.from_fov(96, 64, 60.0, height_m=1.4, pitch_rad=0.05)
    lane = lane_of(replace(seen, height_m=2.8), 8.0)
    stated = CameraConfig(
        known_width_m=lane.width_m, known_left_px=lane.left_px, known_right_px=lane.right_px, known_row_px=lane.row_px
    )
    asked = []

    def reader(frames, camera, *, camera_given):
        asked.append(camera_given)
        return motion_at(seen)

    ego = EgoLogConfig(from_video=True, max_speed_sigma=1.0)
    config = IngestConfig(
        fps=10.0, width_px=48, height_px=32, num_frames=8, defaults=SourceConfig(camera=stated, ego=ego)
    )  # fmt: skip
    (plan,) = plan_ingest([str(tmp_path)], config, reader=reader).sources
    assert asked == [False]  # a width says nothing of the lens
    assert plan.camera.height_m == pytest.approx(2.8)
    assert plan.ego(plan.windows[0]).speed_mps[1] == pytest.approx(2 * 8.0, abs=0.7)
    lens = replace(stated, fov_deg=60.0, pitch_rad=0.05)
    (plan,) = plan_ingest(
        [str(tmp_path)], replace(config, defaults=replace(config.defaults, camera=lens)), reader=reader
    ).sources  # fmt: skip
    assert asked == [False, True] and plan.camera.height_m == pytest.approx(2.8)
    write_log(tmp_path / "a.csv")
    (plan,) = plan_ingest([str(tmp_path)], config, reader=reader).sources
    assert len(asked) == 2 and any("known width of the camera not used" in note for note in plan.notes)

"""Cosmos 3 as a reader of motion for ingest, its real classes at tiny size; nothing here says how well it reads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.data.drives import make_video
from tests.models.backbones.cosmos.test_cosmos3 import load
from tests.models.backbones.cosmos.tiny_cosmos import save_cosmos3
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.reading import iter_frames
from worldgen.models.backbones.cosmos.inverse_dynamics import SCALE_SHARE, InverseDynamicsReader

pytest.importorskip("diffusers", minversion="0.40")
CAMERA = Camera.from_fov(96, 64, pitch_rad=0.1)


class Steady:
    """In place of a model: 6 m/s by seed 0, 8 by seed 1 in clips of 10 frames/s, and what it was asked."""

    def __init__(self):
        self.asked = []

    def read_motion(self, clip, *, steps, seed, pitch_rad):
        self.asked.append((clip.frames[:, 0, 0, 0].tolist(), clip.frames.shape, steps, seed, pitch_rad))
        return EgoMotion(np.full(len(clip), 6.0 + 2 * seed), np.full(len(clip), 0.2), clip.fps)


def numbered(times_s, size=(64, 96)):
    return [(t, np.full((*size, 3), k % 256, np.uint8)) for k, t in enumerate(times_s)]


@pytest.mark.slow
def test_a_video_without_a_log_gets_the_motion_that_the_network_reads(tmp_path):
    model = load(save_cosmos3(tmp_path / "cosmos3"))
    path = make_video(tmp_path / "clips" / "a.mp4", 9, 10.0)
    config = IngestConfig(
        fps=10.0, width_px=96, height_px=64, num_frames=8,
        defaults=SourceConfig(ego=EgoLogConfig(from_video=True, max_speed_sigma=1e6, max_yaw_rate_sigma_radps=1e6)),
    )  # fmt: skip
    (source,) = plan_ingest([str(path)], config, reader=InverseDynamicsReader(model, readings=2, steps=1)).sources
    assert source.pixels is not None and source.pixels.reader == "cosmos3 inverse dynamics"
    assert len(source.windows) == 1 and source.ego(source.windows[0]) is not None
    assert any("2 readings; its metres are learned" in note for note in source.notes)
    clip = Clip(np.stack([frame for _, frame in iter_frames(path)]), 10.0)
    read = [model.read_motion(clip, steps=1, seed=seed).to_array()[1:].astype(float) for seed in (0, 1)]
    np.testing.assert_allclose(source.pixels.times_s, np.arange(8) / 10 + 0.05, atol=1e-6)
    np.testing.assert_allclose(source.pixels.speed_mps, np.mean(read, 0)[:, 0], rtol=1e-4)
    np.testing.assert_allclose(source.pixels.yaw_rate_radps, np.mean(read, 0)[:, 1], rtol=1e-4, atol=1e-6)
    spread = np.abs(read[0] - read[1])[:, 0] / math.sqrt(2)
    assert (source.pixels.speed_sigma_mps >= spread * 0.999).all() and spread.max() > 0


@pytest.mark.parametrize(
    ("fps", "speeds"),
    # The network reads ways for a tenth of a second, so longer steps are slower.
    [(10.0, [7.0]), (20.0, [7.0]), (30.0, [7.0]), (8.0, [5.6]), (25.0, [7 / 0.8, 7 / 1.2])],
)
def test_frames_are_taken_ten_times_a_second_and_their_true_times_count(fps, speeds):
    steady = Steady()
    times_s = np.arange(round(2 * fps)) / fps
    found = InverseDynamicsReader(steady, readings=2, steps=5)(numbered(times_s), CAMERA, camera_given=False)
    assert set(np.round(found.speed_mps, 6)) == set(np.round(speeds, 6))
    taken = steady.asked[0][0]
    assert taken == sorted(set(taken)) and [row[2:] for row in steady.asked] == [(5, 0, 0.0), (5, 1, 0.0)]
    np.testing.assert_allclose(found.times_s, (times_s[taken][1:] + times_s[taken][:-1]) / 2)
    sure = np.sqrt((np.sqrt(2) * found.speed_mps / 7) ** 2 + (SCALE_SHARE * found.speed_mps) ** 2 + 0.09)
    np.testing.assert_allclose(found.speed_sigma_mps, sure)


def test_long_videos_are_read_in_parts_that_share_a_frame():
    steady = Steady()
    found = InverseDynamicsReader(steady, readings=2, steps=1)(
        numbered(np.arange(300) / 10), CAMERA, camera_given=False
    )
    assert len(found.times_s) == 299
    assert [row[0] for row in steady.asked[::2]] == [
        [k % 256 for k in range(241)], [k % 256 for k in range(240, 300)]
    ]  # fmt: skip


def test_no_step_crosses_a_gap_and_short_parts_are_left_out():
    steady = Steady()
    times_s = np.concatenate([np.arange(6) / 10, 5 + np.arange(3) / 10, 9 + np.arange(5) / 10])
    found = InverseDynamicsReader(steady, readings=2, steps=1)(numbered(times_s), CAMERA, camera_given=False)
    np.testing.assert_allclose(found.times_s, [*(np.arange(5) / 10 + 0.05), *(9.05 + np.arange(4) / 10)])


@pytest.mark.parametrize("times_s", [[], [0.0, 0.1, 0.2, 0.3], np.arange(40) / 5])
def test_too_few_frames_say_why(times_s):
    found = InverseDynamicsReader(Steady())(numbered(times_s), CAMERA, camera_given=False)
    assert "no 5 frames in a row" in found.unknown and len(found.times_s) == 0


def test_large_frames_are_made_smaller_to_fit_the_network():
    steady = Steady()
    InverseDynamicsReader(steady, readings=2)(numbered(np.arange(5) / 10, (1080, 1920)), CAMERA, camera_given=False)
    assert steady.asked[0][1] == (5, 720, 1280, 3)


@pytest.mark.parametrize("settings", [{"readings": 1}, {"steps": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match="of inverse dynamics: received"):
        InverseDynamicsReader(Steady(), **settings)

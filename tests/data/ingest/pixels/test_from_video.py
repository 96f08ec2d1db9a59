"""Sources without a log get the motion that a reader measures, and logs are compared with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.data.drives import make_video, write_log
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_report import ingest_report
from worldgen.data.ingest.ingest_writing import write_ingest
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig

CONFIG = IngestConfig(
    fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8,
    defaults=SourceConfig(licence="MIT", ego=EgoLogConfig(from_video=True)),
)  # fmt: skip


def reader(frames, camera, *, camera_given):
    """7 m/s and 0.1 rad/s, unsure in the second second; half the field of view where nobody states one."""
    times_s = np.array([time_s for time_s, _ in frames])
    sigma = np.where((times_s > 0.95) & (times_s < 1.75), 6.0, 0.7)
    size = camera.width_px, camera.height_px
    return PixelMotion(
        times_s, np.full(len(times_s), 7.0), np.full(len(times_s), 0.1), sigma, np.full(len(times_s), 0.01), 0.15,
        camera if camera_given else Camera.from_fov(*size, 35.0), "test",
    )  # fmt: skip


def blind(frames, camera, *, camera_given):
    assert sum(1 for _ in frames) > 0
    return PixelMotion(*[np.zeros(0)] * 5, np.inf, None, "test", unknown="dark")


@pytest.fixture
def clip(tmp_path):
    root = tmp_path / "clips"
    make_video(root / "a.mp4", 60)
    return root


def test_samples_hold_measured_motion_with_its_deviations_where_it_is_sure(clip, tmp_path):
    plan = plan_ingest([str(clip)], CONFIG, reader=reader)
    for _ in write_ingest(plan, str(tmp_path / "out")):
        pass
    build_index(str(tmp_path / "out"))
    data = DataSet(str(tmp_path / "out"))
    samples = [data.load(row["key"]) for row in sorted(data.rows, key=lambda row: row["key"])]
    known = [sample.ego is not None for sample in samples]
    assert known[0] and not known[1] and len(known) == 3
    first = samples[0]
    np.testing.assert_allclose(first.ego.speed_mps, 7.0)
    np.testing.assert_allclose(first.ego.yaw_rate_radps, 0.1)
    assert first.provenance["ego_from_pixels"]["speed_sigma_mps"] == [0.7] * 8
    assert first.provenance["ego_from_pixels"]["yaw_rate_sigma_radps"] == [0.01] * 8
    assert first.provenance["speed"] == "pixels (test)" and first.provenance["camera"] == "from pixels"
    assert "ego_from_pixels" not in samples[1].provenance and samples[1].provenance["speed"] == "unknown"
    assert first.camera.fov_deg == pytest.approx(35.0, abs=4.0)
    report = ingest_report(plan)["sources"][0]
    assert report["pixels"] == {"reader": "test", "scale_sigma": 0.15, "windows_with_motion": sum(known)}
    assert any("too uncertain in" in note for note in report["notes"])


def test_a_stated_camera_is_kept(clip):
    config = replace(CONFIG, defaults=replace(CONFIG.defaults, camera=CameraConfig(fov_deg=80.0)))
    plan = plan_ingest([str(clip)], config, reader=reader).sources[0]
    assert plan.camera_given and plan.camera.fov_deg > 70


def test_a_source_whose_pixels_show_nothing_trains_without_motion_and_says_why(clip):
    plan = plan_ingest([str(clip)], CONFIG, reader=blind).sources[0]
    assert plan.motion is None and len(plan.windows) == 3
    assert "no motion from pixels: dark" in plan.notes


def test_a_log_is_kept_and_compared_with_the_pixels(clip):
    write_log(clip / "a.csv")  # 10 m/s
    config = replace(CONFIG, check_motion=True)
    plan = plan_ingest([str(clip)], config, reader=reader).sources[0]
    assert plan.pixels is None and plan.log is not None
    seen = plan_ingest([str(clip)], config, reader=blind).sources[0]
    assert any("not compared with the pixels: dark" in note for note in seen.notes)
    unread = plan_ingest([str(clip)], CONFIG, reader=blind).sources[0]  # not asked for
    assert not any("compared" in note for note in unread.notes)


def test_motion_from_pixels_without_a_reader_is_refused(clip):
    with pytest.raises(InputError, match="no reader"):
        plan_ingest([str(clip)], CONFIG)

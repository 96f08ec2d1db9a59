"""comma2k19 on hand-made segments in its layout; numbers are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.ingest.test_fleets import view
from tests.data.video.test_video_kinds import write
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8, crf=10, dataset="comma2k19")
BOOT_S = 46_408.0
ROUTES = ("b0c9d2329ad1606b|2018-08-02--08-34-47", "99c94dc769b5d96e|2018-10-09--12-32-53")


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:  # np.save would add a suffix
        np.save(file, values)


def make_segment(root: Path, route: str, number: int, frames: int = 40) -> Path:
    """Two seconds at 20 frames/s; speed rises by 1 m/s each second from 20; a turn to the right at 0.1 rad/s."""
    segment = root / "Chunk_1" / route / str(number)
    segment.mkdir(parents=True)
    start_s = BOOT_S + 2 * number
    write(segment / "video.hevc", list(view(number, frames)), "libx265", rate=20, container={"format": "hevc"},
          options={"x265-params": "log-level=none"})  # fmt: skip
    save(segment / "global_pose" / "frame_times", start_s + np.arange(frames) / 20)
    times_s = start_s - 0.2 + np.arange(250) / 100
    save(segment / "processed_log" / "CAN" / "speed" / "t", times_s)
    save(segment / "processed_log" / "CAN" / "speed" / "value", (20 + times_s - start_s)[:, None])
    save(segment / "processed_log" / "IMU" / "gyro" / "t", times_s - 0.003)
    save(segment / "processed_log" / "IMU" / "gyro" / "value", np.tile([0.5, 0.3, 0.1], (250, 1)))
    return segment


def test_segments_of_a_route_with_speed_and_yaw_rate(tmp_path):
    for number in (3, 4):
        make_segment(tmp_path, ROUTES[0], number)
    make_segment(tmp_path, ROUTES[1], 7)
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert plan.bad == ()
    assert [p.source.drive for p in plan.sources] == [
        "99c94dc769b5d96e_2018-10-09--12-32-53", *["b0c9d2329ad1606b_2018-08-02--08-34-47"] * 2
    ]  # fmt: skip
    assert sorted(plan.splits.values()) == ["train", "val"]
    made = plan.sources[1]
    assert made.info.begin_s == pytest.approx(BOOT_S + 6) and made.info.num_frames == 40
    ego = made.ego(made.windows[1])
    # Frames 16, 18, ... at 0.8 s and on; the mean speed of the step of 0.1 s before each: 20 + t - 0.05.
    np.testing.assert_allclose(ego.speed_mps, 20.8 + 0.1 * np.arange(8) - 0.05, atol=1e-3)
    np.testing.assert_allclose(ego.yaw_rate_radps, -0.1, atol=1e-6)  # right is negative
    camera = made.camera
    assert camera.height_m == 1.22 and camera.fx_px == camera.fy_px


def test_samples_and_damaged_segments(tmp_path):
    make_segment(tmp_path / "set", ROUTES[0], 3)
    broken = make_segment(tmp_path / "set", ROUTES[0], 4)
    (broken / "processed_log" / "CAN" / "speed" / "value").write_bytes(b"not numpy")
    short = make_segment(tmp_path / "set", ROUTES[0], 5)
    save(short / "global_pose" / "frame_times", np.arange(39) / 20)
    pickled = make_segment(tmp_path / "set", ROUTES[0], 6)
    with open(pickled / "processed_log" / "IMU" / "gyro" / "t", "wb") as file:
        np.save(file, np.array([{}], object), allow_pickle=True)
    plan = plan_ingest([str(tmp_path / "set")], CONFIG)
    reasons = [reason for _, reason in sorted(plan.bad)]
    assert len(plan.sources) == 1 and len(reasons) == 3
    assert "speed/value of 4: received no .npy content" in reasons[0]
    assert "received 39 times; expected 40 increasing times" in reasons[1]
    assert "gyro/t of 6: received no .npy content" in reasons[2]
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    sample = DataSet(str(tmp_path / "out")).load(0)
    assert (sample.licence, sample.split) == ("MIT", "train")
    with pytest.raises(InputError, match=r"comma2k19: received .* without video\.hevc"):
        plan_ingest([str(tmp_path / "out")], CONFIG)

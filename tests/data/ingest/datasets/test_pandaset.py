"""PandaSet on hand-made sequences in its layout; numbers are worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.data.drives import picture
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8, crf=10, dataset="pandaset")
START_S = 1_557_539_924.0
RADIUS_M, YAW_RATE_RADPS = 50.0, 0.2  # a left turn at 10 m/s
EAST = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""A camera (x right, y down, z forward) that looks along the x of a world of z up."""


def make_sequence(root: Path, number: int, start_s: float, frames: int = 18) -> Path:
    """A camera on a circle around (0, 50): at time t it is at angle -90 degrees + 0.2 t and looks ahead."""
    folder = root / f"{number:03d}" / "camera" / "front_camera"
    folder.mkdir(parents=True)
    poses, times = [], []
    for index in range(frames):
        assert cv2.imwrite(str(folder / f"{index:02d}.jpg"), picture(index + 18 * number))
        turned = YAW_RATE_RADPS * (start_s - START_S + index / 10)
        x, y, z, w = (Rotation.from_euler("z", turned) * EAST).as_quat()
        position = {"x": RADIUS_M * np.sin(turned), "y": RADIUS_M * (1 - np.cos(turned)), "z": 1.6}
        poses.append({"position": position, "heading": {"w": w, "x": x, "y": y, "z": z}})
        times.append(start_s + index / 10)
    (folder / "poses.json").write_text(json.dumps(poses))
    (folder / "timestamps.json").write_text(json.dumps(times))
    (folder / "intrinsics.json").write_text(json.dumps({"fx": 97.0, "fy": 98.0, "cx": 47.5, "cy": 26.5}))
    back = root / f"{number:03d}" / "camera" / "back_camera"  # not read
    back.mkdir()
    assert cv2.imwrite(str(back / "00.jpg"), picture(0))
    return folder


def test_a_turn_to_the_left(tmp_path):
    make_sequence(tmp_path, 1, START_S)
    (made,) = plan_ingest([str(tmp_path)], CONFIG).sources
    assert made.source.name == "001" and made.info.begin_s == pytest.approx(START_S)
    np.testing.assert_allclose(made.frame_times_s, np.arange(18) / 10, atol=1e-6)
    ego = made.ego(made.windows[1])
    np.testing.assert_allclose(ego.speed_mps, RADIUS_M * YAW_RATE_RADPS, rtol=1e-5)
    np.testing.assert_allclose(ego.yaw_rate_radps, YAW_RATE_RADPS, rtol=1e-5)
    # 96x64 is halved; pixel centres of the set are whole numbers.
    camera = made.camera
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == pytest.approx((48.5, 49.0, 24.0, 13.5))
    assert any("height and pitch" in note for note in made.notes)


def test_sequences_of_one_drive_stay_together(tmp_path):
    make_sequence(tmp_path / "set", 1, START_S)
    make_sequence(tmp_path / "set", 2, START_S + 1.8)  # goes on where the first ends
    make_sequence(tmp_path / "set", 4, START_S + 4000)
    plan = plan_ingest([str(tmp_path / "set")], CONFIG)
    assert plan.bad == () and [p.source.drive for p in plan.sources] == ["001", "001", "004"]
    assert sorted(plan.splits.values()) == ["train", "val"]
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    assert validate(str(tmp_path / "out")).problems == []
    sample = DataSet(str(tmp_path / "out")).load(0)
    assert sample.licence == "CC-BY-4.0" and sample.ego is not None and sample.provenance["camera"] == "given"


def test_bad_sequences(tmp_path):
    make_sequence(tmp_path, 1, START_S)
    (make_sequence(tmp_path, 2, START_S + 100) / "poses.json").unlink()
    (make_sequence(tmp_path, 3, START_S + 200) / "poses.json").write_text("[{}]")
    (make_sequence(tmp_path, 4, START_S + 300) / "17.jpg").unlink()
    plan = plan_ingest([str(tmp_path)], CONFIG)
    reasons = [reason for _, reason in plan.bad]
    assert len(plan.sources) == 1 and len(reasons) == 3
    assert "002/camera/front_camera: received no poses.json" in reasons[0]
    assert "003/camera/front_camera: received KeyError 'position'" in reasons[1]
    assert "received 17 pictures, 18 times and 18 poses" in reasons[2]
    with pytest.raises(InputError, match=r"pandaset: received .* without a sequence"):
        plan_ingest([str(tmp_path / "001" / "camera" / "front_camera")], CONFIG)

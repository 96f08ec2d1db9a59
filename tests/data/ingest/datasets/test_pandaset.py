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
    assert camera.height_m == 1.8 and any("height and pitch" in note for note in made.notes)


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


def test_poses_of_the_set_itself(tmp_path):
    """Rows 40 to 47 of the front camera of sequence 002 (CC BY 4.0): a car that gathers speed to the north-east.

    The GPS of the sequence (``meta/gps.json``, half a period earlier) reads 3.16 to 3.98 m/s forward.
    """
    folder = make_sequence(tmp_path, 2, START_S, frames=8)
    rows = [
        (2.5866664556528294, 2.466240979290467, 0.6554122851680118, -0.650630103896342, 0.27605590080108616),
        (2.8075987561350226, 2.6947056601927653, 0.6549165555068462, -0.6513776337906731, 0.27503354509833344),
        (3.043516598013999, 2.932267816072965, 0.6547937535418182, -0.6515416488650217, 0.27494863807188624),
        (3.292517334511941, 3.1791814836747077, 0.6546698283039675, -0.651825433590344, 0.2749351526059397),
        (3.549790344111975, 3.429623503757365, 0.6551416996539218, -0.6515167225834778, 0.2749239004378314),
        (3.816431790343627, 3.6898222905091433, 0.6555804266646637, -0.6512148831006772, 0.27471515571271727),
        (4.092422081642619, 3.961084940783591, 0.6566210400146368, -0.6502137737983765, 0.275116278777146),
        (4.377035234431526, 4.238408089136986, 0.6571160565465, -0.6495635258502708, 0.2754044043163891),
    ]
    poses = [
        {
            "position": {"x": x, "y": y, "z": 1.81},
            "heading": {"w": w, "x": i, "y": j, "z": -np.sqrt(1 - w * w - i * i - j * j)},
        }
        for x, y, w, i, j in rows
    ]
    (folder / "poses.json").write_text(json.dumps(poses))
    (made,) = plan_ingest([str(tmp_path)], CONFIG).sources
    ego = made.ego(made.windows[0])
    gps_mps = [3.157234500435601, 3.339160129593856, 3.4820215838971333, 3.6121859963980807, 3.740420368299739,
               3.8622522501691656, 3.975660369992812]  # fmt: skip
    np.testing.assert_allclose(ego.speed_mps[1:], gps_mps, rtol=0.03)
    assert np.abs(ego.yaw_rate_radps).max() < 0.03

"""KITTI raw data on a hand-made drive in its layout; numbers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.data.drives import make_frames
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest
from worldgen.data.ingest.source_config import SourceConfig

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8, crf=10, dataset="kitti_raw")
SPEED_MPS, YAW_RATE_RADPS = 10.0, 0.05


def stamp(index: int, offset_s: float = 0.0) -> str:
    """A time as KITTI writes it, with nine decimals."""
    return f"2011-09-26 13:02:{25 + 0.1 * index + offset_s:012.9f}"


def make_drive(root: Path, number: int, cameras: tuple[str, ...] = ("image_02", "image_03"), frames: int = 20) -> Path:
    drive = root / "2011_09_26" / f"2011_09_26_drive_{number:04d}_sync"
    for camera in cameras:
        make_frames(drive / camera / "data", frames)
        lines = [stamp(i) for i in range(frames)]
        (drive / camera / "timestamps.txt").write_text("\n".join(lines) + "\n")
    (drive / "oxts" / "data").mkdir(parents=True)
    (drive / "oxts" / "timestamps.txt").write_text("\n".join(stamp(i, 0.004) for i in range(frames)) + "\n")
    for i in range(frames):
        values = [0.0] * 30
        values[0], values[1] = 49.0 + SPEED_MPS * 0.1 * i / 111_195, 8.4  # northwards; 1 degree is 111.195 km
        values[5] = np.pi / 2 + YAW_RATE_RADPS * 0.1 * i  # yaw: 0 is east
        values[8] = SPEED_MPS * (1 + 0.01 * i)  # vf
        values[22] = YAW_RATE_RADPS  # wu
        values[19] = YAW_RATE_RADPS  # wz
        (drive / "oxts" / "data" / f"{i:010d}.txt").write_text(" ".join(map(str, values)) + "\n")
    (drive.parent / "calib_cam_to_cam.txt").write_text(
        "calib_time: 09-Jan-2012 13:57:47\n"
        "P_rect_00: 7.2e+01 0 4.8e+01 0 0 7.2e+01 3.1e+01 0 0 0 1 0\n"
        "P_rect_02: 7.2e+01 0 4.8e+01 4.5e+01 0 7.3e+01 3.1e+01 0 0 0 1 0\n"
        "P_rect_03: 7.4e+01 0 4.7e+01 -3.4e+02 0 7.4e+01 3.0e+01 0 0 0 1 0\n"
    )
    return drive


@pytest.mark.parametrize("place", [".", "2011_09_26", "2011_09_26/2011_09_26_drive_0001_sync"])
def test_a_drive_with_both_cameras_log_and_calibration(tmp_path, place):
    make_drive(tmp_path, 1)
    plan = plan_ingest([str(tmp_path / place)], CONFIG)
    assert plan.bad == ()
    assert [p.source.drive for p in plan.sources] == ["2011_09_26_drive_0001_sync"] * 2
    assert plan.splits == {"2011_09_26_drive_0001_sync": "train"}
    left, right = plan.sources
    assert left.source.name.endswith("image_02/data") and right.source.name.endswith("image_03/data")
    np.testing.assert_allclose(left.frame_times_s, np.arange(20) / 10, atol=1e-6)
    # Frame i is at 0.1 i, the record of the log 4 ms later: the speed at frame i is 10 + 0.1 i - 0.004, and the mean
    # over the step that arrives at frame i is that at its middle, 0.05 lower.
    # Frame 0 lies before the log, so the second window is that of frames 9 to 16.
    ego = left.ego(left.windows[1])
    np.testing.assert_allclose(ego.speed_mps, 10 + 0.1 * np.arange(9, 17) - 0.004 - 0.05, atol=2e-3)
    np.testing.assert_allclose(ego.yaw_rate_radps, YAW_RATE_RADPS, atol=1e-6)
    # 96x64 is cropped to itself and halved: 72 / 2, (48 + 0.5) / 2.
    camera = left.camera
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == pytest.approx((36, 36.5, 24.25, 15.75))
    assert camera.height_m == 1.65 and left.camera_given
    assert right.camera.fx_px == pytest.approx(37)


def test_samples_hold_licence_and_drive(tmp_path):
    for number in (1, 2, 3):
        make_drive(tmp_path / "kitti", number)
    plan = plan_ingest([str(tmp_path / "kitti")], replace(CONFIG, defaults=SourceConfig(tags=("urban",))))
    assert sorted(plan.splits.values()) == ["test", "train", "val"]
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    data = DataSet(str(tmp_path / "out"))
    sample = data.load(0)
    assert (sample.licence, sample.drive) == ("CC-BY-NC-SA-3.0", "2011_09_26_drive_0001_sync")
    assert sample.ego is not None and "urban" in sample.tags and sample.labels is None
    by_drive: dict[str, set[str]] = {}
    for row in data.rows:
        by_drive.setdefault(row["drive"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in by_drive.values()) and len(by_drive) == 3


def test_grey_only_settings_and_bad_layouts(tmp_path):
    make_drive(tmp_path, 1, ("image_00",))
    make_drive(tmp_path, 2)
    names = ["2011_09_26_drive_0001_sync/image_00/data"] + [
        f"2011_09_26_drive_0002_sync/image_{c}/data" for c in ("02", "03")
    ]
    place = str(tmp_path / "2011_09_26")
    assert [p.source.name for p in plan_ingest([place], CONFIG).sources] == names
    config = replace(CONFIG, exclude=("*image_03*",), sources={"*0002*": SourceConfig(tags=("dusk",))})
    chosen = plan_ingest([place], config).sources
    assert [(p.source.name, p.source.config.tags) for p in chosen] == [(names[0], None), (names[1], ("dusk",))]
    (tmp_path / "2011_09_26" / "2011_09_26_drive_0001_sync" / "image_00" / "timestamps.txt").write_text("")
    plan = plan_ingest([place], CONFIG)
    assert [name for name, _ in plan.bad] == names[:1] and len(plan.sources) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"kitti_raw: received .* without a drive"):
        plan_ingest([str(tmp_path / "empty")], CONFIG)
    with pytest.raises(InputError, match="one folder, that of the set"):
        plan_ingest([place, place], CONFIG)
    (tmp_path / "2011_09_26" / "calib_cam_to_cam.txt").write_text("P_rect_02: a b\n")
    reasons = dict(plan_ingest([place], CONFIG).bad)
    assert "no P_rect_00" in reasons["2011_09_26_drive_0001_sync/image_00"]
    assert "expected 12 numbers" in reasons["2011_09_26_drive_0002_sync/image_02"]


def test_the_devkit_reads_the_same_numbers(tmp_path):
    pykitti = pytest.importorskip("pykitti", reason="pip install pykitti pandas")
    drive = make_drive(tmp_path, 1)
    for name in ("calib_velo_to_cam.txt", "calib_imu_to_velo.txt"):
        (drive.parent / name).write_text("R: 1 0 0 0 1 0 0 0 1\nT: 0 0 0\n")
    with open(drive.parent / "calib_cam_to_cam.txt", "a") as file:
        file.write("P_rect_01: 7.2e+01 0 4.8e+01 0 0 7.2e+01 3.1e+01 0 0 0 1 0\n")
        file.writelines(f"R_rect_0{camera}: 1 0 0 0 1 0 0 0 1\n" for camera in range(4))
    devkit = pykitti.raw(str(tmp_path), "2011_09_26", "0001")
    left, right = plan_ingest([str(tmp_path)], CONFIG).sources
    np.testing.assert_allclose(left.log.series["speed"], [record.packet.vf for record in devkit.oxts])
    np.testing.assert_allclose(left.log.series["yaw_rate"], [record.packet.wu for record in devkit.oxts])
    since_s = [(time - devkit.timestamps[0]).total_seconds() for time in devkit.timestamps]
    np.testing.assert_allclose(left.log.times_s - left.log.times_s[0], since_s, atol=2e-6)
    for made, matrix in ((left, devkit.calib.K_cam2), (right, devkit.calib.K_cam3)):
        camera = made.source.config.camera
        expected = (matrix[0, 0], matrix[1, 1], matrix[0, 2] + 0.5, matrix[1, 2] + 0.5)
        assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == pytest.approx(expected)

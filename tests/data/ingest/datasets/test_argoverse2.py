"""Argoverse 2 on hand-made logs in its layout; numbers are worked out by hand, and by its devkit where it is there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from scipy.spatial.transform import Rotation

from tests.data.drives import frame_number, picture
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest

CONFIG = IngestConfig(
    fps=20.0, width_px=48, height_px=64, num_frames=8, stride_frames=8, crf=10, dataset="argoverse2"
)  # fmt: skip
START_NS = 315_968_112_437_425_433
SPEED_MPS, YAW_RATE_RADPS = 10.0, 0.1
AHEAD_MPS = 12.0
SIZE = (48, 64)  # portrait, as the front camera of the set
POSE = ("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")


def save(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    feather.write_feather(pa.Table.from_pylist(rows), str(path), compression="uncompressed")


def car_pose(seconds: float, yaw_rate_radps: float) -> dict:
    """A car at 10 m/s from (500, 200), to the left by ``yaw_rate_radps``, on the exact arc."""
    turned = yaw_rate_radps * seconds
    x = SPEED_MPS * (np.sin(turned) / yaw_rate_radps if yaw_rate_radps else seconds)
    y = SPEED_MPS * ((1 - np.cos(turned)) / yaw_rate_radps if yaw_rate_radps else 0.0)
    return dict(zip(POSE, (np.cos(turned / 2), 0.0, 0.0, np.sin(turned / 2), 500.0 + x, 200.0 + y, -24.0), strict=True))


def cuboid(
    kind: str, track: str, time_ns: int, centre: tuple, size: tuple, points: int = 9, yaw_rad: float = 0.0
) -> dict:
    """In the axes of the car; length, width, height."""
    pose = dict(zip(POSE, (np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2), *centre), strict=True))
    return {"timestamp_ns": time_ns, "track_uuid": track, "category": kind, "length_m": size[0], "width_m": size[1],
            "height_m": size[2], **pose, "num_interior_pts": points}  # fmt: skip


def make_log(root: Path, name: str, *, seed: int = 0, yaw_rate_radps: float = 0.0, labelled: bool = True) -> Path:
    """A second of pictures at 20 Hz from 25 ms on, poses at 100 Hz, sweeps at 10 Hz.

    A parked car is 30 m ahead of the rear axle at first; another is 40 m ahead and drives at 12 m/s; a person stands
    behind the camera.
    """
    log = root / name
    poses = []
    for index in range(120):
        stamp = START_NS + index * 10_000_000
        poses.append({"timestamp_ns": stamp, **car_pose(index / 100, yaw_rate_radps)})
        poses.append({"timestamp_ns": stamp + 1, **car_pose(index / 100, yaw_rate_radps)})  # as the set has them
    save(log / "city_SE3_egovehicle.feather", poses)
    # Camera axes (x right, y down, z forward) in those of the car (x forward, y left, z up).
    looks = {"sensor_name": "ring_front_center", "qw": 0.5, "qx": -0.5, "qy": 0.5, "qz": -0.5}
    aside = {"sensor_name": "ring_side_left", "qw": 1.0, "qx": 0.0, "qy": 0.0, "qz": 0.0}
    place = {"tx_m": 1.6, "ty_m": 0.0, "tz_m": 1.4}
    save(log / "calibration" / "egovehicle_SE3_sensor.feather", [{**aside, **place}, {**looks, **place}])
    inner = {"fx_px": 60.0, "fy_px": 61.0, "cx_px": 23.5, "cy_px": 31.5, "k1": -0.2, "k2": 0.0, "k3": 0.0,
             "height_px": SIZE[1], "width_px": SIZE[0]}  # fmt: skip
    cameras = [{"sensor_name": "ring_side_left", **inner, "fx_px": 1.0}, {"sensor_name": "ring_front_center", **inner}]
    save(log / "calibration" / "intrinsics.feather", cameras)
    pictures = log / "sensors" / "cameras" / "ring_front_center"
    pictures.mkdir(parents=True)
    for index in range(20):
        stamp = START_NS + 30_000_000 + index * 50_000_000
        assert cv2.imwrite(str(pictures / f"{stamp}.jpg"), picture(index + 20 * seed, SIZE))
    if labelled:
        rows = []
        for index in range(11):
            stamp, moved_m = START_NS + index * 100_000_000, SPEED_MPS * index / 10
            ahead_m = 40.0 + AHEAD_MPS * index / 10 - moved_m
            now, turned = car_pose(index / 10, yaw_rate_radps), yaw_rate_radps * index / 10
            away = Rotation.from_euler("z", -turned).apply([530.0 - now["tx_m"], 200.0 - now["ty_m"], 0.75])
            rows += [
                cuboid("REGULAR_VEHICLE", "parked", stamp, tuple(away), (4.0, 2.0, 1.5), yaw_rad=-turned),
                cuboid("BOX_TRUCK", "ahead", stamp, (ahead_m, 4.0, 1.4), (6.0, 2.0, 2.8), points=0),
                cuboid("PEDESTRIAN", "behind", stamp, (-5.0, 0.0, 0.9), (0.6, 0.6, 1.8)),
                cuboid("BOLLARD", "post", stamp, (12.0, 2.0, 0.5), (0.2, 0.2, 1.0)),
            ]
        save(log / "annotations.feather", rows)
    return log


def test_motion_camera_and_split(tmp_path):
    make_log(tmp_path / "sensor" / "val", "log-a", yaw_rate_radps=YAW_RATE_RADPS, labelled=False)
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert plan.bad == () and plan.splits == {"log-a": "val"}
    (made,) = plan.sources
    assert made.source.name == "sensor/val/log-a" and made.labels is None and made.info.num_frames == 20
    assert made.info.begin_s == pytest.approx((START_NS + 30_000_000) / 1e9, abs=1e-6)
    np.testing.assert_allclose(made.frame_times_s, np.arange(20) / 20, atol=1e-6)
    ego = made.ego(made.windows[1])
    np.testing.assert_allclose(ego.speed_mps, SPEED_MPS, rtol=1e-4)
    np.testing.assert_allclose(ego.yaw_rate_radps, YAW_RATE_RADPS, rtol=1e-3)  # positive to the left
    camera = made.camera
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == pytest.approx((60, 61, 24, 32))
    # The origin of the car is the rear axle, 0.33 m above the road.
    assert (camera.height_m, camera.pitch_rad) == pytest.approx((1.73, 0), abs=1e-9)


def test_boxes_between_sweeps(tmp_path):
    """The near face of the parked car is 30 - 2 - 1.6 = 26.4 m ahead of the camera at first, and nearer by 10 m/s.

    It is 2 m wide; its top is at 1.5 m, 0.1 m above the camera, and its foot 1.4 m below it.
    """
    (made,) = plan_ingest([str(make_log(tmp_path, "log-a"))], CONFIG).sources
    labels = made.labels
    times_s = 0.03 + np.arange(20) / 20
    car = labels.where(labels.class_id == CLASSES.index("car"))
    assert car.frame_index.tolist() == list(range(20)) and not car.ignore.any()
    z = 26.4 - SPEED_MPS * times_s
    expected = np.stack([24 - 60 / z, 32 - 61 * 0.1 / z, 24 + 60 / z, 32 + 61 * 1.4 / z], 1)
    np.testing.assert_allclose(car.amodal_box_px, expected, atol=1e-3)
    # The truck: its near face is 40 - 3 - 1.6 m ahead, and 2 m/s further each second; 5 to 3 m to the left.
    truck = labels.where(labels.class_id == CLASSES.index("truck"))
    z = 35.4 + (AHEAD_MPS - SPEED_MPS) * times_s
    np.testing.assert_allclose(truck.amodal_box_px[:, 0], 24 - 60 * 5 / z, atol=1e-3)
    np.testing.assert_allclose(truck.amodal_box_px[:, 3], 32 + 61 * 1.4 / z, atol=1e-3)
    assert truck.ignore.all() and set(labels.class_id.tolist()) == {0, 1}


def test_objects_that_come_and_go(tmp_path):
    log = make_log(tmp_path, "log-a")
    rows = [
        cuboid("REGULAR_VEHICLE", "short", START_NS + step * 100_000_000, (20.0, 0.0, 0.75), (4.0, 2.0, 1.5))
        for step in (0, 1, 5, 6, 10)
    ]
    save(log / "annotations.feather", rows)
    (made,) = plan_ingest([str(log)], CONFIG).sources
    # Pictures at 30, 80, ... ms lie between the sweeps at 0 and 100 ms, then between those at 500 and 600 ms.
    assert made.labels.frame_index.tolist() == [0, 1, 10, 11]
    save(log / "annotations.feather", rows[:2])
    (made,) = plan_ingest([str(log)], CONFIG).sources
    assert made.info.num_frames == 2 and "18 of 20 pictures outside the annotated time" in made.notes


def test_samples(tmp_path):
    for seed, (split, name) in enumerate((("train", "log-a"), ("val", "log-b"), ("test", "log-c"))):
        make_log(tmp_path / "av2" / split, name, seed=seed, labelled=split != "test")
    plan = plan_ingest([str(tmp_path / "av2")], CONFIG)
    assert plan.splits == {"log-a": "train", "log-b": "val", "log-c": "test"}
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    assert validate(str(tmp_path / "out")).problems == []
    data = DataSet(str(tmp_path / "out"))
    first = data.load(0)
    assert (first.licence, first.drive, first.provenance["camera"]) == ("CC-BY-NC-SA-4.0", "log-a", "given")
    assert [frame_number(frame) for frame in first.clip.frames] == list(range(8)) and len(first.labels) == 16
    assert all(data.load(i).labels is None for i, row in enumerate(data.rows) if row["split"] == "test")


def test_missing_and_damaged_files(tmp_path):
    make_log(tmp_path / "set", "good")
    (make_log(tmp_path / "set", "a") / "calibration" / "intrinsics.feather").unlink()
    (make_log(tmp_path / "set", "b") / "annotations.feather").write_bytes(b"x")
    save(make_log(tmp_path / "set", "c") / "annotations.feather", [{"timestamp_ns": 1}])
    save(make_log(tmp_path / "set", "d") / "calibration" / "egovehicle_SE3_sensor.feather", [
        {"sensor_name": "ring_rear_left", **dict.fromkeys(POSE, 0.5)}
    ])  # fmt: skip
    for file in (make_log(tmp_path / "set", "e") / "sensors" / "cameras" / "ring_front_center").iterdir():
        file.unlink()
    late = cuboid("BUS", "bus", START_NS + 10**12, (9.0, 0.0, 1.0), (9.0, 2.0, 3.0))
    save(make_log(tmp_path / "set", "f") / "annotations.feather", [late])
    plan = plan_ingest([str(tmp_path / "set")], CONFIG)
    reasons = dict(plan.bad)
    assert [p.source.name for p in plan.sources] == ["good"] and len(reasons) == 6
    assert "no intrinsics.feather in calibration" in reasons["a"]
    assert "not Feather" in reasons["b"]
    assert "table annotations.feather: received no column track_uuid" in reasons["c"]
    assert "received no ring_front_center" in reasons["d"]
    assert "log e: received 0 pictures" in reasons["e"]
    assert "annotations and pictures at other times" in reasons["f"]
    with pytest.raises(InputError, match=r"argoverse2: received .* without a log"):
        plan_ingest([str(tmp_path / "set" / "good" / "sensors")], CONFIG)


def test_the_devkit_reads_the_same_numbers(tmp_path):
    loader = pytest.importorskip("av2.datasets.sensor.av2_sensor_dataloader", reason="pip install av2")
    log = make_log(tmp_path, "log-a", yaw_rate_radps=YAW_RATE_RADPS)
    devkit = loader.AV2SensorDataLoader(data_dir=tmp_path, labels_dir=tmp_path)
    (made,) = plan_ingest([str(log)], CONFIG).sources
    pinhole = devkit.get_log_pinhole_camera("log-a", "ring_front_center")
    camera = made.camera
    assert (camera.fx_px, camera.cx_px - 0.5, camera.cy_px - 0.5) == pytest.approx(
        (pinhole.intrinsics.fx_px, pinhole.intrinsics.cx_px, pinhole.intrinsics.cy_px)
    )
    # The devkit moves points of a sweep with the car to the time of a picture, which is right for what stands still.
    for frame in range(20):
        stamp = START_NS + 30_000_000 + frame * 50_000_000
        sweep = START_NS + round((stamp - START_NS) / 1e8) * 100_000_000
        cuboids = devkit.get_labels_at_lidar_timestamp("log-a", sweep).cuboids
        corners = next(cuboid for cuboid in cuboids if cuboid.category == "REGULAR_VEHICLE").vertices_m
        uv, _, _ = devkit.project_ego_to_img_motion_compensated(corners, "ring_front_center", stamp, sweep, "log-a")
        ours = made.labels.where((made.labels.frame_index == frame) & (made.labels.class_id == CLASSES.index("car")))
        np.testing.assert_allclose(ours.amodal_box_px[0], np.array([*uv.min(0), *uv.max(0)]) + 0.5, atol=2e-3)

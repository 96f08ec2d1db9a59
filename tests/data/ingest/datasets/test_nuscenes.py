"""nuScenes on a hand-made scene in its layout; numbers are worked out by hand, and by its devkit where it is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.drives import frame_number, picture
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.datasets.cuboids.cuboid_outlines import outline_px
from worldgen.data.ingest.datasets.nuscenes_splits import published_split
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest

CONFIG = IngestConfig(fps=12.0, width_px=160, height_px=90, num_frames=7, stride_frames=6, crf=10, dataset="nuscenes")
STEP_US = 83_333  # 12 pictures a second; every sixth is a key frame
START_US = 1_532_402_927_600_000
FORWARD = [0.5, -0.5, 0.5, -0.5]  # camera x right, y down, z forward in a car of x forward, y left, z up
SPEED_MPS, CAR_MPS = 6.0, 12.0
CAR_M = np.array([30.0, 0.0, 0.75])


def make_scene(root: Path, version: str = "v1.0-mini", name: str = "scene-0061", frames: int = 13) -> Path:
    """The front camera drives at 6 m/s along x; a car ahead drives at 12 m/s, and a person stands to its left."""
    rows = {table: [] for table in ("sample", "sample_data", "ego_pose", "sample_annotation")}
    for index in range(frames):
        time_us, key = START_US + index * STEP_US, index % 6 == 0
        moved_s = index * STEP_US / 1e6
        sample = -(-index // 6)  # a sweep belongs to the key frame after it
        file = f"{'samples' if key else 'sweeps'}/CAM_FRONT/n015__CAM_FRONT__{time_us}.jpg"
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / file), picture(index, (160, 90)))
        rows["ego_pose"].append(
            {"token": f"pose{index}", "timestamp": time_us, "rotation": [1.0, 0.0, 0.0, 0.0],
             "translation": [100.0 + SPEED_MPS * moved_s, 50.0, 0.0]}
        )  # fmt: skip
        rows["sample_data"].append(
            {"token": f"data{index}", "sample_token": f"sample{sample}", "ego_pose_token": f"pose{index}",
             "calibrated_sensor_token": "cs", "timestamp": time_us, "fileformat": "jpg", "is_key_frame": key,
             "height": 90, "width": 160, "filename": file, "prev": f"data{index - 1}" if index else "",
             "next": f"data{index + 1}" if index + 1 < frames else ""}
        )  # fmt: skip
        if key:
            last = index + 6 >= frames
            rows["sample"].append(
                {"token": f"sample{sample}", "timestamp": time_us, "scene_token": "scene",
                 "prev": f"sample{sample - 1}" if sample else "", "next": "" if last else f"sample{sample + 1}"}
            )  # fmt: skip
            for instance, centre, size in (
                ("car", [130.0 + CAR_MPS * moved_s, 50.0, 0.75], [2.0, 4.0, 1.5]),
                ("person", [112.0, 53.0, 0.9], [0.6, 0.6, 1.8]),
            ):
                rows["sample_annotation"].append(
                    {"token": f"{instance}{sample}", "sample_token": f"sample{sample}", "instance_token": instance,
                     "visibility_token": "4" if instance == "car" else "1", "attribute_tokens": [],
                     "translation": centre, "size": size, "rotation": [1.0, 0.0, 0.0, 0.0], "prev": "", "next": "",
                     "num_lidar_pts": 5, "num_radar_pts": 0}
                )  # fmt: skip
    rows |= {
        "scene": [{"token": "scene", "name": name, "log_token": "log", "nbr_samples": len(rows["sample"]),
                   "first_sample_token": "sample0", "last_sample_token": rows["sample"][-1]["token"],
                   "description": ""}],
        "sensor": [{"token": "sensor", "channel": "CAM_FRONT", "modality": "camera"}],
        "calibrated_sensor": [{"token": "cs", "sensor_token": "sensor", "translation": [1.5, 0.0, 1.5],
                               "rotation": FORWARD,
                               "camera_intrinsic": [[100.0, 0, 80.0], [0, 100.0, 45.0], [0, 0, 1]]}],
        "instance": [{"token": name, "category_token": category, "nbr_annotations": 3,
                      "first_annotation_token": f"{name}0", "last_annotation_token": f"{name}2"}
                     for name, category in (("car", "c1"), ("person", "c2"))],
        "category": [{"token": "c1", "name": "vehicle.car", "description": ""},
                     {"token": "c2", "name": "human.pedestrian.adult", "description": ""}],
        "attribute": [], "visibility": [{"token": str(i), "level": f"v{i}", "description": ""} for i in range(1, 5)],
        "log": [{"token": "log", "logfile": "n015", "vehicle": "n015", "date_captured": "", "location": "boston"}],
        "map": [{"token": "map", "log_tokens": ["log"], "category": "semantic_prior", "filename": "maps/map.png"}],
    }  # fmt: skip
    (root / "maps").mkdir()
    assert cv2.imwrite(str(root / "maps" / "map.png"), picture(0))
    (root / version).mkdir(parents=True)
    for table, records in rows.items():
        (root / version / f"{table}.json").write_text(json.dumps(records))
    return root


def test_a_scene_with_poses_camera_and_boxes(tmp_path):
    plan = plan_ingest([str(make_scene(tmp_path))], CONFIG)
    assert plan.bad == ()
    (made,) = plan.sources
    assert (made.source.name, made.source.drive, made.info.num_frames) == ("scene-0061", "scene-0061", 13)
    np.testing.assert_allclose(made.frame_times_s, np.arange(13) * STEP_US / 1e6, atol=1e-6)
    assert made.info.begin_s == pytest.approx(START_US / 1e6)
    ego = made.ego(made.windows[1])
    np.testing.assert_allclose(ego.speed_mps, SPEED_MPS, rtol=1e-3)
    np.testing.assert_allclose(ego.yaw_rate_radps, 0.0, atol=1e-6)
    camera = made.camera
    assert (camera.fx_px, camera.cx_px, camera.cy_px) == pytest.approx((100, 80.5, 45.5))
    assert (camera.height_m, camera.pitch_rad) == pytest.approx((1.5, 0), abs=1e-9)


def test_boxes_between_key_frames_are_where_the_car_is(tmp_path):
    """The near face of the car is 30 - 2 - 1.5 = 26.5 m ahead of the camera, and 6 m/s * t further at t seconds.

    It is 2 m wide, its top is as high as the camera, and its foot 1.5 m below: x = 80.5 +- 100 / z, y = 45.5 to 45.5 +
    150 / z.
    """
    (made,) = plan_ingest([str(make_scene(tmp_path))], CONFIG).sources
    labels = made.labels
    car = labels.where(labels.class_id == CLASSES.index("car"))
    assert car.frame_index.tolist() == list(range(13))
    z = 26.5 + 6.0 * np.arange(13) * STEP_US / 1e6
    expected = np.stack([80.5 - 100 / z, 0 * z + 45.5, 80.5 + 100 / z, 45.5 + 150 / z], 1)
    np.testing.assert_allclose(car.box_px, expected, atol=1e-3)
    assert len(set(car.track_id.tolist())) == 1 and not car.ignore.any()
    person = labels.where(labels.class_id == CLASSES.index("pedestrian"))
    assert person.ignore.all() and len(person) > 0
    # 12 m ahead at first, of which 1.5 + 0.3 are before the near face; 3 m to the left is 3.3 to 2.7.
    assert person.amodal_box_px[0, 0] == pytest.approx(80.5 - 100 * 3.3 / 10.2, abs=1e-3)
    assert person.amodal_box_px[0, 2] == pytest.approx(80.5 - 100 * 2.7 / 10.8, abs=1e-3)


def test_outlines_at_the_camera():
    signs = np.stack(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5], indexing="ij"), -1)
    matrix = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    assert outline_px(signs - np.array([0, 0, 3]), matrix) is None
    half = outline_px(signs * np.array([1, 1, 4]) + np.array([2, 0, 1.0]), matrix)  # from 1 m behind to 3 m ahead
    assert half == pytest.approx((50.5 + 100 * 1.5 / 3, 50.5 - 100 * 0.5 / 0.1, 50.5 + 100 * 2.5 / 0.1, 50.5 + 500))


def test_samples_of_nuscenes(tmp_path):
    plan = plan_ingest([str(make_scene(tmp_path / "nu", version="v1.0-test"))], CONFIG)
    assert plan.splits == {"scene-0061": "test"}
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    data = DataSet(str(tmp_path / "out"))
    first = data.load(0)
    assert (first.licence, first.split, len(data)) == ("CC-BY-NC-SA-4.0", "test", 2)
    assert [frame_number(frame) for frame in first.clip.frames] == list(range(7))
    assert len(first.labels) == 14 and first.provenance["camera"] == "given"


def test_a_version_without_annotations_has_no_labels(tmp_path):
    root = make_scene(tmp_path, version="v1.0-test")
    (root / "v1.0-test" / "sample_annotation.json").write_text("[]")
    (made,) = plan_ingest([str(root)], CONFIG).sources
    assert made.labels is None


def test_missing_pictures_and_tables(tmp_path):
    root = make_scene(tmp_path / "nu")
    for file in sorted((root / "sweeps" / "CAM_FRONT").iterdir())[:2]:
        file.unlink()
    (made,) = plan_ingest([str(root)], replace(CONFIG, num_frames=2)).sources
    assert made.info.num_frames == 11 and "2 of 13 pictures not there" in made.notes
    (root / "v1.0-mini" / "instance.json").unlink()
    with pytest.raises(InputError, match=r"nuscenes: received no instance\.json"):
        plan_ingest([str(root)], CONFIG)
    (root / "v1.0-mini" / "instance.json").write_text('[{"name": 1}]')
    with pytest.raises(InputError, match=r"table instance\.json: received records without token"):
        plan_ingest([str(root)], CONFIG)
    with pytest.raises(InputError, match=r"no v1\.0-\*/scene\.json"):
        plan_ingest([str(tmp_path)], CONFIG)


def test_the_devkit_reads_the_same_numbers(tmp_path):
    nuscenes = pytest.importorskip("nuscenes", reason="pip install nuscenes-devkit")
    from nuscenes.utils.geometry_utils import view_points

    root = make_scene(tmp_path)
    devkit = nuscenes.NuScenes(version="v1.0-mini", dataroot=str(root), verbose=False)
    (made,) = plan_ingest([str(root)], CONFIG).sources
    for index in range(13):
        _, boxes, matrix = devkit.get_sample_data(f"data{index}")
        ours = made.labels.where(made.labels.frame_index == index)
        for box in boxes:
            name = {"vehicle.car": "car"}.get(box.name, "pedestrian")
            row = ours.where(ours.class_id == CLASSES.index(name)).amodal_box_px[0]
            shown = view_points(box.corners(), np.asarray(matrix), normalize=True)[:2] + 0.5
            np.testing.assert_allclose(row, [*shown.min(1), *shown.max(1)], atol=1e-2)


@pytest.mark.parametrize(
    ("version", "scene", "split"),
    [
        ("v1.0-trainval", "scene-0001", "train"), ("v1.0-trainval", "scene-0003", "val"),
        ("v1.0-trainval", "scene-0018", "val"), ("v1.0-trainval", "scene-0019", "train"),
        ("v1.0-trainval", "scene-1110", "train"), ("v1.0-test", "scene-0077", "test"),
        ("v1.0-mini", "scene-0103", "val"), ("v1.0-mini", "scene-0553", "train"),
        ("v1.0-mine", "scene-0103", None), ("v1.0-mini", "my scene", None),
    ],
)  # fmt: skip
def test_published_splits(version, scene, split):
    assert published_split(version, scene) == split


def test_splits_are_those_of_the_devkit():
    splits = pytest.importorskip("nuscenes.utils.splits", reason="pip install nuscenes-devkit").create_splits_scenes()
    for split in ("train", "val", "test"):
        version = "v1.0-test" if split == "test" else "v1.0-trainval"
        assert {published_split(version, scene) for scene in splits[split]} == {split}
    for split in ("train", "val"):
        assert {published_split("v1.0-mini", scene) for scene in splits[f"mini_{split}"]} == {split}

"""Exported labels, read back by readers that share no code with the writers."""

from __future__ import annotations

import contextlib
import io
import json

import cv2
import numpy as np
import pytest

from tests.data.samples import make_labels, make_sample
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, KITTI_NAMES
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.export.coco import coco_video
from worldgen.data.export.exporting import ExportConfig, export_data
from worldgen.data.export.kitti import calibration, object_lines
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4


@pytest.fixture
def data(tmp_path):
    samples = [
        make_sample("k0", 0),
        make_sample("k1", 2, split="val", drive="d1"),
        make_sample("k2", 1),
        make_sample("k3", full=False),
    ]
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        for sample in samples:
            writer.write(sample)
    build_index(str(tmp_path / "set"))
    return DataSet(str(tmp_path / "set"))


def counted(labels):
    """Rows that a detector is trained on."""
    return labels.where(~labels.ignore)


# --- COCO ---


def test_coco_is_read_back_by_pycocotools(data, tmp_path):
    coco_module = pytest.importorskip("pycocotools.coco")
    counts = export_data(data, tmp_path / "out", ExportConfig("coco", suffix=".png"))
    assert counts == {
        "samples": 2, "samples_without_labels": 1, "samples_quarantined": 1, "images": 12, "boxes": 20, "ignored": 0,
        "invisible": 12, "without_category": 0, "samples_moved_to_val": 0, "splits": {"train": 1, "val": 1},
        "licences": {"CC0-1.0": 2},
    }  # fmt: skip
    for split, key in (("train", "k0"), ("val", "k1")):
        with contextlib.redirect_stdout(io.StringIO()):
            coco = coco_module.COCO(str(tmp_path / f"out/annotations/{split}.json"))
        labels = counted(make_labels())
        assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(CLASSES)
        for image in coco.loadImgs(coco.getImgIds()):
            here = labels.at(image["frame_id"])
            found = coco.loadAnns(coco.getAnnIds(image["id"]))
            boxes = np.array([a["bbox"] for a in found])
            boxes[:, 2:] += boxes[:, :2]
            assert np.abs(boxes - here.box_px).max() <= 0.005 + 1e-6
            assert [a["track_id"] for a in found] == here.track_id.tolist()
            assert [CLASSES[a["category_id"] - 1] for a in found] == [CLASSES[c] for c in here.class_id]
            assert [a["iscrowd"] for a in found] == here.ignore.tolist()
            picture = cv2.imread(str(tmp_path / "out" / image["file_name"]))[..., ::-1]
            assert np.array_equal(picture, data.load(key).clip.frames[image["frame_id"]])


def test_coco_evaluation_gives_full_marks_to_the_labels_themselves(data, tmp_path):
    """Ignored objects (iscrowd) neither help nor hurt."""
    coco_module = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    export_data(data, tmp_path / "out", ExportConfig("coco"))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_module.COCO(str(tmp_path / "out/annotations/train.json"))
        found = [
            {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"], "score": 0.9}
            for a in truth.dataset["annotations"] if not a["iscrowd"]
        ]  # fmt: skip
        run = evaluation.COCOeval(truth, truth.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert run.stats[0] == pytest.approx(1.0)


def test_coco_video_of_one_clip():
    labels = make_labels()
    shown = counted(labels)
    record = coco_video(labels, fps=10.0, file_name="clip.mp4")
    json.dumps(record, allow_nan=False)
    video = {"id": 1, "name": "clip", "file_name": "clip.mp4", "fps": 10.0, "num_frames": 6, "width": 64, "height": 48}
    assert record["videos"] == [video]
    assert record["images"][2]["file_name"] == "clip/000002.png"
    assert [image["frame_id"] for image in record["images"]] == list(range(6))
    assert len({a["id"] for a in record["annotations"]}) == len(record["annotations"]) == len(shown)
    first = record["annotations"][0]
    assert first["bbox"] == [20.25, 18.5, 20.5, 15.5] and first["area"] == pytest.approx(20.5 * 15.5)
    assert first["box3d_ego"] == pytest.approx([12.0, 0.5, 0.8, 4.4, 1.8, 1.5, 0.1])
    assert first["amodal_bbox"] == first["bbox"] and first["iscrowd"] == 0
    assert {a["track_id"] for a in record["annotations"]} == {1, 7}  # track 9 cannot be seen


# --- KITTI ---


def read_kitti(text, *, tracking=False):
    """A mini reader written from the format's readme."""
    rows = []
    for line in text.splitlines():
        words = line.split()
        head = (int(words.pop(0)), int(words.pop(0))) if tracking else (None, None)
        assert len(words) == 15
        numbers = [float(word) for word in words[1:]]
        rows.append({
            "frame": head[0], "track": head[1], "type": words[0], "truncated": numbers[0], "occluded": numbers[1],
            "alpha": numbers[2], "box": numbers[3:7], "size_hwl": numbers[7:10], "foot": np.array(numbers[10:13]),
            "turn": numbers[13],
        })  # fmt: skip
    return rows


def read_calibration(text):
    return {name: np.array(values.split(), float) for name, values in (line.split(":") for line in text.splitlines())}


def kitti_corners(row):
    """Corners of a KITTI box in the camera frame, by the readme's rotation about the y axis."""
    h, w, length = row["size_hwl"]
    x = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    y = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * h
    z = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * w / 2
    c, s = np.cos(row["turn"]), np.sin(row["turn"])
    return np.stack([c * x + s * z, y, -s * x + c * z], 1) + row["foot"]


def ego_corners(box):
    x, y, z, length, width, height, yaw = box
    local = np.array([[a, b, c] for a in (1, -1) for b in (1, -1) for c in (1, -1)]) * [
        length / 2,
        width / 2,
        height / 2,
    ]
    c, s = np.cos(yaw), np.sin(yaw)
    return local @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + [x, y, z]


def test_kitti_object_files(data, tmp_path):
    counts = export_data(data, tmp_path / "out", ExportConfig("kitti"))
    assert (counts["images"], counts["without_camera"], counts["invisible"]) == (12, 0, 12)
    training = tmp_path / "out/training"
    names = sorted(path.stem for path in (training / "image_2").iterdir())
    assert names == [f"{n:06d}" for n in range(12)]
    assert (tmp_path / "out/ImageSets/train.txt").read_text().split() == names[:6]
    assert (tmp_path / "out/ImageSets/val.txt").read_text().split() == names[6:]
    assert (tmp_path / "out/frames.txt").read_text().splitlines()[7] == "000007 k1 1"
    for number, name in enumerate(names):
        labels = counted(make_labels().at(number % 6))
        rows = read_kitti((training / "label_2" / f"{name}.txt").read_text())
        assert [row["type"] for row in rows] == [KITTI_NAMES[CLASSES[c]] for c in labels.class_id]
        assert np.abs(np.array([row["box"] for row in rows]) - labels.box_px).max() <= 0.005 + 1e-6


def test_kitti_tracking_files(data, tmp_path):
    export_data(data, tmp_path / "out", ExportConfig("kitti_tracking"))
    training = tmp_path / "out/training"
    assert len(list((training / "image_02/0001").iterdir())) == 6
    assert (tmp_path / "out/sequences.txt").read_text() == "0000 k0\n0001 k1\n"
    labels = counted(make_labels())
    for sequence in ("0000", "0001"):
        rows = read_kitti((training / f"label_02/{sequence}.txt").read_text(), tracking=True)
        assert [(row["frame"], row["track"]) for row in rows] == list(
            zip(labels.frame_index, labels.track_id, strict=True)
        )
        assert np.abs(np.array([row["box"] for row in rows]) - labels.box_px).max() <= 0.005 + 1e-6
        assert {row["truncated"] for row in rows} == {0}


def test_kitti_3d_boxes_are_the_ego_frame_boxes(tmp_path):
    """Without pitch the two corner sets are one, through the exported calibration alone."""
    camera = Camera.from_fov(64, 48, 65.0, height_m=1.5)
    labels = counted(make_labels().at(3))
    matrices = read_calibration(calibration(camera))
    transform = matrices["Tr_velo_to_cam"].reshape(3, 4)
    for row, box in zip(read_kitti("\n".join(object_lines(labels, camera))), labels.box3d.astype(float), strict=True):
        exact = ego_corners(box) @ transform[:, :3].T + transform[:, 3]
        distance = np.linalg.norm(exact[:, None] - kitti_corners(row)[None], axis=-1)
        assert distance.min(0).max() < 0.04 and distance.min(1).max() < 0.04
        pixels, _ = camera.project(box[:3])
        middle = kitti_corners(row).mean(0)
        seen = matrices["P2"].reshape(3, 4) @ [*middle, 1]
        assert seen[:2] / seen[2] == pytest.approx(pixels, abs=0.1)
        assert row["alpha"] == pytest.approx(
            np.remainder(row["turn"] - np.arctan2(*row["foot"][[0, 2]]) + np.pi, 2 * np.pi) - np.pi, abs=0.011
        )


def test_kitti_foot_point_with_a_pitched_camera():
    camera = Camera.from_fov(64, 48, 65.0, pitch_rad=0.1)
    labels = counted(make_labels().at(3))
    for row, box in zip(read_kitti("\n".join(object_lines(labels, camera))), labels.box3d.astype(float), strict=True):
        pixel, depth = camera.project(box[:3] - [0, 0, box[5] / 2])
        assert row["foot"][2] == pytest.approx(depth, abs=0.006)
        assert camera.fx_px * row["foot"][0] / row["foot"][2] + camera.cx_px == pytest.approx(pixel[0], abs=0.05)


def test_kitti_directions():
    """An object ahead that drives as we do has rotation -pi/2; to the right of us it looks along +x: 0."""
    labels = make_labels().at(0)
    ahead = labels.box3d.copy()
    ahead[0, 6] = 0.0
    rows = read_kitti("\n".join(object_lines(_with_boxes(labels, ahead), Camera.from_fov(64, 48))))
    assert rows[0]["turn"] == pytest.approx(-np.pi / 2, abs=0.006)
    ahead[0, 6] = -np.pi / 2
    rows = read_kitti("\n".join(object_lines(_with_boxes(labels, ahead), Camera.from_fov(64, 48))))
    assert rows[0]["turn"] == pytest.approx(0.0, abs=0.006)


def _with_boxes(labels, box3d):
    from dataclasses import replace

    return replace(labels, box3d=box3d)


def test_kitti_unknowns(tmp_path):
    rows = read_kitti("\n".join(object_lines(make_labels().at(0), None)))
    assert [row["type"] for row in rows] == ["Car"]
    assert rows[0]["foot"].tolist() == [-1000] * 3 and rows[0]["turn"] == -10
    labels = make_labels().at(2)
    from dataclasses import replace

    rows = read_kitti("\n".join(object_lines(replace(labels, ignore=~labels.ignore), Camera.from_fov(64, 48))))
    assert [row["type"] for row in rows] == ["DontCare", "DontCare"]


# --- YOLO ---


def test_yolo_files(data, tmp_path):
    counts = export_data(data, tmp_path / "out", ExportConfig("yolo", every=2, suffix=".png"))
    assert counts["images"] == 6
    assert (tmp_path / "out/data.yaml").read_text().splitlines()[1:3] == ["train: images/train", "val: images/val"]
    omegaconf = pytest.importorskip("omegaconf")
    record = omegaconf.OmegaConf.load(tmp_path / "out/data.yaml")
    assert list(record.names.values()) == list(CLASSES) and record.nc == len(CLASSES)
    for split, key in (("train", "k0"), ("val", "k1")):
        for new, frame in enumerate((0, 2, 4)):
            name = f"{key}_{new:06d}"
            picture = cv2.imread(str(tmp_path / f"out/images/{split}/{name}.png"))[..., ::-1]
            assert np.array_equal(picture, data.load(key).clip.frames[frame])
            rows = np.loadtxt(tmp_path / f"out/labels/{split}/{name}.txt", ndmin=2)
            centre, size = rows[:, 1:3] * [64, 48], rows[:, 3:5] * [64, 48]
            labels = counted(make_labels().at(frame))
            assert np.abs(np.hstack([centre - size / 2, centre + size / 2]) - labels.box_px).max() < 1e-3
            assert rows[:, 0].astype(int).tolist() == labels.class_id.tolist()


# --- choices ---


def test_every_frame_of_a_thinned_export(data, tmp_path):
    export_data(data, tmp_path / "out", ExportConfig("coco", every=4))
    record = json.loads((tmp_path / "out/annotations/train.json").read_text())
    assert record["videos"][0]["fps"] == 2.5 and record["videos"][0]["num_frames"] == 2
    second = [a for a in record["annotations"] if a["image_id"] == 2 and a["track_id"] == 1]
    assert second[0]["bbox"][0] == pytest.approx(24.25)


def test_quarantined_only_on_request(data, tmp_path):
    counts = export_data(data, tmp_path / "out", ExportConfig("coco", quarantined=True))
    assert (counts["samples"], counts["samples_quarantined"]) == (3, 0)


def test_bad_requests(data, tmp_path):
    for bad in ({"format": "voc"}, {"every": 0}, {"suffix": ".bmp"}):
        with pytest.raises(InputError):
            ExportConfig(**bad)
    with pytest.raises(InputError, match="labelled samples"):
        export_data(data, tmp_path / "out", ExportConfig("coco", split="test"))


def test_jpeg_is_close(data, tmp_path):
    export_data(data, tmp_path / "out", ExportConfig("coco"))
    picture = cv2.imread(str(tmp_path / "out/images/k0/000002.jpg"))[..., ::-1].astype(int)
    assert np.abs(picture - decode_mp4(encode_mp4(make_sample("k0").clip)).frames[2]).mean() < 2

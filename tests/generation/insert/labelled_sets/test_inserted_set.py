"""Whole sets with inserts: old labels stay, new ones read back, runs resume, and bad sets are one line each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.generation.insert.small_inserts import SIZE, boxes_on_ground, street
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.labelled.labelled_samples import read_labelled
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.data.video.image_files import read_image, write_image
from worldgen.generation.insert.insert_judge import InsertJudge
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig
from worldgen.generation.insert.labelled_sets.insert_report import write_page
from worldgen.generation.insert.labelled_sets.inserted_labels import LabelledFile, NewLabel, write_labels
from worldgen.generation.insert.labelled_sets.inserted_set import InsertRun
from worldgen.generation.insert.labelled_sets.still_files import mask_reader, read_stills
from worldgen.instruments.detector.coco_detector import CocoBoxes

NUMBER = {"pedestrian": 1, "car": 2}


def write_coco(folder: Path, *, pictures: int = 4, boxes: int = 8, suffix: str = ".png", name: str = "train") -> Path:
    """A COCO set of made streets."""
    images, rows = [], []
    for k in range(pictures):
        rng = np.random.default_rng(k)
        write_image(folder / "images" / f"a_{k}{suffix}", street(rng).frame)
        images.append({"id": k, "file_name": f"images/a_{k}{suffix}", "width": SIZE[0], "height": SIZE[1], "note": k})
        for number, box in zip(*boxes_on_ground(rng, boxes), strict=True):
            x0, y0, x1, y1 = box.tolist()
            category = NUMBER[CLASSES[number]]
            rows.append(
                {"id": len(rows) + 1, "image_id": k, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            )
    categories = [{"id": number, "name": name} for name, number in NUMBER.items()]
    content = {"images": images, "annotations": rows, "categories": categories}
    (folder / "annotations").mkdir(parents=True)
    (folder / "annotations" / f"{name}.json").write_text(json.dumps(content))
    return folder


def run(folder: Path, out: Path, judge: InsertJudge | None = None, **changes) -> InsertRun:
    """A finished run."""
    settings = {"cells": (InsertCell("pedestrian crossing", height_px=(20, 60)),), "seed": 1} | changes
    work = InsertRun(read_stills(folder, PictureSet(frames=1)), InsertConfig(**settings), str(out), print, judge=judge)
    list(work.steps())
    return work


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path, InsertRun]:
    folder = tmp_path_factory.mktemp("sets")
    source = write_coco(folder / "old")
    return source, folder / "new", run(source, folder / "new")


def test_old_labels_stay_and_new_ones_read_back(finished) -> None:
    source, out, work = finished
    old = json.loads((source / "annotations" / "train.json").read_text())
    new = json.loads((out / "annotations" / "train.json").read_text())
    assert new["annotations"][: len(old["annotations"])] == old["annotations"]
    assert new["images"] == old["images"]
    added = new["annotations"][len(old["annotations"]) :]
    assert len(added) == work.report["inserts"] > 0
    assert all(row["inserted"]["from"] == "rendered" and row["category_id"] == NUMBER["pedestrian"] for row in added)
    samples = list(read_labelled(out, PictureSet(frames=1)))
    assert sum(len(s.labels) for s in samples) == len(new["annotations"])
    for image in new["images"]:
        before, after = read_image(source / image["file_name"]), read_image(out / image["file_name"])
        boxes = [row["bbox"] for row in added if row["image_id"] == image["id"]]
        assert (before != after).any() == bool(boxes)
    assert "inserts in" in Path(write_page(out)).read_text()


def test_a_run_that_was_stopped_continues_to_the_same_bytes(finished, tmp_path) -> None:
    source, out, _ = finished
    part = tmp_path / "part"
    work = InsertRun(
        read_stills(source, PictureSet(frames=1)),
        InsertConfig((InsertCell("pedestrian crossing", height_px=(20, 60)),), seed=1), str(part), print,
    )  # fmt: skip
    steps = work.steps()
    next(steps)
    steps.close()
    with (part / "insert.jsonl").open("a") as file:
        file.write('{"picture": "images/a_')  # a kill cut the line short
    run(source, part)
    for path in [*sorted(out.rglob("*.png")), out / "annotations/train.json", out / "insert_report.json"]:
        assert (part / path.relative_to(out)).read_bytes() == path.read_bytes(), path
    with pytest.raises(InputError, match="the settings and pictures it began with"):
        run(source, part, seed=2)


def test_quotas_and_lights_are_kept(finished, tmp_path) -> None:
    source, _, _ = finished
    cells = (InsertCell("cyclist", "day", (20, 60), 1), InsertCell("deer", "night", (20, 60), 5))
    work = run(source, tmp_path / "out", cells=cells)
    assert work.report["cells"][0]["have"] == 1
    assert work.report["cells"][1]["have"] == 0


class _Finds:
    """Stands for a detector that finds a person in all of the part it is shown, or nothing."""

    name, hash, width_px = "made", "0", 416

    def __init__(self, share: float):
        self.share = share

    def find(self, frame: np.ndarray, *, least_score: float) -> CocoBoxes:
        """A box of this share of the part around its middle."""
        height, width = frame.shape[:2]
        if not self.share:
            return CocoBoxes(np.zeros(0, int), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        half = self.share * np.array([width, height]) / 2
        middle = np.array([width, height]) / 2
        return CocoBoxes(np.zeros(1, int), np.array([[*(middle - half), *(middle + half)]], np.float32), np.ones(1))


@pytest.mark.parametrize(("share", "reason"), [(0.0, "not found"), (1.0, "found elsewhere")])
def test_what_a_detector_does_not_find_is_taken_out_bit_for_bit(finished, tmp_path, share: float, reason: str) -> None:
    source, _, _ = finished
    judge = InsertJudge(_Finds(share), least_score=0.3)
    work = run(source, tmp_path / "out", judge, cells=(InsertCell("pedestrian crossing", height_px=(75, 100)),))
    assert work.report["inserts"] == 0
    assert set(work.report["removed"]) <= {"not found", "found elsewhere"}
    assert reason in work.report["removed"]
    for path in sorted((source / "images").iterdir()):
        np.testing.assert_array_equal(read_image(path), read_image(tmp_path / "out" / "images" / path.name))
    assert list((tmp_path / "out" / "refused").glob("*.jpg"))


def test_jpeg_files_stay_jpeg_when_asked_and_untouched_ones_keep_their_bytes(tmp_path) -> None:
    source = write_coco(tmp_path / "old", suffix=".jpg", pictures=2)
    cells = (InsertCell("pedestrian crossing", height_px=(20, 60), count=1),)
    work = run(source, tmp_path / "new", cells=cells, image="source")
    assert work.report["with_inserts"] == 1
    same = [p.read_bytes() == (source / "images" / p.name).read_bytes() for p in (tmp_path / "new/images").iterdir()]
    assert sorted(same) == [False, True]


def test_kitti_and_yolo_labels_keep_their_lines(tmp_path) -> None:
    label = NewLabel("pedestrian", (10.0, 20.0, 30.0, 80.0), {"visible_fraction": 1.0})
    kitti = tmp_path / "kitti"
    write_image(kitti / "training/image_2/000001.png", street(np.random.default_rng(0)).frame)
    old = "Car 0.00 0 0.10 50.00 60.00 90.00 110.00 1.5 1.6 3.9 1.0 1.5 20.0 0.1"
    (kitti / "training/label_2").mkdir()
    (kitti / "training/label_2/000001.txt").write_text(old + "\n")
    name = "training/image_2/000001.png"
    write_labels(read_stills(kitti, PictureSet()), tmp_path / "k2", [LabelledFile(name, name, SIZE, (label,))])
    shutil.copytree(kitti / "training/image_2", tmp_path / "k2/training/image_2")
    text = (tmp_path / "k2/training/label_2/000001.txt").read_text()
    assert text.startswith(old + "\nPedestrian 0.00 0 -10 10.00 20.00 30.00 80.00 ")
    (sample,) = read_labelled(tmp_path / "k2", PictureSet())
    np.testing.assert_allclose(sample.labels.box_px[1], label.box_px)

    yolo = tmp_path / "yolo"
    write_image(yolo / "images/train/b.png", street(np.random.default_rng(0)).frame)
    (yolo / "labels/train").mkdir(parents=True)
    (yolo / "labels/train/b.txt").write_text("1 0.5 0.5 0.1 0.2\n")
    (yolo / "data.yaml").write_text("names: [person, car]\n")
    name = "images/train/b.png"
    write_labels(read_stills(yolo, PictureSet()), tmp_path / "y2", [LabelledFile(name, name, SIZE, (label,))])
    shutil.copytree(yolo / "images", tmp_path / "y2/images")
    assert (tmp_path / "y2/labels/train/b.txt").read_text().startswith("1 0.5 0.5 0.1 0.2\n0 ")
    (sample,) = read_labelled(tmp_path / "y2", PictureSet())
    assert any(np.allclose(box, label.box_px, atol=0.01) for box in sample.labels.box_px)
    with pytest.raises(InputError, match="class to insert"):
        run(yolo, tmp_path / "y3", cells=(InsertCell("cyclist"),))


def test_bad_sets_are_refused_in_one_line(tmp_path) -> None:
    bare = write_coco(tmp_path / "bare", boxes=0)
    with pytest.raises(InputError, match="pictures without a box"):
        read_stills(bare, PictureSet())
    few = write_coco(tmp_path / "few", boxes=1, pictures=2)
    with pytest.raises(InputError, match=r"ground plane.*--horizon"):
        run(few, tmp_path / "out")
    known = run(few, tmp_path / "known", horizon=0.4, camera_height_m=1.5)
    assert known.report["no_ground"] == 0
    good = write_coco(tmp_path / "good", pictures=1)
    with pytest.raises(InputError, match=r"split of.*received train; expected test"):
        run(good, tmp_path / "out", split="test")
    with pytest.raises(InputError, match=r"pictures.*rows"):
        run(good, tmp_path / "out", cells=(InsertCell("car", height_px=(400, 500)),))
    with pytest.raises(InputError, match="zebra"):
        run(good, tmp_path / "out", cells=(InsertCell("zebra"),))
    with pytest.raises(InputError, match="at least road=N"):
        mask_reader(str(tmp_path), ["sky=0"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="a new or empty folder"):
        run(good, tmp_path / "full")
    assert not (tmp_path / "out").exists()


def test_weather_comes_from_the_attributes_of_coco_files_or_is_given(tmp_path) -> None:
    source = write_coco(tmp_path / "set", pictures=3)
    path = source / "annotations/train.json"
    content = json.loads(path.read_text())
    for image, word in zip(content["images"], ("rainy", "clear", "foggy"), strict=True):
        image["attributes"] = {"weather": word}
    path.write_text(json.dumps(content))
    stills = read_stills(source, PictureSet(frames=1))
    assert [still.weather for still in stills.files] == ["rain", "", "fog"]
    assert stills.files[0].picture().weather == "rain"
    assert [still.weather for still in stills.in_weather("wet").files] == ["wet"] * 3
    with pytest.raises(InputError, match=r"weather of the pictures.*hail"):
        stills.in_weather("hail")

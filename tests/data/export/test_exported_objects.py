"""Objects nobody can see are not exported, and what cannot count is a valid ignore region in every format."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.data.samples import make_sample
from worldgen.cli.main import main
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.export.class_maps import CLASS_MAPS
from worldgen.data.export.exported_objects import ExportedObjects, ObjectLimits
from worldgen.data.export.exporting import ExportConfig, export_data

WIDTH, HEIGHT = 64, 48
BOXES = {
    "whole": ((10, 10, 30, 40), 1.0),
    "hidden": ((12, 12, 12, 12), 0.0),
    "out_of_view": ((70, 10, 80, 30), 1.0),
    "low": ((40, 20, 50, 24), 1.0),
    "covered": ((0, 0, 20, 48), 0.05),
    "corner": ((60, 44, 64, 48), 1.0),
    "all": ((0, 0, 64, 48), 0.02),
    "unknown": ((30.5, 5.25, 44.75, 30.5), np.nan),
}
COUNTED, REGIONS, UNSEEN = {1, 8}, {4, 5, 6, 7}, {2, 3}
"""Track ids of BOXES, in order from 1."""


def hard_labels(frames: int = 6) -> Labels:
    """The objects of BOXES in every frame, all of them cars."""
    box = np.tile(np.array([box for box, _ in BOXES.values()], np.float32), (frames, 1))
    seen = np.tile([share for _, share in BOXES.values()], frames)
    count = len(BOXES)
    return Labels(
        num_frames=frames, width_px=WIDTH, height_px=HEIGHT, source="scene",
        frame_index=np.repeat(np.arange(frames), count), track_id=np.tile(np.arange(1, count + 1), frames),
        class_id=np.full(frames * count, CLASSES.index("car")), box_px=box, amodal_box_px=box, visible_fraction=seen,
        occlusion=1 - seen, truncation=np.zeros(frames * count), box3d=np.full((frames * count, 7), np.nan),
        ignore=np.zeros(frames * count, bool),
    )  # fmt: skip


def make_set(folder, samples) -> str:
    with ShardWriter(str(folder), "s0") as writer:
        for sample in samples:
            writer.write(sample)
    build_index(str(folder))
    return str(folder)


@pytest.fixture
def url(tmp_path):
    labels = hard_labels()
    return make_set(tmp_path / "set", [replace(make_sample(f"k{i}", 2 * i), labels=labels) for i in range(2)])


def test_objects_are_chosen_by_what_can_be_seen():
    objects = ExportedObjects(ObjectLimits(), CLASS_MAPS["worldgen"])
    kept = objects.of(hard_labels(1))
    assert set(kept.track_id[~kept.ignore]) == COUNTED and set(kept.track_id[kept.ignore]) == REGIONS
    assert objects.counts == {"invisible": len(UNSEEN), "without_category": 0}
    strict = ExportedObjects(ObjectLimits(min_height_px=31), CLASS_MAPS["worldgen"]).of(hard_labels(1))
    assert strict.ignore.all()  # the limit is on the visible height
    loose = ExportedObjects(ObjectLimits(0, 0), CLASS_MAPS["worldgen"]).of(hard_labels(1))
    assert not loose.ignore.any() and set(loose.track_id) == COUNTED | REGIONS


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_pycocotools_makes_a_mask_of_every_annotation(url, tmp_path):
    coco_module = pytest.importorskip("pycocotools.coco")
    counts = export_data(DataSet(url), tmp_path / "out", ExportConfig("coco"))
    assert (counts["boxes"], counts["ignored"], counts["invisible"]) == (12 * 6, 12 * 4, 12 * 2)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_module.COCO(str(tmp_path / "out/annotations/train.json"))
    assert len(coco.anns) == 12 * 6
    for annotation in coco.anns.values():
        x, y, width, height = annotation["bbox"]
        assert width >= 1 and height >= 1
        mask = coco.annToMask(annotation)
        assert mask.shape == (HEIGHT, WIDTH)
        if annotation["iscrowd"]:
            wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
            wanted[int(y) : int(np.ceil(y + height)), int(x) : int(np.ceil(x + width))] = 1
            assert isinstance(annotation["segmentation"]["counts"], list) and np.array_equal(mask, wanted)
        else:
            assert mask.sum() == pytest.approx(width * height, rel=0.12)  # pycocotools rounds the edges of polygons
    crowd = {annotation["track_id"] for annotation in coco.anns.values() if annotation["iscrowd"]}
    assert crowd == REGIONS


def test_kitti_and_yolo_hold_the_same_objects(url, tmp_path):
    counts = export_data(DataSet(url), tmp_path / "kitti", ExportConfig("kitti"))
    assert (counts["boxes"], counts["ignored"], counts["invisible"]) == (12 * 2, 12 * 4, 12 * 2)
    types = [line.split()[0] for line in (tmp_path / "kitti/training/label_2/000000.txt").read_text().splitlines()]
    assert types.count("Car") == 2 and types.count("DontCare") == 4
    counts = export_data(DataSet(url), tmp_path / "yolo", ExportConfig("yolo"))
    assert (counts["boxes"], counts["ignored"], counts["invisible"]) == (12 * 2, 12 * 4, 12 * 2)
    counts = export_data(DataSet(url), tmp_path / "all", ExportConfig("yolo", limits=ObjectLimits(0, 0)))
    assert (counts["boxes"], counts["ignored"]) == (12 * 6, 0)


def test_the_command_has_the_limits_and_counts_what_they_do(url, tmp_path, capsys):
    words = ["data", "export", url, "--format", "coco", "--out", str(tmp_path / "out"), "--json"]
    assert main([*words, "--min-height", "31", "--min-visible", "0.5"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["min_height_px"], record["min_visible"]) == (31, 0.5)
    assert (record["ignored"], record["invisible"]) == (12 * 6, 12 * 2)
    assert record.items() <= json.loads((tmp_path / "out/meta.json").read_text()).items()
    assert main([*words[:-3], "--out", str(tmp_path / "text")]) == 0
    assert f"{12 * 2} boxes of objects nobody can see left out" in capsys.readouterr().out
    assert main([*words[:-3], "--out", str(tmp_path / "bad"), "--min-visible", "2"]) == 2
    assert "min_visible" in capsys.readouterr().err and not (tmp_path / "bad").exists()


@pytest.mark.parametrize("bad", [{"min_height_px": -1}, {"min_height_px": float("nan")}, {"min_visible": 1.1}])
def test_limits_out_of_range(bad):
    with pytest.raises(InputError):
        ObjectLimits(**bad)


# --- splits, licences, origins ---


def test_val_is_whole_drives_of_train(tmp_path):
    samples = [make_sample(f"k{i}", 2 * i, drive=f"d{i // 2}") for i in range(20)]
    data = DataSet(make_set(tmp_path / "set", samples))
    for share, moved in ((None, 2), (0.3, 6), (0, 0), (0.999, 18)):
        out = tmp_path / f"out{share}"
        counts = export_data(data, out, ExportConfig("yolo", every=6, val_share=share))
        assert counts["samples_moved_to_val"] == moved and counts["splits"].get("val", 0) == moved
        lines = [json.loads(line) for line in (out / "provenance.jsonl").read_text().splitlines()]
        drives = {split: {line["drive"] for line in lines if line["split"] == split} for split in ("train", "val")}
        assert not drives["train"] & drives["val"] and len(lines) == 20
        assert ("val: images/val" in (out / "data.yaml").read_text()) == bool(moved)


def test_val_that_cannot_be_made(url, tmp_path):
    counts = export_data(DataSet(url), tmp_path / "out", ExportConfig("yolo"))
    assert counts["splits"] == {"train": 2}
    with pytest.raises(InputError, match="two drives"):
        export_data(DataSet(url), tmp_path / "asked", ExportConfig("yolo", val_share=0.2))
    for bad in ({"val_share": 1.0}, {"val_share": 0.2, "split": "train"}, {"split": "dev"}):
        with pytest.raises(InputError):
            ExportConfig(**bad)


@pytest.mark.parametrize("kind", ["coco", "kitti", "kitti_tracking", "yolo"])
def test_licence_and_origin_are_in_every_export(url, tmp_path, kind):
    counts = export_data(DataSet(url), tmp_path / "out", ExportConfig(kind))
    assert counts["licences"] == {"CC0-1.0": 2}
    lines = [json.loads(line) for line in (tmp_path / "out/provenance.jsonl").read_text().splitlines()]
    assert [line["sample"] for line in lines] == ["k0", "k1"]
    assert all(line["licence"] == "CC0-1.0" and line["provenance"]["source"] == "made up" for line in lines)
    if kind == "coco":
        record = json.loads((tmp_path / "out/annotations/train.json").read_text())
        assert record["licenses"] == [{"id": 1, "name": "CC0-1.0", "url": ""}]
        assert all(image["license"] == 1 for image in record["images"])

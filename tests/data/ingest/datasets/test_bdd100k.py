"""BDD100K on hand-made videos in its layout; numbers are worked out by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.drives import picture
from tests.data.ingest.test_fleets import video
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8, crf=10, dataset="bdd100k")
START_MS = 1_503_828_163_000
METRES_A_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km


def make_video(root: Path, split: str, name: str, ride: str | None, seed: int, **changes) -> None:
    """Four seconds northwards at 10 m/s; the phone begins to log half a second before the video."""
    video(root / "videos" / split / f"{name}.mov", seed, 80)
    if ride is None:
        return
    fixes = [
        {"timestamp": START_MS - 500 + 1000 * i, "latitude": 37.7 + 10.0 * i / METRES_A_DEGREE, "longitude": -122.4,
         "course": 0.0, "speed": 10.0 + i, "accuracy": 10}
        for i in range(6)
    ]  # fmt: skip
    record = {"rideID": ride, "startTime": START_MS, "endTime": START_MS + 4000, "locations": fixes, **changes}
    info = root / "info" / "100k" / split / f"{name}.json"
    info.parent.mkdir(parents=True, exist_ok=True)
    info.write_text(json.dumps(record))


def test_rides_splits_and_logs(tmp_path):
    make_video(tmp_path, "train", "a1", "ride-a", 0)
    make_video(tmp_path, "train", "a2", "ride-a", 1)
    make_video(tmp_path, "train", "c1", "ride-c", 2)
    make_video(tmp_path, "val", "b1", "ride-b", 3)
    make_video(tmp_path, "val", "c2", "ride-c", 4)
    make_video(tmp_path, "test", "d1", None, 5)
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert plan.bad == ()
    assert plan.splits == {
        "ride-a": "train", "ride-c-train": "train", "ride-b": "val", "ride-c-val": "val", "d1": "test"
    }  # fmt: skip
    assert "leak: videos of 1 ride are in several splits, as published" in plan.notes
    first = plan.sources[0]
    # Fixes are at -0.5, 0.5, ... s of the video with 10, 11, ... m/s: the speed at t is 10.5 + t, and the mean over the
    # 0.1 s before frame k of the window, at 0.1 k, is 0.05 lower.
    ego = first.ego(first.windows[1])
    np.testing.assert_allclose(ego.speed_mps, 10.5 + 0.1 * np.arange(8, 16) - 0.05, atol=1e-3)
    assert np.abs(ego.yaw_rate_radps).max() < math.radians(0.1)
    assert plan.sources[-1].log is None
    assert first.source.config.licence == "LicenseRef-BDD100K"


def test_bad_files(tmp_path):
    make_video(tmp_path, "train", "a1", "ride-a", 0)
    make_video(tmp_path, "train", "a2", "ride-a", 1, startTime="soon")
    make_video(tmp_path, "train", "a3", "ride-a", 2)
    (tmp_path / "info" / "100k" / "train" / "a3.json").write_text("[")
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert [p.source.name for p in plan.sources] == ["videos/train/a1.mov"]
    assert "startTime: received 'soon'" in dict(plan.bad)["videos/train/a2.mov"]
    assert "no JSON" in dict(plan.bad)["videos/train/a3.mov"]
    with pytest.raises(InputError, match=r"bdd100k: received .* without videos and labelled pictures"):
        plan_ingest([str(tmp_path / "videos")], CONFIG)


def make_pictures(root: Path, split: str, names: str, size: tuple[int, int] = (96, 64)) -> Path:
    folder = root / "images" / "100k" / split
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / f"{name}.jpg"), picture(number + 7 * ord(split[1]), size))
    return folder


def label(category: str, box: tuple[float, float, float, float] | None, **attributes) -> dict:
    corners = None if box is None else dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    return {"id": "1", "category": category, "box2d": corners, "attributes": attributes}


def save_boxes(root: Path, split: str, entries: list) -> None:
    path = root / "labels" / "det_20" / f"det_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))


def test_pictures_with_boxes(tmp_path):
    root = tmp_path / "bdd100k"
    for split, names in (("train", "abc"), ("val", "d"), ("test", "e")):
        make_pictures(root, split, names)
    day = {"weather": "clear", "timeofday": "daytime", "scene": "highway"}
    save_boxes(root, "train", [
        {"name": "b.jpg", "attributes": day, "labels": [
            label("car", (10.0, 20.0, 29.0, 39.0)), label("pedestrian", (0, 0, 95, 63), crowd=True),
            label("traffic sign", (1, 1, 2, 2)), label("lane", None), label("rider", (40.5, 8, 50, 30), occluded=True),
        ]},
        {"name": "a.jpg", "attributes": day},
        {"name": "elsewhere.jpg", "labels": []},
    ])  # fmt: skip
    save_boxes(root, "val", [{"name": "d.jpg", "labels": [label("traffic light", (1, 2, 3, 4))]}])
    config = replace(CONFIG, width_px=96, height_px=64)
    plan = plan_ingest([str(root)], config)
    assert plan.bad == ()
    assert plan.splits == {"key-frames-train": "train", "key-frames-val": "val"}
    assert "images/100k/train: 1 picture without an entry left out" in plan.notes
    assert "images/100k/test: no boxes for it, left out" in plan.notes
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    assert validate(str(tmp_path / "out")).problems == []
    data = DataSet(str(tmp_path / "out"))
    samples = {data.load(i).provenance["file"]: data.load(i) for i in range(len(data))}
    assert sorted(samples) == ["a.jpg", "b.jpg", "d.jpg"] and len(samples["a.jpg"].labels) == 0
    labels = samples["b.jpg"].labels
    names = [CLASSES[index] for index in labels.class_id]
    assert names == ["car", "pedestrian", "cyclist"] and labels.ignore.tolist() == [False, True, False]
    # The last pixel of a box belongs to it: 10 to 29 are 20 columns.
    np.testing.assert_allclose(labels.box_px, [[10, 20, 30, 40], [0, 0, 96, 64], [40.5, 8, 51, 31]])
    assert samples["b.jpg"].licence == "LicenseRef-BDD100K" and len(samples["b.jpg"].clip) == 1


def test_bad_boxes(tmp_path):
    for split, entries in (
        ("train", [{"name": "a.jpg", "labels": [label("hovercraft", (1, 1, 2, 2))]}]),
        ("val", [{"name": "b.jpg", "labels": [label("car", (1000, 300, 1100, 400))]}]),
    ):
        make_pictures(tmp_path, split, "ab")
        save_boxes(tmp_path, split, entries)
    reasons = dict(plan_ingest([str(tmp_path)], CONFIG).bad)
    assert "det_train.json, a.jpg: received 'hovercraft'" in reasons["images/100k/train"]
    assert "a box 1000 300 1100 400 in pictures of 96x64" in reasons["images/100k/val"]
    for entries, reason in (
        ({"a.jpg": []}, "no list of pictures"),
        ([{"name": "z.jpg"}], "none for a picture that is there"),
        ([{"name": "a.jpg"}, {"name": "a.jpg"}], "a.jpg twice"),
        ([{"name": "a.jpg", "labels": [{"category": "car", "box2d": {"x1": 1}}]}], "KeyError 'y1'"),
    ):
        save_boxes(tmp_path, "train", entries)
        assert reason in dict(plan_ingest([str(tmp_path)], CONFIG).bad)["images/100k/train"]

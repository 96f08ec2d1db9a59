"""Labelled sets of every kind are read, framed to one size, and their frames keep clip, weather and light."""

import json

import numpy as np
import pytest

from tests.evaluation.realism.scenes import frame, labels
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.core.samples import Sample
from worldgen.core.scenario import Scenario
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.video.image_files import write_image
from worldgen.evaluation.realism.labelled_frame import RealismRules
from worldgen.evaluation.realism.realism_sets import RealismChoice, realism_set, spread_frames


def coco(folder, images, *, name="coco.json", categories=("car", "person", "traffic sign")):
    """A COCO file of frames: (file name, extra fields, boxes as (category number, x, y, w, h))."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    record = {"categories": [{"id": k, "name": each} for k, each in enumerate(categories)], "images": [],
              "annotations": []}  # fmt: skip
    for number, (file, extra, boxes) in enumerate(images):
        write_image(folder / "images" / file, frame())
        record["images"].append({"id": number, "file_name": file, "width": 128, "height": 96, **extra})
        record["annotations"] += [
            {"id": 10 * number + k, "image_id": number, "category_id": box[0], "bbox": list(box[1:])}
            for k, box in enumerate(boxes)
        ]
    (folder / name).write_text(json.dumps(record), "utf-8")
    return folder


def data_set(folder, *, length=6):
    """Two clips, the first of which begins with two rendered frames."""
    samples = [
        Sample(
            f"clip{k}", Clip(np.stack([frame((2, k, 0))] * length), 8.0), drive=f"clip{k}",
            labels=labels(*[[("car", k, 0)]] * length), scenario=Scenario(weather="fog", light="night_lit"),
            provenance={"drawn_frames": 2} if k == 0 else {},
        )
        for k in range(2)
    ]  # fmt: skip
    with ShardWriter(str(folder), "part") as writer:
        for sample in samples:
            writer.write(sample)
    build_index(str(folder))
    return str(folder)


def test_pictures_of_a_coco_file(tmp_path):
    images = [
        ("a_1.png", {"night": True}, [(0, 10, 20, 30, 40)]),
        (
            "a_2.png",
            {"attributes": {"timeofday": "dawn/dusk", "weather": "rainy"}},
            [(1, 0, 0, 10, 30), (2, 5, 5, 9, 9)],
        ),
        ("b_1.png", {}, []),
    ]
    found = realism_set(str(coco(tmp_path, images)), RealismChoice(), RealismRules())
    frames = list(found)
    assert found.total == 3 and found.left_out == ("traffic sign",)
    assert [each.light for each in frames] == ["night", "dusk", ""] and frames[1].weather == "rain"
    assert [each.night for each in frames] == [True, False, None]
    assert frames[0].clip == frames[1].clip != frames[2].clip
    assert frames[0].box_px.tolist() == [[10, 20, 40, 60]] and not frames[0].whole_riders
    assert CLASSES[frames[1].class_id[0]] == "pedestrian" and len(frames[1].class_id) == 1
    named = RealismChoice(categories={"traffic sign": "traffic_light", "person": "ignore"})
    again = realism_set(str(tmp_path / "coco.json"), named, RealismRules())
    assert again.left_out == () and [CLASSES[n] for n in list(again)[1].class_id] == ["traffic_light"]


def test_frames_are_cropped_and_resized_with_their_boxes(tmp_path):
    folder = coco(tmp_path, [("a.png", {}, [(0, 0, 0, 64, 96), (0, 64, 12, 32, 48)])])
    (only,) = realism_set(str(folder), RealismChoice(size_px=(64, 36)), RealismRules())
    assert only.frame.shape == (36, 64, 3) and only.size_px == (64, 36)  # 128 x 72 of 128 x 96, then half
    assert only.box_px.tolist() == [[0, 0, 32, 36], [32, 0, 48, 24]]


def test_clips_of_a_data_set(tmp_path):
    url = data_set(tmp_path / "set")
    found = realism_set(url, RealismChoice(frames_per_clip=2), RealismRules())
    frames = list(found)
    assert found.total == len(frames) == 4
    assert {each.clip for each in frames} == {"clip0", "clip1"} and frames[0].weather == "fog" and frames[0].night
    assert all(each.wanted.tolist() == [True] for each in frames)
    assert len(list(realism_set(url, RealismChoice(frames_per_clip=0), RealismRules()))) == 4 + 6
    assert {each.clip for each in realism_set(url, RealismChoice(limit=1), RealismRules())} == {"clip1"}


def test_frames_are_spread_evenly():
    assert spread_frames(0, 25, 5) == [2, 7, 12, 17, 22]
    assert spread_frames(2, 6, 0) == spread_frames(2, 6, 9) == [2, 3, 4, 5]
    assert spread_frames(2, 6, 1) == [4]


def test_a_folder_in_the_layout_of_yolo(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    write_image(tmp_path / "images" / "one.png", frame())
    (tmp_path / "labels" / "one.txt").write_text("0 0.5 0.5 0.25 0.5\n", "utf-8")
    (tmp_path / "data.yaml").write_text("names: [car]\n", "utf-8")
    (only,) = realism_set(str(tmp_path), RealismChoice(), RealismRules())
    assert only.box_px.tolist() == [[48, 24, 80, 72]]


def test_sets_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match="labelled set"):
        realism_set(str(tmp_path / "none"), RealismChoice(), RealismRules())
    with pytest.raises(InputError, match="known layouts"):
        realism_set(str(tmp_path), RealismChoice(), RealismRules())
    folder = coco(tmp_path, [("a.png", {}, [])])
    write_image(folder / "images" / "a.png", frame()[:64])
    with pytest.raises(InputError, match="size of a"):
        list(realism_set(str(folder), RealismChoice(), RealismRules()))
    (folder / "images" / "a.png").unlink()
    with pytest.raises(InputError, match="a picture that exists"):
        realism_set(str(folder), RealismChoice(), RealismRules())
    empty = coco(tmp_path / "empty", [])
    with pytest.raises(InputError, match="no pictures"):
        realism_set(str(empty), RealismChoice(), RealismRules())
    for change in ({"limit": -1}, {"frames_per_clip": -2}, {"categories": {"van": "lorry"}}):
        with pytest.raises(InputError):
            RealismChoice(**change)

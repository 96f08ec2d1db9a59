"""Cut-outs: masks against known silhouettes, why objects are refused, and that a library keeps everything."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from tests.generation.insert.cut_outs.street import box_of_mask, samples_of, street, write_set
from worldgen.core.errors import InputError
from worldgen.generation.insert.cut_outs.cut_out import CutOut, sharpness_of
from worldgen.generation.insert.cut_outs.cut_out_library import load_library, save_library
from worldgen.generation.insert.cut_outs.cut_out_making import CutOutRules, Refusals, cut_outs_of
from worldgen.generation.insert.cut_outs.mask_sources import cut_outs_of_set, ground_of, mask_values
from worldgen.generation.insert.cut_outs.object_masks import class_map_masks, grabcut_masks, whole_mask


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def test_grabcut_finds_known_silhouettes():
    picture, masks = street(np.random.default_rng(0), [(40, 110), (100, 130), (160, 140)])
    boxes = np.array([box_of_mask(mask) for mask in masks], float)
    boxes[:, 2:] += boxes[:, :2]
    found = grabcut_masks(picture, boxes)
    assert found.dtype == bool and found.shape == (3, *picture.shape[:2])
    for mask, known in zip(found, masks, strict=True):
        assert iou(mask, known) > 0.9
    assert np.array_equal(found, grabcut_masks(picture, boxes)), "its k-means is seeded"


def test_a_class_map_gives_the_largest_part_in_a_box_only():
    classes = np.zeros((40, 60), np.uint8)
    classes[10:30, 10:20] = 9
    classes[12:14, 22:24] = 9  # a crumb in the same box
    classes[5:35, 40:50] = 9  # another object
    mask = class_map_masks(classes, np.array([[8.0, 8, 30, 32]]), np.array([9]))[0]
    assert mask.sum() == 200 and not mask[:, 21:].any()


def test_holes_of_a_mask_are_filled():
    mask = np.ones((20, 20), bool)
    mask[8:12, 8:12] = False
    assert whole_mask(mask).all()


def test_sharpness_falls_with_blur_and_not_with_darkness():
    import cv2

    rgb = np.random.default_rng(0).integers(0, 255, (40, 30, 3)).astype(np.uint8)
    mask = np.ones((40, 30), bool)
    sharp = sharpness_of(rgb, mask)
    assert sharpness_of(cv2.GaussianBlur(rgb, (0, 0), 2), mask) < 0.5 * sharp
    assert sharpness_of((rgb // 2).astype(np.uint8), mask) == pytest.approx(sharp, rel=0.05)
    assert sharpness_of(np.full_like(rgb, 90), mask) == 0


def test_what_is_no_single_whole_object_is_refused(tmp_path):
    """Next to a good person: a group, one cut off by the border, a small one, and one behind another."""
    sample = samples_of(write_set(tmp_path, pictures=1))[0]
    from worldgen.data.ingest.annotations import annotated_labels

    boxes = {
        "good": (22, 60, 40, 110), "shape of a group or of a part": (60, 60, 140, 110),
        "cut off by the border": (0, 60, 20, 110), "too small": (100, 20, 106, 34),
        "behind another object": (150, 55, 172, 110), "nearer": (155, 60, 177, 130),
    }  # fmt: skip
    labels = annotated_labels([(0, 6, k, *box, 0) for k, box in enumerate(boxes.values())], 1, (200, 150))
    from dataclasses import replace

    refused = Refusals()

    def whole_boxes(frame, box_px):
        masks = np.zeros((len(box_px), *frame.shape[:2]), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, box_px.astype(int), strict=True):
            mask[y0:y1, x0 : x1 - (x1 - x0) // 5] = True
            mask[y0, x0:x1] = True
        return masks

    rules = CutOutRules(("pedestrian",), min_sharpness=0.0)
    made = list(cut_outs_of([replace(sample, labels=labels)], whole_boxes, rules, mask_from="told", refused=refused))
    assert sorted(each.box_px[0] for each in made) == [22, 155]
    assert dict(refused.counts) == {name: 1 for name in boxes if name not in ("good", "nearer")}


def test_a_segmenter_of_another_shape_is_refused(tmp_path):
    samples = samples_of(write_set(tmp_path, pictures=1))
    with pytest.raises(InputError, match="masks of a segmenter"):
        wrong = cut_outs_of(
            samples, lambda frame, box: np.ones((1, 5, 5), bool), CutOutRules(), mask_from="x", refused=Refusals()
        )
        list(wrong)


def test_a_library_comes_back_as_it_was(tmp_path):
    write_set(tmp_path / "set", maps=True)
    made = list(
        cut_outs_of_set(
            samples_of(tmp_path / "set"), CutOutRules(min_height_px=20), Refusals(), masks=str(tmp_path / "set/maps"),
            values=mask_values(["pedestrian=9"]),
        )
    )  # fmt: skip
    assert len(made) >= 10 and {each.mask_from for each in made} == {"class map"}
    saved = save_library(tmp_path / "library", made, {"set": "street"})
    loaded = load_library(tmp_path / "library")
    assert len(loaded) == len(saved) == len(made) and loaded.counts() == {"pedestrian": len(made)}
    for one, other in zip(loaded.cut_outs, made, strict=True):
        assert np.array_equal(one.rgba, other.rgba)
        assert all(getattr(one, f.name) == getattr(other, f.name) for f in fields(CutOut) if f.name != "rgba")
    with pytest.raises(InputError, match="not empty"):
        save_library(tmp_path / "library", made, {})


def test_cut_outs_stay_in_their_split(tmp_path):
    write_set(tmp_path / "train", split="train", pictures=3)
    write_set(tmp_path / "val", split="val", pictures=2)
    parts = [
        list(cut_outs_of_set(samples_of(tmp_path / name), CutOutRules(min_height_px=20), Refusals(), values={}))
        for name in ("train", "val")
    ]
    assert all(parts)
    library = save_library(tmp_path / "library", parts[0] + parts[1], {})
    for split, part in zip(("train", "val"), parts, strict=True):
        assert [each.picture for each in library.for_split(split).cut_outs] == [each.picture for each in part]
    assert len(library.for_split("test")) == 0 and len(library.for_split("train", classes=("car",))) == 0
    with pytest.raises(InputError, match="split"):
        library.for_split("everything")


@pytest.mark.parametrize("damage", ["table", "version", "picture", "row"])
def test_a_damaged_library_is_one_line(tmp_path, damage):
    write_set(tmp_path / "set", pictures=1)
    made = list(cut_outs_of_set(samples_of(tmp_path / "set"), CutOutRules(min_height_px=20), Refusals(), values={}))
    save_library(tmp_path / "library", made, {})
    table = tmp_path / "library" / "cut_outs.json"
    record = json.loads(table.read_text())
    if damage == "table":
        table.unlink()
    elif damage == "version":
        table.write_text(json.dumps(record | {"cut_outs_version": 99}))
    elif damage == "row":
        table.write_text(json.dumps(record | {"cut_outs": [{"class_name": "car"}]}))
    else:
        (tmp_path / "library" / record["cut_outs"][0]["file"]).write_bytes(b"no picture")
    with pytest.raises(InputError):
        load_library(tmp_path / "library")


def test_options_of_maps(tmp_path):
    with pytest.raises(InputError, match="both, or neither"):
        list(cut_outs_of_set([], CutOutRules(), Refusals(), masks="maps", values={}))
    for words in (["cow=1"], ["car"], ["car=999"]):
        with pytest.raises(InputError, match="mask value"):
            mask_values(words)
    assert ground_of("", "") is None
    for masks, words in (("maps", ""), ("", "3"), ("maps", "3,road")):
        with pytest.raises(InputError, match="maps and ground"):
            ground_of(masks, words)
    sample = samples_of(write_set(tmp_path, pictures=1, maps=True))[0]
    told = ground_of(str(tmp_path / "maps"), "3,4")
    assert told is not None
    ground = told(sample)
    assert ground[-1].any() and not ground[:40].any()
    with pytest.raises(InputError, match="map of classes"):
        other = ground_of(str(tmp_path), "3")
        assert other is not None
        other(sample)

"""Pasting: untouched pixels, exact labels, sizes by the ground, occlusion, splits and quotas."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from tests.generation.insert.cut_outs.street import HORIZON, SLOPE, samples_of, write_set
from worldgen.cli.main import main
from worldgen.core.errors import InputError
from worldgen.data.video.image_files import read_image
from worldgen.evaluation.realism.misses import InsertQuota
from worldgen.generation.insert.cut_outs.cut_out_library import CutOutLibrary
from worldgen.generation.insert.cut_outs.cut_out_making import CutOutRules, Refusals
from worldgen.generation.insert.cut_outs.cut_out_placing import SeenBoxes, anywhere, fit_heights, matched
from worldgen.generation.insert.cut_outs.mask_sources import cut_outs_of_set
from worldgen.generation.insert.cut_outs.object_pasting import PLAIN, PasteLook, pasted
from worldgen.generation.insert.cut_outs.pasted_set import (
    CameraFits,
    PasteConfig,
    PasteWork,
    assigned,
    light_of,
    pasted_picture,
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return samples_of(write_set(tmp_path_factory.mktemp("street"), pictures=10))


@pytest.fixture(scope="module")
def library(samples):
    return CutOutLibrary(tuple(cut_outs_of_set(samples, CutOutRules(min_height_px=16), Refusals(), values={})))


@pytest.fixture(scope="module")
def ground(samples):
    boxes = np.concatenate([sample.labels.box_px for sample in samples])
    return SeenBoxes(boxes, (200, 150))


def test_the_ground_of_a_camera_is_found_from_boxes(ground):
    fit = fit_heights(ground, "pedestrian")
    assert fit.horizon_px == pytest.approx(HORIZON, abs=4) and fit.slope == pytest.approx(SLOPE, rel=0.1)
    assert fit.height_px(120) == pytest.approx(SLOPE * 70, rel=0.05)
    assert fit.for_class("bus", "pedestrian").slope == pytest.approx(fit.slope * 3.1 / 1.7)


def test_a_third_of_wrong_boxes_does_not_move_the_ground(ground):
    boxes = ground.box_px.copy()
    boxes[::3, 1] -= 15  # groups and people on a wall
    fit = fit_heights(SeenBoxes(boxes, ground.size_px), "pedestrian")
    assert fit.height_px(120) == pytest.approx(SLOPE * 70, rel=0.25)


@pytest.mark.parametrize("boxes", [np.zeros((3, 4)), np.tile([[20.0, 40, 30, 80]], (20, 1))])
def test_too_little_for_a_ground_is_refused(boxes):
    with pytest.raises(InputError, match="boxes of cow"):
        fit_heights(SeenBoxes(boxes, (200, 150)), "cow")


@pytest.mark.parametrize("look", [PLAIN, PasteLook(), PasteLook(rim_px=1.5, shadow=0.8)])
def test_nothing_but_the_object_and_its_shadow_changes(samples, library, look):
    rng = np.random.default_rng(0)
    for number in range(40):
        frame = samples[number % len(samples)].clip.frames[0]
        place = anywhere(library.cut_outs, (200, 150), rng)
        put = pasted(
            frame, place.cut_out, left_px=place.left_px, bottom_px=place.bottom_px, height_px=place.height_px, look=look
        )
        assert put is not None
        assert np.array_equal(put.frame[~put.changed], frame[~put.changed])
        assert (put.changed | ~put.mask).all(), "the object lies in what may change"
        x0, y0, x1, y1 = (int(v) for v in put.box_px)
        assert (
            put.mask[y0:y1, x0:x1].sum() == put.mask.sum() and put.mask[y0, x0:x1].any() and put.mask[y0:y1, x0].any()
        )


def test_a_paste_at_its_own_size_keeps_mask_and_colours(samples, library):
    own = library.cut_outs[0]
    put = pasted(samples[0].clip.frames[0], own, left_px=20, bottom_px=140, height_px=own.height_px, look=PLAIN)
    assert put is not None
    x0, y0, x1, y1 = (int(v) for v in put.box_px)
    known = own.rgba[..., 3] > 127
    assert (x1 - x0, y1 - y0) == (known.shape[1], known.shape[0]) and np.array_equal(put.mask[y0:y1, x0:x1], known)
    assert np.array_equal(put.frame[y0:y1, x0:x1][known], own.rgba[..., :3][known])


def test_a_cut_out_takes_the_light_of_its_new_place(samples, library):
    own, dark = library.cut_outs[0], samples[0].clip.frames[0] // 3
    bright = pasted(dark, own, left_px=20, bottom_px=140, height_px=30, look=PLAIN)
    fitted = pasted(dark, own, left_px=20, bottom_px=140, height_px=30, look=PasteLook(light=1.0, shadow=0.0, rim_px=0))
    assert bright is not None and fitted is not None
    assert fitted.frame[fitted.mask].mean() < 0.7 * bright.frame[bright.mask].mean()


def test_matched_objects_have_the_size_of_the_ground_and_hide_little(ground, library):
    fit, rng = fit_heights(ground, "pedestrian"), np.random.default_rng(1)
    old = np.array([[80.0, 70, 110, 130]])
    floor = np.zeros((150, 200), bool)
    floor[:, :100] = True
    placed = [matched(library.cut_outs, ground, fit, old, rng, ground=floor) for _ in range(60)]
    there = [place for place in placed if place is not None]
    assert len(there) > 40
    for place in there:
        assert place.height_px == pytest.approx(fit.height_px(place.bottom_px), rel=0.5)
        assert (place.box_px[0] + place.box_px[2]) / 2 <= 101, "it stands on the ground"
        shared = np.minimum(place.box_px[2:], old[0, 2:]) - np.maximum(place.box_px[:2], old[0, :2])
        if shared.min() > 0:
            assert (shared.prod() <= 0.3 * 30 * 60 + 1 and place.bottom_px >= 130 - 1e-6) or shared.prod() < 80
    heights = np.array([place.height_px / fit.height_px(place.bottom_px) for place in there])
    assert np.median(heights) == pytest.approx(1, abs=0.06)


def test_old_labels_stay_and_new_ones_are_the_visible_pixels(samples, library):
    count: Counter[str] = Counter()
    config = PasteConfig(("pedestrian",), per_picture=4, how="anywhere", seed=5)
    fits = CameraFits(samples, config.classes)
    for sample in samples:
        made = pasted_picture(sample, PasteWork(library, config), fits, count)
        old = len(sample.labels)
        assert made.new[:old] == (None,) * old and all(made.new[old:])
        assert np.array_equal(np.array([row[1:5] for row in made.boxes[:old]], np.float32), sample.labels.box_px)
        assert all(row["picture"] != sample.provenance["file"] for row in made.new if row)
        changed = (made.frame != sample.clip.frames[0]).any(2)
        inside = np.zeros_like(changed)
        for _, x0, y0, x1, y1, _ in made.boxes[old:]:
            inside[int(y0) : int(y1), int(x0) : int(x1)] = True
        assert not (changed & ~inside).sum() > 0.05 * changed.sum(), "what changed is labelled"
    assert count["pedestrian"] >= 10


def test_a_library_of_another_split_is_refused(samples, library, tmp_path):
    from dataclasses import replace

    from worldgen.generation.insert.cut_outs.pasted_set import write_pasted_set

    held_out = [replace(sample, split="val") for sample in samples]
    with pytest.raises(InputError, match="objects stay in the split"):
        list(write_pasted_set(lambda: held_out, PasteWork(library, PasteConfig(("pedestrian",))), tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_cells_go_to_pictures_of_their_light():
    lights = {f"p{k}": "night" if k < 4 else "day" for k in range(10)}
    quotas = (InsertQuota("pedestrian", "night", (0, 99), 6), InsertQuota("car", "any", (0, 99), 7))
    given = assigned(quotas, lights, PasteConfig(per_picture=2))
    assert sum(len(cells) for cells in given.values()) == 13 and max(len(cells) for cells in given.values()) <= 2
    assert all(lights[key] == "night" for key, cells in given.items() for cell in cells if cell.what == "pedestrian")
    few = assigned((InsertQuota("car", "night", (0, 99), 100),), lights, PasteConfig(per_picture=2))
    assert sum(len(cells) for cells in few.values()) == 8, "no picture takes more than it may"
    assert (
        light_of(np.full((4, 4, 3), 20, np.uint8)) == "night" and light_of(np.full((4, 4, 3), 120, np.uint8)) == "day"
    )


def test_the_command_cuts_pastes_and_repeats_itself(tmp_path, capsys):
    write_set(tmp_path / "set", pictures=6, maps=True)
    maps = ["--masks", str(tmp_path / "set/maps")]
    made = ["cutouts", "make", str(tmp_path / "set"), *maps, "--mask-value", "pedestrian=9", "--min-height", "18"]
    assert main([*made, "--out", str(tmp_path / "library")]) == 0
    paste = ["cutouts", "paste", str(tmp_path / "set"), "--library", str(tmp_path / "library"), "--what", "pedestrian"]
    for name in ("first", "again"):
        assert main([*paste, *maps, "--ground", "3", "--out", str(tmp_path / name)]) == 0
    assert "6 pictures written" in capsys.readouterr().out
    new = samples_of(tmp_path / "first")
    assert [s.drive for s in new] == [s.drive for s in samples_of(tmp_path / "set")]
    assert sum(len(s.labels) for s in new) > sum(len(s.labels) for s in samples_of(tmp_path / "set"))
    for path in sorted((tmp_path / "first/images").iterdir()):
        assert path.read_bytes() == (tmp_path / "again/images" / path.name).read_bytes()
        old = read_image(tmp_path / "set/images" / path.name)
        assert (read_image(path) == old).all(2).mean() > 0.7
    record = json.loads((tmp_path / "first/annotations/instances.json").read_text())
    assert {row["inserted"]["split"] for row in record["annotations"] if "inserted" in row} == {"train"}
    quotas = tmp_path / "cells.yaml"
    quotas.write_text("insert: [{what: pedestrian, height_px: [20, 60], count: 4}]")
    assert main([*paste, "--quotas", str(quotas), "--out", str(tmp_path / "cells")]) == 0
    record = json.loads((tmp_path / "cells/annotations/instances.json").read_text())
    heights = [row["bbox"][3] for row in record["annotations"] if "inserted" in row]
    assert len(heights) == 4 and all(18 <= height <= 62 for height in heights)


@pytest.mark.parametrize(
    "words", [["--what", "cow"], ["--per-picture", "0"], ["--drive", "none"], ["--masks", "maps"], ["--library", "."]]
)
def test_bad_input_is_one_line(tmp_path, capsys, words):
    write_set(tmp_path / "set", pictures=1)
    library = ["--library", str(tmp_path)] if "--library" not in words else []
    assert main(["cutouts", "paste", str(tmp_path / "set"), "--out", str(tmp_path / "out"), *library, *words]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from worldgen.evaluation.measures import average_precision as ap
from worldgen.instruments.detector.detector import Detections
from worldgen.instruments.detector.pictures import Boxes, Pictures

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")

BOX = np.array([10, 10, 30, 40], np.float32)


def boxes_of(rows):
    """rows: (picture, group, box, ignore[, distance])"""
    return Boxes(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float32).reshape(-1, 4),
        np.array([r[3] for r in rows], bool),
        np.array([r[4] if len(r) > 4 else np.nan for r in rows], np.float32),
    )


def found_of(rows):
    """rows: (picture, group, box, score)"""
    return Detections(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float32).reshape(-1, 4),
        np.array([r[3] for r in rows], np.float32),
    )


def pictures_with(boxes, count, clips=None, tags=None):
    clips = np.arange(count) if clips is None else np.asarray(clips)
    return Pictures(np.zeros((count, 64, 64, 3), np.uint8), boxes, clips, tags or ((),) * (int(clips.max()) + 1))


def random_case(rng, pictures=12, clips=6):
    rows, given = [], []
    for p in range(pictures):
        for _ in range(rng.integers(0, 6)):
            low = rng.uniform(0, 40, 2)
            box = np.concatenate([low, low + rng.uniform(8, 22, 2)])
            group = int(rng.integers(3))
            rows.append((p, group, box, rng.random() < 0.2, rng.uniform(5, 60)))
            for _ in range(rng.integers(0, 3)):
                given.append((p, group, box + rng.normal(0, 2, 4), rng.random()))
        for _ in range(rng.integers(0, 3)):
            low = rng.uniform(0, 40, 2)
            given.append((p, int(rng.integers(3)), np.concatenate([low, low + rng.uniform(4, 20, 2)]), rng.random()))
    boxes = boxes_of(rows)
    return pictures_with(boxes, pictures, rng.permutation(np.arange(pictures) % clips)), found_of(given)


def test_perfect_boxes_score_one_and_none_score_zero():
    pictures = pictures_with(boxes_of([(0, 0, BOX, False), (1, 1, BOX, False)]), 2)
    judged = ap.judge(pictures, found_of([(0, 0, BOX, 0.9), (1, 1, BOX, 0.8)]))
    assert judged.value("all", "all") == pytest.approx(1.0) and judged.value("all", "all", all_overlaps=True) == 1.0
    nothing = ap.judge(pictures, found_of([]))
    assert nothing.value("all", "vehicle") == 0.0
    assert np.isnan(nothing.value("all", "cyclist")), "nobody asked for a cyclist"


def test_a_known_curve():
    """Right, wrong, right out of two wanted: precision 1 to recall 0.5, then 2/3: (51 + 50 * 2/3) / 101."""
    other = BOX + 100
    pictures = pictures_with(boxes_of([(0, 0, BOX, False), (0, 0, other, False)]), 1)
    judged = ap.judge(pictures, found_of([(0, 0, BOX, 0.9), (0, 0, BOX + 50, 0.8), (0, 0, other, 0.7)]))
    assert judged.value("all", "vehicle") == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_ignored_objects_neither_help_nor_hurt():
    pictures = pictures_with(boxes_of([(0, 0, BOX, False), (0, 0, BOX + 100, True)]), 1)
    both = found_of([(0, 0, BOX + 100, 0.95), (0, 0, BOX, 0.9)])
    alone = found_of([(0, 0, BOX, 0.9)])
    assert ap.judge(pictures, both).value("all", "vehicle") == ap.judge(pictures, alone).value("all", "vehicle") == 1.0


def test_slices_excuse_what_is_outside_them():
    tall, near = np.array([0, 0, 30, 60], np.float32), np.array([0, 0, 12, 12], np.float32)
    pictures = pictures_with(
        boxes_of([(0, 0, tall, False, 5.0), (1, 0, near, False, 40.0)]), 2, tags=(("day",), ("night_lit",))
    )
    judged = ap.judge(pictures, found_of([(1, 0, near, 0.5), (0, 0, tall + 200, 0.9)]))
    assert judged.value("small", "vehicle") == 1.0, "a tall false alarm is no small one"
    assert judged.value("far", "vehicle") == 1.0 and judged.objects("far", "vehicle") == 1
    assert judged.value("night", "vehicle") == 1.0 and judged.value("large", "vehicle") == 0.0
    assert judged.value("all", "vehicle") < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_equals_that_of_pycocotools(seed):
    pictures, found = random_case(np.random.default_rng(seed))
    judged = ap.judge(pictures, found, slices=(ap.Slice("all"),))
    for number, group in enumerate(ap.GROUPS):
        boxes = pictures.boxes.where(pictures.boxes.group == number)
        theirs = ap.matched_evaluator(len(pictures), boxes, found.where(found.group == number), ap.Slice("all"))
        with contextlib.redirect_stdout(io.StringIO()):
            theirs.accumulate()
        expected = theirs.eval["precision"][:, :, 0, 0, 0].mean(1)
        np.testing.assert_allclose(ap.average_precision(judged.table["all", group]), expected, atol=1e-12)


def test_drawing_a_clip_twice_is_having_it_twice():
    pictures, found = random_case(np.random.default_rng(5))
    drawn = np.array([0, 2, 2, 3])
    weighted = ap.judge(pictures, found).value("all", "vehicle", drawn=drawn)
    twice = pictures.of_clips(drawn)
    source = np.concatenate([np.flatnonzero(pictures.clip_index == clip) for clip in drawn])
    rows = [np.flatnonzero(found.frame_index == p) for p in source]
    again = found.where(np.concatenate(rows))
    again = Detections(
        np.repeat(np.arange(len(source)), [len(r) for r in rows]), again.group, again.box_px, again.score
    )
    assert weighted == pytest.approx(ap.judge(twice, again).value("all", "vehicle"), abs=1e-12)


def test_the_interval_holds_the_value_and_counts_clips():
    pictures, found = random_case(np.random.default_rng(6), pictures=24, clips=12)
    interval = ap.judge(pictures, found).interval("all", "all")
    assert interval.low <= interval.value <= interval.high and interval.count == 12
    record = ap.judge(pictures, found, slices=(ap.Slice("all"),)).to_json()
    assert record["all"]["vehicle"]["objects"] == int(((pictures.boxes.group == 0) & ~pictures.boxes.ignore).sum())


def test_a_detection_of_a_missing_picture_is_refused():
    pictures = pictures_with(boxes_of([(0, 0, BOX, False)]), 1)
    with pytest.raises(ValueError, match="picture number"):
        ap.judge(pictures, found_of([(1, 0, BOX, 0.5)]))

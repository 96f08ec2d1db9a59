from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.evaluation.agreement import clip_agreement, object_agreement
from worldgen.evaluation.detector import GROUPS, Detections


def labels_of(rows, frames=3):
    """rows: (frame, track, class, box, ignore)"""
    columns = {
        name: np.zeros((len(rows),) if width == 1 else (len(rows), width), dtype)
        for name, (dtype, width) in COLUMNS.items()
    }
    for k, (frame, track, name, box, ignore) in enumerate(rows):
        columns["frame_index"][k], columns["track_id"][k] = frame, track
        columns["class_id"][k], columns["ignore"][k] = CLASSES.index(name), ignore
        columns["box_px"][k] = columns["amodal_box_px"][k] = box
    columns["visible_fraction"][:] = 1
    return Labels(frames, 64, 64, "scene", **columns)


def found_of(rows):
    """rows: (frame, group, box, score)"""
    return Detections(
        np.array([r[0] for r in rows], np.int64),
        np.array([GROUPS.index(r[1]) for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float32).reshape(-1, 4),
        np.array([r[3] for r in rows], np.float32),
    )


BOX = (10, 10, 30, 40)


def test_an_object_shown_in_its_place_scores_as_its_detection():
    labels = labels_of([(0, 1, "car", BOX, False), (0, 2, "pedestrian", BOX, False)])
    score = object_agreement(labels, found_of([(0, "vehicle", BOX, 0.8)]))
    assert score[0] == pytest.approx(0.8) and score[1] == 0.0, "a car does not show a pedestrian"


def test_what_cannot_be_seen_is_not_judged():
    labels = labels_of(
        [(0, 1, "car", BOX, True), (0, 2, "car", (0, 0, 3, 4), False), (0, 3, "traffic_cone", BOX, False)]
    )
    assert np.isnan(object_agreement(labels, found_of([(0, "vehicle", BOX, 0.8)]))).all()


def test_a_gap_of_one_frame_is_closed_and_a_longer_one_is_not():
    labels = labels_of([(f, 1, "car", BOX, False) for f in range(6)], frames=6)
    shown = found_of([(f, "vehicle", BOX, 0.9) for f in (0, 2, 5)])
    np.testing.assert_allclose(object_agreement(labels, shown), [0.9, 0.9, 0.9, 0, 0, 0.9], atol=1e-6)
    np.testing.assert_allclose(object_agreement(labels, shown, fill_gaps=False), [0.9, 0, 0.9, 0, 0, 0.9], atol=1e-6)


def test_a_clip_that_shows_all_and_one_that_shows_other_things():
    labels = labels_of([(0, 1, "car", BOX, False), (1, 1, "car", BOX, False), (1, 2, "car", (40, 10, 46, 15), True)])
    good = clip_agreement(
        labels, found_of([(0, "vehicle", BOX, 0.8), (1, "vehicle", BOX, 0.7), (1, "vehicle", (40, 10, 46, 15), 0.6)])
    )
    assert (good.recall, good.precision, good.objects, good.detections) == (1.0, 1.0, 2, 3)
    bad = clip_agreement(labels, found_of([(0, "pedestrian", BOX, 0.8), (2, "vehicle", BOX, 0.9)]))
    assert bad.recall == 0.0 and bad.precision == 0.0


def test_an_empty_clip_has_no_shares():
    nothing = clip_agreement(Labels.empty(3, 64, 64), found_of([]))
    assert nothing.recall is None and nothing.precision is None

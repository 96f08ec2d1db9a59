from __future__ import annotations

import json

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.annotations import LabelsConfig, annotated_labels, read_coco, read_xywh_rows


def test_rows_become_boxes_of_one_track(tmp_path):
    path = tmp_path / "boxes.txt"
    path.write_text("10,20,30,40\n0 0 0 0\n-10, 5, 40, 20\n")
    labels = read_xywh_rows(path, LabelsConfig(class_name="truck"), 3, (100, 80))
    np.testing.assert_array_equal(labels.frame_index, [0, 2])  # zeros: not in the frame
    np.testing.assert_array_equal(labels.box_px, [[10, 20, 40, 60], [0, 5, 30, 25]])
    np.testing.assert_array_equal(labels.amodal_box_px[1], [-10, 5, 30, 25])
    np.testing.assert_allclose(labels.truncation, [0, 0.25])
    assert labels.source == "annotated"
    assert set(labels.class_id) == {CLASSES.index("truck")}
    assert set(labels.track_id) == {1}
    assert np.isnan(labels.box3d).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3,4\n", "1 lines; expected 2, one per frame"),
        ("1,2,3,4\n1,2,3\n", "line 2"),
        ("1,2,3,4\n1,2,x,4\n", "line 2"),
        ("1,2,3,4\n1,2,-3,4\n", "line 2"),
        ("1,2,3,4\n1,2,nan,4\n", "line 2"),
    ],
)
def test_bad_rows(tmp_path, text, expected):
    path = tmp_path / "boxes.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=r"labels file boxes\.txt.*" + expected):
        read_xywh_rows(path, LabelsConfig(), 2, (100, 80))


def coco(**changes):
    record = {
        "images": [
            {"id": 5, "file_name": "i/a.jpg", "width": 64, "height": 48},
            {"id": 6, "file_name": "i/b.jpg", "width": 64, "height": 48},
        ],
        "annotations": [{"id": 1, "image_id": 6, "category_id": 2, "bbox": [1, 2, 10, 20], "iscrowd": 1}],
        "categories": [{"id": 2, "name": "person"}],
    }
    return json.dumps({**record, **changes})


def test_coco(tmp_path):
    path = tmp_path / "a.coco.json"
    path.write_text(coco())
    first, second = read_coco(path, {})
    assert first.boxes == ()
    assert second.boxes == ((CLASSES.index("pedestrian"), 1, 1, 2, 11, 22, 1),)
    labels = annotated_labels([(1, cls, track, *box) for cls, track, *box in second.boxes], 2, (64, 48))
    assert labels.ignore.all()


def test_coco_categories_are_never_guessed(tmp_path):
    path = tmp_path / "a.coco.json"
    path.write_text(coco(categories=[{"id": 2, "name": "rickshaw"}]))
    with pytest.raises(InputError, match=r"'rickshaw'; expected labels\.classes"):
        read_coco(path, {})
    assert read_coco(path, {"rickshaw": "ignore"})[1].boxes == ()
    assert read_coco(path, {"rickshaw": "cyclist"})[1].boxes[0][0] == CLASSES.index("cyclist")
    with pytest.raises(InputError, match=r"labels\.classes\.rickshaw"):
        LabelsConfig(classes={"rickshaw": "tuktuk"})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        coco(annotations=[{"id": 1}]),
        coco(annotations=[{"image_id": 6, "category_id": 2, "bbox": [1, 2, -3, 4]}]),
        coco(images=[{"id": 6, "file_name": 6, "width": 64, "height": 48}], annotations=[]),
        coco(images=[{"id": 6, "file_name": None, "width": 64, "height": 48}], annotations=[]),
        coco(annotations=[{"image_id": 6, "category_id": 2, "bbox": [1, 2, 3, 4], "track_id": 10**400}]),
    ],
)
def test_bad_coco(tmp_path, text):
    path = tmp_path / "a.coco.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"COCO file a\.coco\.json"):
        read_coco(path, {})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("row", "what"),
    [
        ((0, 0, 1, 0, 0, 1e300, 1e300, 0), "box"),
        ((0, 0, 1, np.nan, 0, 9, 9, 0), "box"),
        ((0, 0, 1, -np.inf, 0, 9, 9, 0), "box"),
        ((0, 0, 10**30, 0, 0, 9, 9, 0), "track id"),
    ],
)
def test_numbers_that_labels_cannot_hold_are_refused(row, what):
    with pytest.raises(InputError, match=f"annotated {what}"):
        annotated_labels([(0, 0, 1, 0, 0, 9, 9, 0), row], 1, (64, 48))
    assert annotated_labels([(0, 0, 2**53, -1e9, 0, 1e9, 9, 0)], 1, (64, 48)).track_id.tolist() == [2**53]

from __future__ import annotations

import json

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.labels import (
    CLASSES,
    COCO_NAMES,
    COLUMNS,
    KITTI_NAMES,
    LAYOUT_CLASSES,
    NUSCENES_NAMES,
    Labels,
)


def _labels(rng, count=30, frames=8):
    order = np.lexsort((np.arange(count) % 7, np.arange(count) % frames))
    corner = rng.uniform(-20, 100, (count, 2))
    box = np.concatenate([corner, corner + rng.uniform(0, 40, (count, 2))], 1)
    box3d = rng.normal(0, 10, (count, 7))
    box3d[::3] = np.nan
    columns = {
        "frame_index": (np.arange(count) % frames)[order], "track_id": (np.arange(count) % 7)[order] + 1,
        "class_id": rng.integers(0, len(CLASSES), count), "box_px": np.clip(box, 0, 96), "amodal_box_px": box,
        "visible_fraction": rng.uniform(0, 1, count), "occlusion": rng.uniform(0, 1, count),
        "truncation": rng.uniform(0, 1, count), "box3d": box3d, "ignore": rng.uniform(0, 1, count) < 0.3,
    }  # fmt: skip
    return Labels(frames, 96, 96, "scene", **columns)


def _assert_equal(a, b, tolerance):
    assert (a.num_frames, a.width_px, a.height_px, a.source) == (b.num_frames, b.width_px, b.height_px, b.source)
    for name, (dtype, _) in COLUMNS.items():
        assert getattr(a, name).dtype == dtype and getattr(a, name).shape == getattr(b, name).shape
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=tolerance, err_msg=name)


def test_json_and_back(rng):
    labels = _labels(rng)
    text = json.dumps(labels.to_json(), allow_nan=False)  # unknown numbers are null, not NaN
    _assert_equal(Labels.from_json(json.loads(text)), labels, 6e-5)
    once = Labels.from_json(json.loads(text))
    _assert_equal(Labels.from_json(once.to_json()), once, 0)  # stable after the first rounding


def test_empty_and_back():
    empty = Labels.empty(5, 10, 20, "detector")
    assert len(empty) == 0
    _assert_equal(Labels.from_json(json.loads(json.dumps(empty.to_json()))), empty, 0)


def test_rows_of_a_frame(rng):
    labels = _labels(rng)
    assert sum(len(labels.at(i)) for i in range(labels.num_frames)) == len(labels)
    part = labels.at(3)
    assert (part.frame_index == 3).all() and part.num_frames == labels.num_frames
    np.testing.assert_array_equal(part.box_px, labels.box_px[labels.frame_index == 3])


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("frame_index", 8, "frame_index"),
        ("frame_index", -1, "frame_index"),
        ("class_id", len(CLASSES), "class_id"),
        ("box_px", [10, 10, 5, 20], "x1 < x0"),
        ("amodal_box_px", [0, 0, np.nan, 1], "not finite"),
        ("visible_fraction", 1.5, "0 to 1"),
        ("truncation", -0.2, "0 to 1"),
    ],
)
def test_a_bad_row_is_refused(rng, name, value, named):
    labels = _labels(rng)
    columns = {each: getattr(labels, each).copy() for each in COLUMNS}
    columns[name][4] = value
    with pytest.raises(InputError, match=named):
        Labels(labels.num_frames, 96, 96, "scene", **columns)


def test_bad_records_are_refused(rng):
    record = _labels(rng).to_json()
    for changes, named in (
        ({"labels_version": 2}, "labels_version"), ({"classes": ["car"]}, "classes"), ({"source": "guess"}, "source"),
        ({"box_px": [[1, 2, 3]] * 30}, "box_px"), ({"box_px": [[1, 2, 3, 4], [1]]}, "not numbers"),
        ({"track_id": ["x"] * 30}, "not numbers"), ({"track_id": [1] * 29}, "track_id"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=named):
            Labels.from_json({**record, **changes})
    for name in ("num_frames", "occlusion"):
        with pytest.raises(InputError, match=name):
            Labels.from_json({key: value for key, value in record.items() if key != name})


def test_every_class_is_mapped_everywhere():
    for table in (COCO_NAMES, KITTI_NAMES, NUSCENES_NAMES):
        assert tuple(table) == CLASSES


def test_classes_of_layouts_are_fixed_and_older_records_are_read():
    """Trained weights read one channel per layout class; labels written before animals had a class hold those."""
    assert CLASSES[:9] == LAYOUT_CLASSES and CLASSES[9:] == ("animal",)
    assert LAYOUT_CLASSES == (
        "car", "truck", "bus", "motorcycle", "bicycle", "cyclist", "pedestrian", "traffic_light", "traffic_cone",
    )  # fmt: skip
    record = Labels.empty(3, 64, 48).to_json()
    assert record["classes"] == list(CLASSES)
    assert len(Labels.from_json({**record, "classes": list(LAYOUT_CLASSES)})) == 0
    with pytest.raises(InputError, match="labels classes"):
        Labels.from_json({**record, "classes": list(CLASSES[:8])})

"""What is nearer hides an insert: the order of made scenes with known depth, by masks and by ground contact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.generation.insert.small_inserts import CAMERA_M, HORIZON, SIZE, street
from worldgen.core.labels import CLASSES
from worldgen.generation.insert.insert_plan import MASK_CODES
from worldgen.generation.insert.nearer_objects import NearerObjects


def test_the_order_is_right_in_a_hundred_scenes_with_known_depth() -> None:
    decided = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        focal = 277.0
        depth_m = rng.uniform(4, 40, 5)
        column = rng.uniform(60, 260, 5)
        contact = HORIZON + focal * CAMERA_M / depth_m
        tall, wide = 1.7 * focal / depth_m, 0.6 * focal / depth_m
        boxes = np.stack([column - wide / 2, contact - tall, column + wide / 2, np.minimum(contact, SIZE[1])], 1)
        boxes[:, 1] = np.maximum(boxes[:, 1], 0)
        codes = np.full((SIZE[1], SIZE[0]), MASK_CODES["road"], np.uint8)
        owner = np.full(codes.shape, -1)
        for k in np.argsort(-depth_m):  # far ones first
            x0, y0, x1, y1 = boxes[k].round().astype(int)
            codes[y0:y1, x0:x1] = MASK_CODES["pedestrian"]
            owner[y0:y1, x0:x1] = k
        # The insert is the first object; the others are labelled.
        picture = replace(
            street(rng, boxes[1:], ("pedestrian",) * 4), masks=np.where(owner == 0, MASK_CODES["road"], codes)
        )
        order = NearerObjects(picture)
        if not order.sure(boxes[0], float(contact[0])):
            continue
        decided += 1
        x0, y0, x1, y1 = boxes[0].round().astype(int)
        hidden = order.hiding((x0, y0, x1 - x0, y1 - y0), float(contact[0]))
        truth = np.zeros(codes.shape, bool)
        for k in range(1, 5):
            if depth_m[k] < depth_m[0]:
                a, b, c, d = boxes[k].round().astype(int)
                truth[b:d, a:c] = True
        truth = truth[y0:y1, x0:x1]
        # A box may end half a pixel off the drawn one; the order itself is never wrong.
        assert (hidden ^ truth).mean() <= 0.04, seed
    assert decided >= 80


def test_upright_things_hide_by_the_row_where_they_end() -> None:
    codes = np.full((SIZE[1], SIZE[0]), MASK_CODES["road"], np.uint8)
    codes[20:150, 100:104] = MASK_CODES["upright"]  # a pole that stands at row 150
    order = NearerObjects(replace(street(np.random.default_rng(0)), masks=codes))
    behind = order.hiding((90, 60, 30, 80), 140.0)
    before = order.hiding((90, 60, 30, 110), 170.0)
    assert behind[:, 10:14].all()
    assert behind.sum() == 80 * 4
    assert not before.any()


def test_equal_contacts_and_hanging_objects_have_no_sure_order() -> None:
    box = np.array([100.0, 80, 140, 150])
    picture = street(np.random.default_rng(0), np.array([[120.0, 80, 160, 151]]), ("car",))
    assert not NearerObjects(picture).sure(box, 150.0)
    assert NearerObjects(picture).sure(np.array([10.0, 80, 40, 150]), 150.0)
    lamp = replace(
        picture, class_id=np.array([CLASSES.index("traffic_light")]), box_px=np.array([[110.0, 60, 130, 90]])
    )
    assert not NearerObjects(lamp).sure(box, 150.0)

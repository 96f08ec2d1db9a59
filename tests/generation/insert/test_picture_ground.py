"""Horizon and camera height from labels: right for made pictures, honest where labels say too little."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.generation.insert.small_inserts import CAMERA_M, HORIZON, SIZE, boxes_on_ground, made_ground
from worldgen.core.errors import InputError
from worldgen.generation.insert.labelled_sets.insert_config import alike
from worldgen.generation.insert.picture_ground import (
    GroundBelief,
    estimate_ground,
    ground_belief,
    shared_belief,
    usable_boxes,
)  # fmt: skip


def test_sizes_are_right_for_made_pictures_and_wild_boxes_do_not_matter() -> None:
    errors = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        horizon, height = float(rng.uniform(60, 95)), float(rng.uniform(1.2, 1.8))
        numbers, boxes = boxes_on_ground(rng, 12, horizon=horizon, height_m=height)
        boxes[:2, 1] -= 60  # groups in one box
        ground = estimate_ground((numbers, boxes), SIZE)
        truth = made_ground(horizon=horizon, height_m=height)
        for row in (130, 160, 190):
            errors.append(ground.height_px(1.7, row) / truth.height_px(1.7, row) - 1)
        assert ground.scale_sigma < 0.1
    assert np.abs(errors).max() < 0.2
    assert np.median(np.abs(errors)) < 0.05


def test_the_uncertainty_covers_the_error() -> None:
    scores = []
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        numbers, boxes = boxes_on_ground(rng, 6, spread=0.1)
        belief, sigma = ground_belief(numbers, boxes, SIZE[1], GroundBelief())
        told = (0.7 - belief.horizon) / math.exp(belief.log_height)
        scores.append(math.log(told / ((0.7 - HORIZON / SIZE[1]) / CAMERA_M)) / sigma)
    assert 0.3 < np.std(scores) < 1.8


def test_too_few_labels_are_refused_unless_other_pictures_say_enough() -> None:
    nothing = usable_boxes(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, bool), SIZE)
    with pytest.raises(InputError, match=r"ground plane of picture.*0 whole boxes"):
        estimate_ground(nothing, SIZE)
    pictures = [boxes_on_ground(np.random.default_rng(seed), 10) for seed in range(10)]
    prior = shared_belief(pictures, [SIZE[1]] * 10)
    ground = estimate_ground(nothing, SIZE, prior=prior)
    assert ground.source == "other pictures"
    assert ground.height_px(1.7, 160) == pytest.approx(made_ground().height_px(1.7, 160), rel=0.1)
    assert shared_belief(pictures[:2], [SIZE[1]] * 2) == GroundBelief()


def test_pictures_with_one_box_each_know_their_ground_together() -> None:
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        pictures = [boxes_on_ground(rng, 1) for _ in range(12)]
        with pytest.raises(InputError, match="sizes uncertain"):
            estimate_ground(pictures[0], SIZE)
        ground = estimate_ground(pictures[0], SIZE, prior=shared_belief(pictures, [SIZE[1]] * 12))
        errors += [ground.height_px(1.7, row) / made_ground().height_px(1.7, row) - 1 for row in (120, 150, 180)]
    assert np.median(np.abs(errors)) < 0.1


def test_sizes_that_differ_by_a_rectification_are_alike() -> None:
    assert alike((1242, 375)) == alike((1224, 370)) == alike((1238, 374))
    assert alike((1242, 375)) != alike((1242, 698))
    assert alike((1280, 720)) != alike((640, 360))


def test_boxes_at_the_border_and_unknown_heights_are_left_out() -> None:
    boxes = np.array([[10, 50, 40, 150], [0, 50, 40, 150], [10, 50, 40, 199], [10, 50, 40, 150.0]])
    numbers, kept = usable_boxes(np.array([6, 6, 6, 7]), boxes, np.zeros(4, bool), SIZE)
    assert numbers.tolist() == [6]
    np.testing.assert_array_equal(kept, boxes[:1])


def test_the_place_of_a_pixel_projects_back() -> None:
    ground = made_ground()
    x, y = ground.place_m(250.0, 140.0)
    pixel, _ = ground.camera.project(np.array([x, y, 0.0]))
    np.testing.assert_allclose(pixel, (250.0, 140.0), atol=1e-6)

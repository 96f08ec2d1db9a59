from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.kernel_distance import kernel_distance, kernel_interval


def _by_hand(one, two):
    """Every pair in plain loops."""
    size = one.shape[1]

    def k(x, y):
        return (float(x @ y) / size + 1) ** 3

    within = [np.mean([k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]) for a in (one, two)]
    return sum(within) - 2 * np.mean([k(x, y) for x in one for y in two])


def test_equals_the_sum_over_all_pairs(rng):
    one, two = rng.normal(size=(9, 5)), rng.normal(size=(7, 5)) + 0.4
    assert kernel_distance(one, two) == pytest.approx(_by_hand(one, two), rel=1e-12)


def test_tiles_give_what_the_whole_matrix_gives(rng, monkeypatch):
    """Tiles that divide neither set, one clip each, and one tile that holds everything."""
    one, two = rng.normal(size=(23, 5)).astype(np.float32), rng.normal(size=(17, 5)).astype(np.float32) + 0.3
    whole = kernel_interval(one, two)
    assert whole.value == pytest.approx(_by_hand(one.astype(float), two.astype(float)), rel=1e-12)
    for side in (1, 7, 16):
        monkeypatch.setattr("worldgen.evaluation.distances.kernel_distance.TILE", side)
        tiled = kernel_interval(one, two)
        assert (tiled.value, tiled.low, tiled.high) == pytest.approx((whole.value, whole.low, whole.high), rel=1e-9)


def test_unbiased_at_every_size(rng):
    """Equal distributions give zero on average even with five clips, where the Fréchet distance is far above it."""
    for size in (5, 40):
        values = [kernel_distance(rng.normal(size=(size, 8)), rng.normal(size=(size, 8))) for _ in range(300)]
        assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_the_mean_does_not_depend_on_the_size(rng):
    small = [kernel_distance(rng.normal(size=(6, 4)), rng.normal(size=(6, 4)) + 1) for _ in range(400)]
    large = [kernel_distance(rng.normal(size=(120, 4)), rng.normal(size=(120, 4)) + 1) for _ in range(40)]
    assert np.mean(small) == pytest.approx(np.mean(large), abs=3 * np.std(small) / 20)


def test_grows_with_distance_and_the_order_of_clips_is_nothing(rng):
    one, two = rng.normal(size=(60, 6)), rng.normal(size=(50, 6))
    values = [kernel_distance(one, two + shift) for shift in (0.0, 0.3, 0.6, 1.2)]
    assert (np.diff(values) > 0).all()
    assert kernel_distance(one[::-1], two) == pytest.approx(kernel_distance(one, two), rel=1e-9)
    assert kernel_distance(two, one) == pytest.approx(kernel_distance(one, two), rel=1e-9)


def test_leaving_one_out_equals_computing_again_without_it(rng):
    one, two = rng.normal(size=(8, 5)), rng.normal(size=(6, 5)) + 0.2
    again_one = [kernel_distance(np.delete(one, i, 0), two) for i in range(8)]
    again_two = [kernel_distance(one, np.delete(two, i, 0)) for i in range(6)]
    variance = 7 * np.var(again_one) + 5 * np.var(again_two)
    interval = kernel_interval(one, two)
    assert interval.value == pytest.approx(kernel_distance(one, two))
    assert interval.high - interval.low == pytest.approx(2 * 2.5705818366 * np.sqrt(variance), rel=1e-9)


def test_the_interval_holds_the_truth_about_as_often_as_it_says(rng):
    truth = np.mean([kernel_distance(rng.normal(size=(300, 4)), rng.normal(size=(300, 4)) + 0.5) for _ in range(30)])
    hits = 0
    for _ in range(80):
        interval = kernel_interval(rng.normal(size=(40, 4)), rng.normal(size=(40, 4)) + 0.5)
        hits += interval.low <= truth <= interval.high
    assert 0.85 <= hits / 80 <= 1.0


def test_refusals(rng):
    for one, two in ((np.zeros((1, 3)), np.zeros((4, 3))), (np.zeros((4, 3)), np.zeros((4, 2)))):
        with pytest.raises(InputError):
            kernel_distance(one, two)

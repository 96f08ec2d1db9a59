"""Intervals: known answers, coverage, and what happens where a number is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.evaluation.measures.intervals import (
    Interval,
    bootstrap,
    mean_interval,
    ratio_interval,
    shuffled,
    spearman,
    spearman_interval,
)


def test_spearman_agrees_with_scipy_and_shares_ranks_of_ties(rng):
    from scipy.stats import spearmanr

    x, y = rng.integers(0, 6, 50).astype(float), rng.normal(size=50)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert spearman(x, np.exp(x)) == pytest.approx(1.0)
    assert spearman(y, -(y**3)) == pytest.approx(-1.0)


@pytest.mark.parametrize("x", [np.zeros(5), np.arange(2.0)], ids=["constant", "two rows"])
def test_spearman_says_when_there_is_none(x):
    assert math.isnan(spearman(x, np.arange(len(x), dtype=float)))


def test_an_interval_covers_the_truth_about_as_often_as_it_says(rng):
    hits = [i.low <= 3.0 <= i.high for i in (mean_interval(rng.normal(3, 1, 30), seed=k) for k in range(120))]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_it_narrows_with_more_clips_and_repeats_with_the_seed(rng):
    few, many = mean_interval(rng.normal(size=20)), mean_interval(rng.normal(size=2000))
    assert many.high - many.low < 0.3 * (few.high - few.low)
    values = rng.normal(size=40)
    assert mean_interval(values, seed=4) == mean_interval(values, seed=4)


def test_clips_are_drawn_not_rows():
    """Ten copies of each row inside a clip add no knowledge; an interval over rows would shrink threefold."""
    rng = np.random.default_rng(0)
    x = [rng.normal(size=1) for _ in range(40)]
    y = [a + rng.normal(size=1) for a in x]
    once = spearman_interval(x, y)
    tenfold = spearman_interval([np.repeat(a, 10) for a in x], [np.repeat(b, 10) for b in y])
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.1)


def test_a_ratio_weighs_clips_by_their_size():
    interval = ratio_interval([1, 90], [10, 100])
    assert interval.value == pytest.approx(91 / 110)


def test_undefined_is_null_and_one_clip_has_no_interval():
    assert mean_interval([math.nan, math.nan]).to_json() == {"value": None, "low": None, "high": None, "clips": 0}
    one = mean_interval([2.0])
    assert one.value == 2.0 and math.isnan(one.low) and one.count == 1
    assert math.isnan(bootstrap(5, lambda index: math.nan if len(set(index)) < 5 else 1.0).low)
    assert str(Interval(0.5, 0.25, 0.75, 3)) == "0.500 [0.250, 0.750]"


@pytest.mark.parametrize("count", [2, 3, 17])
def test_shuffling_gives_every_clip_another_partner(count):
    partner = shuffled(count, seed=1)
    assert sorted(partner) == list(range(count)) and (partner != np.arange(count)).all()

"""Intervals: known answers, coverage, and what happens where a number is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from worldgen.evaluation.measures.intervals import (
    Interval,
    bootstrap,
    count_interval,
    hit_interval,
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


def test_it_narrows_with_more_clips_and_repeats_with_the_seed(rng):
    few, many = mean_interval(rng.normal(size=20)), mean_interval(rng.normal(size=2000))
    assert many.high - many.low < 0.3 * (few.high - few.low)
    values = rng.normal(size=40)
    mean = lambda index: float(values[index].mean())  # noqa: E731
    assert bootstrap(40, mean, seed=4) == bootstrap(40, mean, seed=4) != bootstrap(40, mean, seed=5)


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


COUNTS = (3, 5, 10, 30, 100, 200)
"""Clips of the simulated experiments."""


def _coverage(intervals, truth):
    return np.mean([each.low - 1e-12 <= truth <= each.high + 1e-12 for each in intervals])


@pytest.mark.parametrize("count", COUNTS)
def test_shares_contain_the_truth_at_every_share(count):
    """Summed over all outcomes, so without simulation error: the exact interval is never under its level."""
    hits = np.arange(count + 1)
    ends = np.array([count_interval(h, count) for h in hits])
    for share in np.linspace(0.005, 0.995, 67):
        inside = (ends[:, 0] <= share + 1e-12) & (share <= ends[:, 1] + 1e-12)
        assert binom.pmf(hits, count, share)[inside].sum() >= 0.95 - 1e-9


def test_a_share_of_all_clips_does_not_shrink_to_a_point():
    """Known values: 1 - (1 - c) ^ (1 / n) with half of 5 % on each side."""
    for each in (hit_interval([True] * 10), bootstrap(10, lambda index: 1.0, bounds=(0.0, 1.0))):
        assert (each.value, each.high) == (1.0, 1.0) and each.low == pytest.approx(0.025**0.1)
    assert hit_interval([False] * 10).high == pytest.approx(1 - 0.025**0.1)
    assert str(hit_interval([True] * 10)) == "1.000 [0.692, 1.000]"
    assert spearman_interval([np.arange(4.0)] * 3, [np.arange(4.0)] * 3).low < 0.5


COVERED_BY_T = {
    "normal": (0.950, 0.950, 0.950, 0.950, 0.950, 0.950),
    "uniform": (0.925, 0.933, 0.944, 0.949, 0.950, 0.950),
    "half normal": (0.920, 0.924, 0.932, 0.943, 0.948, 0.949),
    "exponential": (0.884, 0.882, 0.899, 0.927, 0.941, 0.947),
}
"""How often Student's t contains the mean, for ``COUNTS``, from 100,000 experiments.

It is exact for normal values only. Skewed ones have their few large values in few draws: of these draws both the mean
and the spread are too small, which no interval made of three numbers can know.
"""


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", COVERED_BY_T)
def test_means_contain_the_truth_as_often_as_students_t_does(count, kind):
    rng = np.random.default_rng([count, len(kind)])
    draw, truth = {
        "normal": (rng.normal, 0.0),
        "uniform": (rng.random, 0.5),
        "half normal": (lambda size: np.abs(rng.normal(size=size)), math.sqrt(2 / math.pi)),
        "exponential": (rng.exponential, 1.0),
    }[kind]
    coverage = _coverage([mean_interval(draw(size=count)) for _ in range(2000)], truth)
    assert coverage == pytest.approx(COVERED_BY_T[kind][COUNTS.index(count)], abs=0.02)  # 3 standard deviations


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("weights", ["even", "heavy"])
def test_ratios_contain_the_truth(count, weights):
    rng = np.random.default_rng([count, len(weights)])
    experiments = []
    for _ in range(1500):
        whole = rng.uniform(5, 15, count) if weights == "even" else rng.exponential(size=count)
        experiments.append(ratio_interval(whole * rng.normal(1.1, 0.2, count), whole))
    assert _coverage(experiments, 1.1) >= 0.92


def test_clips_without_a_whole_do_not_narrow_a_ratio(rng):
    whole = rng.uniform(1, 2, 6)
    part = whole * rng.normal(1, 0.1, 6)
    alone, padded = ratio_interval(part, whole), ratio_interval([*part, *[0] * 90], [*whole, *[0] * 90])
    assert (padded.low, padded.high) == pytest.approx((alone.low, alone.high)) and padded.count == 96


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_shares_over_several_windows_of_a_clip_contain_the_truth(count, share):
    """Windows of one clip agree more often than those of two clips."""
    rng = np.random.default_rng([count, int(100 * share)])
    experiments = []
    for _ in range(200):
        clips = rng.binomial(3, rng.beta(2 * share, 2 - 2 * share, count)) / 3
        experiments.append(bootstrap(count, lambda i, x=clips: x[i].mean(), resamples=100, bounds=(0.0, 1.0)))
    assert _coverage(experiments, share) >= 0.92


@pytest.mark.parametrize("count", [3, 10, 30])
def test_rank_correlations_contain_the_truth(count):
    rng = np.random.default_rng(count)
    rho, experiments = 0.8, []
    for _ in range(120):
        x = rng.normal(size=(count, 4)) + rng.normal(size=(count, 1))
        noise = rng.normal(size=(count, 4)) + rng.normal(size=(count, 1))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        statistic = lambda i, x=x, y=y: spearman(x[i].ravel(), y[i].ravel())  # noqa: E731
        experiments.append(bootstrap(count, statistic, resamples=40, bounds=(-1.0, 1.0)))
    truth = 6 / math.pi * math.asin(rho / 2)  # Pearson 1907, of the normal distribution
    assert _coverage(experiments, truth) >= 0.92


@pytest.mark.parametrize("count", COUNTS)
def test_an_unbounded_statistic_contains_the_truth(count):
    rng = np.random.default_rng(count)
    rows = [rng.normal(2, 1, count) for _ in range(500)]
    experiments = [bootstrap(count, lambda i, x=x: x[i].mean(), seed=k, resamples=200) for k, x in enumerate(rows)]
    assert _coverage(experiments, 2.0) >= 0.91  # 0.934 to 0.945 in 2,000 experiments; 500 vary by 0.01

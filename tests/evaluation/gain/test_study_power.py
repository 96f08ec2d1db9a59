"""The power simulation against known answers: closed forms, the rate of wrong claims, and what must grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.seeds import numpy_rng
from worldgen.evaluation.gain.gain_result import least_gain
from worldgen.evaluation.gain.study_power import (
    PowerModel,
    TestObjects,
    detectable,
    drawn_ap,
    population_ap,
    power_of,
    score_mean,
    simulated_deltas,
)
from worldgen.evaluation.measures.average_precision import Matches, average_precision

FAST = PowerModel(experiments=30, draws=30, false_alarms=2.0)


def objects(count, clips, ap50=0.5):
    """``count`` objects in ten pictures a clip."""
    per_picture = np.bincount(numpy_rng("objects").integers(10 * clips, size=count), minlength=10 * clips)
    return TestObjects(per_picture, np.repeat(np.arange(clips), 10), ap50)


def test_ap_of_endless_objects_has_its_closed_forms():
    assert population_ap(0.0, 2.0) == pytest.approx(1 / 3, abs=1e-3), "equal scores: precision is 1 in 3 at any recall"
    assert population_ap(0.0, 0.5) == pytest.approx(2 / 3, abs=1e-3)
    assert population_ap(9.0, 2.0) == pytest.approx(1.0, abs=1e-3)
    for ap50 in (0.15, 0.4, 0.9):
        assert population_ap(score_mean(ap50, 8.0), 8.0) == pytest.approx(ap50, abs=1e-3)
    with pytest.raises(InputError, match="false alarms"):
        score_mean(0.1, 2.0)


def test_drawn_ap_is_that_of_the_study():
    rng = numpy_rng("ap")
    right, clip = rng.random(300) < 0.4, rng.integers(12, size=300)
    score = rng.standard_normal(300) + right
    weight = np.stack([np.ones(12), np.bincount(rng.integers(12, size=12), minlength=12)]).astype(float)
    order = np.argsort(-score)
    wanted = np.bincount(clip[right], minlength=12)
    told = Matches(np.tile(right[order], (10, 1)), np.ones((10, 300), bool), clip[order], wanted)
    expected = [average_precision(told, row, overlaps=1)[0] for row in weight]
    assert drawn_ap(score, right, clip, weight) == pytest.approx(expected, abs=1e-9)


def test_a_simulated_arm_gains_what_it_is_told():
    many = objects(6000, 60)
    model = replace(FAST, seeds=4, spread=0.0, draws=20)
    delta = simulated_deltas((many,), model, 0.05, numpy_rng("large"))
    assert delta.shape == (4, 21) and delta[:, 0].mean() == pytest.approx(0.05, abs=0.01)


def test_without_a_gain_few_studies_claim_one():
    row = power_of((objects(400, 30),), FAST, 0.0)
    assert row["power"] <= 0.1 and row["harm"] <= 0.1


def test_where_only_runs_vary_power_follows_students_t():
    """With many objects that all runs score alike, the study is a paired t test over its seeds."""
    many = objects(1000, 20)
    model = replace(FAST, seeds=8, spread=0.03, agreement=1.0, clip_share=0.0)
    row = power_of((many,), model, least_gain(0.03 * 2**0.5, 8))
    assert row["power"] == pytest.approx(0.8, abs=0.2)
    assert row["deviation"] == pytest.approx(0.03 * (2 / 8) ** 0.5, rel=0.35)


@pytest.mark.slow
def test_more_objects_seeds_and_agreement_find_more():
    few, many = objects(60, 8), objects(500, 40)
    base = power_of((few,), FAST, 0.06)["power"]
    assert power_of((many,), FAST, 0.06)["power"] > base
    loose, firm = (power_of((many,), replace(FAST, spread=spread), 0.04)["power"] for spread in (0.06, 0.005))
    assert firm > loose


@pytest.mark.slow
def test_the_least_gain_lies_where_power_crosses():
    found = detectable((objects(300, 30),), replace(FAST, spread=0.01), (0.04, 0.2))
    powers = [row["power"] for row in found["rows"]]
    assert powers[0] <= 0.1 and powers[-1] >= 0.95 and 0 < found["least_gain"] <= 0.2


@pytest.mark.parametrize(
    "change", [{"seeds": 1}, {"agreement": 1.2}, {"clip_share": 0.9}, {"spread": -1.0}, {"false_alarms": 0.0}]
)
def test_impossible_models_are_refused(change):
    with pytest.raises(InputError):
        replace(PowerModel(), **change)


def test_a_set_without_objects_is_refused():
    with pytest.raises(InputError, match="objects"):
        TestObjects(np.zeros(4, int), np.arange(4), 0.3)

"""Distances of sets from a reference: known answers, pairs of the same scenes."""

import numpy as np
import pytest

from worldgen.evaluation.distances.kernel_distance import kernel_distance
from worldgen.evaluation.realism.feature_distances import ClipFeatures, feature_distances, nearer_by
from worldgen.evaluation.realism.realism_markdown import _distances

DIM = 6


def features(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, DIM)) + shift


def test_the_fall_is_the_difference_of_both_distances_and_its_interval_the_jackknife():
    first, truth = features(14, 1.0), features(11, 0.0, 1)
    second = first - 0.6
    nearer = nearer_by(first, second, truth)
    difference = lambda a, b, c: kernel_distance(a, c) - kernel_distance(b, c)  # noqa: E731
    assert nearer.value == pytest.approx(difference(first, second, truth), rel=1e-9)
    without = [
        [difference(np.delete(first, i, 0), np.delete(second, i, 0), truth) for i in range(14)],
        [difference(first, second, np.delete(truth, j, 0)) for j in range(11)],
    ]
    variance = sum((len(v) - 1) * np.var(v) for v in without)
    assert (nearer.high - nearer.value) / 2.228 == pytest.approx(np.sqrt(variance), rel=0.01)  # t of 10 degrees
    assert nearer.low > 0
    assert nearer_by(second, first, truth).high < 0


def test_equal_sets_of_scenes_are_equally_near():
    first, truth = features(9, 1.0), features(9, 0.0, 1)
    same = nearer_by(first, first, truth)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_scenes_are_paired_by_name_whatever_their_order():
    names = [f"clip{i}" for i in range(10)]
    far = features(10, 1.0)
    sets = {
        "drawn": ClipFeatures(tuple(names), far), "painted": ClipFeatures(tuple(names[::-1]), (far - 0.5)[::-1]),
        "else": ClipFeatures(tuple(f"other{i}" for i in range(5)), features(5, 2.0, 3)),
        "real": ClipFeatures(tuple(f"real{i}" for i in range(12)), features(12, 0.0, 4)),
        "single": ClipFeatures(("one",), features(1)),
    }  # fmt: skip
    record = feature_distances(sets, "real")
    assert set(record["sets"]) == {"drawn", "painted", "else"} and record["clips"] == 12
    (pair,) = record["pairs"]
    assert (pair["from"], pair["to"], pair["clips"]) == ("drawn", "painted", 10)
    apart = record["sets"]["drawn"]["kernel"]["value"] - record["sets"]["painted"]["kernel"]["value"]
    assert pair["nearer_by"]["value"] == pytest.approx(apart, abs=2e-5) and apart > 0
    table = "\n".join(_distances(record))
    assert "| drawn | painted" in table and "kernel distance smaller by" in table
    assert _distances(None) == []

"""Shares of right readings: balance, places, and a control at chance."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.evaluation.measures.attributes_score import attribute_rows, confusion, judge, places, same_weather, share
from worldgen.instruments.attributes.attribute_reader import (
    ABSENT,
    ATTRIBUTES,
    GROUPS,
    PRESENT,
    UNJUDGED,
    AttributeTruth,
    Reading,
)


def one_hot(index: int, size: int, rows: int = 3) -> np.ndarray:
    return np.eye(size)[[index] * rows]


def perfect(truth: AttributeTruth) -> Reading:
    return Reading(
        one_hot(truth.weather, len(WEATHERS)),
        one_hot(truth.light, len(LIGHTS)),
        (truth.present == PRESENT).astype(float),
    )


def truths(count: int, seed: int = 0) -> list[AttributeTruth]:
    rng = np.random.default_rng(seed)
    return [
        AttributeTruth(
            int(rng.integers(6)),
            int(rng.integers(6)),
            np.repeat(rng.integers(0, 2, (1, len(GROUPS))), 3, 0).astype(np.int8),
        )
        for _ in range(count)
    ]


def test_a_perfect_reader_is_right_everywhere_and_at_chance_against_others():
    asked = truths(120)
    rows = attribute_rows([perfect(t) for t in asked], asked, ATTRIBUTES)
    for name in ATTRIBUTES:
        assert [rows[name][p].value for p in ("first", "middle", "last")] == [1, 1, 1]
        chance = 0.5 if name in GROUPS else 1 / 6 + (0.06 if name == "weather" else 0)  # rain counts as one
        assert rows[name]["shuffled"].value == pytest.approx(chance, abs=0.12)


def test_saying_always_absent_is_right_half_the_time():
    asked = [AttributeTruth(0, 0, np.full((3, len(GROUPS)), PRESENT if k < 5 else ABSENT, np.int8)) for k in range(50)]
    silent = [Reading(one_hot(0, 6), one_hot(0, 6), np.zeros((3, len(GROUPS)))) for _ in asked]
    judged = [judge(r, t) for r, t in zip(silent, asked, strict=True)]
    assert share(judged, "pedestrian") == pytest.approx(0.5)


def test_what_is_hardly_seen_is_not_judged():
    truth = AttributeTruth(0, 0, np.full((3, len(GROUPS)), UNJUDGED, np.int8))
    judged = judge(Reading(one_hot(0, 6), one_hot(1, 6), np.ones((3, len(GROUPS)))), truth)
    assert np.isnan(judged.right["vehicle"]).all() and np.isnan(share([judged], "vehicle"))
    assert share([judged], "weather") == 1.0 and share([judged], "light") == 0.0


def test_a_clip_that_fades_is_right_at_first_only():
    asked = truths(30)
    fading = []
    for t in asked:
        reading = perfect(t)
        reading.weather[2] = np.eye(6)[WEATHERS.index("snow" if WEATHERS[t.weather] != "snow" else "fog")]
        fading.append(reading)
    rows = attribute_rows(fading, asked, ("weather",))["weather"]
    assert (rows["first"].value, rows["middle"].value, rows["last"].value) == (1, 1, 0)
    counts = np.array(confusion(fading, asked)["weather"])
    assert counts.sum() == 90 and np.trace(counts) == 60


@pytest.mark.parametrize(
    ("asked", "light", "seen", "same"),
    [
        ("clear", "night_lit", "overcast", True),
        ("clear", "day", "overcast", False),
        ("light_rain", "day", "heavy_rain", True),
        ("light_rain", "night_lit", "overcast", False),
        ("fog", "dusk", "fog", True),
        ("fog", "dusk", "snow", False),
    ],
)
def test_only_what_looks_the_same_counts_as_one(asked, light, seen, same):
    truth = AttributeTruth(WEATHERS.index(asked), LIGHTS.index(light), np.zeros((1, len(GROUPS)), np.int8))
    assert same_weather(WEATHERS.index(seen), truth) is same


def test_places_are_inside_and_after_the_context_frames():
    assert places(25) == [1, 12, 23] and places(25, 2) == [3, 13, 23]
    assert places(6, 4) == [4, 4, 4]

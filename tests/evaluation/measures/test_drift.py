"""Drift: windows, bands from rendered clips, and the frame at which a measure leaves."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from worldgen.evaluation.measures.attributes_score import judge
from worldgen.evaluation.measures.drift import Span, bands, growth, growth_line, leaves, sharpness, window_rows
from worldgen.evaluation.measures.intervals import Interval
from worldgen.instruments.attributes.attribute_reader import GROUPS, AttributeTruth, Reading


def span(rng: np.random.Generator, *, away: float = 0.0, right: bool = True, speed: float = 10.0) -> Span:
    truth = AttributeTruth(2, 3, np.zeros((4, len(GROUPS)), np.int8))
    reading = Reading(np.eye(6)[[2 if right else 1] * 4], np.eye(6)[[3] * 4], np.zeros((4, len(GROUPS))))
    return Span((speed, 10.0), (abs(speed - 10), 0.01), judge(reading, truth), 5.0, 0.4, rng.normal(away, 1, (40, 6)))


def rollouts(rng, windows: int = 4, **late) -> list[list[Span]]:
    """Eight clips; ``late`` holds from the third window on."""
    return [[span(rng, **(late if k >= 2 else {})) for k in range(windows)] for _ in range(8)]


def test_a_rollout_that_holds_stays_in_its_bands(rng):
    rendered = rollouts(rng)
    made = rollouts(rng)
    rows, ceiling = (window_rows(m, rendered, ("weather", "light")) for m in (made, rendered))
    assert len(rows) == 4 and ceiling[0]["frechet"].value == pytest.approx(0, abs=1e-6)
    left = leaves(rows, bands(ceiling, rows), 25)
    for name in ("weather_right", "light_right", "speed_ratio", "sharpness_ratio", "brightness_shift"):
        assert left[name] is None, name


@pytest.mark.parametrize(
    ("late", "name"), [({"right": False}, "weather_right"), ({"speed": 7.0}, "speed_ratio"), ({"away": 3.0}, "frechet")]
)
def test_what_breaks_is_named_with_its_frame(rng, late, name):
    rendered = rollouts(rng)
    rows, ceiling = (window_rows(m, rendered, ("weather", "light")) for m in (rollouts(rng, **late), rendered))
    left = leaves(rows, bands(ceiling, rows), 25)
    assert left[name] == 50


def rows_of(values: list[float]) -> list[dict[str, Interval]]:
    return [{"m": Interval(v, v, v, 8)} for v in values]


@pytest.mark.parametrize(
    ("values", "frame"),
    [
        ([1, 1, 1, 1], None),
        ([1, 2, 1, 1], None),  # one window outside is chance
        ([1, 2, 2, 1], 25),
        ([1, 1, 1, 2], 75),  # at the end nothing can contradict it
        ([1, math.nan, 2, 2], 50),  # windows without a value are passed over
        ([2, 2, 2, 2], 0),
    ],
)
def test_leaving_takes_two_windows_or_the_last(values, frame):
    assert leaves(rows_of(values), {"m": (0.5, 1.5)}, 25) == {"m": frame}


def test_real_frames_are_a_second_yardstick(rng):
    from worldgen.evaluation.distances.frechet import Moments

    rendered = rollouts(rng)
    real = Moments.of(rng.normal(0, 1, (200, 6)))
    near = window_rows(rendered, rendered, ("weather",), real=real)
    far = window_rows(rollouts(rng, away=4.0), rendered, ("weather",), real=real)
    assert far[3]["frechet_real"].value > 5 * near[3]["frechet_real"].value
    assert "frechet_real" in bands(near, far)


def test_growth_is_of_the_last_window_over_each_of_the_first_two():
    values = {
        "frechet": [10.0, 20.0, 15.0, 30.0],
        "frechet_real": [300.0, 400.0, 350.0, 300.0],
        "speed_ratio": [1.0] * 4,
    }
    rows = [{n: Interval(v[k], math.nan, math.nan, 4) for n, v in values.items()} for k in range(4)]
    grown = growth(rows, 25)
    assert grown == {"frechet": {"0": 3.0, "25": 1.5}, "frechet_real": {"0": 1.0, "25": 0.75}}
    line = growth_line(grown)
    assert "rendered frames of the same scenes 3.00 times that from frame 0" in line
    assert "real frames 0.75 times that from frame 25" in line


def test_blur_takes_sharpness(rng):
    picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    assert sharpness(cv2.GaussianBlur(picture, (0, 0), 2)) < 0.2 * sharpness(picture)
    assert sharpness(np.full((64, 64, 3), 90, np.uint8)) == 0

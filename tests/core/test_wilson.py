"""The interval of a share: closed forms and edges."""

from __future__ import annotations

import math

import pytest

from worldgen.core.wilson import Z95, wilson_interval


def test_the_interval_has_its_closed_forms():
    for count in (1, 10, 100):
        low, high = wilson_interval(0, count)
        assert low == 0.0 and math.isclose(high, Z95**2 / (count + Z95**2))
        low, high = wilson_interval(count, count)
        assert math.isclose(high, 1.0) and math.isclose(low, count / (count + Z95**2))


def test_edges_and_known_values():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 100) == (0.0, pytest.approx(0.037, abs=1e-3))
    assert wilson_interval(95, 100) == (pytest.approx(0.888, abs=1e-3), pytest.approx(0.978, abs=1e-3))

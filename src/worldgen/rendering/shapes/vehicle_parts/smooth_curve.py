"""Monotone cubic curves: smooth, and never beyond the values of their knots."""

from __future__ import annotations

import numpy as np


def monotone_curve(knots: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values of the smooth curve through K knots at ``at`` ``(N,)``; it is constant beyond its ends.

    knots: ``(K,)`` increasing. values: ``(K, ...)``. Returns ``(N, ...)``.

    Source: F. N. Fritsch, J. Butland 1984, A method for constructing local monotone piecewise cubic interpolants.
    """
    knots, values = np.asarray(knots, float), np.asarray(values, float)
    wide = (-1,) + (1,) * (values.ndim - 1)
    step = np.diff(knots).reshape(wide)
    chord = np.diff(values, axis=0) / step
    slope = np.zeros_like(values)
    slope[0], slope[-1] = chord[0], chord[-1]
    before, after = chord[:-1], chord[1:]
    first, second = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    same = before * after > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (first + second) / (first / before + second / after)
    slope[1:-1] = np.where(same, mean, 0.0)
    at = np.clip(np.asarray(at, float), knots[0], knots[-1])
    cell = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    width = step[cell]
    share = (at - knots[cell]).reshape(wide) / width
    rest = 1 - share
    return (
        values[cell] * rest**2 * (1 + 2 * share)
        + values[cell + 1] * share**2 * (3 - 2 * share)
        + slope[cell] * width * share * rest**2
        - slope[cell + 1] * width * share**2 * rest
    )

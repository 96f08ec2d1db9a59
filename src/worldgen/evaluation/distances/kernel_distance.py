"""Kernel distance between two sets of features: unbiased for any number of clips, so small sets can be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.evaluation.measures.intervals import Interval, t95

DEGREE, COEFFICIENT = 3, 1.0


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of kernel values: within each set without the diagonal, and between the sets."""

    one: float
    two: float
    between: float
    rows_one: np.ndarray
    rows_two: np.ndarray
    rows_between: np.ndarray
    columns_between: np.ndarray


def kernel_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Squared maximum mean discrepancy with the kernel ``(x.y / D + 1)^3``, the unbiased estimate (it may be negative).

    one, two: features ``(N, D)`` and ``(M, D)``, at least 2 each. Source: Binkowski et al., "Demystifying MMD GANs"
    (2018), eq. 4 and section 4 (the kernel inception distance).
    """
    sums = _sums(one, two)
    return _estimate(sums.one, sums.two, sums.between, len(one), len(two))


def kernel_interval(one: np.ndarray, two: np.ndarray) -> Interval:
    """The kernel distance with a 95 % interval from leaving out one clip at a time.

    The bootstrap would repeat clips, and pairs of equal clips would make the estimate biased.
    Source: Efron and Stein, "The jackknife estimate of variance" (1981), for two samples.
    """
    sums, n, m = _sums(one, two), len(one), len(two)
    value = _estimate(sums.one, sums.two, sums.between, n, m)
    if min(n, m) < 3:
        return Interval(value, math.nan, math.nan, min(n, m))
    without_one = [
        _estimate(sums.one - 2 * a, sums.two, sums.between - b, n - 1, m)
        for a, b in zip(sums.rows_one, sums.rows_between, strict=True)
    ]
    without_two = [
        _estimate(sums.one, sums.two - 2 * a, sums.between - b, n, m - 1)
        for a, b in zip(sums.rows_two, sums.columns_between, strict=True)
    ]
    variance = sum((len(v) - 1) * float(np.var(v)) for v in (without_one, without_two))
    half = t95(min(n, m)) * math.sqrt(variance)
    return Interval(value, value - half, value + half, min(n, m))


def _estimate(one: float, two: float, between: float, n: int, m: int) -> float:
    return one / (n * (n - 1)) + two / (m * (m - 1)) - 2 * between / (n * m)


def _sums(one: np.ndarray, two: np.ndarray) -> _Sums:
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[1]:
        raise InputError("features", Received(f"shapes {one.shape} and {two.shape}"), "(N, D) and (M, D)")
    if min(len(one), len(two)) < 2:
        raise InputError("features for a kernel distance", (len(one), len(two)), "at least 2 in each set")
    kernel_one, kernel_two, between = _kernel(one, one), _kernel(two, two), _kernel(one, two)
    np.fill_diagonal(kernel_one, 0)
    np.fill_diagonal(kernel_two, 0)
    return _Sums(
        float(kernel_one.sum()), float(kernel_two.sum()), float(between.sum()),
        kernel_one.sum(1), kernel_two.sum(1), between.sum(1), between.sum(0),
    )  # fmt: skip


def _kernel(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return (one @ two.T / one.shape[1] + COEFFICIENT) ** DEGREE

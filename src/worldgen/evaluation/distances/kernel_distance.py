"""Kernel distance between two sets of features: unbiased for any number of clips, so small sets can be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.evaluation.measures.intervals import Interval, t95

DEGREE, COEFFICIENT = 3, 1.0
TILE = 1024
"""Clips a side of the part of the kernel matrix that is held at once: 8 MB, whatever the size of the sets."""


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
    one, two = np.asarray(one), np.asarray(two)
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[1]:
        raise InputError("features", Received(f"shapes {one.shape} and {two.shape}"), "(N, D) and (M, D)")
    if min(len(one), len(two)) < 2:
        raise InputError("features for a kernel distance", (len(one), len(two)), "at least 2 in each set")
    (one_rows, _), (two_rows, _) = _sides(one, one, apart=True), _sides(two, two, apart=True)
    between_rows, between_columns = _sides(one, two)
    return _Sums(
        float(one_rows.sum()), float(two_rows.sum()), float(between_rows.sum()),
        one_rows, two_rows, between_rows, between_columns,
    )  # fmt: skip


def _sides(one: np.ndarray, two: np.ndarray, *, apart: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the kernel over the rows and over the columns of the ``(N, M)`` matrix, in tiles of ``TILE`` a side.

    apart: both sets are the same, and each clip is left out against itself; every pair is then computed once.
    """
    rows, columns = np.zeros(len(one)), np.zeros(len(two))
    for top in range(0, len(one), TILE):
        high = slice(top, top + TILE)
        for left in range(top if apart else 0, len(two), TILE):
            wide = slice(left, left + TILE)
            tile = _kernel(one[high], two[wide])
            if apart and left == top:
                np.fill_diagonal(tile, 0)
            rows[high] += tile.sum(1)
            columns[wide] += tile.sum(0)
            if apart and left > top:  # the mirrored tile
                rows[wide] += tile.sum(0)
    return rows, columns


def _kernel(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    base = one.astype(np.float64) @ two.astype(np.float64).T
    base /= one.shape[1]
    base += COEFFICIENT
    cube = base * base  # degree 3; numpy's power takes ten times as long
    cube *= base
    return cube

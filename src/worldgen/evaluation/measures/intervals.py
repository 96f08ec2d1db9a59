"""Confidence intervals by bootstrap over whole clips, for every measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from worldgen.core.seeds import numpy_rng

RESAMPLES = 400
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval over the choice of clips. NaN where it is not defined.

    low, high: ends of the percentile bootstrap interval. count: number of clips.
    """

    value: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict:
        """Numbers rounded to five digits; undefined ones become null."""
        row = {name: round(getattr(self, name), 5) for name in ("value", "low", "high")}
        return {k: None if not math.isfinite(v) else v for k, v in row.items()} | {"clips": self.count}

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    count: int, statistic: Callable[[np.ndarray], float], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The value of ``statistic`` on all ``count`` clips, and its 95 % interval.

    statistic: of clip numbers ``(count,)`` int64, drawn with repetition; NaN where it is not defined for these clips.
    Such draws are left out; when they are half or more there is no interval. Clips are drawn instead of frames, because
    frames of one clip are not independent.
    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 13 (percentile interval).
    """
    if count < 1:
        return Interval(math.nan, math.nan, math.nan, 0)
    value = float(statistic(np.arange(count)))
    rng = numpy_rng("bootstrap", count, seed)
    drawn = np.array([statistic(rng.integers(count, size=count)) for _ in range(resamples)], float)
    drawn = drawn[np.isfinite(drawn)]
    if count < 2 or 2 * len(drawn) <= resamples:
        return Interval(value, math.nan, math.nan, count)
    low, high = np.percentile(drawn, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return Interval(value, float(low), float(high), count)


def mean_interval(values: Sequence[float] | np.ndarray, *, seed: int = 0) -> Interval:
    """The mean of one number per clip. Clips with NaN are left out and not counted."""
    kept = np.asarray(values, float)
    kept = kept[np.isfinite(kept)]
    return bootstrap(len(kept), lambda index: float(kept[index].mean()), seed=seed)


def ratio_interval(
    parts: Sequence[float] | np.ndarray, wholes: Sequence[float] | np.ndarray, *, seed: int = 0
) -> Interval:
    """Sum of ``parts`` over sum of ``wholes``, one of each per clip: a share in which clips may have different
    weights."""
    parts, wholes = np.asarray(parts, float), np.asarray(wholes, float)
    assert parts.shape == wholes.shape, (parts.shape, wholes.shape)
    return bootstrap(len(parts), lambda index: _ratio(parts[index].sum(), wholes[index].sum()), seed=seed)


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation of two ``(N,)`` arrays, ties sharing their mean rank; NaN for fewer than 3 or constant values.

    Source: Spearman 1904; the Pearson correlation of ranks.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    assert x.shape == y.shape and x.ndim == 1, (x.shape, y.shape)
    if len(x) < 3:
        return math.nan
    a, b = rankdata(x), rankdata(y)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return math.nan if scale == 0 else float(a @ b) / scale


def spearman_interval(x: Sequence[np.ndarray], y: Sequence[np.ndarray], *, seed: int = 0) -> Interval:
    """Rank correlation over the rows of all clips together, the interval from drawing clips.

    x, y: one array of rows per clip, of equal lengths clip by clip.
    """
    assert [len(a) for a in x] == [len(b) for b in y], "rows of each clip must match"

    def statistic(index: np.ndarray) -> float:
        return spearman(np.concatenate([x[i] for i in index]), np.concatenate([y[i] for i in index]))

    return bootstrap(len(x), statistic, seed=seed)


def shuffled(count: int, *, seed: int = 0) -> np.ndarray:
    """A permutation ``(count,)`` without a fixed point, which pairs each clip with another one: for controls that must
    fail.

    The caller leaves the control out for a single clip.
    """
    assert count > 1, "one clip cannot be paired with another"
    order = numpy_rng("shuffled", count, seed).permutation(count)
    partner = np.empty(count, np.int64)
    partner[order] = np.roll(order, 1)  # one cycle through all clips
    return partner


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan

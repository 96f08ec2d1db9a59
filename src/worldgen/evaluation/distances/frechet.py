"""Fréchet distance between two sets of features, from moments that are computed in a stream and merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.evaluation.measures.intervals import Interval, t95


@dataclass(eq=False)
class Moments:
    """Count, mean and scatter of feature vectors, float64.

    count: number of vectors. mean: ``(D,)``. scatter: ``(D, D)`` sum of outer products of deviations from the mean.
    Batches are merged by the pairwise update of Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm
    for Computing Sample Variances" (1979), eq. 2.1, which avoids cancellation.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """Moments of ``(N, D)`` features."""
        features = _checked(features)
        mean = features.mean(0) if len(features) else np.zeros(features.shape[1])
        away = features - mean
        return cls(len(features), mean, away.T @ away)

    @property
    def size(self) -> int:
        """Length D of the vectors."""
        return len(self.mean)

    @property
    def covariance(self) -> np.ndarray:
        """``(D, D)`` unbiased sample covariance, divided by N - 1. Raises: InputError for fewer than two vectors."""
        if self.count < 2:
            raise InputError("features for a covariance", self.count, "at least 2")
        return self.scatter / (self.count - 1)

    def update(self, features: np.ndarray) -> Moments:
        """Add ``(N, D)`` features in place; returns itself. Raises: InputError for another size and for non-finite
        values."""
        more = Moments.of(features)
        merged = merge(self, more)
        self.count, self.mean, self.scatter = merged.count, merged.mean, merged.scatter
        return self


def merge(first: Moments, *others: Moments) -> Moments:
    """The moments of all vectors together. Raises: InputError for unequal sizes."""
    total = first
    for more in others:
        if more.size != total.size:
            raise InputError("length of feature vectors", more.size, str(total.size))
        count = total.count + more.count
        if count == 0:
            continue
        step = more.mean - total.mean
        mean = total.mean + step * (more.count / count)
        scatter = total.scatter + more.scatter + np.outer(step, step) * (total.count * more.count / count)
        total = Moments(count, mean, scatter)
    return Moments(total.count, total.mean.copy(), total.scatter.copy())


def frechet_distance(one: Moments, two: Moments) -> float:
    """Squared Fréchet distance of the Gaussians with these moments: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    The trace of the root is taken as the sum of the square roots of the eigenvalues of the symmetric matrix
    ``C1^(1/2) C2 C1^(1/2)``, so no value becomes complex, and singular covariances need no jitter.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions" (1982), eq. 16.
    Raises: InputError for unequal sizes or fewer than two vectors.
    """
    if one.size != two.size:
        raise InputError("length of feature vectors", two.size, str(one.size))
    return gaussian_distance(one.mean, one.covariance, two.mean, two.covariance)


def gaussian_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Squared Fréchet distance from means ``(D,)`` and covariances ``(D, D)``, positive semi-definite, float64."""
    root = symmetric_root(cov1)
    inner = root @ cov2 @ root
    eigenvalues = np.linalg.eigvalsh((inner + inner.T) / 2)
    trace_root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    step = mean1 - mean2
    # For equal sets the sum is a rounding error of either sign.
    return max(0.0, float(step @ step + np.trace(cov1) + np.trace(cov2) - 2 * trace_root))


def symmetric_root(matrix: np.ndarray) -> np.ndarray:
    """The positive semi-definite square root of a symmetric ``(D, D)`` matrix; rounding below zero counts as zero."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def distance_of(one: np.ndarray, two: np.ndarray) -> float:
    """Fréchet distance of two sets of features ``(N, D)`` and ``(M, D)``.

    For N + M below D it is computed in the space that the vectors span, which is faster and exact, because both
    covariances are zero outside it.
    """
    one, two = _checked(one), _checked(two)
    if one.shape[1] != two.shape[1]:
        raise InputError("length of feature vectors", two.shape[1], str(one.shape[1]))
    if len(one) + len(two) < one.shape[1]:
        both = np.concatenate([one, two])
        centre = both.mean(0)
        _, _, basis = np.linalg.svd(both - centre, full_matrices=False)
        one, two = (one - centre) @ basis.T, (two - centre) @ basis.T
    return frechet_distance(Moments.of(one), Moments.of(two))


def resampled(
    one: np.ndarray, two: np.ndarray, rng: np.random.Generator, *, draws: int = 200, groups: tuple = (None, None)
) -> np.ndarray:
    """Distances of ``draws`` resamples with replacement of both sets, ``(draws,)`` float64.

    groups: per set None, or ``(N,)`` labels (drives): clips of one drive resemble each other, so whole drives are
    drawn. Resampling repeats vectors, so these distances exceed the distance itself by about its bias at this size;
    :func:`spread_interval` corrects for that.
    """
    distances = np.empty(draws)
    for i in range(draws):
        picked = [f[_resample(len(f), g, rng)] for f, g in zip((one, two), groups, strict=True)]
        distances[i] = distance_of(*picked)
    return distances


def _resample(count: int, groups: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    if groups is None:
        return rng.integers(0, count, count)
    names, member = np.unique(groups, return_inverse=True)
    rows = [np.flatnonzero(member == g) for g in range(len(names))]
    picked = np.concatenate([rows[g] for g in rng.integers(0, len(names), len(names))])
    return picked if len(picked) > 1 else np.repeat(picked, 2)


def spread_interval(value: float, draws: np.ndarray, count: int) -> Interval:
    """The 95 % interval of a distance by Student's t, with the spread of resampled distances as its standard error.

    It is the range of the mean distance of two sets of as many clips. It does not include the bias against infinite
    sets, which :func:`bias_curve` estimates. draws: of :func:`resampled`, whose mean is not used because of its bias.
    count: of what was drawn in the smaller set, clips or drives. A distance is not negative, so neither is its low end.

    Percentiles of the draws contain the true value in 85 to 87 % of simulated experiments with 3 to 5 clips; this
    interval contains it in 95 % or more. Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), 12.4.
    """
    half = t95(count) * float(draws.std(ddof=1))
    return Interval(value, max(value - half, 0.0), value + half, count)


@dataclass(frozen=True)
class BiasCurve:
    """Mean distance of random subsets by size, and the extrapolation to infinite size by a line in 1/N.

    sizes: clips per set. values: mean distance at each. at_infinity: the intercept.
    Source: Chong and Forsyth, "Effectively unbiased FID and Inception Score" (2020), section 4.
    """

    sizes: tuple[int, ...]
    values: tuple[float, ...]
    at_infinity: float


def bias_curve(
    one: np.ndarray, two: np.ndarray, rng: np.random.Generator, *, sizes: tuple[int, ...] = (), repeats: int = 8
) -> BiasCurve:
    """The distance as a function of the number of clips. sizes: by default five from N/5 to N of the smaller set."""
    full = min(len(one), len(two))
    sizes = sizes or tuple(sorted({max(2, full * k // 5) for k in range(1, 6)}))
    if max(sizes) > full or min(sizes) < 2:
        raise InputError("sizes of a bias curve", sizes, f"2 to {full}")
    values = []
    for size in sizes:
        draws = [
            distance_of(one[rng.permutation(len(one))[:size]], two[rng.permutation(len(two))[:size]])
            for _ in range(repeats)
        ]
        values.append(float(np.mean(draws)))
    if len(sizes) < 2:
        return BiasCurve(sizes, tuple(values), float("nan"))
    _, intercept = np.polyfit(1 / np.array(sizes), values, 1)
    return BiasCurve(sizes, tuple(values), float(intercept))


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] < 1:
        raise InputError("features", Received(f"shape {features.shape}"), "(N, D)")
    if not np.isfinite(features).all():
        raise InputError("features", Received("values that are not finite"), "finite numbers")
    return features.astype(np.float64)

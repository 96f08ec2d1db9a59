"""The speed of a drive from what each pair of frames says about it: a hidden Markov model over speeds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SPEEDS_MPS = np.arange(0.0, 50.0, 0.1)
"""Speeds that are told apart. Reverse is not."""
ACCELERATION_MPS2 = 1.5
"""Standard deviation of the change of speed in a second."""
PAIR_ERROR, PAIR_ERROR_MPS = 0.06, 0.1
"""Error of a pair that its likelihood does not hold, relative and at least: slopes of the road, pitch of the car."""
WRONG_PAIRS = 0.05
"""Share of pairs whose best speed is that of something else."""


def smoothed_speeds(likelihoods: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in m/s of the speed in each pair, ``(P,)`` both, given all pairs.

    likelihoods: ``(P, S)`` logarithms for ``SPEEDS_MPS``. seconds: ``(P,)`` from the middle of the pair before; the
    first is not used.
    """
    seen = np.exp(likelihoods - likelihoods.max(1, keepdims=True))
    seen = (seen / seen.sum(1, keepdims=True)) @ _pair_errors()
    seen = (1 - WRONG_PAIRS) * seen / seen.sum(1, keepdims=True) + WRONG_PAIRS / len(SPEEDS_MPS)
    forward, backward = np.zeros_like(seen), np.zeros_like(seen)
    state = np.full(len(SPEEDS_MPS), 1 / len(SPEEDS_MPS))
    for pair in range(len(seen)):
        state = _later(state, seconds[pair]) if pair else state
        forward[pair] = state = _normal(state * seen[pair])
    state = np.ones(len(SPEEDS_MPS))
    for pair in range(len(seen) - 1, -1, -1):
        backward[pair] = state
        state = _normal(_later(state * seen[pair], seconds[pair]))
    share = forward * backward
    share /= share.sum(1, keepdims=True)
    mean = share @ SPEEDS_MPS
    return mean, np.sqrt(np.maximum(share @ SPEEDS_MPS**2 - mean**2, 0.0))


def smoothed_rates(
    rates: np.ndarray, sigmas: np.ndarray, seconds: np.ndarray, change: float
) -> tuple[np.ndarray, np.ndarray]:
    """A rate that wanders, from measurements: Kalman filter and Rauch-Tung-Striebel smoother of a random walk.

    rates, sigmas: ``(P,)``, NaN where nothing was measured. seconds: as for :func:`smoothed_speeds`. change: standard
    deviation of the change of the rate in a second. Returns the mean and its standard deviation, ``(P,)``.
    """
    count = len(rates)
    mean, variance = np.zeros(count), np.zeros(count)
    predicted = np.zeros(count)
    at, spread = 0.0, 1.0
    for k in range(count):
        spread += change**2 * seconds[k] ** 2 if k else 0.0
        predicted[k] = spread
        if np.isfinite(rates[k]):
            gain = spread / (spread + sigmas[k] ** 2)
            at, spread = at + gain * (rates[k] - at), (1 - gain) * spread
        mean[k], variance[k] = at, spread
    for k in range(count - 2, -1, -1):
        gain = variance[k] / predicted[k + 1]
        mean[k] += gain * (mean[k + 1] - mean[k])
        variance[k] += gain**2 * (variance[k + 1] - predicted[k + 1])
    return mean, np.sqrt(np.maximum(variance, 0.0))


@lru_cache(maxsize=1)
def _pair_errors() -> np.ndarray:
    """Chance ``(S, S)`` that a speed (column) was there when a pair says another (row)."""
    sigma = np.hypot(PAIR_ERROR_MPS, PAIR_ERROR * SPEEDS_MPS)
    chance = np.exp(-0.5 * ((SPEEDS_MPS[None] - SPEEDS_MPS[:, None]) / sigma[:, None]) ** 2)
    normal: np.ndarray = chance / chance.sum(1, keepdims=True)
    return normal


def _later(state: np.ndarray, seconds: float) -> np.ndarray:
    """A distribution over speeds after some time, mirrored at the ends."""
    sigma = max(ACCELERATION_MPS2 * seconds / (SPEEDS_MPS[1] - SPEEDS_MPS[0]), 0.5)
    reach = min(int(np.ceil(4 * sigma)), len(state) // 2)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(state, reach, mode="symmetric"), kernel / kernel.sum(), mode="valid")


def _normal(state: np.ndarray) -> np.ndarray:
    normal: np.ndarray = state / state.sum()
    return normal

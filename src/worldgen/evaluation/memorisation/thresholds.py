"""Thresholds of similarity from clips that cannot be copies, and nearest neighbours in feature space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import FeatureSet
from worldgen.evaluation.measures.intervals import count_interval

FEW_HELD_OUT = 20
"""Fewer held-out clips than this raise a warning."""


@dataclass(frozen=True)
class Threshold:
    """A score above which a clip counts as a copy. alarm: share of held-out clips expected above it by chance.

    held_out: number of held-out clips. median, most: of their scores.
    """

    value: float
    alarm: float
    held_out: int
    median: float
    most: float

    def to_json(self) -> dict:
        return {
            "threshold": round(self.value, 4),
            "expected_false_alarms": round(self.alarm, 4),
            "held_out_clips": self.held_out,
            "held_out_median": round(self.median, 4),
            "held_out_most": round(self.most, 4),
        }


def calibrate(held_out: np.ndarray, alarm: float) -> Threshold:
    """The smallest threshold that a new clip of the held-out kind exceeds with a probability of at most ``alarm``.

    held_out: scores of clips that cannot be copies. The k-th largest of n is exceeded with probability k / (n + 1), so
    fewer than 1 / alarm - 1 clips cannot guarantee ``alarm``; then the largest score is the threshold, and ``alarm`` of
    the result is its true probability.
    Source: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005), section 2.2 (conformal
    quantile).

    Raises: InputError for fewer than two scores.
    """
    scores = np.sort(np.asarray(held_out, float))[::-1]
    if len(scores) < 2:
        raise InputError("held-out clips", len(scores), "at least 2")
    if not 0 < alarm < 1:
        raise InputError("expected share of false alarms", alarm, "above 0, below 1")
    rank = max(1, math.floor(alarm * (len(scores) + 1)))
    return Threshold(
        float(scores[rank - 1]), rank / (len(scores) + 1), len(scores), float(np.median(scores)), float(scores[0])
    )


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Nearest training clips in feature space. keys: of the training clips. scores: ``(N,)``, larger is nearer."""

    keys: list[str]
    scores: np.ndarray


def feature_neighbours(queries: FeatureSet, training: FeatureSet) -> Neighbours:
    """For each query the training clip with the most similar features.

    The score is minus the distance, in units of each feature's standard deviation over the training clips.
    """
    spread = training.features.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    one, two = queries.features / spread, training.features / spread
    squared = (one**2).sum(1)[:, None] + (two**2).sum(1) - 2 * one @ two.T
    distance = np.sqrt(np.clip(squared, 0, None) / one.shape[1])
    index = distance.argmin(1)
    return Neighbours([training.keys[i] for i in index], -distance[np.arange(len(index)), index])


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """Exact 95 % interval of a share; NaN for a count of 0."""
    return count_interval(hits, count)

"""How near is too near: thresholds from clips that cannot be copies, and what they say of generated ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import FeatureSet

FEW_HELD_OUT = 20


@dataclass(frozen=True)
class Threshold:
    """A score above which a clip counts as a copy. alarm: share of held-out clips expected above it by chance.

    held_out: how many clips it rests on. median, most: of their scores.
    """

    value: float
    alarm: float
    held_out: int
    median: float
    most: float

    def to_json(self) -> dict:
        return {
            "threshold": round(self.value, 4), "expected_false_alarms": round(self.alarm, 4), "held_out_clips": self.held_out,
            "held_out_median": round(self.median, 4), "held_out_most": round(self.most, 4),
        }  # fmt: skip


def calibrate(held_out: np.ndarray, alarm: float) -> Threshold:
    """The smallest threshold that a new clip of the held-out kind passes with probability ``alarm`` at most.

    held_out: scores of clips that cannot be copies. With n of them the k-th largest is passed with probability k / (n + 1),
    so fewer than 1 / alarm - 1 clips cannot promise it; then the largest is taken, and ``alarm`` of the result says so.
    Source: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005), section 2.2 (conformal quantile).
    Raises InputError for fewer than two scores.
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
    """Nearest training clip in feature space. keys: of the training clips; scores: ``(N,)``, larger is nearer."""

    keys: list[str]
    scores: np.ndarray


def feature_neighbours(queries: FeatureSet, training: FeatureSet) -> Neighbours:
    """For each query the training clip with the most similar features: minus the distance in units of the training
    clips' own spread, so that each feature counts alike.
    """
    spread = training.features.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    one, two = queries.features / spread, training.features / spread
    squared = (one**2).sum(1)[:, None] + (two**2).sum(1) - 2 * one @ two.T
    distance = np.sqrt(np.clip(squared, 0, None) / one.shape[1])
    index = distance.argmin(1)
    return Neighbours([training.keys[i] for i in index], -distance[np.arange(len(index)), index])


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share. Source: Wilson, "Probable inference" (1927)."""
    if not count:
        return math.nan, math.nan
    z, p = 1.959964, hits / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)

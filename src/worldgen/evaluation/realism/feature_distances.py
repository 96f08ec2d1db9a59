"""How far the frames of sets are from those of a reference, in what a detector's backbone sees of them.

Recall says whether objects are recognised; distances say whether pictures as a whole look alike to a network of the
real world. One frame of a clip counts, because frames of a clip are not independent. Distances also contain what the
pictures show: two sets of photographs of different roads are far apart too. The question that has an answer is whether
one set is nearer than another one of the same scenes.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgen.evaluation.distances.frechet import distance_of
from worldgen.evaluation.distances.kernel_distance import COEFFICIENT, DEGREE, kernel_interval
from worldgen.evaluation.measures.intervals import Interval, t95

LEAST_CLIPS = 3


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """Features ``(N, D)`` of one frame of each clip, and the names of the clips."""

    clips: tuple[str, ...]
    values: np.ndarray

    @classmethod
    def of(cls, features: dict[str, np.ndarray]) -> ClipFeatures:
        """From the features ``(D,)`` of each clip."""
        return cls(tuple(features), np.stack(list(features.values())).astype(np.float64))

    def only(self, clips: tuple[str, ...]) -> np.ndarray:
        """Features of some clips, in their order."""
        row = {name: i for i, name in enumerate(self.clips)}
        return self.values[[row[name] for name in clips]]


def feature_distances(sets: dict[str, ClipFeatures], reference: str) -> dict[str, Any]:
    """Distances of all other sets from the set ``reference``, as JSON.

    ``sets``: for each the kernel distance with its 95 % interval (``kernel_interval``) and the Fréchet distance, which
    is too large for few clips, equally so for sets of equal size. ``pairs``: for two sets that share clips, such as
    drawn and painted ones of the same scenes, how much nearer the second is than the first (positive: nearer).
    """
    truth = sets[reference]
    others = {name: each for name, each in sets.items() if name != reference and len(each.clips) >= LEAST_CLIPS}
    record: dict[str, Any] = {"reference": reference, "clips": len(truth.clips), "sets": {}, "pairs": []}
    if len(truth.clips) < LEAST_CLIPS:
        return record
    for name, each in others.items():
        record["sets"][name] = {
            "clips": len(each.clips), "kernel": kernel_interval(each.values, truth.values).to_json(),
            "frechet": distance_of(each.values, truth.values),
        }  # fmt: skip
    for first, second in itertools.combinations(others, 2):
        shared = tuple(name for name in others[first].clips if name in set(others[second].clips))
        if len(shared) >= LEAST_CLIPS:
            nearer = nearer_by(others[first].only(shared), others[second].only(shared), truth.values)
            pair = {"from": first, "to": second, "clips": len(shared), "nearer_by": nearer.to_json()}
            record["pairs"].append(pair)
    return record


def nearer_by(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> Interval:
    """By how much the kernel distance to ``truth`` ``(M, D)`` falls from ``first`` to ``second``, ``(N, D)`` each, row
    by row of the same scenes.

    The interval is that of leaving out one scene of both, or one of the truth, at a time (Efron and Stein 1981).
    """

    n, m = len(first), len(truth)
    within = [_kernel(each, each) for each in (first, second)]
    for kernel in within:
        np.fill_diagonal(kernel, 0)
    own = within[0].sum(1) - within[1].sum(1)
    between = _kernel(first, truth) - _kernel(second, truth)
    # What the truth has within itself is the same in both distances.
    fall = lambda a, b, n, m: a / (n * (n - 1)) - 2 * b / (n * m)  # noqa: E731
    value = fall(own.sum(), between.sum(), n, m)
    without_scene = fall(own.sum() - 2 * own, between.sum() - between.sum(1), n - 1, m)
    without_truth = fall(own.sum(), between.sum() - between.sum(0), n, m - 1)
    variance = sum((len(v) - 1) * float(np.var(v)) for v in (without_scene, without_truth))
    half = t95(min(n, m)) * math.sqrt(variance)
    return Interval(float(value), float(value - half), float(value + half), min(n, m))


def _kernel(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return (one @ two.T / one.shape[1] + COEFFICIENT) ** DEGREE

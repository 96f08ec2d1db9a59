"""What a gain study can detect, simulated before it runs from the counts of its test set.

Every experiment draws the scores of objects and false alarms of two arms, several seeds each, and judges them as the
study does: average precision, the same draws of clips for all runs, paired seeds, an interval widened for few seeds.
The power is the share of experiments whose interval lies above 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm

from worldgen.core.errors import InputError
from worldgen.core.seeds import numpy_rng
from worldgen.evaluation.gain.gain_result import GAIN, HARM, drawn_means, says
from worldgen.evaluation.measures.average_precision import RECALLS
from worldgen.evaluation.measures.intervals import count_interval

GAINS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.18)
"""Gains in AP50 whose power is simulated, by rising gain."""
WANTED_POWER = 0.8


@dataclass(frozen=True, eq=False)
class TestObjects:
    """Objects of one group in a test set. objects: ``(N,)`` int64, number in each picture. clip: ``(N,)`` int64 clip of
    each picture, from 0. ap50: expected of the real-only arm, in (0, 1)."""

    __test__ = False  # the name is no test of pytest

    objects: np.ndarray
    clip: np.ndarray
    ap50: float

    def __post_init__(self) -> None:
        if len(self.objects) != len(self.clip) or not self.objects.sum():
            raise InputError("objects of a power simulation", int(np.sum(self.objects)), "one or more, each in a clip")
        if not 0.02 <= self.ap50 <= 0.98:
            raise InputError("ap50 of a power simulation", self.ap50, "0.02 to 0.98")


@dataclass(frozen=True)
class PowerModel:
    """How runs of a study vary.

    seeds: runs of each arm, paired. spread: standard deviation over seeds of the AP50 of one arm that is due to the
    training run as a whole; it shrinks with more optimiser steps and is measured in a pilot. agreement: correlation of
    the scores that two runs give one object. clip_share: share of the variance of scores that the objects of a clip
    have in common. false_alarms: for each object, at the lowest score that is kept. experiments, draws: simulated
    studies, and draws of clips in each.
    """

    seeds: int = 5
    spread: float = 0.02
    agreement: float = 0.8
    clip_share: float = 0.2
    false_alarms: float = 8.0
    experiments: int = 100
    draws: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        if not (2 <= self.seeds <= 100 and self.experiments >= 10 and self.draws >= 20):
            raise InputError(
                "seeds, experiments, draws of a power simulation", (self.seeds, self.experiments, self.draws),
                "2 to 100, 10 or more, 20 or more",
            )  # fmt: skip
        shares = (self.agreement, self.clip_share)
        if not (0 <= self.clip_share <= self.agreement <= 1 and 0 <= self.spread <= 0.5 and self.false_alarms > 0):
            raise InputError(
                "agreement, clip_share, spread, false_alarms", (*shares, self.spread, self.false_alarms),
                "0 <= clip_share <= agreement <= 1, 0 to 0.5, above 0",
            )  # fmt: skip


def population_ap(mean: float, false_alarms: float) -> float:
    """AP50 of endless objects whose scores are normal around ``mean`` and false alarms whose scores are around 0, both
    with standard deviation 1. Precision is made monotone and averaged over 101 recalls, as in pycocotools."""
    cut = np.linspace(max(mean, 0.0) + 5.0, min(mean, 0.0) - 5.0, 4001)
    recall, wrong = ndtr(mean - cut), false_alarms * ndtr(-cut)
    precision = recall / np.maximum(recall + wrong, 1e-12)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS - 1e-6)
    return float(precision[np.minimum(place, len(cut) - 1)].mean())


def score_mean(ap50: float, false_alarms: float) -> float:
    """Mean score of objects, in standard deviations above false alarms, that gives an AP50.

    Raises: InputError for an AP50 that even unordered scores exceed with so few false alarms.
    """
    low, high = -6.0, 12.0
    least = 1 / (1 + false_alarms)
    if ap50 < least:
        raise InputError("false alarms of an object", false_alarms, f"more than {1 / ap50 - 1:.1f} for AP50 {ap50:g}")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if population_ap(middle, false_alarms) < ap50 else (low, middle)
    return (low + high) / 2


def drawn_ap(score: np.ndarray, right: np.ndarray, clip: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """AP50 on every draw of clips ``(R,)``, NaN where a draw has no object.

    score: ``(D,)`` of objects and false alarms together. right: ``(D,)`` bool, whether each is an object. clip:
    ``(D,)`` clip of each. weight: ``(R, K)``, how often a draw counts each clip.
    """
    order = np.argsort(-score, kind="stable")
    each = weight[:, clip[order]]  # (R, D)
    hits = np.cumsum(each * right[order], axis=1)
    precision = hits / np.maximum(np.cumsum(each, axis=1), 1e-12)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    out = np.full(len(weight), math.nan)
    for row in np.flatnonzero(hits[:, -1] > 0):
        place = np.searchsorted(hits[row] / hits[row, -1], RECALLS, side="left")
        out[row] = precision[row, np.minimum(place, len(order) - 1)].mean()
    return out


def simulated_deltas(
    groups: tuple[TestObjects, ...], model: PowerModel, gain: float, rng: np.random.Generator
) -> np.ndarray:
    """Differences of AP50 of one experiment ``(S, 1 + draws)``; column 0 is of the whole test.

    The AP50 is the mean over the groups, and ``gain`` is added to each.
    """
    clips = max(int(group.clip.max()) for group in groups) + 1
    drawn = rng.integers(clips, size=(model.draws, clips))
    weight = np.stack([np.ones(clips), *(np.bincount(row, minlength=clips) for row in drawn)]).astype(float)
    tables = []
    for group in groups:
        # A shift of the whole run moves AP by its slope; the spread is given in AP.
        start, end = (score_mean(min(group.ap50 + extra, 0.995), model.false_alarms) for extra in (0.0, gain))
        shift = model.spread / max(_slope(start, model.false_alarms), 1e-3)
        of_object = np.repeat(group.clip, group.objects)
        of_alarm = rng.permutation(np.repeat(group.clip, _rounded(group.objects * model.false_alarms, rng)))
        clip, right = np.concatenate([of_object, of_alarm]), np.arange(len(of_object) + len(of_alarm)) < len(of_object)
        common = math.sqrt(model.clip_share) * rng.standard_normal((2, clips))[(~right).astype(int), clip]
        common += math.sqrt(model.agreement - model.clip_share) * rng.standard_normal(len(clip))
        rows = []
        for _ in range(model.seeds):
            pair = []
            for mean in (start, end):
                own = math.sqrt(1 - model.agreement) * rng.standard_normal(len(clip))
                place = np.where(right, mean + shift * rng.standard_normal(), 0.0)
                pair.append(drawn_ap(place + common + own, right, clip, weight))
            rows.append(pair[1] - pair[0])
        tables.append(np.stack(rows))
    table = np.stack(tables)
    known = np.isfinite(table)  # a draw of few clips may hold no object of a group, or of any
    return np.where(known, table, 0.0).sum(0) / np.where(known.any(0), known.sum(0), math.nan)


def _slope(mean: float, false_alarms: float) -> float:
    return (population_ap(mean + 0.05, false_alarms) - population_ap(mean - 0.05, false_alarms)) / 0.1


def _rounded(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers with these expected values."""
    return np.floor(values + rng.random(len(values))).astype(np.int64)


def power_of(groups: tuple[TestObjects, ...], model: PowerModel, gain: float) -> dict:
    """Share of simulated studies that say "gain" for a true gain, with its exact interval, the share that say "harm",
    and the standard deviation of the measured difference."""
    verdicts, means = [], []
    for number in range(model.experiments):
        rng = numpy_rng("power of a study", model.seed, number)  # equal scores for every gain: curves rise smoothly
        delta = simulated_deltas(groups, model, gain, rng)
        drawn = drawn_means(delta)
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (math.nan, math.nan)
        verdicts.append(says(float(low), float(high)))
        means.append(delta[:, 0].mean())
    hits = verdicts.count(GAIN)
    low, high = count_interval(hits, len(verdicts))
    return {
        "gain": gain, "power": round(hits / len(verdicts), 3), "low": round(low, 3), "high": round(high, 3),
        "harm": round(verdicts.count(HARM) / len(verdicts), 3), "deviation": round(float(np.std(means, ddof=1)), 5),
    }  # fmt: skip


def detectable(groups: tuple[TestObjects, ...], model: PowerModel, gains: tuple[float, ...] = GAINS) -> dict:
    """The power at no gain (the rate of wrong claims) and at rising gains up to the first that is found 19 times in 20,
    and the least gain that is found 4 times in 5; None where the largest is not."""
    rows = [power_of(groups, model, 0.0)]
    most = min(0.97 - group.ap50 for group in groups)
    for gain in (each for each in gains if each <= most):
        rows.append(power_of(groups, model, gain))
        if rows[-1]["power"] >= 0.95:
            break
    least = None
    for before, after in pairwise(rows):
        if before["power"] < WANTED_POWER <= after["power"]:
            x = [float(norm.ppf(np.clip(row["power"], 0.005, 0.995))) for row in (before, after)]
            part = (float(norm.ppf(WANTED_POWER)) - x[0]) / (x[1] - x[0])
            least = round(before["gain"] + part * (after["gain"] - before["gain"]), 4)
            break
    return {"rows": rows, "least_gain": least}

"""Tuning of the gate: the thresholds of labels that together catch most faults within the allowed false rejections."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldgen.generation.quality.calibration import Allowance, false_rejections
from worldgen.generation.quality.examination import LABEL_KINDS, ExaminedClip, FaultyCard, outcome
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard

SHARES = (0.0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)
"""Shares of clean values outside a threshold, each of which gives a threshold to try."""
LEVELS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1)
PRICES = (100.0, 40.0, 20.0, 14.0, 10.0, 7.0, 5.0, 3.5, 2.5, 1.8, 1.2, 0.8)
"""Weights of a refused clean clip against a caught fault; the best result within the allowance is taken."""
ROUNDS = 8
LOW, HIGH = ("label_agreement", "label_fit"), ("unlabelled", "wrong_class")


def tune(config: GateConfig, examined: Sequence[ExaminedClip], allowance: Allowance | None = None) -> GateConfig:
    """The gate with the thresholds of labels and objects that catch the most faults of labels; the others stay.

    Thresholds are chosen together, because several may catch the same fault. No more clean clips are refused, or lose
    labels, than the allowance permits or ``config`` itself refuses. Returns ``config`` when nothing is better.
    """
    clean = [one.clean for one in examined]
    most = max((allowance or Allowance()).false_rejection, false_rejections(config, clean)) * len(clean)
    faults = [faulty for one in examined for faulty in one.faulty if faulty.kind in LABEL_KINDS]
    if not faults or config.objects != "drop":
        return config
    kept = dataclasses.replace(config, bounds={n: b for n, b in config.bounds.items() if n not in (*LOW, *HIGH)})
    good, bad = (
        ScorecardTable.of(clean, [None] * len(clean), kept),
        ScorecardTable.of([s.card for s in faults], faults, kept),
    )
    grid = threshold_grid(clean)
    best, record = config, (caught(config, faults), -most)
    now = {name: values[0] for name, values in grid.items()}
    for price in PRICES:
        now = _climb(now, grid, functools.partial(_worth, good, bad, price))
        score, refused = bad.caught(now), good.touched(now)
        if refused <= most and (score, -refused) > record:
            best, record = config_at(kept, now), (score, -refused)
    return best


def _worth(good: ScorecardTable, bad: ScorecardTable, price: float, point: Mapping[str, float]) -> float:
    return bad.caught(point) - price * good.touched(point)


def _climb(
    now: dict[str, float], grid: Mapping[str, Sequence[float]], worth: Callable[[dict[str, float]], float]
) -> dict[str, float]:
    """Coordinate ascent: each threshold to its best value in turn until none improves; of equals the most lenient."""
    for _ in range(ROUNDS):
        before = dict(now)
        for name, values in grid.items():
            now = max(({**now, name: value} for value in values), key=worth)
        if now == before:
            break
    return now


def caught(config: GateConfig, faults: Sequence[FaultyCard]) -> int:
    """Number of faults that the gate rejects or repairs."""
    gate = Gate(config)
    return sum(
        outcome(faulty, gate.decide(faulty.card, faulty.fault.labels if faulty.fault is not None else None))
        in ("rejected", "repaired")
        for faulty in faults
    )


@dataclass(frozen=True, eq=False)
class ScorecardTable:
    """n scorecards with at most t tracks as arrays, so that thousands of gates can decide on them quickly.

    refused: ``(n,)`` bool by the thresholds that stay. values: measure -> ``(n,)``, NaN where not measured. agreement,
    fit, other: ``(n, t)``, NaN beyond the tracks. ordered: ``(n, t)`` bool, tracks that are never dropped. wrong: ``(n,
    t)`` bool, the track whose dropping repairs the fault.
    """

    refused: np.ndarray
    values: dict[str, np.ndarray]
    agreement: np.ndarray
    fit: np.ndarray
    other: np.ndarray
    ordered: np.ndarray
    wrong: np.ndarray

    @classmethod
    def of(cls, cards: Sequence[Scorecard], faults: Sequence[FaultyCard | None], kept: GateConfig) -> ScorecardTable:
        gate = Gate(dataclasses.replace(kept, object_low=0.0, object_fit=0.0))
        width = max([len(card.tracks) for card in cards] + [1])
        columns = {name: np.full((len(cards), width), np.nan) for name in ("agreement", "fit", "other")}
        ordered, wrong = np.zeros((len(cards), width), bool), np.zeros((len(cards), width), bool)
        for row, (card, faulty) in enumerate(zip(cards, faults, strict=True)):
            for column, track in enumerate(card.tracks):
                for name, values in columns.items():
                    values[row, column] = getattr(track, name)
                ordered[row, column] = track.ordered
                if faulty is not None and faulty.kind == "added" and faulty.fault is not None:
                    wrong[row, column] = track.track_id == faulty.fault.track
        refused = np.array([not gate.decide(card, None).accepted for card in cards])
        measures = {name: np.array([card.values.get(name, np.nan) for card in cards]) for name in (*LOW, *HIGH)}
        return cls(refused, measures, columns["agreement"], columns["fit"], columns["other"], ordered, wrong)

    def _decide(self, point: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Refused cards ``(n,)`` and tracks that count as not shown ``(n, t)``, as :class:`Gate` decides."""
        missing = (self.agreement < point["object_low"]) | (self.fit < point["object_fit"])
        count, judged = missing.sum(1), np.isfinite(self.agreement).sum(1)
        refused = self.refused | (count > point["max_dropped"] * judged)
        refused |= (missing & (self.ordered | (self.other >= point["object_other"]))).any(1)
        for name in LOW:
            refused |= self.values[name] < point[name]
        for name in HIGH:
            refused |= self.values[name] > point[name]
        return refused, missing

    def caught(self, point: Mapping[str, float]) -> int:
        refused, missing = self._decide(point)
        return int((refused | (missing.any(1) & (missing == self.wrong).all(1))).sum())

    def touched(self, point: Mapping[str, float]) -> int:
        refused, missing = self._decide(point)
        return int((refused | missing.any(1)).sum())


def threshold_grid(clean: Sequence[Scorecard]) -> dict[str, Sequence[float]]:
    """Threshold -> the values to try, the most lenient first."""
    tracks = [track for card in clean for track in card.tracks]
    out: dict[str, Sequence[float]] = {}
    for name in (*HIGH, *LOW):
        values = [card.values[name] for card in clean if name in card.values]
        out[name] = threshold_values(values, low=name in LOW) or ([-1.0] if name in LOW else [2.0])
    out["object_other"] = (1.0, *LEVELS)
    out["object_low"] = [0.0, *threshold_values([t.agreement for t in tracks], low=True)]
    out["object_fit"] = [0.0, *threshold_values([t.fit for t in tracks], low=True)]
    out["max_dropped"] = (0.5, 0.34, 0.25)
    return out


def config_at(kept: GateConfig, point: Mapping[str, float]) -> GateConfig:
    """A gate with the thresholds of a point of the grid."""
    bounds = {name: Bound(low=point[name]) for name in LOW} | {name: Bound(high=point[name]) for name in HIGH}
    return dataclasses.replace(
        kept,
        bounds={**kept.bounds, **bounds},
        object_low=point["object_low"],
        object_fit=point["object_fit"],
        object_other=point["object_other"],
        max_dropped=point["max_dropped"],
    )


def threshold_values(values: Sequence[float], *, low: bool) -> list[float]:
    """Thresholds with ``SHARES`` of the values outside, the most lenient first, rounded outwards to four decimals."""
    if not len(values):
        return []
    ordered = np.sort(np.asarray(values, float))
    out = []
    for share in SHARES:
        place = min(int(share * len(ordered)), len(ordered) - 1)
        value = ordered[place] if low else ordered[-1 - place]
        out.append(float(np.floor(value * 1e4) / 1e4 if low else np.ceil(value * 1e4) / 1e4))
    return list(dict.fromkeys(out))

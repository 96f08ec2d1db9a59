"""Tuning: which thresholds on labels catch most faults for the false rejections that are allowed, taken together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldgen.generation.quality.calibration import Allowance, false_rejections
from worldgen.generation.quality.examination import LABEL_KINDS, ExaminedClip, FaultyCard, outcome
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard

SHARES = (0.0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)
"""Shares of clean values beyond a threshold that are tried."""
LEVELS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1)
PRICES = (100.0, 40.0, 20.0, 14.0, 10.0, 7.0, 5.0, 3.5, 2.5, 1.8, 1.2, 0.8)
"""Faults that one clean clip is worth; each price gives another balance, of which the best within the allowance is taken."""
ROUNDS = 8
LOW, HIGH = ("label_agreement", "label_fit"), ("unlabelled", "wrong_class")


def tune(config: GateConfig, examined: Sequence[ExaminedClip], allowance: Allowance | None = None) -> GateConfig:
    """The thresholds of labels and objects that catch the most faults of labels; the others stay.

    A threshold alone cannot be judged: what one catches, another need not. Clean clips are refused or thinned no more
    often than the allowance says, or than by ``config`` itself. Without anything better ``config`` comes back.
    """
    clean = [one.clean for one in examined]
    most = max((allowance or Allowance()).false_rejection, false_rejections(config, clean)) * len(clean)
    faults = [spoilt for one in examined for spoilt in one.spoilt if spoilt.kind in LABEL_KINDS]
    if not faults or config.objects != "drop":
        return config
    kept = dataclasses.replace(config, bounds={n: b for n, b in config.bounds.items() if n not in (*LOW, *HIGH)})
    good, bad = _Table.of(clean, [None] * len(clean), kept), _Table.of([s.card for s in faults], faults, kept)
    knobs = _knobs(clean)
    best, record = config, (caught(config, faults), -most)
    now = {name: values[0] for name, values in knobs.items()}
    for price in PRICES:
        now = _climb(now, knobs, lambda knob, price=price: bad.caught(knob) - price * good.touched(knob))
        score, refused = bad.caught(now), good.touched(now)
        if refused <= most and (score, -refused) > record:
            best, record = _config(kept, now), (score, -refused)
    return best


def _climb(now: dict[str, float], knobs: Mapping[str, Sequence[float]], worth) -> dict[str, float]:
    """One threshold after another to its best value until none gets better; of equals the most lenient."""
    for _ in range(ROUNDS):
        before = dict(now)
        for name, values in knobs.items():
            now = max(({**now, name: value} for value in values), key=worth)
        if now == before:
            break
    return now


def caught(config: GateConfig, faults: Sequence[FaultyCard]) -> int:
    """How many faults are refused or mended."""
    gate = Gate(config)
    return sum(
        outcome(spoilt, gate.decide(spoilt.card, spoilt.fault.labels if spoilt.fault is not None else None))
        in ("rejected", "repaired")
        for spoilt in faults
    )


@dataclass(frozen=True, eq=False)
class _Table:
    """Scorecards as arrays, to be judged ten thousand times. n cards, at most t tracks.

    refused: ``(n,)`` by the thresholds that stay. values: measure -> ``(n,)``, NaN where not measured. agreement, fit,
    other: ``(n, t)``, NaN beyond the tracks. wrong: ``(n, t)`` bool, the track whose dropping mends the fault.
    """

    refused: np.ndarray
    values: dict[str, np.ndarray]
    agreement: np.ndarray
    fit: np.ndarray
    other: np.ndarray
    wrong: np.ndarray

    @classmethod
    def of(cls, cards: Sequence[Scorecard], faults: Sequence[FaultyCard | None], kept: GateConfig) -> _Table:
        gate = Gate(dataclasses.replace(kept, object_low=0.0, object_fit=0.0))
        width = max([len(card.tracks) for card in cards] + [1])
        columns = {name: np.full((len(cards), width), np.nan) for name in ("agreement", "fit", "other")}
        wrong = np.zeros((len(cards), width), bool)
        for row, (card, spoilt) in enumerate(zip(cards, faults, strict=True)):
            for column, track in enumerate(card.tracks):
                for name, values in columns.items():
                    values[row, column] = getattr(track, name)
                if spoilt is not None and spoilt.kind == "added" and spoilt.fault is not None:
                    wrong[row, column] = track.track_id == spoilt.fault.track
        values = {name: np.array([card.values.get(name, np.nan) for card in cards]) for name in (*LOW, *HIGH)}
        return cls(np.array([not gate.decide(card, None).accepted for card in cards]), values, wrong=wrong, **columns)

    def _judged(self, knob: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Refused ``(n,)`` and the tracks that count as not shown ``(n, t)``, as the gate has it."""
        missing = (self.agreement < knob["object_low"]) | (self.fit < knob["object_fit"])
        count, judged = missing.sum(1), np.isfinite(self.agreement).sum(1)
        refused = self.refused | (count > knob["max_dropped"] * judged)
        refused |= (missing & (self.other >= knob["object_other"])).any(1)
        for name in LOW:
            refused |= self.values[name] < knob[name]
        for name in HIGH:
            refused |= self.values[name] > knob[name]
        return refused, missing

    def caught(self, knob: Mapping[str, float]) -> int:
        refused, missing = self._judged(knob)
        return int((refused | (missing.any(1) & (missing == self.wrong).all(1))).sum())

    def touched(self, knob: Mapping[str, float]) -> int:
        refused, missing = self._judged(knob)
        return int((refused | missing.any(1)).sum())


def _knobs(clean: Sequence[Scorecard]) -> dict[str, Sequence[float]]:
    """Values of each threshold that are tried, the most lenient first."""
    tracks = [track for card in clean for track in card.tracks]
    out: dict[str, Sequence[float]] = {}
    for name in (*HIGH, *LOW):
        values = [card.values[name] for card in clean if name in card.values]
        out[name] = marks(values, low=name in LOW) or ([-1.0] if name in LOW else [2.0])
    out["object_other"] = (1.0, *LEVELS)
    out["object_low"] = [0.0, *marks([t.agreement for t in tracks], low=True)]
    out["object_fit"] = [0.0, *marks([t.fit for t in tracks], low=True)]
    out["max_dropped"] = (0.5, 0.34, 0.25)
    return out


def _config(kept: GateConfig, knob: Mapping[str, float]) -> GateConfig:
    bounds = {name: Bound(low=knob[name]) for name in LOW} | {name: Bound(high=knob[name]) for name in HIGH}
    rest = {name: value for name, value in knob.items() if name not in bounds}
    return dataclasses.replace(kept, bounds={**kept.bounds, **bounds}, **rest)


def marks(values: Sequence[float], *, low: bool) -> list[float]:
    """Thresholds that leave the given shares of clean values outside, the most lenient first; four decimals, outwards."""
    if not len(values):
        return []
    ordered = np.sort(np.asarray(values, float))
    out = []
    for share in SHARES:
        place = min(int(share * len(ordered)), len(ordered) - 1)
        value = ordered[place] if low else ordered[-1 - place]
        out.append(float(np.floor(value * 1e4) / 1e4 if low else np.ceil(value * 1e4) / 1e4))
    return list(dict.fromkeys(out))

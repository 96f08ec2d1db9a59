"""Calibration of the gate: thresholds that pass nearly all clean clips, as lenient as its faults allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard

BETTER_HIGH = ("sharpness", "weather", "light", "label_agreement", "label_fit", "novelty")
BETTER_LOW = (
    "blank",
    "frozen",
    "flicker",
    "drift",
    "control_speed_mps",
    "control_yaw_rate_radps",
    "unlabelled",
    "wrong_class",
)
LABEL_MEASURES = ("label_agreement", "label_fit", "unlabelled", "wrong_class")
"""They get a larger part of the allowed false rejections, because wrong labels do the most harm."""
LABEL_SHARE, OTHER_SHARE = 3.0, 1.0
CAUGHT = 0.975
"""Share of the clips with a fault that lie beyond the point towards which the bound of its measure moves out."""
MARGIN = 0.5
"""A bound without a deliberate fault lies further out by this share of its distance from the median, because new
clips exceed the most extreme one of a few."""
STEPS = 24
LEAST_CARDS = 20
SUBJECT_LOW = 0.5
"""Least bound of presence: what was ordered is more likely in the picture than not."""


@dataclass(frozen=True)
class Allowance:
    """Allowed errors. false_rejection: share of clean calibration clips that may be refused, somewhat less than
    promised, because new clips differ a little. subject: share of those with an ordered subject that its bound, which
    is set apart, may refuse besides; ``SUBJECT_LOW`` may refuse more.
    """

    false_rejection: float = 0.03
    subject: float = 0.03


def calibrate(
    clean: Sequence[Scorecard], faulty: Mapping[str, Sequence[float]], allowance: Allowance | None = None,
    base: GateConfig | None = None,
) -> GateConfig:  # fmt: skip
    """Thresholds from scorecards of clean clips and, per measure, its values for clips with the fault it should notice.

    Each measure may refuse the same small share of the clean clips, measures of labels three times as much. That share
    is as large as the allowance for all measures together admits. Where the faults lie further out than the bound, it
    moves half way out to them: new clips differ a little, and a stricter bound would catch no more faults. Presence has
    an allowance of its own, so that a clip without what was ordered never passes for the sake of other measures.

    Raises: InputError for fewer than ``LEAST_CARDS`` clean clips.
    """
    if len(clean) < LEAST_CARDS:
        raise InputError("clean clips to calibrate on", len(clean), f"at least {LEAST_CARDS}")
    allowance, base = allowance or Allowance(), base or GateConfig()
    best: GateConfig | None = None
    low, high = 0.0, allowance.false_rejection
    for _ in range(STEPS):
        share = high if best is None else (low + high) / 2
        config = thresholds(clean, faulty, share, base)
        if false_rejections(config, clean) <= allowance.false_rejection:
            best, low = config, share
            if share == high:
                break
        else:
            best, high = best or thresholds(clean, faulty, 0.0, base), share
    assert best is not None
    return replace(best, bounds={**best.bounds, **subject_bound(clean, faulty, allowance.subject), **base.bounds})


def subject_bound(clean: Sequence[Scorecard], faulty: Mapping[str, Sequence[float]], share: float) -> dict[str, Bound]:
    """The bound of presence, which refuses about ``share`` of the clean clips with an ordered subject; {} for few."""
    values = np.array([card.values["presence"] for card in clean if "presence" in card.values])
    if len(values) < LEAST_CARDS:
        return {}
    limit = _quantile(values, share)
    fault_values = np.asarray(faulty.get("presence", ()), float)
    if len(fault_values):
        limit = min(limit, (limit + float(np.quantile(fault_values, CAUGHT))) / 2)
    return {"presence": Bound(low=_rounded(max(limit, SUBJECT_LOW), -1))}


def thresholds(
    clean: Sequence[Scorecard], faulty: Mapping[str, Sequence[float]], share: float, base: GateConfig
) -> GateConfig:
    """The gate with which each measure alone refuses about ``share`` of the clean clips."""
    bounds = {}
    for name in (*BETTER_HIGH, *BETTER_LOW):
        values = np.array([card.values[name] for card in clean if name in card.values])
        if len(values) < LEAST_CARDS:
            continue
        own = min(share * (LABEL_SHARE if name in LABEL_MEASURES else OTHER_SHARE), 0.5)
        fault_values = np.asarray(faulty.get(name, ()), float)
        if name in BETTER_HIGH:
            limit = _quantile(values, own)
            if len(fault_values):
                limit = min(limit, (limit + float(np.quantile(fault_values, CAUGHT))) / 2)
            elif name not in LABEL_MEASURES:
                limit -= MARGIN * min(float(np.median(values)) - limit, abs(limit))  # probabilities stay above 0
            bounds[name] = Bound(low=_rounded(limit, -1))
        else:
            limit = _quantile(values, 1 - own)
            if len(fault_values):
                limit = max(limit, (limit + float(np.quantile(fault_values, 1 - CAUGHT))) / 2)
            elif name not in LABEL_MEASURES:
                limit += MARGIN * (limit - float(np.median(values)))
            bounds[name] = Bound(high=_rounded(limit, 1))
    tracks = [track for card in clean for track in card.tracks]
    config = replace(base, bounds={**bounds, **base.bounds})
    if len(tracks) >= LEAST_CARDS:
        # There are more tracks than clips, and one wrong verdict on a track costs at most one clip.
        own = min(share * LABEL_SHARE * len(clean) / len(tracks), 0.5)
        config = replace(
            config, object_low=_rounded(_quantile(np.array([t.agreement for t in tracks]), own), -1),
            object_fit=_rounded(_quantile(np.array([t.fit for t in tracks]), own), -1),
        )  # fmt: skip
    return config


def false_rejections(config: GateConfig, clean: Sequence[Scorecard]) -> float:
    """Share of clean clips that the gate refuses, or of whose labels it drops some."""
    gate = Gate(config)
    return float(np.mean([not gate.passes_whole(card) for card in clean]))


def _quantile(values: np.ndarray, share: float) -> float:
    """A quantile that is one of the values, so that a share of 0 refuses none of them."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    return float(ordered[int(np.floor(place) if share <= 0.5 else np.ceil(place))])


def _rounded(value: float, direction: int) -> float:
    """Rounded outwards to four digits, so that the clip of the limit stays inside. direction: -1 down, 1 up."""
    if value == 0:
        return 0.0
    scale = 10.0 ** (3 - int(np.floor(np.log10(abs(value)))))
    return float((np.floor if direction < 0 else np.ceil)(value * scale) / scale)

"""The gate: thresholds on scorecards decide which clips enter a data set, with a reason for each refused clip."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Literal

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.core.scenario import check_word
from worldgen.generation.quality.scorecard import MEASURES, Scorecard
from worldgen.generation.quality.track_scores import TrackScore


@dataclass(frozen=True)
class Bound:
    """The range that a measure must lie in. None: no limit."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise InputError("bound of a measure", None, "low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError("bound of a measure", (self.low, self.high), "low at most high")

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range, its ends included."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class GateConfig:
    """Thresholds, normally those of ``configs/gate/*.yaml``, written by ``pipelines/calibrate_gate.py``.

    bounds: measure -> range. required: measures without which a clip is refused (as "MEASURE not measured"). objects:
    what happens to a labelled track that the picture does not show: "drop" its labels or "reject" the clip. object_low,
    object_fit: agreement and fit below which a track counts as not shown. object_other: evidence of another object from
    which a track that is not shown refuses the clip, because dropping its label would leave an object without. A track
    that stands for what the request ordered is never dropped: without it the clip is refused.
    max_dropped: largest share of the judged tracks that may be dropped.
    """

    bounds: dict[str, Bound] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    objects: Literal["drop", "reject"] = "drop"
    object_low: float = 0.0
    object_fit: float = 0.0
    object_other: float = 1.0
    max_dropped: float = 0.5

    def __post_init__(self) -> None:
        for name in (*self.bounds, *self.required):
            check_word("measure of the gate", name, tuple(MEASURES))
        for name in ("object_low", "object_fit", "object_other", "max_dropped"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"gate {name}", getattr(self, name), "0 to 1")

    def over(self, base: GateConfig) -> GateConfig:
        """A calibrated gate with the changes of this one, that is, all values of this one that are not the default."""
        default = GateConfig()
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        changes = {name: value for name, value in own.items() if value != getattr(default, name)}
        return replace(base, **changes | {"bounds": {**base.bounds, **self.bounds}})


@dataclass(frozen=True, eq=False)
class Verdict:
    """The decision of the gate. reasons: measures at fault, () when accepted. details: reason -> received and expected.

    labels: as they may be stored, without the dropped tracks; None when there were none. dropped: those tracks.
    """

    accepted: bool
    reasons: tuple[str, ...]
    labels: Labels | None
    details: dict[str, str] = field(default_factory=dict)
    dropped: tuple[TrackScore, ...] = ()

    def to_json(self) -> dict:
        """For ``KEY.json``, beside the scorecard: accepted, reasons, details and dropped tracks."""
        return {
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            "details": dict(self.details),
            "dropped": [
                {
                    "track_id": t.track_id,
                    "class": t.class_name,
                    "agreement": round(t.agreement, 4),
                    "fit": round(t.fit, 4),
                }
                for t in self.dropped
            ],
        }


@dataclass(frozen=True)
class Gate:
    """Decides on scorecards by one config."""

    config: GateConfig

    def decide(self, scorecard: Scorecard, labels: Labels | None) -> Verdict:
        """Accept or refuse a clip. labels: those that the scorecard was measured with."""
        details: dict[str, str] = {}
        for name in self.config.required:
            if name not in scorecard.values:
                details[f"{name} not measured"] = scorecard.unmeasured.get(name, "no instrument for it")
        for name, bound in self.config.bounds.items():
            value = scorecard.values.get(name)
            if value is not None and not bound.holds(value):
                details[name] = f"{value:.4g}, expected {_span(bound)}"
        missing = tuple(t for t in scorecard.tracks if self._not_shown(t))
        details |= self._objects(missing, len(scorecard.tracks))
        reasons = tuple(details)
        kept = labels
        if labels is not None and missing and self.config.objects == "drop":
            kept = labels.where(~np.isin(labels.track_id, [t.track_id for t in missing]))
        return Verdict(not reasons, reasons, kept, details, missing if kept is not labels else ())

    def passes_whole(self, scorecard: Scorecard) -> bool:
        """Whether a clip is accepted and keeps all its labels."""
        return not any(self._not_shown(track) for track in scorecard.tracks) and self.decide(scorecard, None).accepted

    def _not_shown(self, track: TrackScore) -> bool:
        return track.agreement < self.config.object_low or track.fit < self.config.object_fit

    def _objects(self, missing: tuple[TrackScore, ...], judged: int) -> dict[str, str]:
        if not missing:
            return {}
        names = ", ".join(f"{t.class_name} {t.track_id} ({t.agreement:.2f})" for t in missing)
        if self.config.objects == "reject":
            return {"object not shown": names}
        if any(t.ordered for t in missing):
            return {"ordered object not shown": names}
        if len(missing) > self.config.max_dropped * judged:
            return {"objects not shown": f"{len(missing)} of {judged}: {names}"}
        other = [t for t in missing if t.other >= self.config.object_other]
        if other:
            return {"another object shown": ", ".join(f"{t.class_name} {t.track_id} ({t.other:.2f})" for t in other)}
        return {}


def _span(bound: Bound) -> str:
    if bound.low is None:
        return f"at most {bound.high:.4g}"
    return f"at least {bound.low:.4g}" if bound.high is None else f"{bound.low:.4g} to {bound.high:.4g}"

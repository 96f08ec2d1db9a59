"""An examination of the gate: one clean clip and all the ways it can be spoilt, measured by the same instruments."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.core.wilson import wilson_interval
from worldgen.generation.quality.faults import (
    LABEL_FAULTS,
    MEASURE_OF_FAULT,
    PICTURE_FAULTS,
    FaultyLabels,
    added,
    can_be_spoilt,
    nearly_copied,
)  # fmt: skip
from worldgen.generation.quality.gate import Gate, Verdict
from worldgen.generation.quality.instrument_loading import fingerprints
from worldgen.generation.quality.scorecard import Measurements, Scorecard, Scorer
from worldgen.simulation.remake import remake_scene

FAULTS = (*LABEL_FAULTS, "added", "other_scene", *PICTURE_FAULTS, "copied")
LABEL_KINDS = (*LABEL_FAULTS, "added", "other_scene")
PICTURE_VALUES = ("blank", "frozen", "flicker", "sharpness", "drift", "novelty")
"""Measures that depend on the picture and its own scene alone."""
LABEL_VALUES = ("label_agreement", "label_fit", "wrong_class", "unlabelled", "presence")
"""Measures that depend on the labels."""
GUESTS = 8
"""Clips tried for a track that fits nowhere in this one."""


@dataclass(frozen=True, eq=False)
class FaultyCard:
    """A clip with one fault. fault: what is wrong with its labels, None where the picture is at fault."""

    kind: str
    card: Scorecard
    fault: FaultyLabels | None


@dataclass(frozen=True, eq=False)
class ExaminedClip:
    """Scorecards of a clean clip and of its spoilt versions. tags: of the clip."""

    key: str
    tags: tuple[str, ...]
    clean: Scorecard
    spoilt: tuple[FaultyCard, ...] = field(default=())


def examine(
    scorer: Scorer, samples: Sequence[Sample], *, training: Sequence[Sample] = (), seed: int = 0, pictures: int = 1
) -> Iterable[ExaminedClip]:
    """Score clips with a scene, clean and with faults: every fault of labels once, ``pictures`` kinds of picture fault.

    training: clips the model was trained on, for near copies. Faults depend on seed and key alone, the second clip of
    "added" and "other_scene" on the order of the samples too. Raises: InputError for clips that this version would make
    otherwise.
    """
    for number, sample in enumerate(samples):
        scene = remake_scene(sample)
        assert scene is not None and sample.labels is not None, sample.key
        asked = {"scene": scene, "labels": sample.labels, "ego": sample.ego, "text": sample.caption}
        clean = scorer.score(sample.clip, **asked)
        rng = numpy_rng("gate examination", seed, sample.key)
        spoilt = list(_label_faults(scorer, sample, clean, samples, number, rng=rng))
        other = samples[(number + 1 + int(rng.integers(max(len(samples) - 1, 1)))) % len(samples)]
        if other is not sample and other.labels is not None and can_be_spoilt(other.labels):
            spoilt.append(_other_scene(scorer, sample, other, clean))
        kinds = list(PICTURE_FAULTS)
        for turn in range(pictures):
            kind = kinds[(number * pictures + turn) % len(kinds)]
            spoilt.append(FaultyCard(kind, scorer.score(PICTURE_FAULTS[kind](sample.clip, rng), **asked), None))
        if training and scorer.training is not None:
            copy = nearly_copied(training[number % len(training)].clip, rng)
            out = Measurements(dict(clean.values), dict(clean.unmeasured), clean.tracks)
            out.values["novelty"] = scorer.training.novelty(copy)
            spoilt.append(FaultyCard("copied", out.card(), None))
        yield ExaminedClip(sample.key, sample.tags, clean, tuple(spoilt))


def _other_scene(scorer: Scorer, sample: Sample, other: Sample, clean: Scorecard) -> FaultyCard:
    """Labels, motion, weather and light of another clip. What the picture is compared with stays its own scene: without
    that the gate has less to go by, and drawing the other scene takes longer than all the rest."""
    scene = remake_scene(other)
    kept = {name: value for name, value in clean.values.items() if name in PICTURE_VALUES}
    out = Measurements(kept)
    readings = scorer.read(sample.clip, scene.camera if scene else None)
    scorer.compare(readings, out, scene=scene, labels=other.labels, ego=other.ego)
    return FaultyCard("other_scene", out.card(), FaultyLabels(other.labels, None, sample.labels))


def _label_faults(
    scorer: Scorer,
    sample: Sample,
    clean: Scorecard,
    samples: Sequence[Sample],
    number: int,
    *,
    rng: np.random.Generator,
) -> Iterable[FaultyCard]:
    """The picture stays as it is, so what was seen of it is not looked at again."""
    labels = sample.labels
    assert labels is not None
    if not can_be_spoilt(labels):
        return
    readings = scorer.read(sample.clip, None)
    faults: dict[str, FaultyLabels | None] = {kind: spoil(labels, rng) for kind, spoil in LABEL_FAULTS.items()}
    for guest in range(1, min(GUESTS, len(samples) - 1) + 1):
        other = samples[(number + guest) % len(samples)]
        same_size = other.labels is not None and (other.labels.width_px, other.labels.height_px) == (
            labels.width_px,
            labels.height_px,
        )
        fault = added(labels, other.labels, rng) if same_size and can_be_spoilt(other.labels) else None
        if fault is not None:
            faults["added"] = fault
            break
    for kind, fault in faults.items():
        if fault is None:
            continue
        out = Measurements({name: value for name, value in clean.values.items() if name not in LABEL_VALUES})
        scorer.compare_labels(readings, fault.labels, out)
        yield FaultyCard(kind, out.card(), fault)


def values_of_faults(examined: Iterable[ExaminedClip]) -> dict[str, list[float]]:
    """Per measure its values on clips with the fault it should notice, for :func:`calibrate`."""
    out: dict[str, list[float]] = {}
    for one in examined:
        for spoilt in one.spoilt:
            name = MEASURE_OF_FAULT.get(spoilt.kind)
            if name is not None and name in spoilt.card.values:
                out.setdefault(name, []).append(spoilt.card.values[name])
    return out


def outcome(spoilt: FaultyCard, verdict: Verdict) -> str:
    """What the gate made of a fault: "rejected", "repaired" (the wrong labels are gone and nothing else is),
    "thinned" (the wrong labels are gone but leave an object without a label, or right labels went too), or "missed"."""
    if not verdict.accepted:
        return "rejected"
    if spoilt.fault is None or spoilt.fault.track is None or spoilt.kind == "deleted":
        return "missed"
    dropped = {track.track_id for track in verdict.dropped}
    if spoilt.fault.track not in dropped:
        return "missed"
    return "repaired" if spoilt.kind == "added" and dropped == {spoilt.fault.track} else "thinned"


def results(gate: Gate, examined: Sequence[ExaminedClip]) -> dict:
    """Rates with 95 % intervals: clean clips refused or thinned out, and faults by kind with what became of them."""
    verdicts = [gate.decide(one.clean, None) for one in examined]
    refused = sum(not verdict.accepted for verdict in verdicts)
    whole = sum(gate.passes_whole(one.clean) for one in examined)
    record: dict = {
        "clean": {
            "clips": len(examined), "refused": refused, "refused_or_thinned": len(examined) - whole,
            "false_rejection": _share(refused, len(examined)),
            "false_rejection_or_thinning": _share(len(examined) - whole, len(examined)),
            "reasons": _counts(reason for verdict in verdicts for reason in verdict.reasons),
        },
        "faults": {},
    }  # fmt: skip
    by_kind: dict[str, list[tuple[str, Verdict]]] = {}
    for one in examined:
        for spoilt in one.spoilt:
            verdict = gate.decide(spoilt.card, spoilt.fault.labels if spoilt.fault is not None else None)
            by_kind.setdefault(spoilt.kind, []).append((outcome(spoilt, verdict), verdict))
    for kind in FAULTS:
        if kind not in by_kind:
            continue
        outcomes = _counts(word for word, _ in by_kind[kind])
        caught = outcomes.get("rejected", 0) + outcomes.get("repaired", 0)
        record["faults"][kind] = {
            "clips": len(by_kind[kind]), **outcomes, "rejected_or_repaired": _share(caught, len(by_kind[kind])),
            "reasons": _counts(reason for _, verdict in by_kind[kind] for reason in verdict.reasons),
        }  # fmt: skip
    for name, kinds in (("labels", LABEL_KINDS), ("pictures", (*PICTURE_FAULTS, "copied"))):
        words = [word for kind in kinds for word, _ in by_kind.get(kind, ())]
        caught = sum(word in ("rejected", "repaired") for word in words)
        record[f"all_{name}"] = {"clips": len(words), "rejected_or_repaired": _share(caught, len(words))}
    return record


def _share(hits: int, count: int) -> dict:
    low, high = wilson_interval(hits, count)
    return {"value": round(hits / count, 4) if count else None, "low": round(low, 4), "high": round(high, 4)}


def _counts(words: Iterable[str]) -> dict[str, int]:
    out: dict[str, int] = {}
    for word in words:
        out[word] = out.get(word, 0) + 1
    return dict(sorted(out.items(), key=lambda each: (-each[1], each[0])))


def describe_instruments(scorer: Scorer) -> Mapping[str, str]:
    """Which instruments measured, named by content as in recipes, and why others did not."""
    names = fingerprints(dataclasses.asdict(scorer.config))
    return {what: scorer.absent.get(what) or names[what] or "none" for what in names}

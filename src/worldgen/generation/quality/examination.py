"""An examination of the gate: clean clips and the same clips with deliberate faults, scored by the same instruments."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.evaluation.measures.intervals import count_interval
from worldgen.generation.quality.faults import (
    LABEL_FAULTS,
    MEASURE_OF_FAULT,
    PICTURE_FAULTS,
    FaultyLabels,
    added,
    has_judged_track,
    nearly_copied,
)  # fmt: skip
from worldgen.generation.quality.gate import Gate, Verdict
from worldgen.generation.quality.instrument_loading import fingerprints
from worldgen.generation.quality.scorecard import Measurements, Scorecard
from worldgen.generation.quality.scorer import Scorer
from worldgen.generation.quality.subject_faults import SUBJECT_FAULTS, absent, halved
from worldgen.generation.sample.subjects import OrderedSubject, ordered_subjects
from worldgen.simulation.remake import remake_scene

FAULTS = (*LABEL_FAULTS, "added", "other_scene", *SUBJECT_FAULTS, *PICTURE_FAULTS, "copied")
LABEL_KINDS = (*LABEL_FAULTS, "added", "other_scene")
PICTURE_VALUES = ("blank", "frozen", "flicker", "sharpness", "drift", "novelty")
"""Measures that depend on the frames and their own scene alone."""
LABEL_VALUES = ("label_agreement", "label_fit", "wrong_class", "unlabelled", "presence")
"""Measures that depend on the labels."""
MAX_DONORS = 8
"""Other clips that are tried for a track to add."""


@dataclass(frozen=True, eq=False)
class FaultyCard:
    """The scorecard of a clip with one fault. fault: of its labels, None where the frames are at fault."""

    kind: str
    card: Scorecard
    fault: FaultyLabels | None


@dataclass(frozen=True, eq=False)
class ExaminedClip:
    """Scorecards of a clean clip and of its faulty versions. tags: of the clip."""

    key: str
    tags: tuple[str, ...]
    clean: Scorecard
    faulty: tuple[FaultyCard, ...] = field(default=())


def examine(
    scorer: Scorer, samples: Sequence[Sample], *, training: Sequence[Sample] = (), seed: int = 0, pictures: int = 1,
    subject_faults: bool = True,
) -> Iterable[ExaminedClip]:  # fmt: skip
    """Score clips with a scene, clean and with deliberate faults.

    Each clip gets every fault of labels and of its ordered subjects once, and ``pictures`` faults of the frames, one
    kind after another. Clips in which no ordered subject is large enough to judge are not examined for it. training:
    clips that the model was trained on, for near copies. Faults depend on seed and key alone; the second clip of
    "added" and "other_scene" also depends on the order of the samples. subject_faults: whether clips without what was
    ordered are examined; each is drawn again for it.

    Raises: InputError for clips whose scene this version would simulate differently.
    """
    for number, sample in enumerate(samples):
        scene, clean, subjects = _clean(scorer, sample)
        rng = numpy_rng("gate examination", seed, sample.key)
        faulty = list(_label_faults(scorer, sample, clean, samples, number, subjects=subjects, rng=rng))
        faulty += _subject_faults(scorer, sample, scene, subjects) if subject_faults else []
        other = samples[(number + 1 + int(rng.integers(max(len(samples) - 1, 1)))) % len(samples)]
        if other is not sample and other.labels is not None and has_judged_track(other.labels):
            faulty.append(_other_scene(scorer, sample, other, clean))
        kinds = list(PICTURE_FAULTS)
        for turn in range(pictures):
            kind = kinds[(number * pictures + turn) % len(kinds)]
            faulty.append(
                FaultyCard(kind, _scored(scorer, sample, scene, PICTURE_FAULTS[kind](sample.clip, rng)), None)
            )
        if training and scorer.training is not None:
            copy = nearly_copied(training[number % len(training)].clip, rng)
            out = Measurements(dict(clean.values), dict(clean.unmeasured), clean.tracks)
            out.values["novelty"] = scorer.training.novelty(copy)
            faulty.append(FaultyCard("copied", out.card(), None))
        yield ExaminedClip(sample.key, sample.tags, clean, tuple(faulty))


def examine_subjects(scorer: Scorer, samples: Iterable[Sample]) -> Iterable[ExaminedClip]:
    """Like :func:`examine`, with the faults of ordered subjects alone, and without clips that have none to judge."""
    for sample in samples:
        scene, clean, subjects = _clean(scorer, sample)
        if "presence" in clean.values:
            yield ExaminedClip(sample.key, sample.tags, clean, tuple(_subject_faults(scorer, sample, scene, subjects)))


def _scored(scorer: Scorer, sample: Sample, scene: Scene, clip: Clip) -> Scorecard:
    return scorer.score(clip, scene=scene, labels=sample.labels, ego=sample.ego, text=sample.caption)


def _clean(scorer: Scorer, sample: Sample) -> tuple[Scene, Scorecard, tuple[OrderedSubject, ...]]:
    """The scene of a clip, its scorecard, and its ordered subjects, () when none of their labels can be judged."""
    scene = remake_scene(sample)
    assert scene is not None and sample.labels is not None, sample.key
    card = _scored(scorer, sample, scene, sample.clip)
    if card.values.get("presence", 0.0) > 0:
        return scene, card, ordered_subjects(scene)
    values = {name: value for name, value in card.values.items() if name != "presence"}
    unmeasured = {"presence": "no label of an ordered object is large enough to judge", **card.unmeasured}
    return scene, Scorecard(values, unmeasured, tuple(replace(track, ordered=False) for track in card.tracks)), ()


def _subject_faults(
    scorer: Scorer, sample: Sample, scene: Scene, subjects: tuple[OrderedSubject, ...]
) -> list[FaultyCard]:
    if not subjects or sample.labels is None:
        return []
    renderer, painted = sample.provenance.get("renderer", "sketch"), "painter" in sample.provenance
    without = absent(sample.clip, scene, subjects, renderer, painted=painted)
    clips = {"absent": without, "halved": halved(sample.clip, without, sample.labels, subjects)}
    return [FaultyCard(kind, _scored(scorer, sample, scene, clips[kind]), None) for kind in SUBJECT_FAULTS]


def _other_scene(scorer: Scorer, sample: Sample, other: Sample, clean: Scorecard) -> FaultyCard:
    """Labels, motion, weather and light of another clip. The measures of the frames stay those of their own scene: the
    fault is then harder to find, and rendering the other scene would take longer than all the rest."""
    scene = remake_scene(other)
    assert other.labels is not None and sample.labels is not None
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
    subjects: tuple[OrderedSubject, ...],
    rng: np.random.Generator,
) -> Iterable[FaultyCard]:
    """Every fault of the labels. The frames are the same, so they are read once."""
    labels = sample.labels
    assert labels is not None
    if not has_judged_track(labels):
        return
    readings = scorer.read(sample.clip, None)
    faults: dict[str, FaultyLabels | None] = {kind: make(labels, rng) for kind, make in LABEL_FAULTS.items()}
    for step in range(1, min(MAX_DONORS, len(samples) - 1) + 1):
        donor = samples[(number + step) % len(samples)].labels
        if (
            donor is None
            or (donor.width_px, donor.height_px) != (labels.width_px, labels.height_px)
            or not has_judged_track(donor)
        ):
            continue
        fault = added(labels, donor, rng)
        if fault is not None:
            faults["added"] = fault
            break
    for kind, fault in faults.items():
        if fault is None:
            continue
        out = Measurements({name: value for name, value in clean.values.items() if name not in LABEL_VALUES})
        scorer.compare_labels(readings, fault.labels, out, subjects=subjects)
        yield FaultyCard(kind, out.card(), fault)


def values_of_faults(examined: Iterable[ExaminedClip]) -> dict[str, list[float]]:
    """Measure -> its values for clips with the fault that it should notice, as :func:`calibrate` takes them."""
    out: dict[str, list[float]] = {}
    for one in examined:
        for faulty in one.faulty:
            name = MEASURE_OF_FAULT.get(faulty.kind)
            if name is not None and name in faulty.card.values:
                out.setdefault(name, []).append(faulty.card.values[name])
    return out


def outcome(faulty: FaultyCard, verdict: Verdict) -> str:
    """What the gate did with a fault: "rejected", "repaired" (exactly the wrong labels were dropped), "thinned"
    (dropping them left an object without a label, or dropped right labels too), or "missed"."""
    if not verdict.accepted:
        return "rejected"
    if faulty.fault is None or faulty.fault.track is None or faulty.kind == "deleted":
        return "missed"
    dropped = {track.track_id for track in verdict.dropped}
    if faulty.fault.track not in dropped:
        return "missed"
    return "repaired" if faulty.kind == "added" and dropped == {faulty.fault.track} else "thinned"


def results(gate: Gate, examined: Sequence[ExaminedClip]) -> dict:
    """Rates with 95 % intervals: clean clips refused or with labels dropped, and the outcomes of faults by kind."""
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
        for faulty in one.faulty:
            verdict = gate.decide(faulty.card, faulty.fault.labels if faulty.fault is not None else None)
            by_kind.setdefault(faulty.kind, []).append((outcome(faulty, verdict), verdict))
    for kind in FAULTS:
        if kind not in by_kind:
            continue
        outcomes = _counts(word for word, _ in by_kind[kind])
        caught = outcomes.get("rejected", 0) + outcomes.get("repaired", 0)
        record["faults"][kind] = {
            "clips": len(by_kind[kind]), **outcomes, "rejected_or_repaired": _share(caught, len(by_kind[kind])),
            "reasons": _counts(reason for _, verdict in by_kind[kind] for reason in verdict.reasons),
        }  # fmt: skip
    groups = {"labels": LABEL_KINDS, "subjects": SUBJECT_FAULTS, "pictures": (*PICTURE_FAULTS, "copied")}
    for name, kinds in groups.items():
        words = [word for kind in kinds for word, _ in by_kind.get(kind, ())]
        caught = sum(word in ("rejected", "repaired") for word in words)
        record[f"all_{name}"] = {"clips": len(words), "rejected_or_repaired": _share(caught, len(words))}
    return record


def _share(hits: int, count: int) -> dict:
    low, high = count_interval(hits, count) if count else (0.0, 1.0)
    return {"value": round(hits / count, 4) if count else None, "low": round(low, 4), "high": round(high, 4)}


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda each: (-each[1], each[0])))


def describe_instruments(scorer: Scorer) -> Mapping[str, str]:
    """Instrument -> its content hash, or the reason why it did not measure."""
    names = fingerprints(dataclasses.asdict(scorer.config))
    return {what: scorer.absent.get(what) or names[what] or "none" for what in names}

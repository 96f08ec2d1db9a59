"""The protocol card: a distance, every setting that changes it, its interval, and the distance between real clips."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

import worldgen
from worldgen.core.errors import InputError, Received
from worldgen.core.seeds import numpy_rng
from worldgen.evaluation.distances.features import FeatureSet
from worldgen.evaluation.distances.frechet import bias_curve, distance_of, resampled, spread_interval
from worldgen.evaluation.distances.kernel_distance import kernel_interval
from worldgen.evaluation.measures.intervals import Interval

CARD_VERSION = 1
NAMES = {"i3d": "FVD", "videomae": "FD-VideoMAE", "dinov2": "FD-DINOv2", "fd-worldgen": "fd-worldgen"}
"""Only the distance in I3D features is called FVD."""
SAME = ("extractor", "extractor_hash", "resize", "rule", "fps", "input_px")
"""Settings that two sets of features must share."""
FLOOR_SPLITS = 8
SLICE_LEAST = 12
"""Least clips of a tag, on both sides, for a slice to be shown."""
FEW_DRIVES = 8


@dataclass(frozen=True)
class UncertaintyOptions:
    """What is computed beside the distance. draws: bootstrap resamples. seed: of splits and resamples. slices: by
    tag."""

    draws: int = 200
    seed: int = 0
    slices: bool = True


@dataclass(frozen=True)
class RealFloor:
    """The distance of real clips to other real clips, below which no generated set is expected to come.

    clips: in each half. mean, sd: over random splits. generated: distance of the generated clips to as many real ones,
    comparable with ``mean``. by_drive: whether the halves share no drive.
    """

    clips: int
    mean: float
    sd: float
    generated: float
    by_drive: bool


@dataclass(frozen=True)
class Card:
    """One result. interval: of the value over draws of as many clips. kernel: the unbiased kernel distance."""

    name: str
    value: float
    interval: Interval
    kernel: Interval
    reference: dict
    generated: dict
    protocol: dict
    floor: RealFloor | None
    bias: dict
    warnings: tuple[str, ...]
    slices: dict = field(default_factory=dict)

    def to_json(self) -> dict:
        """The whole card as JSON; a value that is not a number becomes null."""
        record = {
            "card_version": CARD_VERSION,
            "worldgen": worldgen.__version__,
            "name": self.name,
            "value": _number(self.value),
            "interval_95": [_number(self.interval.low), _number(self.interval.high)],
            "kernel_distance": {
                "value": _number(self.kernel.value),
                "interval_95": [_number(self.kernel.low), _number(self.kernel.high)],
            },
            "reference": self.reference,
            "generated": self.generated,
            "protocol": self.protocol,
            "floor": None if self.floor is None else {k: _number(v) for k, v in asdict(self.floor).items()},
            "bias": self.bias,
            "warnings": list(self.warnings),
            "slices": self.slices,
        }
        return record

    def line(self) -> str:
        """The card as one line of text, to be quoted together with the number."""
        p, rule = self.protocol, self.protocol["rule"]
        skipped = f", first {rule['skip_s']:g} s excluded" if rule["skip_s"] else ", no frames excluded"
        floor = "no real-vs-real floor"
        if self.floor is not None:
            floor = (
                f"real-vs-real {_short(self.floor.mean)} +- {_short(self.floor.sd)} and these "
                f"{_short(self.floor.generated)} at N = {self.floor.clips}"
            )
        warned = f"; {len(self.warnings)} warning{'s' * (len(self.warnings) != 1)}" if self.warnings else ""
        return (
            f"{self.name} {_short(self.value)} [{_short(self.interval.low)}, {_short(self.interval.high)}] "
            f"(N = {self.generated['clips']} against {self.reference['clips']}; "
            f"{p['frames']} frames at {p['fps']:g} fps"
            f"{skipped}; {p['resize']} to {p['input_px'][0]}x{p['input_px'][1]}; "
            f"{p['extractor']} {p['extractor_hash'][:12]}; "
            f"{floor}; kernel distance {_short(self.kernel.value)} "
            f"[{_short(self.kernel.low)}, {_short(self.kernel.high)}]{warned})"
        )


def compare(reference: FeatureSet, generated: FeatureSet, uncertainty: UncertaintyOptions | None = None) -> Card:
    """The card of two sets of features.

    Raises: InputError when they were not extracted in the same way, and for fewer than two clips in a set.
    """
    uncertainty = uncertainty or UncertaintyOptions()
    _require_same_extraction(reference, generated)
    if min(len(reference), len(generated)) < 2:
        raise InputError("clips to compare", (len(reference), len(generated)), "at least 2 in each set")
    rng = numpy_rng("fréchet card", uncertainty.seed)
    one, two = reference.features, generated.features
    value = distance_of(one, two)
    smaller = min(len(one), len(two))
    groups = tuple(_groups(each) for each in (reference, generated))
    draws = resampled(one, two, rng, draws=uncertainty.draws, groups=groups) if uncertainty.draws > 1 else None
    units = min(len(each) if g is None else len(set(g)) for each, g in zip((reference, generated), groups, strict=True))
    interval = Interval(value, math.nan, math.nan, smaller) if draws is None else spread_interval(value, draws, units)
    floor = real_floor(reference, generated, rng)
    curve = bias_curve(one, two, rng) if smaller >= 10 else None
    settings = reference.made_by
    return Card(
        name=NAMES[settings["extractor"]],
        value=value,
        interval=interval,
        kernel=kernel_interval(one, two),
        reference=_counts(reference),
        generated=_counts(generated),
        protocol={
            "extractor": settings["extractor"],
            "extractor_hash": settings["extractor_hash"],
            "feature_size": settings["feature_size"],
            "decoder": settings.get("decoder", "unknown"),
            "resize": settings["resize"],
            "resize_order": "uint8 frames at source size, resized, then scaled to [-1, 1]",
            "input_px": settings["input_px"],
            "frames": settings["rule"]["frames"] or "all",
            "fps": settings["fps"],
            "rule": settings["rule"],
            "reference_frames": "excluded" if settings["rule"]["skip_s"] else "included",
            "covariance": "unbiased (N - 1)",
            "bootstrap_draws": uncertainty.draws,
            "seed": uncertainty.seed,
        },
        floor=floor,
        bias={}
        if curve is None
        else {
            "clips": list(curve.sizes),
            "mean_distance": [_number(v) for v in curve.values],
            "at_infinity": _number(curve.at_infinity),
        },
        warnings=tuple(_warnings(reference, generated, value, floor)),
        slices=_slices(reference, generated) if uncertainty.slices else {},
    )


def real_floor(reference: FeatureSet, generated: FeatureSet, rng: np.random.Generator) -> RealFloor | None:
    """Distances between random halves of the real clips, each half with as many clips as are generated if possible.

    The halves share no drive where there are at least 4 drives. None for fewer than 4 real clips.
    """
    names = sorted(set(reference.drives))
    by_drive = len(names) >= 4
    values, against, least = [], [], len(reference)
    halves = [_halves(reference, names, rng, by_drive) for _ in range(FLOOR_SPLITS)]
    size = min(len(generated), *(min(len(a), len(b)) for a, b in halves))
    if size < 2 or least < 4:
        return None
    for pair in halves:
        left, right = (rng.permutation(half)[:size] for half in pair)
        values.append(distance_of(reference.features[left], reference.features[right]))
        chosen = rng.permutation(len(generated))[:size]
        against.append(distance_of(reference.features[left], generated.features[chosen]))
    return RealFloor(size, float(np.mean(values)), float(np.std(values, ddof=1)), float(np.mean(against)), by_drive)


def _halves(
    reference: FeatureSet, names: list[str], rng: np.random.Generator, by_drive: bool
) -> tuple[np.ndarray, np.ndarray]:
    if not by_drive:
        order = rng.permutation(len(reference))
        return order[: len(order) // 2], order[len(order) // 2 :]
    drives, left, count = np.array(reference.drives), set(), 0
    for name in rng.permutation(names):
        if count * 2 >= len(drives):
            break
        left.add(str(name))
        count += int((drives == name).sum())
    inside = np.isin(drives, sorted(left))
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def _groups(features: FeatureSet) -> np.ndarray | None:
    """The drive of each clip; None where every clip has a drive of its own, or all have one."""
    return np.array(features.drives) if 1 < len(set(features.drives)) < len(features) else None


def _require_same_extraction(one: FeatureSet, two: FeatureSet) -> None:
    for name in SAME:
        if one.made_by[name] != two.made_by[name]:
            raise InputError(
                f"{name} of the two sets", Received(f"{one.made_by[name]} and {two.made_by[name]}"), "the same"
            )


def _counts(features: FeatureSet) -> dict:
    return {
        "clips": len(features), "drives": len(set(features.drives)), "source_px": features.made_by["source_px"],
        "tags": dict(Counter(tag for tags in features.tags for tag in tags).most_common(24)),
    }  # fmt: skip


def _warnings(reference: FeatureSet, generated: FeatureSet, value: float, floor: RealFloor | None) -> Iterator[str]:
    size = reference.made_by["feature_size"]
    smaller = min(len(reference), len(generated))
    if smaller <= size:
        yield (
            f"{smaller} clips for {size} features: a covariance of so few has rank {smaller - 1} at most, "
            "so the distance "
            "depends more on the count than on the clips; compare only at equal counts, and read the kernel distance"
        )
    if max(len(reference), len(generated)) > 1.5 * smaller:
        yield f"{len(generated)} clips against {len(reference)}: the bias depends on this pair of counts"
    if reference.made_by["source_px"] != generated.made_by["source_px"]:
        yield "clips of different size: the effect of resizing is part of the distance"
    for name, each in (("reference", reference), ("generated", generated)):
        drives = len(set(each.drives))
        if drives < FEW_DRIVES and drives < len(each):
            yield f"the {name} clips come from {drives} drive{'s' * (drives != 1)}: they are not independent"
    shared = set(reference.keys) & set(generated.keys)
    if shared:
        yield f"{len(shared)} clips have the same key on both sides"
    if floor is not None and not floor.by_drive and len(set(reference.drives)) < len(reference):
        yield "the halves of the real-vs-real floor share drives, so it is too low"
    if floor is not None and floor.generated <= floor.mean + 2 * floor.sd:
        yield f"at {floor.clips} clips this extractor cannot distinguish these from real ones"


def _slices(reference: FeatureSet, generated: FeatureSet) -> dict:
    """Distances by tag where both sides have enough clips; the unbiased distance is first, because slices are small."""
    slices = {}
    tags = {tag for tags in generated.tags for tag in tags} & {tag for tags in reference.tags for tag in tags}
    for tag in sorted(tags):
        one, two = reference.tagged(tag), generated.tagged(tag)
        if min(len(one), len(two)) < SLICE_LEAST:
            continue
        kernel = kernel_interval(one.features, two.features)
        slices[tag] = {
            "reference_clips": len(one), "generated_clips": len(two), "kernel_distance": _number(kernel.value),
            "interval_95": [_number(kernel.low), _number(kernel.high)],
            "frechet_distance": _number(distance_of(one.features, two.features)),
        }  # fmt: skip
    return slices


def _number(value: float) -> float | int | bool | None:
    if isinstance(value, (bool, int)):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _short(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "unknown"

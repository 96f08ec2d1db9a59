"""Judging clips as copies or not, and validating the judgement on planted copies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
from scipy.stats import binom

from worldgen.core.seeds import numpy_rng
from worldgen.evaluation.distances.clip_sets import ClipSet
from worldgen.evaluation.distances.features import ClipItem, FrameRule, extract, load_extractor
from worldgen.evaluation.memorisation.nearest import NearestClip, ThumbnailClip, nearest
from worldgen.evaluation.memorisation.planting import KINDS, REQUIRED, plant
from worldgen.evaluation.memorisation.thresholds import (
    FEW_HELD_OUT,
    Neighbours,
    Threshold,
    calibrate,
    feature_neighbours,
    share_interval,
)

Shown = Callable[[Iterable[ClipItem]], Iterator[ClipItem]]
LEVEL = 0.05
"""The model counts as copying when the number of clips above the threshold is less probable by chance than this. A clip
half way from the nearest held-out clip to a perfect match is a copy by itself."""
LISTED = 20
"""Clips whose nearest neighbours a result lists."""


class CopyJudge:
    """Compares clips with a training set.

    training: sets that are read anew for each search. weights: folder of fd-worldgen weights, "" for the shipped ones.
    features: whether clips are compared in feature space too.
    """

    def __init__(self, training: list[ClipSet], *, weights: str = "", features: bool = True):
        self.training = training
        self.extractor = load_extractor("fd-worldgen", weights=weights) if features else None
        self._pairs: list[tuple[float, ClipItem, NearestClip]] = []

    def judge(self, items: list[ClipItem], held_out: list[ClipItem], *, alarm: float, shown: Shown = iter) -> dict:
        """The verdict on each clip, as JSON-able values. alarm: share of false alarms that each test may raise."""
        matches, neighbours = self._search([*items, *held_out], shown)
        count = len(items)
        pixels = calibrate(_scores(matches[count:]), alarm)
        features = _feature_threshold(neighbours, slice(count, None), alarm)
        copies = _scores(matches[:count]) > pixels.value
        near = _near_in_features(neighbours, features, len(matches))[:count]
        self._pairs = [(m.score, item, m) for item, m in zip(items, matches, strict=False)]
        rows = [
            {"key": item.key, **match.to_json(), "copy": bool(copies[i])}
            | ({} if neighbours is None else _near(neighbours, i, bool(near[i])))
            for i, (item, match) in enumerate(zip(items, matches, strict=False))
        ]
        rows.sort(key=lambda row: -row["score"])
        low, high = share_interval(int(copies.sum()), count)
        sure = _scores(matches[:count]) > (1 + pixels.most) / 2
        chance = float(binom.sf(int(copies.sum()) - 1, count, pixels.alarm))
        return {
            "clips": count,
            "copying": bool(sure.any() or chance < LEVEL),
            "sure_copies": int(sure.sum()),
            "probability_by_chance": round(chance, 4),
            "copies": int(copies.sum()),
            "copies_share": round(float(copies.mean()), 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "near_in_features": int(near.sum()),
            **_rules(pixels, features),
            "scores": _quantiles(_scores(matches[:count])),
            "nearest": rows[:LISTED],
            "sentence": _verdict(copies, sure, near, pixels),
            "warnings": _warnings(pixels, len(held_out), alarm),
        }

    def check(self, held_out: list[ClipItem], each: int, *, alarm: float, seed: int = 0, shown: Shown = iter) -> dict:
        """How many planted copies are found, and how many held-out clips raise a false alarm.

        A random half of the held-out clips sets the thresholds; the other half counts false alarms.
        """
        rng = numpy_rng("planted copies", seed)
        planted = self._plant(each, rng)
        order = rng.permutation(len(held_out))
        calibrating = [held_out[i] for i in order[: len(order) // 2]]
        fresh = [held_out[i] for i in order[len(order) // 2 :]]
        queries = [item for items in planted.values() for item, _ in items]
        matches, neighbours = self._search([*queries, *calibrating, *fresh], shown)
        a, b = len(queries), len(queries) + len(calibrating)
        pixels = calibrate(_scores(matches[a:b]), alarm)
        features = _feature_threshold(neighbours, slice(a, b), alarm)
        close = _near_in_features(neighbours, features, len(matches))
        over = _scores(matches) > pixels.value
        self._pairs = [(m.score, item, m) for item, m in zip(fresh, matches[b:], strict=True)]
        rows, start = {}, 0
        for kind, items in planted.items():
            span = range(start, start + len(items))
            right = [matches[i].key == source for i, (_, source) in zip(span, items, strict=True)]
            found = int(sum(over[i] and same for i, same in zip(span, right, strict=True)))
            near = int(close[list(span)].sum())
            rows[kind] = _share(found, len(items)) | {
                "required": kind in REQUIRED, "right_clip": sum(right), "near_in_features": near,
                "scores": _quantiles(_scores([matches[i] for i in span])),
            }  # fmt: skip
            start += len(items)
        required = [rows[kind] for kind in REQUIRED]
        found, planted_count = sum(r["found"] for r in required), sum(r["clips"] for r in required)
        alarms = {"pixels": _share(int(over[b:].sum()), len(fresh))}
        if neighbours is not None:
            alarms["features"] = _share(int(close[b:].sum()), len(fresh))
        return {
            "planted": rows, "required_found": _share(found, planted_count), "false_alarms": alarms,
            **_rules(pixels, features), "held_out_scores": _quantiles(_scores(matches[b:])),
            "sentence": (
                f"{found} of {planted_count} required copies found, {alarms['pixels']['found']} false alarms among "
                f"{len(fresh)} fresh held-out clips; threshold {pixels.value:.2f} from {len(calibrating)} others"
            ),
            "warnings": _warnings(pixels, len(calibrating), alarm),
        }  # fmt: skip

    def worst_pairs(self, count: int) -> list[tuple[float, ClipItem, ClipItem, int]]:
        """The nearest pairs of the last verdict: score, clip, training clip, and shift in frames."""
        best = sorted(self._pairs, key=lambda pair: -pair[0])[:count]
        wanted = {match.key for _, _, match in best}
        found = {item.key: item for item in chain.from_iterable(self.training) if item.key in wanted}
        return [(score, item, found[match.key], match.shift) for score, item, match in best]

    def _plant(self, each: int, rng: np.random.Generator) -> dict[str, list[tuple[ClipItem, str]]]:
        """Kind -> ``each`` copies of training clips drawn at random, with the key of the source."""
        places = [(clips, number) for clips in self.training for number in range(len(clips))]
        wanted = rng.permutation(len(places))[: min(each, len(places))].tolist()
        sources = {i: places[i][0].item(places[i][1]) for i in wanted}
        return {
            kind: [
                (ClipItem(plant(sources[i].clip, kind, rng), f"{sources[i].key}_{kind}"), sources[i].key)
                for i in wanted
            ]
            for kind in KINDS
        }

    def _search(self, items: list[ClipItem], shown: Shown) -> tuple[list[NearestClip], Neighbours | None]:
        matches = nearest([ThumbnailClip.of(item) for item in items], shown(chain.from_iterable(self.training)))
        if self.extractor is None:
            return matches, None
        rule = FrameRule(0)
        queries = extract(items, self.extractor, rule)
        return matches, feature_neighbours(queries, extract(chain.from_iterable(self.training), self.extractor, rule))


def _feature_threshold(neighbours: Neighbours | None, held_out: slice, alarm: float) -> Threshold | None:
    return None if neighbours is None else calibrate(neighbours.scores[held_out], alarm)


def _near_in_features(neighbours: Neighbours | None, threshold: Threshold | None, count: int) -> np.ndarray:
    """Whether each of ``count`` clips is above the threshold in feature space; none without features."""
    if neighbours is None or threshold is None:
        return np.zeros(count, bool)
    return neighbours.scores > threshold.value


def _scores(matches: list[NearestClip]) -> np.ndarray:
    return np.array([match.score for match in matches])


def _share(found: int, clips: int) -> dict:
    low, high = share_interval(found, clips)
    share = {"found": found, "clips": clips, "share": found / clips if clips else math.nan, "interval_95": [low, high]}
    rounded = {k: round(v, 4) if isinstance(v, float) and math.isfinite(v) else v for k, v in share.items()}
    rounded["share"] = rounded["share"] if clips else None
    rounded["interval_95"] = [round(low, 4), round(high, 4)] if clips else [None, None]
    return rounded


def _rules(pixels: Threshold, features: Threshold | None) -> dict:
    return {"pixels": pixels.to_json(), "features": None if features is None else features.to_json()}


def _near(neighbours: Neighbours, index: int, near: bool) -> dict:
    return {
        "feature_neighbour": neighbours.keys[index],
        "feature_score": round(float(neighbours.scores[index]), 4),
        "near_in_features": near,
    }


def _quantiles(scores: np.ndarray) -> dict:
    names = {"least": 0, "median": 50, "most": 100}
    return {name: round(float(np.percentile(scores, q)), 4) for name, q in names.items()} if len(scores) else {}


def _verdict(copies: np.ndarray, sure: np.ndarray, near: np.ndarray, pixels: Threshold) -> str:
    return (
        f"{int(copies.sum())} of {len(copies)} clips match a training clip in pixels with more than "
        f"{pixels.value:.2f}, where chance "
        f"explains {pixels.alarm * len(copies):.1f}; {int(sure.sum())} are certain copies; "
        f"{int(near.sum())} are near in features"
    )


def _warnings(pixels: Threshold, held_out: int, alarm: float) -> list[str]:
    warnings = []
    if held_out < FEW_HELD_OUT:
        warnings.append(f"{held_out} held-out clips say little about how near clips come by chance")
    if pixels.alarm > alarm + 1e-9:
        warnings.append(
            f"{held_out} held-out clips cannot guarantee {alarm:.1%} false alarms; the threshold is their largest "
            "score "
            f"and stands for {pixels.alarm:.1%}"
        )
    return warnings

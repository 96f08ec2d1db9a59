"""Whether detectors of the real world recognise what sets show, side by side: a detector that the user brings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import Any

import cv2
import numpy as np

from worldgen.api.arguments import size_of_words
from worldgen.api.measures.measure_result import cost, result_head
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.realism.feature_distances import ClipFeatures, feature_distances
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules
from worldgen.evaluation.realism.realism_of_frames import realism_of_labelled
from worldgen.evaluation.realism.realism_score import RealismScore, compared
from worldgen.evaluation.realism.realism_sets import RealismChoice, RealismSet, realism_set
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.coco_families import recognised_as

REAL = "real"
"""Sets whose name begins so are the reference when none is named."""
CONTROL_BAR = 0.1
"""Recall of a control from which on the result warns that boxes are found by chance."""


@dataclass(frozen=True, kw_only=True)
class RealismOptions:
    """Options of ``worldgen eval realism``.

    detector: ONNX file of a detector in the layout of YOLOX with COCO classes. sets: each NAME=URL; URLs of one name
    are one set. size: "WIDTHxHEIGHT" that all frames are brought to, "" to keep theirs. reference: name of the set
    whose heights of labels the others are compared at, "" for the first whose name begins with "real". frames_per_clip:
    of data sets, 0 for all. limit: the most clips or pictures of each URL, 0 for all. split: of data sets. category:
    each NAME=CLASS, for names of annotations without a class. accept: each CLASS=NAME,NAME, the COCO names that are
    right for a class. distances: also measure how far the frames of each set are from those of the reference in the
    detector's backbone. input_px: side of the detector's input, only where its file leaves it open. min_height,
    min_visible, overlap, score: which labels and detections count. seed: of a control. threads: 0 for all.
    """

    detector: str
    sets: Sequence[str]
    size: str = ""
    reference: str = ""
    frames_per_clip: int = 5
    limit: int = 0
    split: str = ""
    category: Sequence[str] = ()
    accept: Sequence[str] = ()
    distances: bool = False
    input_px: int = 0
    min_height: float = 8.0
    min_visible: float = 0.5
    overlap: float = 0.5
    score: float = 0.3
    seed: int = 0
    threads: int = 0


def measure_realism(options: RealismOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Recall, class agreement and precision on every set, with intervals and controls, and at equal heights of labels.

    Raises: InputError for options out of range, sets that cannot be read, and a detector of another layout.
    """
    begun_s = time.monotonic()
    rules, choice = (
        _rules(options),
        choice_of(
            options.size, options.limit, options.split, options.category, frames_per_clip=options.frames_per_clip
        ),
    )
    urls = _named(options.sets)
    reference = _reference(options, list(urls))
    if options.distances and (reference is None or len(urls) < 2):
        raise InputError("sets for distances", Received(", ".join(urls)), "a reference and at least one more set")
    if not 0 <= options.threads <= 1024:
        raise InputError("threads", options.threads, "0 to 1024")
    if options.threads:
        cv2.setNumThreads(options.threads)
    detector = CocoDetector.load(options.detector, size_px=options.input_px)
    found = {name: [realism_set(url, choice, rules) for url in each] for name, each in urls.items()}
    scores: dict[str, RealismScore] = {}
    features: dict[str, dict[str, np.ndarray]] = {name: {} for name in found}
    for name, sets in found.items():
        scores[name] = realism_of_labelled(
            _frames(sets), detector, rules, seed=options.seed, progress=progress,
            total=sum(each.total for each in sets), desc=name,
            features=features[name] if options.distances else None,
        )  # fmt: skip
    record = result_head("realism", realism_command(options))
    record["detector"] = detector.summary()
    record["rules"] = {name: value for name, value in asdict(rules).items() if name != "recognised"}
    record["recognised_as"] = {name: list(targets) for name, targets in rules.recognised.items()}
    record["size_px"] = list(choice.size_px) if choice.size_px else None
    record["reference"] = reference
    record["sets"] = {}
    for name, score in scores.items():
        left_out = sorted({category for each in found[name] for category in each.left_out})
        record["sets"][name] = {"categories_left_out": left_out, **score.to_json()}
    record["at_heights_of_reference"] = compared(list(scores.items()), reference) if reference else {}
    if options.distances and reference is not None:
        record["distances"] = feature_distances(
            {name: ClipFeatures.of(each) for name, each in features.items()}, reference
        )
    record["warnings"] = _warnings(scores)
    record["cost"] = cost(begun_s)
    return record


def _frames(sets: list[RealismSet]) -> Iterator[LabelledFrame]:
    return chain.from_iterable(sets)


def _rules(options: RealismOptions) -> RealismRules:
    changes = {}
    for name, names in _pairs("accept", options.accept):
        changes[name] = tuple(word.strip() for word in names.split(",") if word.strip())
    return RealismRules(
        options.min_height, options.min_visible, options.overlap, options.score, recognised_as(changes)
    )  # fmt: skip


def choice_of(
    size: str, limit: int = 0, split: str = "", category: Sequence[str] = (), *, frames_per_clip: int = 5
) -> RealismChoice:
    """What is taken of a set, from words of options. Raises: InputError for a size or category of another form."""
    return RealismChoice(size_of_words(size), frames_per_clip, limit, split, dict(_pairs("category", category)))


def _pairs(what: str, words: Sequence[str]) -> list[tuple[str, str]]:
    """Both sides of words like NAME=VALUE. Raises: InputError for others."""
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name.strip() and (value.strip() or what == "accept")):
            raise InputError(what, word, "NAME=VALUE")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _named(words: Sequence[str]) -> dict[str, list[str]]:
    """Name of each set -> its URLs."""
    named: dict[str, list[str]] = {}
    for name, url in _pairs("set", words):
        named.setdefault(name, []).append(url)
    if not named:
        raise InputError("sets", Received("none"), "at least one, as NAME=URL")
    return named


def _reference(options: RealismOptions, names: list[str]) -> str | None:
    if options.reference and options.reference not in names:
        raise InputError("reference", options.reference, "one of " + ", ".join(names))
    return options.reference or next((name for name in names if name.startswith(REAL)), None)


def _warnings(scores: dict[str, RealismScore]) -> list[str]:
    """Sets whose controls find what is not there, and sets in which nothing is judged."""
    out = []
    for name, score in scores.items():
        if not len(score.objects):
            out.append(f"{name}: no label is judged")
        for column in ("shifted", "shuffled"):
            value = score.control(column).value
            if value > CONTROL_BAR:
                out.append(f"{name}: labels that are {column} are found, recall {value:.3f}; boxes match by chance")
    return out


def realism_command(options: RealismOptions) -> str:
    """The command that gives the same numbers, with files named by their last part."""
    words = ["worldgen", "eval", "realism", "--detector", _last(options.detector)]
    for name, url in _pairs("set", options.sets):
        words += ["--set", f"{name}={_last(url)}"]
    for each in fields(options):
        value = getattr(options, each.name)
        if each.name in ("detector", "sets", "threads") or value == each.default or value in ((), []):
            continue
        if value is True:
            words.append(f"--{each.name.replace('_', '-')}")
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        words += [word for part in values for word in (f"--{each.name.replace('_', '-')}", str(part))]
    return " ".join(words)


def _last(url: str) -> str:
    return str(url).rstrip("/").rsplit("/", 1)[-1]

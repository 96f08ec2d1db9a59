"""The realism measure of frames in memory: the quick way in, for a renderer that is being worked on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.realism.judged_objects import judge_frames
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules, labelled_frame
from worldgen.evaluation.realism.realism_score import RealismScore
from worldgen.instruments.detector.coco_detector import CocoDetector


def realism_of_frames(
    frames: np.ndarray | Sequence[np.ndarray], labels: Labels | Sequence[Labels], detector: CocoDetector | str | Path,
    *, light: str = "", weather: str = "", rules: RealismRules | None = None,
) -> RealismScore:  # fmt: skip
    """What a real-world detector recognises in frames that are in memory.

    frames: ``(T, H, W, 3)`` uint8 RGB with the ``Labels`` of their clip; or a list of frames of any sizes with one
    ``Labels`` of a single frame each, which count as independent scenes. detector: a YOLOX file in ONNX, or one that
    is loaded. light, weather: of all frames.

    >>> score = realism_of_frames(clip.frames, labels, "yolox_nano.onnx")  # doctest: +SKIP
    >>> print(score.recall("car"), score.agreement("car"), score.recall("car", "16-32"))  # doctest: +SKIP
    >>> print("\\n".join(realism_lines(score)))  # doctest: +SKIP

    Raises:
        InputError: a detector of another layout, or labels that do not fit the frames.
    """
    rules = rules or RealismRules()
    if not isinstance(detector, CocoDetector):
        detector = CocoDetector.load(detector)
    one_clip = isinstance(labels, Labels)
    each = [labels] * len(frames) if isinstance(labels, Labels) else list(labels)
    if len(each) != len(frames) or not len(frames):
        raise InputError("labels", Received(f"{len(each)} for {len(frames)} frames"), "one for each of some frames")
    if any(label.num_frames != (len(frames) if one_clip else 1) for label in each):
        raise InputError("frames of the labels", each[0].num_frames, f"{len(frames) if one_clip else 1}")
    labelled = (
        labelled_frame(
            frame, label, number if one_clip else 0, rules=rules, clip="" if one_clip else str(number), light=light,
            weather=weather,
        )
        for number, (frame, label) in enumerate(zip(frames, each, strict=True))
    )  # fmt: skip
    return realism_of_labelled(labelled, detector, rules)


def realism_of_labelled(
    frames: Iterable[LabelledFrame], detector: CocoDetector, rules: RealismRules, *, seed: int = 0,
    progress: ProgressReporter = no_progress, total: int | None = None, desc: str = "frames",
    features: dict[str, np.ndarray] | None = None,
) -> RealismScore:  # fmt: skip
    """Run the detector over labelled frames, keep no pixels, and match. seed: of the frames that a control exchanges.

    features: where given, gets what the detector's backbone sees in the first frame of each clip, by clip.

    Raises: InputError when there is no frame.
    """
    kept, found = [], []
    for frame in progress(frames, total=total, desc=desc):
        assert frame.frame is not None, frame.clip
        if features is not None and frame.clip not in features:
            features[frame.clip] = detector.features(frame.frame)
        found.append(detector.find(frame.frame, least_score=rules.least_score))
        kept.append(frame.without_pixels())
    if not kept:
        raise InputError("labelled frames", 0, "at least one")
    return RealismScore(tuple(kept), *judge_frames(kept, found, rules, seed=seed))


def realism_lines(score: RealismScore) -> list[str]:
    """The main numbers as text: a line a class with n, recall, class agreement and what else it was called."""
    out = [f"{'class':20} {'n':>5}  {'recall':22}  {'class agreement':22}  called"]
    for row in score.classes:
        record = score.row_json(row, "all", "all")
        assert record is not None, row
        agreement = score.agreement(row)
        names = ", ".join(f"{name} {count}" for name, count in record.get("called", {}).items())
        shown = str(agreement) if agreement.count else "-"
        out.append(f"{row:20} {record['n']:5}  {score.recall(row)!s:22}  {shown:22}  {names}".rstrip())
    right, placed = score.precision("all")
    out.append(f"precision {right}, on an object {placed}")
    out += [f"control, labels {name}: recall {score.control(name)}" for name in ("shifted", "shuffled")]
    return out

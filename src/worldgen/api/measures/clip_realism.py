"""What a detector of the real world recognises in the clips that other measures judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from worldgen.core.labels import Labels
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.measures.cases import Case
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules, labelled_frame
from worldgen.evaluation.realism.realism_of_frames import realism_of_labelled
from worldgen.evaluation.realism.realism_sets import spread_frames
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.render import render_scene

FRAMES_PER_CLIP = 5


def clip_realism(
    cases: Sequence[Case], detector: CocoDetector, *, seed: int = 0, progress: ProgressReporter = no_progress
) -> dict[str, Any]:
    """The realism of the clips of cases, and of the same scenes as the renderer draws them where they are known.

    Five frames of each clip, evenly spread; context frames are not judged.

    Returns: "detector"; "judged" and, where all scenes are known, "rendered", as in the sets of ``measure_realism``.
    """
    rules = RealismRules()
    known = [case for case in cases if case.labels is not None or case.scene is not None]
    total = sum(len(_picked(case)) for case in known)
    record: dict[str, Any] = {"detector": detector.summary()}
    parts = {"judged": False} | ({"rendered": True} if all(case.scene is not None for case in known) else {})
    for name, drawn in parts.items():
        frames = (frame for case in known for frame in _frames(case, rules, drawn=drawn))
        score = realism_of_labelled(frames, detector, rules, seed=seed, progress=progress, total=total, desc=name)
        record[name] = score.to_json()
    return record


def _picked(case: Case) -> list[int]:
    return spread_frames(case.first, len(case.clip), FRAMES_PER_CLIP)


def _frames(case: Case, rules: RealismRules, *, drawn: bool) -> Iterator[LabelledFrame]:
    """The frames of a case, from its clip or drawn anew from its scene."""
    picked = _picked(case)
    pictures: np.ndarray = case.clip.frames[picked]
    labels: Labels
    if case.labels is not None:
        labels, rows = case.labels, picked
    else:
        assert case.scene is not None, case.key
        labels, rows = labels_of(case.scene, frames=picked), list(range(len(picked)))
    if drawn:
        assert case.scene is not None, case.key
        pictures = render_scene(case.scene, frames=picked).clip.frames
    weather, light = (case.scenario.weather, case.scenario.light) if case.scenario else ("", "")
    for picture, row in zip(pictures, rows, strict=True):
        yield labelled_frame(picture, labels, row, rules=rules, clip=case.key, weather=weather, light=light)

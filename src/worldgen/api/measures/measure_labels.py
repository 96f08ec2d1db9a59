"""Whether the pixels show what the labels say: a detector on the clips, against the labels of their scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worldgen.api.measures.clip_realism import clip_realism
from worldgen.api.measures.measure_result import as_json
from worldgen.api.measures.measured_clips import ClipOptions, clip_result, judged_clips
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.measures.label_score import heights_judged, score_labels
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.detector import GROUPS, load_detector
from worldgen.instruments.instrument_files import load_instrument

ONNX = ".onnx"


@dataclass(frozen=True, kw_only=True)
class LabelsOptions(ClipOptions):
    """Options of ``worldgen eval labels``.

    detector: folder of another detector, "" for the shipped one; or an ONNX file of a detector of COCO classes, whose
    recall, class agreement and precision on the same clips are reported beside the shipped one's judgement.
    """

    detector: str = ""


def measure_labels(options: LabelsOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Average precision (IoU 0.5) of each group, relative to the same detector on rendered clips, with controls.

    Raises: InputError for options out of range, clips without labels, and a detector under its bar.
    """
    foreign = CocoDetector.load(options.detector) if options.detector.lower().endswith(ONNX) else None
    folder = "" if foreign else options.detector
    instrument = load_instrument(folder or "detector")
    heights = heights_judged(instrument.accuracy)
    judged = judged_clips("labels", options, progress=progress)
    score = score_labels(load_detector(folder or None), judged.cases, seed=options.seed)
    rows = {group: score.row(height, group, seed=options.seed) for group, height in heights.items()}
    about = judged.about | {"judged": len(score.generated.tags)}
    record = clip_result("labels", options, about, [instrument.summary()])
    record["heights"] = heights
    record["rows"] = {group: _without_control(row) for group, row in rows.items()}
    record["controls"] = {group: {"wrong": as_json(row["wrong"])} for group, row in rows.items()}
    record["slices"] = {
        name: {group: _without_control(score.row(name, group, seed=options.seed)) for group in heights}
        for name in score.slices
        if name not in heights.values()
    }
    record["not_judged"] = [group for group in GROUPS if group not in heights]
    if foreign:
        record["realism"] = clip_realism(judged.cases, foreign, seed=options.seed, progress=progress)
    return record


def _without_control(row: dict[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) for name, value in row.items() if name != "wrong"}

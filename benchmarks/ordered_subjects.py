"""Does a detector of the real world find what a prompt orders? Several seeds, drawn and as ``sample`` paints them.

python benchmarks/ordered_subjects.py --detector yolox_nano.onnx [--out benchmarks/results/ordered_subjects.json]

A frame counts as found when a detection with a score of 0.3 overlaps the visible box of an ordered object by an IoU of
0.5 or more and has a name that is right for its class. As a control that must fail, the boxes of a clip are looked for
in the frames of the next seed. The frames of a clip are two a second, from its first to its last.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from worldgen.api.model import Model, load
from worldgen.core.clip import Clip
from worldgen.core.labels import Labels
from worldgen.data.export.class_maps import COCO80
from worldgen.generation.sample.subjects import OrderedSubject, ordered_subjects
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.coco_families import RECOGNISED_AS
from worldgen.instruments.detector.detector import box_iou
from worldgen.rendering.drawn_clips import draw_scene

PROMPT = "pedestrian at night in rain"
SCORE, OVERLAP, ENOUGH = 0.3, 0.5, 0.5
"""Least score of a detection, least IoU with a box, and share of frames in which a subject must be found."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector", required=True)
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sheet", default="", help="also write the painted clips as a picture, a row a seed")
    parser.add_argument("--out", default="benchmarks/results/ordered_subjects.json")
    args = parser.parse_args()
    detector, model = CocoDetector.load(args.detector), load()
    clips = [_clips(model, args.prompt, seed) for seed in range(args.seeds)]
    rows = []
    for seed, (subject, labels, pictures) in enumerate(clips):
        row: dict[str, Any] = {"seed": seed, "height_px": _heights(subject, labels)}
        for kind, clip in pictures.items():
            scores = best_scores(detector, clip, labels, subject)
            other = best_scores(detector, clips[(seed + 1) % len(clips)][2][kind], labels, subject)
            row[kind] = {"found": _share(scores), "scores": _rounded(scores), "control": _share(other)}
        rows.append(row)
        print(json.dumps(row))
    result = {
        "prompt": args.prompt, "detector": {"file": detector.name, "hash": detector.hash},
        "rule": {"score": SCORE, "iou": OVERLAP, "share of frames": ENOUGH}, "model": model.name,
        "clips with the subject found": {
            kind: sum(row[kind]["found"] >= ENOUGH for row in rows) for kind in ("drawn", "painted")
        }, "seeds": rows,
    }  # fmt: skip
    Path(args.out).write_text(json.dumps(result, indent=1) + "\n")
    if args.sheet:
        cv2.imwrite(args.sheet, _sheet([pictures["painted"] for _, _, pictures in clips])[..., ::-1])
    print(result["clips with the subject found"], "of", len(rows))


def _clips(model: Model, prompt: str, seed: int) -> tuple[OrderedSubject, Labels, dict[str, Clip]]:
    """The subject of a seed, and its labels and pictures in two frames a second: drawn, and as the model paints."""
    sample = model.sample(prompt, seed=seed)
    assert sample.scene is not None and sample.labels is not None
    frames = list(range(0, len(sample.clip), max(round(sample.clip.fps / 2), 1)))
    size = (sample.clip.width_px, sample.clip.height_px)
    drawn, labels = draw_scene(sample.scene, frames=frames, size=size)
    painted = Clip(sample.clip.frames[frames], 2.0)
    return ordered_subjects(sample.scene)[0], labels, {"drawn": Clip(drawn.clip.frames, 2.0), "painted": painted}


def best_scores(detector: CocoDetector, clip: Clip, labels: Labels, subject: OrderedSubject) -> np.ndarray:
    """Highest score per frame ``(T,)``, in [0, 1], of a detection that lies on the subject with a right name."""
    right = [COCO80.index(name) for name in RECOGNISED_AS[subject.class_name]]
    scores = np.zeros(len(clip), np.float32)
    for frame in range(len(clip)):
        boxes = labels.box_px[subject.rows(labels) & (labels.frame_index == frame)]
        found = detector.find(np.ascontiguousarray(clip.frames[frame]), least_score=0.05)
        named = np.isin(found.name, right)
        if len(boxes) and named.any():
            on_it = (box_iou(boxes, found.box_px[named]) >= OVERLAP).any(0)
            scores[frame] = found.score[named][on_it].max(initial=0.0)
    return scores


def _share(scores: np.ndarray) -> float:
    return round(float((scores >= SCORE).mean()), 3)


def _rounded(scores: np.ndarray) -> list[float]:
    return [round(float(score), 2) for score in scores]


def _heights(subject: OrderedSubject, labels: Labels) -> list[int]:
    """Height in pixels of the tallest box of the subject per frame; 0 where there is none."""
    mine = subject.rows(labels)
    height = np.where(mine, labels.box_px[:, 3] - labels.box_px[:, 1], 0.0)
    return [round(float(height[labels.frame_index == frame].max(initial=0.0))) for frame in range(labels.num_frames)]


def _sheet(clips: list[Clip]) -> np.ndarray:
    """Four frames of each clip, a clip a row."""
    rows = [np.concatenate(clip.frames[np.linspace(0, len(clip) - 1, 4).round().astype(int)], 1) for clip in clips]
    return np.concatenate(rows)


if __name__ == "__main__":
    main()

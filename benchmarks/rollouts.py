"""Ablations of the rollout: each kind leaves out or changes one part of it.

    python benchmarks/rollouts.py [--clips 24] [--kinds NAME ...] [--out benchmarks/results/rollouts.json]

Clips of held-out scenes start from two rendered frames. Each kind has PSNR against the rendered clip of the same scene
at some frames; sharpness (standard deviation of the Laplacian of the last 8 frames) over that of the rendered clip; ego
motion recovered from the pixels against the commanded one, and weather and light at the last frame, as ``worldgen eval
control`` and ``attributes`` measure them.

rendered                    the rendered clips themselves, the ceiling
reprojection only           the network predicts nothing; frames are only reprojected
no keyframe                 every frame is reprojected from the previous one
no colour-drift correction  without ``models.native.rollout.colour_drift``
object confidence C         ``rollout.OBJECT_CONFIDENCE`` is C
layout guidance 2           two network evaluations per frame
from noise                  without rendered frames

Results that were recorded before 0.2.0 have the former names of ``FORMER_NAMES``, which ``--kinds`` takes too.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import cv2
import numpy as np
import torch

from worldgen.cli.terminal import progress
from worldgen.core.clip import Clip
from worldgen.evaluation.measures.attributes_score import PLACES, judge, places, share
from worldgen.evaluation.measures.cases import Case, generated_cases
from worldgen.evaluation.measures.motion_control import MotionPair, control_rows
from worldgen.evaluation.measures.trials import GenerationOptions, generated, held_out, rendered
from worldgen.instruments.attributes.attribute_reader import AttributeReader
from worldgen.instruments.motion.motion_reader import MotionReader
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.loading import load_pipeline, pipeline_hash, quiet_libraries
from worldgen.models.native.rollout import colour_drift, rollout

FRAMES = (3, 6, 12, 18, 24)
CONTROL = ("speed_spearman", "yaw_rate_spearman", "speed_ratio", "yaw_rate_ratio", "position_error_2s_m")
SHARES = (0.5, 1.0)
"""Values of ``rollout.OBJECT_CONFIDENCE``."""

SHIPPED, RENDERED = "shipped", "rendered"
GUIDED = SamplerOptions(guidance={"layout": 2.0})
KINDS = {
    SHIPPED: {},
    "reprojection only": {"predicts": False},
    "no keyframe": {"keyframe_interval": 0, "keyframe_confidence": 1.0},
    "no colour-drift correction": {"colour_pull": 0.0},
    **{f"object confidence {share:g}": {"object_confidence": share} for share in SHARES},
    "layout guidance 2": {"options": GUIDED},
    "from noise": {"start": "noise"},
    "from noise, object confidence 1": {"start": "noise", "object_confidence": 1.0},
}
FORMER_NAMES = {
    "drawn": RENDERED,
    "moved only": "reprojection only",
    "no key picture": "no keyframe",
    "colours not held": "no colour-drift correction",
    **{f"things trusted {share:g}": f"object confidence {share:g}" for share in SHARES},
    "from noise, things trusted 1": "from noise, object confidence 1",
}
"""Name of a kind in results recorded before 0.2.0 -> its name now."""


def present_name(name: str) -> str:
    """The name that a kind has now; names of combined kinds are joined by commas."""
    if name in FORMER_NAMES:
        return FORMER_NAMES[name]
    return ", ".join(FORMER_NAMES.get(part, part) for part in name.split(", "))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument(
        "--kinds", nargs="+", type=present_name, choices=KINDS, default=list(KINDS), metavar="NAME", help="default: all"
    )
    parser.add_argument("--out", default="benchmarks/results/rollouts.json")
    args = parser.parse_args()
    quiet_libraries()
    shipped = load_pipeline("shipped")
    reprojecting = copy.deepcopy(shipped)
    with torch.no_grad():
        reprojecting.transformer.head.weight.zero_()
        reprojecting.transformer.head.bias.zero_()
    trials = held_out(args.clips)
    truth = rendered(trials)
    instruments = MotionReader.load(), AttributeReader.load()
    base = {
        "predicts": True,
        "colour_pull": colour_drift.PULL,
        "keyframe_interval": rollout.KEYFRAME_INTERVAL,
        "object_confidence": rollout.OBJECT_CONFIDENCE,
        "keyframe_confidence": rollout.KEYFRAME_CONFIDENCE,
        "options": None,
        "start": "sketch",
    }
    record = {"clips": len(trials), "frames": len(truth[0]), "weights_hash": pipeline_hash(shipped), "rows": {}}
    for name in [RENDERED, *args.kinds]:
        kind = base | KINDS.get(name, {})
        found = truth
        if name != RENDERED:
            colour_drift.PULL, rollout.KEYFRAME_INTERVAL = kind["colour_pull"], kind["keyframe_interval"]
            rollout.OBJECT_CONFIDENCE = kind["object_confidence"]
            rollout.KEYFRAME_CONFIDENCE = kind["keyframe_confidence"]
            pipeline = shipped if kind["predicts"] else reprojecting
            clips = generated(
                pipeline, trials, GenerationOptions(start=kind["start"], batch=4), options=kind["options"]
            )
            found = list(progress(clips, total=len(trials), desc=name))
        cases = list(generated_cases(trials, found, start=kind["start"]))
        record["rows"][name] = (
            {"object_confidence": kind["object_confidence"]} | _similarity(found, truth) | _control(cases, *instruments)
        )
        Path(args.out).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record, indent=1))


def _similarity(found: list[Clip], truth: list[Clip]) -> dict:
    """PSNR at some frames and the ratio of sharpness, to the rendered clips."""
    pairs = list(zip(found, truth, strict=True))
    psnr = {str(k): _mean([_psnr(a, b, k) for a, b in pairs]) for k in FRAMES}
    return {"psnr_db": psnr, "sharpness": _mean([_sharpness(a) / _sharpness(b) for a, b in pairs])}


def _control(cases: list[Case], motion: MotionReader, attributes: AttributeReader) -> dict:
    """Recovered against commanded motion, and the share of correct weather and light at the last frame."""
    drives = []
    for case in cases:
        assert case.ego is not None and case.camera is not None, case.key
        drives.append(MotionPair(case.ego, motion.read(case.clip, case.camera), case.first))
    control = control_rows(drives)
    last = []
    for case in cases:
        at = places(len(case.clip), case.first)
        last.append(judge(attributes.read(case.clip, at), case.truth(at)))
    end = len(PLACES) - 1
    right = {f"{name}_last": round(share(last, name, end), 4) for name in ("weather", "light")}
    return {name: round(control[name].value, 4) for name in CONTROL} | right


def _psnr(found: Clip, true: Clip, frame: int) -> float:
    error = np.square(found.frames[frame].astype(np.float32) - true.frames[frame]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def _sharpness(clip: Clip) -> float:
    grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames[-8:])
    return float(np.mean([cv2.Laplacian(frame, cv2.CV_32F).std() for frame in grey]))


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 3)


if __name__ == "__main__":
    main()

"""What each part of a rollout is worth: one part left out or set otherwise at a time.

    python benchmarks/rollouts.py [--clips 24] [--kinds NAME ...] [--out benchmarks/results/rollouts.json]

Held-out scenes, begun from two drawn frames. Per kind: PSNR against the drawn clip of the same scene at some frames;
sharpness (standard deviation of the Laplacian of the last 8 frames) over that of the drawn clip; ego motion recovered from the
pixels against the commanded one, and weather and light at the last frame, as ``worldgen eval control`` and
``attributes`` read them. "drawn": the drawn clips themselves, the ceiling. "moved only": the network corrects nothing.
"no key picture": every frame is moved from the one before. "colours not held": without ``models.native.rollout.colour_drift``. "things trusted
...": ``rollout.OBJECT_CONFIDENCE`` of that much. "layout guidance 2": two evaluations a frame. "from noise": begun without drawn frames.
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
"""Of ``rollout.OBJECT_CONFIDENCE``."""

SHIPPED, DRAWN = "shipped", "drawn"
GUIDED = SamplerOptions(guidance={"layout": 2.0})
KINDS = {
    SHIPPED: {}, "moved only": {"still": True}, "no key picture": {"keys": 0, "key_trust": 1.0}, "colours not held": {"held": 0.0},
    **{f"things trusted {share:g}": {"trust": share} for share in SHARES}, "layout guidance 2": {"options": GUIDED},
    "from noise": {"start": "noise"}, "from noise, things trusted 1": {"start": "noise", "trust": 1.0},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="NAME")
    parser.add_argument("--out", default="benchmarks/results/rollouts.json")
    args = parser.parse_args()
    quiet_libraries()
    shipped = load_pipeline("shipped")
    still = copy.deepcopy(shipped)
    with torch.no_grad():
        still.transformer.head.weight.zero_()
        still.transformer.head.bias.zero_()
    trials = held_out(args.clips)
    drawn = rendered(trials)
    instruments = MotionReader.load(), AttributeReader.load()
    base = {
        "still": False, "held": colour_drift.PULL, "keys": rollout.KEYFRAME_INTERVAL, "trust": rollout.OBJECT_CONFIDENCE,
        "key_trust": rollout.KEYFRAME_CONFIDENCE, "options": None, "start": "sketch",
    }  # fmt: skip
    record = {"clips": len(trials), "frames": len(drawn[0]), "weights_hash": pipeline_hash(shipped), "rows": {}}
    for name in [DRAWN, *args.kinds]:
        kind = base | KINDS.get(name, {})
        made = drawn
        if name != DRAWN:
            colour_drift.PULL, rollout.KEYFRAME_INTERVAL = kind["held"], kind["keys"]
            rollout.OBJECT_CONFIDENCE, rollout.KEYFRAME_CONFIDENCE = kind["trust"], kind["key_trust"]
            pipeline = still if kind["still"] else shipped
            clips = generated(pipeline, trials, GenerationOptions(start=kind["start"], batch=4), options=kind["options"])
            made = list(progress(clips, total=len(trials), desc=name))
        cases = list(generated_cases(trials, made, start=kind["start"]))
        record["rows"][name] = {"trust": kind["trust"]} | _nearness(made, drawn) | _obedience(cases, *instruments)
        Path(args.out).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record, indent=1))


def _nearness(made: list[Clip], drawn: list[Clip]) -> dict:
    pairs = list(zip(made, drawn, strict=True))
    psnr = {str(k): _mean([_psnr(a, b, k) for a, b in pairs]) for k in FRAMES}
    return {"psnr_db": psnr, "sharpness": _mean([_sharpness(a) / _sharpness(b) for a, b in pairs])}


def _obedience(cases: list[Case], motion: MotionReader, attributes: AttributeReader) -> dict:
    control = control_rows([MotionPair(case.ego, motion.read(case.clip, case.camera), case.first) for case in cases])
    last = []
    for case in cases:
        at = places(len(case.clip), case.first)
        last.append(judge(attributes.read(case.clip, at), case.truth(at)))
    end = len(PLACES) - 1
    right = {f"{name}_last": round(share(last, name, end), 4) for name in ("weather", "light")}
    return {name: round(control[name].value, 4) for name in CONTROL} | right


def _psnr(made: Clip, true: Clip, frame: int) -> float:
    error = np.square(made.frames[frame].astype(np.float32) - true.frames[frame]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def _sharpness(clip: Clip) -> float:
    grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames[-8:])
    return float(np.mean([cv2.Laplacian(frame, cv2.CV_32F).std() for frame in grey]))


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 3)


if __name__ == "__main__":
    main()

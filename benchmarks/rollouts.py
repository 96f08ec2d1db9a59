"""What each part of a rollout is worth: nearness to the drawn clip, frame by frame, with one part left out at a time.

    python benchmarks/rollouts.py [--clips 24] [--out benchmarks/results/rollouts.json]

Held-out scenes, begun from two drawn frames. PSNR against the drawn clip of the same scene at some frames, and sharpness
(standard deviation of the Laplacian of the last 8 frames) over that of the drawn clip; means over clips. "moved only": the
network corrects nothing. "no key picture": every frame is moved from the one before. "colours not held": without
``models.anchor``. "past fully trusted", "past half trusted": ``rollout.TRUST`` of 1 and 0.5. "layout guidance 2": two
evaluations a frame. "from noise": begun without drawn frames.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import cv2
import numpy as np
import torch

from worldgen.cli.progress import progress
from worldgen.core.clip import Clip
from worldgen.evaluation.trials import Making, generated, held_out, rendered
from worldgen.models import anchor, rollout
from worldgen.models.bundle import load_pipeline, quiet_libraries
from worldgen.models.rollout import SamplerOptions

FRAMES = (3, 6, 12, 18, 24)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
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
    guided = SamplerOptions(guidance={"layout": 2.0})
    held, keys, trust = anchor.PULL, rollout.KEY_FRAMES, rollout.TRUST
    base = {"pipeline": shipped, "held": held, "keys": keys, "trust": trust, "options": None, "start": "sketch"}
    kinds = {
        "shipped": {}, "moved only": {"pipeline": still}, "no key picture": {"keys": 0}, "colours not held": {"held": 0.0},
        "past fully trusted": {"trust": 1.0}, "past half trusted": {"trust": 0.5}, "layout guidance 2": {"options": guided},
        "from noise": {"start": "noise"},
        "from noise, past fully trusted": {"start": "noise", "trust": 1.0},
    }  # fmt: skip
    rows = {}
    for name, changes in kinds.items():
        kind = base | changes
        anchor.PULL, rollout.KEY_FRAMES, rollout.TRUST = kind["held"], kind["keys"], kind["trust"]
        clips = generated(kind["pipeline"], trials, Making(start=kind["start"], batch=4), options=kind["options"])
        made = list(progress(clips, total=len(trials), desc=name))
        rows[name] = {
            "psnr_db": {str(k): _mean([_psnr(a, b, k) for a, b in zip(made, drawn, strict=True)]) for k in FRAMES},
            "sharpness": _mean([_sharpness(a) / _sharpness(b) for a, b in zip(made, drawn, strict=True)]),
        }
        record = {"clips": len(trials), "frames": len(drawn[0]), "rows": rows}
        Path(args.out).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record, indent=1))


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

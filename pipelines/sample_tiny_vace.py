"""Sample a small Wan VACE on held-out rendered scenes, with their own control and with another scene's.

    python pipelines/sample_tiny_vace.py model scenes --clips 12 --out sets --record eval/results/tiny_vace_clips.json

Writes the data sets `sets/true` and `sets/shuffled`, whose clips keep the labels and the motion of their own scene, so
that `worldgen eval labels` and `worldgen eval control` judge both. Records how near the clips of both are to the drawn
clip: the program fails unless the shuffled ones are worse beyond the interval. `pipelines/tiny_vace.sh` runs it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import torch
from tiny_vace_training.tiny_clips import prompt_of, rendered_samples
from tiny_vace_training.tiny_training import paired_gap

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.samples import Conditions, Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.models.interface import sampler_options

ARMS = ("true", "shuffled")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", help="rendered clips, of which the last are held out")
    parser.add_argument("--out", required=True)
    parser.add_argument("--record", default="")
    parser.add_argument("--control", default="sketch")
    parser.add_argument("--limit", type=int, default=0, help="clips that the training has read, 0 for all")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = worldgen.load(args.model).sampler.model
    options = sampler_options(model.promise, steps=args.steps, guidance={"text": 1.0})
    pairs = list(rendered_samples(args.data, args.control))
    pairs = pairs[: args.limit or None][-args.clips :]
    samples, controls = [sample for sample, _ in pairs], [video for _, video in pairs]
    others = [*controls[1:], controls[0]]  # the next clip of the grid has another weather or light, and another scene
    distance: dict[str, list[float]] = {}
    for arm, given in zip(ARMS, (controls, others), strict=True):
        made = []
        for number, (sample, control) in enumerate(zip(samples, given, strict=True)):
            request = Conditions(
                len(sample.clip), sample.clip.fps, text=prompt_of(sample), camera=sample.camera, seed=1000 + number,
                controls={args.control: control},
            )  # fmt: skip
            made.append(model([request], options)[0])
            print(f"{arm} {number + 1} of {len(samples)}", file=sys.stderr, flush=True)
        distance[arm] = [_psnr_db(clip, sample.clip) for clip, sample in zip(made, samples, strict=True)]
        _write(f"{args.out}/{arm}", samples, made)
    gap = paired_gap(np.array(distance["true"]), np.array(distance["shuffled"]), seed=0)
    record = {
        "what": "PSNR (dB) of sampled clips against the drawn clip of their scene, with the true control and with "
        "that of another scene; the same noise and words", "command": "pipelines/tiny_vace.sh",
        "control": args.control, "steps": args.steps, "clips": len(samples),
        "psnr_db": {arm: round(float(np.mean(values)), 3) for arm, values in distance.items()}, **gap,
    }  # fmt: skip
    if args.record:
        Path(args.record).write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record))
    return 0 if record["worse_beyond_interval"] else 1


def _psnr_db(clip: Clip, wanted: Clip) -> float:
    error = np.square((clip.frames.astype(np.float64) - wanted.frames) / 255).mean()
    return -10 * float(np.log10(max(error, 1e-10)))


def _write(out: str, samples: list[Sample], clips: list[Clip]) -> None:
    with ShardWriter(out, "clips") as writer:
        for number, (sample, clip) in enumerate(zip(samples, clips, strict=True)):
            key = f"tiny_{number:03d}"
            writer.write(dataclasses.replace(sample, clip=clip, key=key, drive=key))
    build_index(out)


if __name__ == "__main__":
    sys.exit(main())

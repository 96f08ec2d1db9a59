"""Share of clean clips that the gate rejects, and of faults that it catches, on clips not used for its calibration.

  worldgen scenes render --renderer sketch --count 64 --seed 970000 --out held_out
  python benchmarks/gate.py held_out [--training scenes] [--out benchmarks/results/gate.json]

Clips are rendered, so their labels are true. Faults are planted (generation/quality/faults.py has their sizes).
"rejected_or_repaired" counts clips that were rejected, and clips whose wrong labels, and no others, were removed.
"thinned": the wrong label is removed, but its object has no label then; that does not count as caught.
"""

from __future__ import annotations

import argparse
import json
import time

import cv2
import torch

from worldgen.cli.terminal import progress
from worldgen.data.dataset.index import DataSet
from worldgen.data.view.page import spread
from worldgen.files.config_files import load_config
from worldgen.files.storage import write_bytes
from worldgen.generation.quality.examination import describe_instruments, examine, results
from worldgen.generation.quality.gate import Gate, GateConfig
from worldgen.generation.quality.scorer import Scorer, ScorerConfig

SAVE_EVERY = 10
"""Clips between two writes of the result; a run that is stopped leaves a result marked as not complete."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips")
    parser.add_argument("--gate", default="configs/gate/default.yaml")
    parser.add_argument("--training", default="", help="data set on which the model was trained, for near copies")
    parser.add_argument("--describe", default="training", help="description of the training clips")
    parser.add_argument("--limit", type=int, default=216)
    parser.add_argument("--out", default="benchmarks/results/gate.json")
    for name in ("verifier", "detector", "attributes", "motion"):
        parser.add_argument(f"--{name}", default=name)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    scorer = Scorer.load(ScorerConfig(args.verifier, args.detector, args.attributes, args.motion, args.describe))
    gate = Gate(load_config(GateConfig, [args.gate]))
    data = DataSet(args.clips)
    samples = [data.load(i) for i in spread(len(data), args.limit)]
    copies = []
    if args.training:
        train = DataSet(args.training).select("train")
        copies = [train.load(i) for i in spread(len(train), max(len(samples) // 2, 1))]
    start_s, examined = time.process_time(), []
    for one in progress(examine(scorer, samples, training=copies, seed=1), total=len(samples), desc="examine"):
        examined.append(one)
        if len(examined) % SAVE_EVERY == 0 or len(examined) == len(samples):
            cpu_s = (time.process_time() - start_s) / len(examined)
            record = {
                "gate": args.gate, "instruments": dict(describe_instruments(scorer)), "clips_asked_for": len(samples),
                "complete": len(examined) == len(samples), **results(gate, examined),
                "cpu_seconds_per_clip_with_all_faults": round(cpu_s, 2),
            }  # fmt: skip
            write_bytes(args.out, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()

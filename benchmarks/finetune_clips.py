"""How the error of a fine-tune depends on the number of clips: 5, 10, 20, 50, 100 of a fleet the weights never saw.

Purpose:  what a few clips are worth, for the recipe of the guide.
Run:      python benchmarks/finetune_clips.py SHARED/data --work WORK --out benchmarks/results/finetune_clips.json
Hardware: one CPU core, 3 GB of memory.
Time:     see `cpu_s` of each point; about 10 minutes. Data set and judged windows stay in WORK, which may be that
          of `benchmarks/finetune.py`; each finished point is in the result at once, and the same command goes on.
Expected: for each number of clips the error of the frame one second after the known ones on another road, with 95 %
          intervals, and the paired difference to the shipped model.

Every point has the same steps, so more clips mean fewer repetitions of each. Fleet: the Udacity simulator, trained
on track a, judged on track b.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from finetune import FLEETS, KNOWN, dataset_of, errors, trained

from worldgen.core.samples import Conditions
from worldgen.data.dataset.index import DataSet
from worldgen.evaluation.measures.intervals import mean_interval
from worldgen.generation.sample.sampler import Sampler

FLEET = "simulator"
HORIZON_S = 1.0
COUNTS = (5, 20, 100, 10, 50)
"""Numbers of clips, those that tell most first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with simulator/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/finetune_clips.json"))
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--frames", type=int, default=6, help="of a training window")
    parser.add_argument("--windows", type=int, default=10, help="held-out windows")
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = {name: getattr(args, name) for name in ("steps", "batch", "frames", "windows")}
    record = json.loads(args.out.read_text()) if args.out.exists() else {"points": {}}
    if record.get("settings", settings) != settings:
        raise SystemExit(f"{args.out} has other settings: {record['settings']}")
    record |= {
        "command": "python benchmarks/finetune_clips.py SHARED/data --work WORK", "settings": settings,
        "fleet": FLEET, "horizon_s": HORIZON_S, "known_frames": KNOWN, "rank": 8,
    }  # fmt: skip
    data = dataset_of(args, FLEET, FLEETS[FLEET])
    shipped = judged(args, data, "", "shipped")
    record["shipped"] = mean_interval(np.array(shipped)).to_json()
    for count in COUNTS:
        if str(count) in record["points"]:
            continue
        start_s = time.process_time()
        args.clips = count
        name = f"clips_{count}"
        adapter = trained(args, name, data)
        adapted = judged(args, data, adapter, name)
        record["points"][str(count)] = {
            "error": mean_interval(np.array(adapted)).to_json(),
            "minus_shipped": mean_interval(np.array(adapted) - np.array(shipped)).to_json(),
            "cpu_s": round(time.process_time() - start_s),
        }
        record["points"] = dict(sorted(record["points"].items(), key=lambda point: int(point[0])))
        args.out.write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(args.work / name / "run" / "checkpoints", ignore_errors=True)
        print(count, json.dumps(record["points"][str(count)]), flush=True)


@torch.no_grad()
def judged(args: argparse.Namespace, data: str, adapter: str, name: str) -> list[float]:
    """Error of each held-out window, one second after its known frames, in grey values."""
    kept = args.work / f"{name}_judged_{args.windows}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    data_set = DataSet(data)
    sampler = Sampler.load("shipped", adapter=adapter, threads=1)
    keys = sorted(row["key"] for row in data_set.rows if row["split"] == "val")
    count = min(args.windows, len(keys))
    found = []
    for number in range(count):
        sample = data_set.load(keys[number * len(keys) // count])
        assert sample.ego is not None, sample.key
        target = KNOWN - 1 + round(HORIZON_S * sample.clip.fps)
        request = Conditions(
            num_frames=target + 1, fps=sample.clip.fps, context=sample.clip[:KNOWN], ego=sample.ego[: target + 1],
            camera=sample.camera, text=sample.caption or None, seed=number,
        )  # fmt: skip
        [clip] = sampler.model([request], sampler.options(steps=0, chunk=0, guidance={}))
        found.append(next(iter(errors(sample, {target: clip.frames[target]}, horizons=(HORIZON_S,)).values())))
        print(name, number, found[-1], file=sys.stderr, flush=True)
    kept.write_text(json.dumps(found) + "\n")
    return found


if __name__ == "__main__":
    main()

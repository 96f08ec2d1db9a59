"""Fine-tuning on fleets that the shipped weights never saw: is the next second nearer to the recording?

Purpose:  what a short LoRA of the shipped model gains on another camera and another place.
Run:      python benchmarks/finetune.py SHARED/data --work WORK --out benchmarks/results/finetune.json
Hardware: one CPU core, 3 GB of memory.
Time:     about 10 minutes with the settings below. WORK keeps data sets, runs and judged windows, so that the same
          command continues an interrupted run.
Expected: four rows a fleet and horizon with 95 % intervals over held-out windows, and paired differences.

Fleets: the Udacity simulator (trained on track a, judged on track b, another road at another rate), and KITTI 03, one
drive whose first 60 % train and whose last 30 % judge. Rows: the last known frame repeated (`copy`), that frame
reprojected by the true ego motion with depth estimated from the known frames (`reprojection`), the shipped model
(`shipped`) and the model with the adapter (`adapted`). All get the same known frames and the true ego motion. Errors
are root mean square differences in grey values of 0 to 255, of the frame at each horizon.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import worldgen
from worldgen.core.samples import Conditions, Sample
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.evaluation.measures.intervals import mean_interval
from worldgen.files.config_files import load_config
from worldgen.generation.sample.sampler import Sampler
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.loading import load_codec
from worldgen.models.native.pixels import video_from_clips

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
KNOWN = 4
"""Recorded frames that a made clip begins with."""
HORIZONS_S = (0.5, 1.0, 2.0)
ROWS = ("copy", "reprojection", "shipped", "adapted")


@dataclass(frozen=True)
class Fleet:
    """folder: of the shared data and of its ingest config. drives: that are used. shares: parts of the windows, in
    order of time, that train and judge; None where the config splits by drive."""

    folder: str
    drives: tuple[str, ...]
    shares: tuple[float, float] | None = None


FLEETS = {
    "simulator": Fleet("simulator", ("udacity_track_a.mp4", "udacity_track_b.mp4")),
    "kitti03": Fleet("research", ("kitti03_gray.mp4",), (0.6, 0.3)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with research/ and simulator/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/finetune.json"))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--clips", type=int, default=16, help="training windows of each fleet, evenly spread")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--frames", type=int, default=6, help="of a training window")
    parser.add_argument("--windows", type=int, default=10, help="held-out windows of each fleet")
    args = parser.parse_args()
    torch.set_num_threads(1)
    record: dict = {
        "command": "python benchmarks/finetune.py SHARED/data --work WORK",
        "settings": {name: getattr(args, name) for name in ("steps", "clips", "batch", "frames", "windows")},
        "known_frames": KNOWN,
        "fleets": {},
    }
    for name, fleet in FLEETS.items():
        began = time.process_time()
        data = dataset_of(args, name, fleet)
        adapter = trained(args, name, data)
        rows = judged(args, name, data, adapter)
        record["fleets"][name] = {
            "drives": list(fleet.drives), "judged_windows": len(rows),
            "cpu_s": round(time.process_time() - began, 1), **compared(rows),
        }  # fmt: skip
        args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["fleets"], indent=1))


def dataset_of(args: argparse.Namespace, name: str, fleet: Fleet) -> str:
    """The data set of a fleet with windows that hold the known frames and two seconds."""
    out = args.work / name / "data"
    if (out / "dataset.json").exists():
        return str(out)
    config = load_config(IngestConfig, [str(CONFIGS / "ingest" / f"{fleet.folder}.yaml")], ["verify=headers"])
    found = sorted(path.name for path in (args.shared / fleet.folder).glob("*.mp4"))
    others = tuple(drive for drive in found if drive not in fleet.drives)
    sources = {drive: config.sources[drive] for drive in fleet.drives}
    rates = [source.fps or config.fps for source in sources.values()]
    frames = KNOWN + round(max(rates) * max(HORIZONS_S))
    config = replace(config, exclude=others, sources=sources, num_frames=frames, stride_frames=frames)
    if fleet.shares is None:
        worldgen.ingest(args.shared / fleet.folder, out, config)
        return str(out)
    whole = args.work / name / "whole"
    if not (whole / "dataset.json").exists():
        worldgen.ingest(args.shared / fleet.folder, whole, config)
    rewrite_splits(DataSet(str(whole)), out, fleet.shares)
    return str(out)


def rewrite_splits(whole: DataSet, out: Path, shares: tuple[float, float]) -> None:
    """A data set whose first windows train and whose last are held out; those between are left out."""
    keys = sorted(row["key"] for row in whole.rows)
    with ShardWriter(str(out), "shard-0") as writer:
        for number, key in enumerate(keys):
            place = (number + 0.5) / len(keys)
            split = "train" if place < shares[0] else "val" if place > 1 - shares[1] else "test"
            writer.write(replace(whole.load(key), split=split))
    build_index(str(out))


def training_set(args: argparse.Namespace, name: str, data: str) -> str:
    """The windows that train, evenly spread over the training drives, as a data set of their own."""
    out = args.work / name / "train"
    if not (out / "dataset.json").exists():
        data_set = DataSet(data)
        keys = sorted(row["key"] for row in data_set.rows if row["split"] == "train")
        count = min(args.clips, len(keys))
        with ShardWriter(str(out), "shard-0") as writer:
            for number in range(count):
                writer.write(data_set.load(keys[number * len(keys) // count]))
        build_index(str(out))
    return str(out)


def trained(args: argparse.Namespace, name: str, data: str) -> str:
    """Train the adapter of a fleet; the folder of it."""
    output = args.work / name / "run"
    data = training_set(args, name, data)
    worldgen.train(
        CONFIGS / "train" / "finetune_lora.yaml",
        [
            f"data.urls=[{data}]", f"output={output}", f"steps={args.steps}", f"batch={args.batch}",
            f"data.num_frames={args.frames}", f"data.max_frames={args.frames}", "optim.warmup=5",
            "optim.ema_decay=0.9", "validate_every=0", "sheet_every=0", "save_every=20", "device=cpu",
        ],
        log=lambda line: print(f"{name}: {line}", file=sys.stderr, flush=True),
    )  # fmt: skip
    return str(output / "adapter")


@torch.no_grad()
def judged(args: argparse.Namespace, name: str, data: str, adapter: str) -> list[dict]:
    """Errors of each held-out window: row -> horizon -> error."""
    kept = args.work / name / "judged.json"
    if kept.exists():
        return json.loads(kept.read_text())
    codec, data_set = load_codec("shipped"), DataSet(data)
    samplers = {"shipped": Sampler.load("shipped", threads=1)}
    samplers["adapted"] = Sampler.load("shipped", adapter=adapter, threads=1)
    keys = sorted(row["key"] for row in data_set.rows if row["split"] == "val")
    count = min(args.windows, len(keys))
    rows = []
    for number in range(count):
        sample = data_set.load(keys[number * len(keys) // count])
        assert sample.ego is not None and sample.camera is not None, sample.key
        targets = {h: KNOWN - 1 + round(h * sample.clip.fps) for h in HORIZONS_S}
        row = {"key": sample.key, "copy": errors(sample, {t: sample.clip.frames[KNOWN - 1] for t in targets.values()})}
        row["reprojection"] = errors(sample, reprojected(codec, sample, list(targets.values())))
        for model, sampler in samplers.items():
            request = Conditions(
                num_frames=max(targets.values()) + 1, fps=sample.clip.fps, context=sample.clip[:KNOWN],
                ego=sample.ego[: max(targets.values()) + 1], camera=sample.camera, text=sample.caption or None,
                seed=number,
            )  # fmt: skip
            [clip] = sampler.model([request], sampler.options(steps=0, chunk=0, guidance={}))
            row[model] = errors(sample, {t: clip.frames[t] for t in targets.values()})
        rows.append(row)
        print(name, number, row, file=sys.stderr, flush=True)
    kept.write_text(json.dumps(rows) + "\n")
    return rows


def reprojected(codec, sample: Sample, targets: list[int]) -> dict[int, np.ndarray]:
    """The last known frame moved to each target by the true motion, with depth from the known frames."""
    known = ClipConditions(len(sample.clip), sample.clip.fps, None, sample.ego, sample.camera, None)
    conditions, video = batch_conditions([known], None), video_from_clips([sample.clip])
    last = KNOWN - 1
    geometry = ClipGeometry.of(video[:, :, :KNOWN], conditions, last)
    found = {}
    for target in targets:
        _, moved, _ = reproject(codec, video[:, :, last], conditions, source=last, target=target, geometry=geometry)
        found[target] = ((moved[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return found


def errors(sample: Sample, made: dict[int, np.ndarray], horizons: tuple[float, ...] = HORIZONS_S) -> dict[str, float]:
    """Root mean square error in grey values at each horizon."""
    found = {}
    for horizon, (target, frame) in zip(horizons, made.items(), strict=True):
        difference = frame.astype(np.float64) - sample.clip.frames[target]
        found[f"{horizon:g} s"] = round(float(np.sqrt(np.square(difference).mean())), 3)
    return found


def compared(rows: list[dict]) -> dict:
    """Means with 95 % intervals over windows, and paired differences of the adapted model to each other row."""
    out: dict = {}
    for horizon in (f"{h:g} s" for h in HORIZONS_S):
        values = {row: np.array([found[row][horizon] for found in rows]) for row in ROWS}
        out[horizon] = {row: mean_interval(values[row]).to_json() for row in ROWS} | {
            f"adapted minus {row}": mean_interval(values["adapted"] - values[row]).to_json() for row in ROWS[:-1]
        }
    return out


if __name__ == "__main__":
    main()

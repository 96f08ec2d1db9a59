"""Fine-tuning with logs read from pixels, with true logs and with none: does the made clip still move as commanded?

Purpose:  whether `worldgen ingest --ego from-video` is good enough to fine-tune on.
Run:      python benchmarks/pixel_logs.py SHARED/data --work WORK --out benchmarks/results/pixel_logs.json
Hardware: one CPU core, 3 GB of memory.
Time:     about 30 minutes with the settings below. WORK keeps data sets, runs and judged clips, so that the same
          command continues an interrupted run.
Expected: errors with other commands above those with the commands of the drive; of the arms, the least error with true
          logs, then with motion from pixels, then without. The differences are small: see the result.

Arms: the shipped model as it is (`shipped`), and adapters of it, trained with the same clips, steps and seed: with the
logs of the drives (`true`), with motion measured from the pixels (`pixels`), and without any motion (`none`). The
drives that are judged were in no training set of the arms. Each held-out window is continued twice from the same
recorded frames: as the drive goes on, and as another window of the drive does (`other`). Motion is read from the made
frames by the shipped motion reader, which was trained on rendered clips only. Intervals are over windows; each arm was
trained once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.samples import Conditions, Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.evaluation.measures.intervals import mean_interval, ratio_interval, shuffled, spearman_interval
from worldgen.files.config_files import load_config
from worldgen.generation.sample.sampler import Sampler
from worldgen.instruments.motion.motion_reader import MotionReader

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TRAINED = {"simulator/udacity_track_a.mp4": 102, "shippable/calgary.mp4": 34}
"""Drive -> frames from the start of one window to the next."""
HELD_OUT = {"research/kitti03_gray.mp4": 1.0, "simulator/udacity_track_b.mp4": 1.0}
"""Drive -> seconds that are made after the recorded frames."""
ARMS = ("true", "pixels", "none")
CONTEXT, WINDOW = 8, 17
"""Recorded frames that a made clip begins with, and frames of a training window."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with research/, simulator/, shippable/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/pixel_logs.json"))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--frames", type=int, default=5, help="of a training window")
    parser.add_argument("--clips", type=int, default=12, help="held-out windows of each drive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arm", default="", choices=("shipped", *ARMS), help="only this one, without the result")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    record = {
        "command": "python benchmarks/pixel_logs.py SHARED/data --work WORK",
        "settings": {name: getattr(args, name) for name in ("steps", "batch", "frames", "clips", "seed")},
        "trained_on": list(TRAINED), "held_out": list(HELD_OUT), "training": {}, "drives": {},
    }  # fmt: skip
    rows: dict[str, dict] = {}
    for arm in (args.arm,) if args.arm else ("shipped", *ARMS):
        began = time.process_time()
        adapter = ""
        if arm != "shipped":
            record["training"][arm] = {"data": training_set(args, arm), **trained(args, arm)}
            adapter = str(args.work / arm / "run" / "adapter")
        rows[arm] = judged_rows(args, arm, adapter)
        print(arm, round(time.process_time() - began), "s of CPU time", file=sys.stderr, flush=True)
    if args.arm:
        return
    for drive in HELD_OUT:
        record["drives"][Path(drive).stem] = compared({arm: rows[arm][Path(drive).stem] for arm in rows})
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["drives"], indent=1))


def training_set(args: argparse.Namespace, arm: str) -> dict[str, dict[str, int]]:
    """Ingest the training drives as the arm sees them; windows of each drive, and windows with motion."""
    found = {}
    for drive, stride in TRAINED.items():
        out = args.work / arm / Path(drive).stem
        if not (out / "dataset.json").exists():
            worldgen.ingest(args.shared / Path(drive).parent, out, arm_config(args.shared, drive, arm, stride))
        data = DataSet(str(out))
        known = sum(row["has_ego"] for row in data.rows)
        found[Path(drive).stem] = {"windows": len(data.rows), "with_motion": known}
    return found


def arm_config(shared: Path, drive: str, arm: str, stride: int) -> IngestConfig:
    """The config of the drive's folder with only this drive, in the train split, with the motion of the arm."""
    folder, name = drive.split("/")
    config = one_drive(shared, drive)
    config = replace(
        config, num_frames=WINDOW, stride_frames=stride, split=replace(config.split, train=("*",), val=(), test=())
    )
    if arm == "true":
        return config
    ego = EgoLogConfig(path="none", from_video=arm == "pixels")
    source = replace(config.sources[name], ego=ego)
    if folder == "simulator":  # the file has a constant rate; true frame times are in the log
        source = replace(source, times_file="{stem}.ego.csv")
    return replace(config, sources={name: source})


def one_drive(shared: Path, drive: str) -> IngestConfig:
    """The config of the drive's folder, which leaves out all other drives."""
    folder, name = drive.split("/")
    config = load_config(IngestConfig, [str(CONFIGS / "ingest" / f"{folder}.yaml")], ["verify=headers"])
    others = tuple(sorted(path.name for path in (shared / folder).glob("*.mp4") if path.name != name))
    return replace(config, exclude=others, sources={name: config.sources[name]})


def trained(args: argparse.Namespace, arm: str) -> dict:
    """Train the adapter of an arm; its losses, of training clips since nothing is held out of them."""
    output = args.work / arm / "run"
    urls = ",".join(str(args.work / arm / Path(drive).stem) for drive in TRAINED)
    if not (output / "adapter").exists():
        worldgen.train(
            CONFIGS / "train" / "finetune_lora.yaml",
            [
                f"data.urls=[{urls}]", f"output={output}", f"steps={args.steps}", f"batch={args.batch}",
                f"seed={args.seed}", f"data.num_frames={args.frames}", f"data.max_frames={args.frames + 4}",
                "optim.warmup=5", "optim.ema_decay=0.9", "validate_every=0", "sheet_every=0", "save_every=20",
                "device=cpu",
            ],
            log=lambda line: print(line, file=sys.stderr, flush=True),
        )  # fmt: skip
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    return {"steps": len(losses), "loss_first_10": mean(losses[:10]), "loss_last_10": mean(losses[-10:])}


def held_out(args: argparse.Namespace, drive: str) -> list[Sample]:
    """Windows of a held-out drive with their true motion, spread over the drive, those that move."""
    folder, name = drive.split("/")
    config = one_drive(args.shared, drive)
    fps = config.sources[name].fps or config.fps
    made = round(HELD_OUT[drive] * fps)
    out = args.work / "held_out" / Path(drive).stem
    if not (out / "dataset.json").exists():
        split = replace(config.split, train=(), val=(), test=("*",))
        config = replace(
            config, num_frames=CONTEXT + made, stride_frames=CONTEXT + made, min_speed_mps=1.0, split=split
        )
        worldgen.ingest(args.shared / folder, out, config)
    data = DataSet(str(out))
    keys = sorted(row["key"] for row in data.rows)
    count = min(args.clips, len(keys))
    return [data.load(keys[k * len(keys) // count]) for k in range(count)]


def judged_rows(args: argparse.Namespace, arm: str, adapter: str) -> dict[str, list[dict]]:
    """Numbers of every made clip of an arm by drive, kept in a file a drive."""
    found: dict[str, list[dict]] = {}
    for drive in HELD_OUT:
        kept = args.work / f"{arm}_{Path(drive).stem}.json"
        if not kept.exists():
            rows = list(judged_clips(args, drive, Sampler.load("shipped", adapter=adapter, threads=1)))
            kept.write_text(json.dumps(rows) + "\n")
        found[Path(drive).stem] = json.loads(kept.read_text())
    return found


def judged_clips(args: argparse.Namespace, drive: str, sampler: Sampler) -> Iterator[dict]:
    """Numbers of the windows of a held-out drive, continued with their own and with other commands."""
    reader, options = MotionReader.load(), sampler.options(steps=0, chunk=0, guidance={})
    samples = held_out(args, drive)
    partner = shuffled(len(samples), seed=args.seed)
    for number, sample in enumerate(samples):
        other = samples[int(partner[number])]
        read = reader.read(sample.clip, sample.camera)
        row = {"key": sample.key, "recorded": motion_rows(read), "log": motion_rows(sample.ego)}
        for name, ego in (("own", sample.ego), ("other", commanded(sample.ego, other.ego))):
            request = Conditions(
                num_frames=len(sample.clip), fps=sample.clip.fps, context=sample.clip[:CONTEXT], ego=ego,
                camera=sample.camera, text=sample.caption or None, seed=number,
            )  # fmt: skip
            clip = sampler.model([request], options)[0]
            row[name] = {
                "commanded": motion_rows(ego), "read": motion_rows(reader.read(clip, sample.camera)),
                "error": picture_error(clip, sample.clip),
            }  # fmt: skip
        print(drive, number, row["own"]["error"], row["other"]["error"], file=sys.stderr, flush=True)
        yield row


def commanded(own: EgoMotion, other: EgoMotion) -> EgoMotion:
    """Motion of the recorded frames, then that of another window."""
    rows = np.concatenate([own.to_array()[:CONTEXT], other.to_array()[CONTEXT:]])
    return EgoMotion.from_array(rows, own.fps)


def motion_rows(ego: EgoMotion) -> list[list[float]]:
    """Speed in m/s and yaw rate in rad/s of the made frames."""
    return [[round(float(v), 4) for v in row] for row in ego.to_array()[CONTEXT:]]


def picture_error(made: Clip, recorded: Clip) -> float:
    """Root mean square difference of the made frames from those recorded, in grey values of 0 to 255."""
    one, other = (clip.frames[CONTEXT:].astype(np.float32) for clip in (made, recorded))
    return round(float(np.sqrt(np.square(one - other).mean())), 3)


def compared(arms: dict[str, list[dict]]) -> dict:
    """All numbers of one drive with 95 % intervals over its windows: of each arm, and differences between arms."""
    windows = arms["shipped"]
    out: dict = {"windows": len(windows), "recorded": correlations([(row["log"], row["recorded"]) for row in windows])}
    for arm, rows in arms.items():
        moved = [(row[name]["commanded"], row[name]["read"]) for row in rows for name in ("own", "other")]
        own, other = (np.array([row[name]["error"] for row in rows]) for name in ("own", "other"))
        out[arm] = {
            **correlations(moved),
            "error_own": mean_interval(own).to_json(), "error_other": mean_interval(other).to_json(),
            "error_other_over_own": ratio_interval(other, own).to_json(),
        }  # fmt: skip
    for one, two in (("pixels", "true"), ("pixels", "none"), ("true", "none"), ("true", "shipped")):
        pairs = list(zip(arms[one], arms[two], strict=True))
        out[f"{one} minus {two}"] = {
            "error_own": mean_interval([a["own"]["error"] - b["own"]["error"] for a, b in pairs]).to_json(),
            **{
                f"{name}_error": mean_interval([misses(a, k) - misses(b, k) for a, b in pairs]).to_json()
                for k, name in enumerate(("speed", "yaw_rate"))
            },
        }  # fmt: skip
    return out


def correlations(pairs: list[tuple[list, list]]) -> dict:
    """Rank correlations of commanded and read rows of clips."""
    return {
        f"{name}_spearman": spearman_interval(
            [np.array(one)[:, column] for one, _ in pairs], [np.array(two)[:, column] for _, two in pairs]
        ).to_json()
        for column, name in enumerate(("speed", "yaw_rate"))
    }


def misses(row: dict, column: int) -> float:
    """Mean absolute difference of read from commanded motion of both clips of a window. column: 0 speed, 1 yaw rate."""
    return float(
        np.mean([
            np.abs(np.array(row[name]["read"])[:, column] - np.array(row[name]["commanded"])[:, column]).mean()
            for name in ("own", "other")
        ])
    )  # fmt: skip


def mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)


if __name__ == "__main__":
    main()

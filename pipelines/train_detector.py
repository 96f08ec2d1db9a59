"""Train the detector that reads road users back from pixels, and measure it on clips it has not seen.

  python pipelines/train_detector.py SHARDS --out assets/instruments/detector --state runs/detector [--steps 2000]

SHARDS: as written by ``worldgen scenes render --count 720``. Trains on the train split and measures on test and val
(add more held-out clips with --held-out URL). A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from worldgen.cli.progress import progress
from worldgen.data.index import DataSet
from worldgen.evaluation.augmentation import AugmentConfig
from worldgen.evaluation.average_precision import SIZES, SLICES, judge
from worldgen.evaluation.detector import GROUPS, load_detector, save_detector
from worldgen.evaluation.detector_training import DetectorTraining, train_detector
from worldgen.evaluation.instruments import save_accuracy
from worldgen.evaluation.pictures import MIN_HEIGHT_PX, Pictures, find_in, pictures_of

RARE = {1: 1.0, 2: 4.0}
"""Group number -> how much more often a picture with it is drawn: cyclists are in few pictures."""


def load(url: str, splits: tuple[str, ...], *, every: int) -> Pictures:
    parts = [DataSet(url).select(split) for split in splits]
    samples = [(part, number) for part in parts for number in range(len(part))]
    return pictures_of(
        (part.load(number) for part, number in progress(samples, desc=f"read {'+'.join(splits)}")), every=every
    )


def shares(pictures: Pictures) -> np.ndarray:
    weight = np.full(len(pictures), 1.0)
    for group, more in RARE.items():
        rows = (pictures.boxes.group == group) & ~pictures.boxes.ignore
        weight[np.unique(pictures.boxes.picture_index[rows])] += more
    return weight / weight.sum()


def train(args: argparse.Namespace) -> None:
    kept = args.state / "pictures.npz"
    if kept.exists():
        pictures = Pictures.load(str(kept))
    else:
        pictures = load(args.data, ("train",), every=4)
        pictures.save(str(kept))
    config = DetectorTraining(
        steps=args.steps, batch=8, ema=0.996, augment=AugmentConfig(zoom=0.3, max_zoom=1.3, light=0.5, softness=0.35)
    )
    start_s, sums = time.monotonic(), {}

    def report(step: int, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            sums.setdefault(name, []).append(value)
        if step % 50 == 0:
            means = {name: round(float(np.mean(values[-50:])), 4) for name, values in sums.items()}
            used = round(time.process_time())
            print(f"step {step} {means} {time.monotonic() - start_s:.0f} s, {used} s of CPU", flush=True)

    detector = train_detector(pictures, config, shares=shares(pictures), folder=args.state, report=report)
    args.out.mkdir(parents=True, exist_ok=True)
    save_detector(detector, args.out)


def measure(args: argparse.Namespace) -> None:
    parts = [load(args.data, ("test", "val"), every=args.every)]
    if args.held_out:
        parts.append(load(args.held_out, ("train", "val", "test"), every=args.every))
    pictures = Pictures.joined(parts)
    found = find_in(load_detector(args.out), pictures)
    sizes = judge(pictures, found, slices=SIZES)
    judged = judge(pictures, found, slices=SLICES)
    save_accuracy(args.out, {
        "accuracy": {
            f"ap50_{group}_{piece.name}": sizes.interval(piece.name, group).to_json()
            for piece in SIZES for group in GROUPS
        },
        "slices": judged.to_json(), "min_height_px": MIN_HEIGHT_PX, "clips": pictures.num_clips,
        "pictures": len(pictures), "data": pictures.digest(),
        "command": "python pipelines/train_detector.py " + " ".join(
            Path(word).name if word.startswith("/") else word for word in sys.argv[1:]
        ),
    })  # fmt: skip
    print((args.out / "accuracy.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="SHARDS")
    parser.add_argument(
        "--held-out", default="", metavar="URL", help="more rendered clips of other seeds to measure on"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--every", type=int, default=3, help="measure on every so many frames (default 3)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=("train", "measure"))
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    torch.set_num_threads(args.threads)
    if args.only != "measure":
        train(args)
    if args.only != "train":
        measure(args)


if __name__ == "__main__":
    main()

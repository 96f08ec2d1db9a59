"""Train the detector of road users, and measure it on held-out clips.

  python pipelines/train_detector.py SHARDS ... --out assets/instruments/detector --state runs/detector [--steps 2000]

SHARDS: as written by ``worldgen scenes render --renderer sketch --count 720``; more sets may follow. It trains on the
train splits. It
measures on test and val of the first set (of the first N with --measured N; --held-out URL ... adds held-out clips),
and on those of the first set alone. A run that was stopped continues. ``pipelines/train_detector.sh`` has the commands
behind the shipped weights.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from worldgen.cli.terminal import progress
from worldgen.data.dataset.index import DataSet
from worldgen.evaluation.measures.average_precision import SIZES, SLICES, judge
from worldgen.instruments.augmentation import AugmentConfig
from worldgen.instruments.detector.detector import GROUPS, DetectorConfig, load_detector, save_detector
from worldgen.instruments.detector.detector_training import DetectorTraining, train_detector
from worldgen.instruments.detector.pictures import MIN_HEIGHT_PX, Pictures, find_in, pictures_of
from worldgen.instruments.instrument_files import save_accuracy, stored_instrument

RARE = {1: 1.0, 2: 4.0}
"""Group -> weight added to a picture that shows it, because few pictures show cyclists."""


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


def joined(args: argparse.Namespace) -> Pictures:
    """The training pictures of all data sets, each with its own step between frames; they are kept beside the state."""
    kept = args.state / "pictures.npz"
    args.state.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        return Pictures.load(str(kept))
    steps = args.train_every * len(args.data) if len(args.train_every) == 1 else args.train_every
    parts = [load(url, ("train",), every=every) for url, every in zip(args.data, steps, strict=True)]
    pictures = Pictures.joined(parts)
    pictures.save(str(kept))
    return pictures


def train(args: argparse.Namespace) -> None:
    pictures = joined(args)
    share, least, most = args.zoom
    augment = AugmentConfig(zoom=share, max_zoom=most, least_zoom=least, light=0.5, softness=0.35)
    config = DetectorTraining(
        steps=args.steps, batch=8, ema=args.ema, hold=args.hold, spread=args.spread, crops=args.crops, seed=args.seed,
        learning_rate=args.learning_rate, augment=augment, model=DetectorConfig(depths=tuple(args.depths)),
    )  # fmt: skip
    start = stored_instrument(args.start).tensors if args.start else None
    start_s, sums = time.monotonic(), {}

    def report(step: int, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            sums.setdefault(name, []).append(value)
        if step % 50 == 0:
            means = {name: round(float(np.mean(values[-50:])), 4) for name, values in sums.items()}
            used = round(time.process_time())
            print(f"step {step} {means} {time.monotonic() - start_s:.0f} s, {used} s of CPU", flush=True)

    detector = train_detector(
        pictures, config, shares=shares(pictures), start=start, folder=args.state, after_step=report
    )
    args.out.mkdir(parents=True, exist_ok=True)
    save_detector(detector, args.out)


def measure(args: argparse.Namespace) -> None:
    parts = [load(url, ("test", "val"), every=args.every) for url in args.data[: args.measured]]
    parts += [load(url, ("train", "val", "test"), every=args.every) for url in args.held_out]
    pictures, detector = Pictures.joined(parts), load_detector(args.out)
    found = find_in(detector, pictures)
    alone = judge(parts[0], find_in(detector, parts[0]), slices=SIZES)
    sizes = judge(pictures, found, slices=SIZES)
    judged = judge(pictures, found, slices=SLICES)
    save_accuracy(args.out, {
        "accuracy": {
            f"ap50_{group}_{piece.name}": sizes.interval(piece.name, group).to_json()
            for piece in SIZES for group in GROUPS
        },
        "first_set_alone": {
            f"ap50_{group}_{piece.name}": alone.interval(piece.name, group).to_json()
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
    parser.add_argument("data", metavar="SHARDS", nargs="+")
    parser.add_argument(
        "--held-out", default=[], nargs="*", metavar="URL", help="more rendered clips of other seeds to measure on"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--start", type=Path, help="start from the weights of this folder (default: random)")
    parser.add_argument(
        "--depths", type=int, nargs=3, default=DetectorConfig().depths, help="residual blocks by stride"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--hold", type=float, default=0.0, help="share of steps at the full rate (default 0)")
    parser.add_argument("--ema", type=float, default=0.996)
    parser.add_argument("--spread", type=float, default=0.0, help="least sigma of the heat map's bumps, in cells")
    parser.add_argument("--crops", type=float, default=0.0, help="share of steps on square crops around objects")
    zooms = {"default": (0.3, 0.0, 1.3), "metavar": ("SHARE", "LEAST", "MOST")}
    parser.add_argument("--zoom", type=float, nargs=3, help="share of pictures, limits (LEAST 0: 1 / MOST)", **zooms)
    parser.add_argument("--train-every", type=int, nargs="+", default=[4], help="one, or one per data set (default 4)")
    parser.add_argument("--measured", type=int, default=1, help="measure on so many of SHARDS (default: the first)")
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

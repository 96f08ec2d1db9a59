"""Train the motion reader on rendered clips and record its accuracy.

Purpose: the instrument of `worldgen eval control`. Hardware: one CPU core. Time: about 6 minutes of CPU.

    worldgen scenes render --renderer sketch --count 720 --seed 100000 --grid weather,light,event --out scenes
    worldgen scenes render --renderer sketch --count 480 --seed 1000000 --grid weather,light,road,manoeuvre --out turns
    python pipelines/train_motion.py scenes turns --out assets/instruments/motion

Expected: rank correlations of at least 0.95 in accuracy.json; a reader below that is refused.
"""

from __future__ import annotations

import argparse
import sys
import time

import cv2
import torch
from instrument_training.motion_accuracy import accuracy_record
from instrument_training.motion_training import MotionTraining, Pairs, train_motion
from instrument_training.rendered_samples import samples_of

from worldgen.instruments.instrument_files import save_accuracy, save_weights, stored_instrument
from worldgen.instruments.motion.motion_reader import MotionConfig, config_record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="data sets of rendered clips")
    parser.add_argument("--real", nargs="*", default=[], help="data sets of real clips with ego motion, to measure on")
    parser.add_argument("--out", default="assets/instruments/motion")
    parser.add_argument("--steps", type=int, default=MotionTraining.steps)
    parser.add_argument("--rate", type=float, default=MotionTraining.learning_rate, help="peak learning rate")
    parser.add_argument("--resume", default="", metavar="DIR", help="start from the weights in this folder")
    parser.add_argument("--held-out", nargs="*", default=[], help="sets to measure on (default: those to train on)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure-only", action="store_true", help="record the accuracy of existing weights")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    if not args.measure_only:
        train(args)
    real = samples_of(args.real, ("train", "val", "test"))
    record = accuracy_record(args.out, samples_of(args.held_out or args.data, ("val", "test")), real)
    save_accuracy(args.out, record | {"command": "python pipelines/train_motion.py", "steps": args.steps})
    print({name: row["value"] for name, row in record["accuracy"].items()})


def train(args: argparse.Namespace) -> None:
    """Compute flow for some frames of each training clip, train, store the weights."""
    training, config = MotionTraining(steps=args.steps, learning_rate=args.rate), MotionConfig()
    weights = stored_instrument(args.resume).tensors if args.resume else None
    start_s = time.process_time()
    pairs = Pairs.of(samples_of(args.data, ("train",)), training)
    print(f"{len(pairs.motion)} pairs, {time.process_time() - start_s:.0f} CPU s", file=sys.stderr, flush=True)

    def report(step: int, loss: float, weights: dict) -> None:
        print(f"step {step}, loss {loss:.4f}, {time.process_time() - start_s:.0f} CPU s", file=sys.stderr, flush=True)
        if step % 500 == 0:
            save_weights(args.out, config_record(config), weights)

    network = train_motion(pairs, training, config=config, weights=weights, after_step=report)
    save_weights(args.out, config_record(config), network.state_dict())


if __name__ == "__main__":
    main()

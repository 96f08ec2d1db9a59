"""Train the attribute reader on rendered clips and record its accuracy.

Purpose: the instrument of `worldgen eval attributes`. Hardware: one CPU core. Time: about 10 minutes of CPU.

    worldgen scenes render --renderer sketch --count 720 --seed 100000 --grid weather,light,event --out scenes
    worldgen scenes render --renderer sketch --count 480 --seed 1000000 --grid weather,light,road,manoeuvre --out turns
    python pipelines/train_attributes.py scenes turns --out assets/instruments/attributes

Expected: at least 0.95 for every attribute in accuracy.json; an attribute below that is not judged.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from instrument_training.attributes_accuracy import accuracy_record
from instrument_training.attributes_training import AttributeTraining, Windows, train_attributes
from instrument_training.rendered_samples import samples_of

from worldgen.instruments.attributes.attribute_reader import AttributeConfig, config_record
from worldgen.instruments.instrument_files import ACCURACY_NAME, save_accuracy, save_weights, stored_instrument


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="data sets of rendered clips")
    parser.add_argument("--out", default="assets/instruments/attributes")
    parser.add_argument("--detector", default="", help="the detector that reads presence (default: the shipped one)")
    parser.add_argument("--steps", type=int, default=AttributeTraining.steps)
    parser.add_argument("--rate", type=float, default=AttributeTraining.learning_rate, help="peak learning rate")
    parser.add_argument("--resume", default="", metavar="DIR", help="start from the weights in this folder")
    parser.add_argument("--held-out", nargs="*", default=[], help="sets to measure on (default: those to train on)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure-only", action="store_true", help="record the accuracy of existing weights")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # A measurement keeps the record of how the weights were trained.
    trained = earlier(args.out, "steps") if args.measure_only else {"steps": args.steps}
    presence = earlier(args.resume or args.out, "presence").get("presence") or {}
    if not args.measure_only:
        train(args)
    val, test = (samples_of(args.held_out or args.data, (split,)) for split in ("val", "test"))
    record = accuracy_record(args.out, val, test, detector=args.detector or None, thresholds=presence.get("thresholds"))
    save_accuracy(args.out, record | {"command": "python pipelines/train_attributes.py", **trained})
    print({name: row["value"] for name, row in record["accuracy"].items()})


def earlier(folder: str, name: str) -> dict:
    """An entry of the stored accuracy of ``folder`` under its name; {} where there is none yet."""
    path = Path(folder) / ACCURACY_NAME
    record = json.loads(path.read_text()) if path.is_file() else {}
    return {name: record[name]} if name in record else {}


def train(args: argparse.Namespace) -> None:
    """Read the training windows into memory (about 0.26 MB each), train, store the weights."""
    training, config = AttributeTraining(steps=args.steps, learning_rate=args.rate), AttributeConfig()
    weights = stored_instrument(args.resume).tensors if args.resume else None
    data = Windows.of(samples_of(args.data, ("train",)), training.windows)
    print(f"{len(data.frames)} windows", file=sys.stderr, flush=True)
    start_s = time.process_time()

    def report(step: int, loss: float, weights: dict) -> None:
        print(f"step {step}, loss {loss:.4f}, {time.process_time() - start_s:.0f} CPU s", file=sys.stderr, flush=True)
        if step % 200 == 0:
            save_weights(args.out, config_record(config), weights)

    network = train_attributes(data, training, config=config, weights=weights, after_step=report)
    save_weights(args.out, config_record(config), network.state_dict())


if __name__ == "__main__":
    main()

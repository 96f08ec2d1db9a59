"""Sample clips of a small Wan VACE on scenes that it was not trained on, as a data set that `worldgen eval` judges.

    python pipelines/sample_tiny_vace.py model --clips 12 --out set

Each clip is made by the Python API as `worldgen sample --model model` makes it; `pipelines/tiny_vace.sh` runs it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

import torch

import worldgen
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter

PROMPTS = (
    "a car ahead on a city street by day", "two cars on a highway by day", "a truck on a country road in fog",
    "a bus on a suburban street in rain", "cars at an intersection at dusk", "a car on a highway in snow",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--out", required=True)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = worldgen.load(args.model)
    fields = [field.name for field in dataclasses.fields(Sample)]
    with ShardWriter(args.out, "clips") as writer:
        for number in range(args.clips):
            made = model.sample(
                PROMPTS[number % len(PROMPTS)], seed=1000 + number, frames=args.frames, fps=8.0, size=(96, 64),
                steps=args.steps, controls=["depth"],
            )  # fmt: skip
            sample = Sample(**{name: getattr(made, name) for name in fields})
            writer.write(dataclasses.replace(sample, key=f"tiny_{number:03d}", drive=f"tiny_{number:03d}"))
            print(f"clip {number + 1} of {args.clips}", file=sys.stderr, flush=True)
    build_index(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Draw the scenes on which the instruments are trained: short windows, mostly ray-cast and painted, at mixed sizes.

Purpose: training data of the verifier, the attribute reader, the detector and the motion reader.
Hardware: one CPU core. Time: about 1.5 s of CPU for a scene of three windows of three frames.

    python pipelines/instrument_sets.py --count 480 --seed 7000000 --out windows

The same command continues a run that was stopped; --minutes ends it after the shard that passes that CPU time.
"""

from __future__ import annotations

import argparse
import sys
import time

import cv2
import torch
from instrument_training.drawn_windows import scenarios, window_sample

from worldgen.core.errors import InputError
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.published import shard_is_sound
from worldgen.data.dataset.shards import ShardWriter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=7_000_000)
    parser.add_argument("--windows", type=int, default=3, help="windows of 3 frames of each scene (default 3)")
    parser.add_argument("--look", choices=("mixed", "shipped", "sketch"), default="mixed")
    parser.add_argument("--split", choices=("train", "val", "test"), default="train")
    parser.add_argument("--shard-size", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this CPU time")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    every = scenarios(args.count, args.seed)
    for start in range(0, len(every), args.shard_size):
        name = f"windows-s{args.seed}-{start // args.shard_size:05d}"
        if shard_is_sound(args.out, f"{name}.tar"):
            continue
        if time.process_time() > 60 * args.minutes:
            break
        with ShardWriter(args.out, name) as writer:
            for k in range(start, min(start + args.shard_size, len(every))):
                try:
                    seed = args.seed + k
                    sample = window_sample(every[k], seed, windows=args.windows, looks=args.look, split=args.split)
                    writer.write(sample)
                except InputError as error:
                    print(f"left out: {error}", file=sys.stderr)
        print(f"{name}: {len(writer)} scenes, {time.process_time():.0f} CPU s", file=sys.stderr, flush=True)
    print(build_index(args.out)["num_samples"], "scenes")


if __name__ == "__main__":
    main()

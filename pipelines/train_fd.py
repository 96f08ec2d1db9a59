"""Train fd-worldgen, the feature network of 'worldgen eval fvd --extractor fd-worldgen', without labels.

    python pipelines/train_fd.py DATASET... --out assets/instruments/fd [--limit N] [--seed 0]

DATASET: folders of shards; only their train split is used, N clips of each (default 160). The convolutions are random
and fixed; the linear map from them to features is solved so that views of a clip agree, clips differ and known damage
is visible. It takes under a minute on one core. It writes the weights, config.json and training.json;
pipelines/check_fd.py validates them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from worldgen.core.seeds import numpy_rng
from worldgen.data.dataset.index import DataSet
from worldgen.data.video.reading import decode_mp4
from worldgen.evaluation.distances.selfsupervised import ClipEncoder, EncoderConfig, save_encoder, settle, solve_views
from worldgen.evaluation.measures.corruptions import TAUGHT, corrupt

STORED = (112, 64)
"""Width and height of the stored clips, a little more than the network's input, for crops."""
VIEWS = 3
DAMAGED = 3
"""Damaged views of each clip."""
LEAST_CROP = 0.86
BATCH = 32
SETTLING = 96
"""Views from which the statistics of the normalisation layers are computed."""


def load_clips(urls: list[str], limit: int) -> list[np.ndarray]:
    """Clips of the train splits, ``limit`` of each spread evenly, each ``(T, h, w, 3)`` uint8 at the stored size."""
    clips = []
    for url in urls:
        data = DataSet(url).select("train")
        for number in np.linspace(0, len(data) - 1, min(limit, len(data))).astype(int).tolist():
            frames = decode_mp4(data.member(number, "mp4")).frames
            clips.append(np.stack([cv2.resize(f, STORED, interpolation=cv2.INTER_AREA) for f in frames]))
    return clips


def view(clip: np.ndarray, config: EncoderConfig, rng: np.random.Generator) -> np.ndarray:
    """A random span and crop of a clip, at the network's size; colours are unchanged, because features must show
    them."""
    start = rng.integers(0, len(clip) - config.frames + 1)
    scale = rng.uniform(LEAST_CROP, 1.0)
    w, h = round(STORED[0] * scale), round(STORED[1] * scale)
    x, y = rng.integers(0, STORED[0] - w + 1), rng.integers(0, STORED[1] - h + 1)
    part = clip[start : start + config.frames, y : y + h, x : x + w]
    return np.stack([cv2.resize(f, (config.width_px, config.height_px), interpolation=cv2.INTER_AREA) for f in part])


def tensor(views: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(views)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


@torch.no_grad()
def described(encoder: ClipEncoder, views: list[np.ndarray]) -> np.ndarray:
    parts = [encoder.describe(tensor(views[i : i + BATCH])) for i in range(0, len(views), BATCH)]
    return torch.cat(parts).double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--out", default="assets/instruments/fd")
    parser.add_argument("--limit", type=int, default=160, help="clips of each data set")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(args.seed)
    rng = numpy_rng("fd-worldgen", args.seed)
    config = EncoderConfig(taught=TAUGHT)
    clips = load_clips(args.datasets, args.limit)
    print(f"{len(clips)} clips, {time.process_time():.0f} s", flush=True)
    encoder = ClipEncoder(config)
    views = [view(clip, config, rng) for clip in clips for _ in range(VIEWS)]
    settle(encoder, tensor([views[i] for i in rng.permutation(len(views))[:SETTLING]]))
    clean = described(encoder, views).reshape(len(clips), VIEWS, -1)
    print(f"views described, {time.process_time():.0f} s", flush=True)
    sources = [(clip, part) for clip in range(len(clips)) for part in range(DAMAGED)]
    kinds = [TAUGHT[i % len(TAUGHT)] for i in range(len(sources))]
    spoilt = [
        corrupt(views[clip * VIEWS + part % VIEWS], kind, rng.uniform(0.1, 1.0), rng)
        for (clip, part), kind in zip(sources, kinds, strict=True)
    ]
    changes = described(encoder, spoilt) - np.stack([clean[clip, part % VIEWS] for clip, part in sources])
    matrix, bias = solve_views(clean, changes, config.features)
    with torch.no_grad():
        encoder.out.weight.copy_(torch.from_numpy(matrix))
        encoder.out.bias.copy_(torch.from_numpy(bias))
    save_encoder(encoder, args.out)
    record = {
        "method": "random convolutions, linear map solved from views and damage", "clips": len(clips), "views": VIEWS,
        "damaged_views": len(sources), "weights": sum(p.numel() for p in encoder.parameters()), "seed": args.seed,
        "cpu_seconds": round(time.process_time(), 1), "datasets": [Path(url).name for url in args.datasets],
    }  # fmt: skip
    (Path(args.out) / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()

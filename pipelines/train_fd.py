"""Train fd-worldgen, the feature network of 'worldgen eval fvd --extractor fd-worldgen', without labels.

    python pipelines/train_fd.py DATASET... --out assets/instruments/fd [--minutes 4] [--seed 0]

DATASET: folders of shards; only their train split is used. CPU, one thread; the time is processor time. Two parts of a
clip shall look alike (VICReg), and the strength of known damage shall be told. Writes the weights, config.json and
training.json; pipelines/check_fd.py measures what they are good for.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from worldgen.core.seeds import numpy_rng
from worldgen.data.index import DataSet
from worldgen.data.video import decode_mp4
from worldgen.evaluation.corruptions import TAUGHT, corrupt
from worldgen.evaluation.selfsupervised import (
    ClipEncoder,
    EncoderConfig,
    Pretext,
    save_encoder,
    strengths_loss,
    vicreg_loss,
)

STORED = (112, 64)
"""Width and height that clips are kept at: a little more than the network sees, for crops."""
BATCH = 16
LEARNING_RATE = 1.5e-3
SAVE_EVERY_S = 20.0
CLEAN_SHARE = 0.2
STRENGTHS_WEIGHT = 20.0


def load_clips(urls: list[str]) -> np.ndarray:
    """All clips of the train splits, ``(N, T, h, w, 3)`` uint8 at the stored size, T = 25."""
    clips = []
    for url in urls:
        data = DataSet(url).select("train")
        for number in range(len(data)):
            frames = decode_mp4(data.member(number, "mp4")).frames[:25]
            if len(frames) == 25:
                clips.append(np.stack([cv2.resize(f, STORED, interpolation=cv2.INTER_AREA) for f in frames]))
    return np.stack(clips)


def view(clip: np.ndarray, config: EncoderConfig, rng: np.random.Generator) -> np.ndarray:
    """A part of a clip in time and a crop of it, at the network's size; looks are left alone, for they matter."""
    start = rng.integers(0, len(clip) - config.frames + 1)
    scale = rng.uniform(0.86, 1.0)
    w, h = round(STORED[0] * scale), round(STORED[1] * scale)
    x, y = rng.integers(0, STORED[0] - w + 1), rng.integers(0, STORED[1] - h + 1)
    part = clip[start : start + config.frames, y : y + h, x : x + w]
    return np.stack([cv2.resize(f, (config.width_px, config.height_px), interpolation=cv2.INTER_AREA) for f in part])


def damaged(frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A view with one or two kinds of damage, and the strength of each kind."""
    strengths = np.zeros(len(TAUGHT), np.float32)
    if rng.random() > CLEAN_SHARE:
        for kind in rng.permutation(len(TAUGHT))[: rng.integers(1, 3)]:
            strengths[kind] = rng.uniform(0.05, 1.0)
            frames = corrupt(frames, TAUGHT[kind], float(strengths[kind]), rng)
    return frames, strengths


def tensor(views: list[np.ndarray]) -> torch.Tensor:
    video = torch.from_numpy(np.stack(views)).permute(0, 4, 1, 2, 3).float()
    return (video / 127.5 - 1).contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--out", default="assets/instruments/fd")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(args.seed)
    rng = numpy_rng("fd-worldgen", args.seed)
    clips = load_clips(args.datasets)
    config = EncoderConfig(taught=TAUGHT)
    encoder, heads = ClipEncoder(config), Pretext(config)
    weights = sum(p.numel() for p in encoder.parameters())
    print(f"{len(clips)} clips, {weights:,} weights", flush=True)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], LEARNING_RATE, weight_decay=1e-4)
    start_s, budget_s, saved_s, step, log = time.process_time(), args.minutes * 60, 0.0, 0, []
    while (spent_s := time.process_time() - start_s) < budget_s:
        rate = LEARNING_RATE * min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * spent_s / budget_s))
        for group in optimiser.param_groups:
            group["lr"] = max(rate, 1e-5)
        chosen = clips[rng.permutation(len(clips))[:BATCH]]
        views = [view(clip, config, rng) for _ in range(2) for clip in chosen]
        spoilt = [damaged(view(clip, config, rng), rng) for clip in chosen]
        features = encoder(tensor([*views, *(frames for frames, _ in spoilt)]))
        one, two = heads.projector(features[: 2 * BATCH]).chunk(2)
        agree = vicreg_loss(one, two)
        truth = torch.from_numpy(np.stack([s for _, s in spoilt]))
        truth = torch.cat([torch.zeros(BATCH, len(TAUGHT)), truth])
        told = strengths_loss(heads.strengths(features[BATCH:]), truth)
        optimiser.zero_grad(set_to_none=True)
        (agree + STRENGTHS_WEIGHT * told).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        optimiser.step()
        step += 1
        log.append({"step": step, "vicreg": round(agree.item(), 4), "strengths": round(told.item(), 4)})
        if step % 20 == 0:
            recent = {k: round(float(np.mean([line[k] for line in log[-20:]])), 4) for k in ("vicreg", "strengths")}
            print(f"step {step}, {spent_s:.0f} s: {recent}", flush=True)
        if spent_s - saved_s > SAVE_EVERY_S:
            save_encoder(encoder, args.out)
            saved_s = spent_s
    save_encoder(encoder, args.out)
    record = {
        "steps": step, "batch": BATCH, "clips": len(clips), "weights": weights, "seed": args.seed,
        "cpu_minutes": round((time.process_time() - start_s) / 60, 2), "datasets": [Path(u).name for u in args.datasets],
        "curve": log[:: max(1, len(log) // 50)],
    }  # fmt: skip
    (Path(args.out) / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

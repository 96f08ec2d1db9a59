"""Train the box verifier on rendered clips.

  python pipelines/train_verifier.py SHARDS --out assets/instruments/verifier [--minutes 3]

SHARDS: as written by ``worldgen scenes render --count 720``. Trains on the train split, measures on val and test, one
thread. Minutes are of processor time.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from worldgen.cli.progress import progress
from worldgen.core.labels import CLASSES
from worldgen.core.seeds import numpy_rng
from worldgen.data.index import DataSet
from worldgen.data.page import spread
from worldgen.evaluation.detector import box_iou
from worldgen.evaluation.verifier import NONE, Verifier, crop, save_verifier, to_input, verify

MASKED = -100
SAME, OTHER = 0.5, 0.25


class Boxes:
    """Frames with their visible boxes, in memory."""

    def __init__(self, url: str, split: str, every: int, limit: int = 1_000_000):
        data = DataSet(url).select(split)
        self.frames, self.rows = [], []
        for number in progress(spread(len(data), limit), desc=f"read {split}"):
            sample = data.load(number)
            for f in range(number % every, len(sample.clip), every):
                labels = sample.labels.at(f)
                size = labels.box_px[:, 2:] - labels.box_px[:, :2]
                seen = (labels.visible_fraction > 0.05) & (size.min(1) >= 2)
                good = (
                    seen & ~labels.ignore & (labels.visible_fraction >= 0.3) & (size.max(1) >= 7) & (size.min(1) >= 3)
                )
                self.frames.append(sample.clip.frames[f])
                self.rows.append((labels.box_px[seen], labels.class_id[seen], good[seen]))
        place = [(f, r) for f, (_, _, good) in enumerate(self.rows) for r in np.flatnonzero(good)]
        self.place = np.array(place)
        self.classes = np.array([self.rows[f][1][r] for f, r in place])
        counts = np.bincount(self.classes, minlength=len(CLASSES))
        weight = 1 / np.sqrt(np.maximum(counts, 1))[self.classes]
        self.reach = np.cumsum(weight) / weight.sum()

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, int, float]:
        """A crop, its class (``MASKED`` where nobody can say) and the fit of its box."""
        f, r = self.place[min(np.searchsorted(self.reach, rng.random()), len(self.place) - 1)]
        box = self.rows[f][0][r].astype(float).copy()
        kind = rng.random()
        size = box[2:] - box[:2]
        if kind < 0.35:  # as a careful hand or a moving object has it
            box += rng.normal(0, 0.05, 4) * np.tile(size, 2)
        elif kind < 0.7:  # off by a part of itself
            shift = rng.uniform(-1.2, 1.2, 2) * size
            box = np.concatenate([box[:2], box[2:]]) + np.tile(shift, 2) * rng.choice((0.5, 1.0))
            box += rng.normal(0, 0.1, 4) * np.tile(size, 2)
        elif kind < 0.85:  # in another picture
            f = rng.integers(len(self.frames))
        else:  # somewhere in this picture
            height, width = self.frames[f].shape[:2]
            centre = np.array([rng.uniform(0, width), np.clip(rng.normal(0.5, 0.15), 0.1, 0.9) * height])
            size = size * rng.uniform(0.5, 1.5)
            box = np.concatenate([centre - size / 2, centre + size / 2])
        box[2:] = np.maximum(box[2:], box[:2] + 2)
        boxes, classes, good = self.rows[f]
        name, fit = NONE, 0.0
        if len(boxes):
            overlap = box_iou(box[None].astype(np.float32), boxes)[0]
            best = int(overlap.argmax())
            fit = float(overlap[best])
            name = int(classes[best]) if fit >= SAME else NONE if fit < OTHER else MASKED
            if fit >= OTHER and not good[best]:
                name = MASKED
        return augmented(crop(self.frames[f], box), rng), name, fit


def augmented(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Softer, coarser, noisier, brighter or darker, mirrored: pictures of a model are none of the renderer's."""
    picture = patch[..., :3]
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.15:
        side = int(rng.integers(16, 36))
        picture = cv2.resize(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), patch.shape[:2])
    if rng.random() < 0.5:
        levels = picture.astype(np.float32)
        levels = levels * rng.uniform(0.75, 1.3) + rng.uniform(-15, 15) + rng.normal(0, 5, 3)
        levels += rng.normal(0, rng.uniform(0, 8), levels.shape)
        picture = np.clip(levels, 0, 255).astype(np.uint8)
    patch = np.concatenate([picture, patch[..., 3:]], 2)
    return patch[:, ::-1] if rng.random() < 0.5 else patch


def train(data: Boxes, minutes: float, batch: int, out: Path) -> tuple[Verifier, int]:
    torch.manual_seed(0)
    rng = numpy_rng("verifier", 0)
    verifier = Verifier().to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(verifier).requires_grad_(False)
    optimizer = torch.optim.AdamW(verifier.parameters(), lr=2e-3, weight_decay=0.02)
    start_s, step = time.process_time(), 0
    while (share := (time.process_time() - start_s) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
        crops, names, fits = zip(*(data.draw(rng) for _ in range(batch)), strict=True)
        x = to_input(np.stack(crops)).to(memory_format=torch.channels_last)
        logits, fit = verifier(x)
        loss = F.cross_entropy(logits, torch.tensor(names), ignore_index=MASKED, label_smoothing=0.02)
        loss = loss + F.binary_cross_entropy_with_logits(fit, torch.tensor(fits))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        for kept, now in zip(mean.state_dict().values(), verifier.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(now, max(0.01, 1 / (step + 1)))
        if step % 50 == 0:
            print(f"step {step}  {share:.2f}  loss {float(loss.detach()):.4f}", flush=True)
            save_verifier(mean, out)
        step += 1
    return mean.eval(), step


def measure(verifier: Verifier, url: str, split: str) -> dict:
    """Accuracy by class on true boxes, and how well fit separates boxes from the same boxes shifted by half a side."""
    from worldgen.core.clip import Clip

    data = Boxes(url, split, every=6)
    counts = np.zeros((len(CLASSES), NONE + 1), int)
    fits, shifted = [], []
    rng = numpy_rng("verifier measure", split)
    for number, (boxes, classes, good) in enumerate(data.rows):
        if not good.any():
            continue
        clip, boxes = Clip(data.frames[number][None], 8.0), boxes[good]  # noqa: PLW2901
        at = np.zeros(len(boxes), int)
        answer, fit = verify(verifier, clip, at, boxes)
        np.add.at(counts, (classes[good], answer.argmax(1)), 1)
        angle = rng.uniform(0, 2 * np.pi, len(boxes))
        step = 0.5 * np.stack([np.cos(angle), np.sin(angle)], 1) * (boxes[:, 2:] - boxes[:, :2])
        fits += fit.tolist()
        shifted += verify(verifier, clip, at, boxes + np.tile(step, 2).astype(np.float32))[1].tolist()
    threshold = float(np.quantile(fits, 0.05))
    right = {name: [int(counts[i, i]), int(counts[i].sum())] for i, name in enumerate(CLASSES)}
    return {
        "boxes": int(counts.sum()), "right_by_class": right, "right": round(float(np.trace(counts[:, :NONE]) / counts.sum()), 4),
        "called_nothing": round(float(counts[:, NONE].sum() / counts.sum()), 4),
        "shifted_by_half_below_5_percent_of_true": round(float(np.mean(np.array(shifted) < threshold)), 4),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--clips", type=int, default=1_000_000, help="read at most this many clips of the train split")
    parser.add_argument("--batch", type=int, default=192)
    args = parser.parse_args()
    torch.set_num_threads(1)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    data = Boxes(args.shards, "train", every=4, limit=args.clips)
    print(
        f"{len(data.frames)} frames, {len(data.place)} boxes",
        dict(zip(CLASSES, np.bincount(data.classes, minlength=len(CLASSES)).tolist(), strict=True)),
    )
    verifier, steps = train(data, args.minutes, args.batch, out)
    save_verifier(verifier, out)
    accuracy = {"trained_on_boxes": len(data.place), "steps": steps, "batch": args.batch}
    accuracy |= {split: measure(verifier, args.shards, split) for split in ("val", "test")}
    (out / "accuracy.json").write_text(json.dumps(accuracy, indent=1) + "\n")
    print(json.dumps(accuracy, indent=1))


if __name__ == "__main__":
    main()

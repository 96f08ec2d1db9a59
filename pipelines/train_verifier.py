"""Train the box verifier on rendered clips.

  python pipelines/train_verifier.py SHARDS ... --out assets/instruments/verifier [--minutes 12]

SHARDS: as written by ``pipelines/instrument_sets.py`` or ``worldgen scenes render --count 720``. It starts from the
pyramid of the shipped detector, or with --start from a verifier, and trains on the train splits with one thread.
Minutes are processor time without reading the clips. --held-out names the sets that it measures on.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from instrument_training.rendered_samples import at_size, in_windows, window_middles
from instrument_training.verifier_training import HEIGHT_PX, BoxDraw, Scenes, batch_loss, batch_of, rate, truth_of

from worldgen.cli.terminal import progress
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.data.dataset.index import DataSet
from worldgen.data.view.page import spread
from worldgen.instruments.augmentation import AugmentConfig
from worldgen.instruments.detector.detector import Detector, DetectorConfig
from worldgen.instruments.feature_pyramid import channels_last
from worldgen.instruments.instrument_files import stored_instrument
from worldgen.instruments.verifier.verifier import NONE, WIDTH_PX, Verifier, from_detector, load_verifier, save_verifier

AUGMENT = AugmentConfig(zoom=0.25, max_zoom=1.25, light=0.4, softness=0.35)
HIGHEST_RATE = 1.5e-3
DISTANCES = (0.35, 0.5, 0.75, 1.0)
"""Shifts, in box sizes, of the boxes on which the fit is measured."""


def shipped_detector() -> Detector:
    """The shipped detector with its norms not folded, to start from."""
    from worldgen.files.shipped import assets_dir

    stored = stored_instrument(assets_dir() / "instruments" / "detector")
    config = stored.config
    detector = Detector(DetectorConfig(tuple(config["widths"]), tuple(config["depths"]), config["neck"]))
    detector.load_state_dict(stored.tensors)
    return detector


def scenes_of(urls: list[str], every: int, limit: int) -> Scenes:
    sets = [DataSet(url).select("train") for url in urls]
    parts = [(data, i) for data in sets for i in spread(len(data), limit)]
    return Scenes.of((data.load(i) for data, i in progress(parts, desc="read")), every)


def train(
    scenes: Scenes, minutes: float, batch: int, out: Path, *, start: str = "", highest: float = HIGHEST_RATE
) -> tuple[Verifier, int]:
    """Train for some CPU minutes from the shipped detector, or from the verifier in the folder ``start``."""
    torch.manual_seed(0)
    draw = BoxDraw(scenes)
    print(f"{len(scenes.now)} frames, boxes", dict(zip(LAYOUT_CLASSES, draw.counts.tolist(), strict=True)), flush=True)
    verifier = channels_last(load_verifier(start) if start else from_detector(shipped_detector())).train()
    mean = copy.deepcopy(verifier).requires_grad_(False)
    fresh = [p for n, p in verifier.named_parameters() if n.split(".")[0] in ("point", "box", "answer", "heat", "stem")]
    known = {id(p) for p in fresh}
    taken = [p for p in verifier.parameters() if id(p) not in known]
    groups = [{"params": fresh, "scale": 1.0}, {"params": taken, "scale": 1.0 if start else 0.6}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    start_s, step, sums = time.process_time(), 0, {}
    while (share := (time.process_time() - start_s) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = group["scale"] * rate(step, share, highest=highest)
        loss, parts = batch_loss(verifier, batch_of(draw, AUGMENT, size=batch, seed=0, step=step))
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss {loss.item()} at step {step}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(verifier.parameters(), 10.0)
        optimizer.step()
        for kept, now in zip(mean.state_dict().values(), verifier.state_dict().values(), strict=True):
            kept.lerp_(now, max(0.005, 1 / (step + 1))) if kept.is_floating_point() else kept.copy_(now)
        for name, value in parts.items():
            sums.setdefault(name, []).append(value)
        if step % 50 == 0:
            means = {name: round(float(np.mean(values[-50:])), 4) for name, values in sums.items()}
            print(f"step {step}  {share:.2f}  {means}", flush=True)
            save_verifier(mean, out)
        step += 1
    return mean.eval(), step


def held_out(urls: list[str], split: str, limit: int) -> Iterator[Sample]:
    for url in urls:
        data = DataSet(url).select(split)
        yield from (data.load(number) for number in spread(len(data), limit))


def measure(verifier: Verifier, samples: Iterable[Sample]) -> dict:
    """Accuracy by class on true boxes, and how well the fit separates true boxes from shifted ones."""
    counts = np.zeros((len(LAYOUT_CLASSES), NONE + 1), int)
    fits, beside = [], {distance: [] for distance in DISTANCES}
    rng = numpy_rng("verifier measure")
    for original in samples:
        sample = at_size(original, WIDTH_PX, HEIGHT_PX)
        assert sample.labels is not None, sample.key
        sight = verifier.read(sample.clip)
        for frame in window_middles(sample) if in_windows(sample) else range(0, len(sample.clip), 3):
            truth = truth_of(sample.labels, frame)
            boxes, names = truth.box[truth.good], truth.class_id[truth.good]
            if not len(boxes):
                continue
            at = np.full(len(boxes), frame)
            answer, fit = sight.verify(at, boxes)
            np.add.at(counts, (names, answer.argmax(1)), 1)
            fits += fit.tolist()
            angle = rng.uniform(0, 2 * np.pi, len(boxes))
            step = np.stack([np.cos(angle), np.sin(angle)], 1) * (boxes[:, 2:] - boxes[:, :2])
            for distance, values in beside.items():
                values.extend(sight.verify(at, boxes + distance * np.tile(step, 2).astype(np.float32))[1].tolist())
    threshold = float(np.quantile(fits, 0.05))
    right = {name: [int(counts[i, i]), int(counts[i].sum())] for i, name in enumerate(LAYOUT_CLASSES)}
    return {
        "boxes": int(counts.sum()),
        "right_by_class": right,
        "right": round(float(np.trace(counts[:, :NONE]) / counts.sum()), 4),
        "called_nothing": round(float(counts[:, NONE].sum() / counts.sum()), 4),
        "fit_below_5_percent_of_true_at_distance": {
            f"{distance:g}": round(float(np.mean(np.array(values) < threshold)), 4)
            for distance, values in beside.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--clips", type=int, default=1_000_000, help="read at most this many clips of each split")
    parser.add_argument("--every", type=int, default=4, help="train on every so many frames (default 4)")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--start", default="", metavar="DIR", help="start from the verifier in this folder")
    parser.add_argument("--rate", type=float, default=HIGHEST_RATE, help="peak learning rate")
    parser.add_argument("--held-out", nargs="*", default=[], help="sets to measure on (default: the first set)")
    parser.add_argument("--measure-only", action="store_true", help="record the accuracy of existing weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if args.measure_only:
        kept = ("trained_on_frames", "steps", "batch", "cpu_minutes", "started_from", "fine_tuned")
        accuracy = {k: v for k, v in json.loads((out / "accuracy.json").read_text()).items() if k in kept}
    else:
        scenes = scenes_of(args.shards, args.every, args.clips)
        verifier, steps = train(scenes, args.minutes, args.batch, out, start=args.start, highest=args.rate)
        save_verifier(verifier, out)
        accuracy = {
            "trained_on_frames": len(scenes.now), "steps": steps, "batch": args.batch, "cpu_minutes": args.minutes,
            "started_from": stored_instrument(args.start).hash if args.start else "the shipped detector",
        }  # fmt: skip
    stored = load_verifier(out)
    for split in ("val", "test"):
        clips = list(held_out(args.held_out or args.shards[:1], split, args.clips))
        if clips:
            accuracy[split] = measure(stored, clips)
    (out / "accuracy.json").write_text(json.dumps(accuracy, indent=1) + "\n")
    print(json.dumps(accuracy, indent=1))


if __name__ == "__main__":
    main()

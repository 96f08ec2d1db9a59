"""Validation of fd-worldgen: its distance under known damage of growing strength, and between kinds of clips.

    python pipelines/check_fd.py DATASET [--real DATASET] [--clips N] [--weights DIR]
        [--out assets/instruments/fd/accuracy.json]

DATASET: rendered clips; only the val and test splits are used, which pipelines/train_fd.py does not read. Kinds of
damage on which it was not trained are measured too. N is small, so distances are compared only with each other.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.seeds import numpy_rng
from worldgen.data.dataset.index import DataSet
from worldgen.data.video.reading import decode_mp4
from worldgen.evaluation.distances.features import Extractor, load_extractor
from worldgen.evaluation.distances.frechet import distance_of
from worldgen.evaluation.distances.kernel_distance import kernel_distance
from worldgen.evaluation.measures.corruptions import CORRUPTIONS, TAUGHT, corrupt

STRENGTHS = (0.0, 0.2, 0.5, 1.0)
FRAMES = 16
BATCH = 8


def load(url: str, splits: tuple[str, ...], limit: int) -> tuple[list[Clip], list[tuple[str, ...]]]:
    data, clips, tags = DataSet(url), [], []
    for split in splits:
        part = data.select(split)
        for number in range(len(part)):
            clips.append(decode_mp4(part.member(number, "mp4"))[:FRAMES])
            tags.append(tuple(part.rows[number]["tags"]))
    chosen = np.linspace(0, len(clips) - 1, min(limit or len(clips), len(clips))).astype(int)
    return [clips[i] for i in chosen], [tags[i] for i in chosen]


def features(extractor: Extractor, clips: list[Clip]) -> np.ndarray:
    return np.concatenate([extractor(clips[i : i + BATCH]) for i in range(0, len(clips), BATCH)])


def damage_table(extractor: Extractor, clips: list[Clip], rng: np.random.Generator) -> dict:
    """Distance of damaged clips of one half to clean clips of the other half, so that no clip is compared with
    itself."""
    half = len(clips) // 2
    clean, other = features(extractor, clips[:half]), clips[half:]
    untouched = distance_of(clean, features(extractor, other))
    table = {}
    for name in CORRUPTIONS:
        row = [untouched]
        for strength in STRENGTHS[1:]:
            damaged = [Clip(corrupt(c.frames, name, strength, rng), c.fps) for c in other]
            row.append(distance_of(clean, features(extractor, damaged)))
        table[name] = {
            "taught": name in TAUGHT, "distance": [round(v, 2) for v in row], "grows": bool(np.all(np.diff(row) > 0)),
            "full_over_none": round(row[-1] / row[0], 2),
        }  # fmt: skip
    return table


def kinds_table(extractor: Extractor, clips: list[Clip], tags: list[tuple[str, ...]]) -> dict:
    """Kernel distance between two kinds of clips, and between halves of one kind, which must be smaller."""
    all_features = features(extractor, clips)
    kinds = {"day": ("day", "overcast"), "night": ("night_lit", "night_unlit"), "fog": ("fog",), "snow": ("snow",)}
    rows = {k: [i for i, t in enumerate(tags) if set(t) & set(words)] for k, words in kinds.items()}
    table = {}
    for one, two in (("day", "night"), ("day", "fog"), ("day", "snow")):
        if min(len(rows[one]), len(rows[two])) < 8:
            continue
        a = [i for i in rows[one] if i not in rows[two]]
        b = [i for i in rows[two] if i not in rows[one]]
        table[f"{one} against {two}"] = {
            "clips": [len(a), len(b)], "kernel_distance": round(kernel_distance(all_features[a], all_features[b]), 3),
            "same_kind": round(kernel_distance(all_features[a[::2]], all_features[a[1::2]]), 3),
        }  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--real", default="", help="real clips, whose distance to rendered ones is measured")
    parser.add_argument("--clips", type=int, default=0, help="at most N clips (default: all of val and test)")
    parser.add_argument("--weights", default="")
    parser.add_argument("--out", default="assets/instruments/fd/accuracy.json")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    rng = numpy_rng("check fd", args.seed)
    extractor = load_extractor("fd-worldgen", weights=args.weights)
    clips, tags = load(args.dataset, ("val", "test"), args.clips)
    order = rng.permutation(len(clips))
    clips, tags = [clips[i] for i in order], [tags[i] for i in order]
    table = damage_table(extractor, clips, rng)
    record = {
        "extractor_hash": extractor.hash, "clips": len(clips), "frames": FRAMES, "strengths": list(STRENGTHS),
        "damage": table, "kinds": kinds_table(extractor, clips, tags),
    }  # fmt: skip
    if args.real:
        real, _ = load(args.real, ("val", "test", "train"), len(clips) // 2)
        half = len(clips) // 2
        one, two, three = (features(extractor, part) for part in (clips[:half], clips[half:], real))
        record["real_against_rendered"] = {
            "distance": round(distance_of(one, three), 2),
            "rendered_against_rendered": round(distance_of(one, two), 2),
        }
    record["grow"] = [sum(row["grows"] for row in table.values()), len(table)]
    record["cpu_seconds"] = round(time.process_time(), 1)
    Path(args.out).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()

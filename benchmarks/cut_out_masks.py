"""Cut-outs by GrabCut against the true masks of a set: are the masks that the rules refuse worse than those they keep?

  python benchmarks/cut_out_masks.py SET --masks DIR --mask-value pedestrian=9 --out cut_out_masks.json

Every single, whole object is cut by GrabCut. Its mask is compared with the pixels of its class in the map of classes
inside its box (intersection over union), for masks that ``worldgen cutouts make`` keeps and for those that it refuses:
masks that are their box, that leak, or that have lost parts of the object. Pictures are never written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.data.ingest.labelled.labelled_samples import read_labelled
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.generation.insert.cut_outs.cut_out_making import CutOutRules, Refusals, cut_outs_of
from worldgen.generation.insert.cut_outs.mask_sources import mask_values, read_class_map
from worldgen.generation.insert.cut_outs.object_masks import class_map_masks, grabcut_masks

GOOD = 0.7
"""Overlap from which a mask is good."""
LEAST_TRUTH = 0.15
"""Share of a box that its class must fill, or the label and the map do not mean the same object."""


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """Overlaps of kept and of refused masks, by class."""
    values = mask_values(args.mask_value)
    samples = list(read_labelled(Path(args.set), PictureSet(frames=1)))
    overlaps: dict[str, dict[str, list[float]]] = {name: {"kept": [], "refused": []} for name in values}
    for number in numpy_rng("cut-out masks", args.seed).permutation(len(samples))[: args.pictures].tolist():
        sample = samples[number]
        classes = read_class_map(Path(args.masks), sample)
        for name, value in values.items():
            seen: list[tuple[np.ndarray, np.ndarray]] = []

            def segment(frame: np.ndarray, boxes: np.ndarray, seen: list = seen) -> np.ndarray:
                masks = grabcut_masks(frame, boxes)
                seen.extend(zip(boxes, masks, strict=True))
                return masks

            rules = CutOutRules(classes=(name,))
            made = list(cut_outs_of([sample], segment, rules, mask_from="grabcut", refused=Refusals()))
            kept = {cut.box_px for cut in made}
            for box, mask in seen:
                truth = class_map_masks(classes, box[None], np.array([value]))[0]
                if truth.sum() >= LEAST_TRUTH * (box[2] - box[0]) * (box[3] - box[1]):
                    overlap = float((mask & truth).sum() / (mask | truth).sum())
                    overlaps[name]["kept" if extent(mask) in kept else "refused"].append(overlap)
    return {
        "set": Path(args.set).name, "pictures": args.pictures, "good_from_overlap": GOOD,
        "masks": {
            name: {
                verdict: {"count": len(rows), "overlap_median": round(float(np.median(rows)), 3) if rows else None,
                          "good": round(float((np.array(rows) >= GOOD).mean()), 3) if rows else None}
                for verdict, rows in groups.items()
            } for name, groups in overlaps.items()
        },
    }  # fmt: skip


def extent(mask: np.ndarray) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1 of a mask ``(H, W)`` bool; zeros for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("--masks", required=True)
    parser.add_argument("--mask-value", action="append", default=[])
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    result = measured(args)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

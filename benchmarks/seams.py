"""Limits of the seam measures: how far they move in clips without seams, and which planted seams they find.

Purpose:  the limits of `seam_colour` and `seam_flicker` in configs/gate/default.yaml.
Run:      python benchmarks/seams.py DATA_SET... --out benchmarks/results/seams.json
Hardware: one CPU core. Time: about two seconds a clip.
Expected: a limit above all but one in a hundred places of clips that were made in one run, and larger colour steps
          found more often than smaller ones.

Data sets of recorded and of rendered clips, which have no seams. At several places of each clip the measures are read
as if a seam were there; the limit is the 99th percentile. Then a seam is planted at the same places: the rest of the
clip brighter or warmer by a few per cent, the rest replaced by the clip mirrored, a frame left out, or repeated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from worldgen.data.dataset.index import DataSet
from worldgen.generation.quality.seams import MIN_FRAMES, seam_colour, seam_flicker, small_frames

PLACES = 3
QUANTILE = 0.99
MEASURES = {"seam_colour": seam_colour, "seam_flicker": seam_flicker}


def brighter(share: float) -> Callable[[np.ndarray, int], np.ndarray]:
    """The frames from the seam on, brighter by ``share``."""
    return lambda frames, seam: _after(frames, seam, np.array([1 + share] * 3))


def warmer(share: float) -> Callable[[np.ndarray, int], np.ndarray]:
    """The frames from the seam on, with more red and less blue."""
    return lambda frames, seam: _after(frames, seam, np.array([1 + share, 1.0, 1 - share]))


def mirrored(frames: np.ndarray, seam: int) -> np.ndarray:
    """Another picture from the seam on: the clip seen in a mirror."""
    return np.concatenate([frames[:seam], frames[seam:, :, ::-1]])


def left_out(frames: np.ndarray, seam: int) -> np.ndarray:
    """Two frames are missing at the seam."""
    return np.concatenate([frames[:seam], frames[seam + 2 :]])


def repeated(frames: np.ndarray, seam: int) -> np.ndarray:
    """The last frame before the seam comes twice."""
    return np.concatenate([frames[:seam], frames[seam - 1 : -1]])


PLANTED = {
    "2 % brighter": brighter(0.02), "5 % brighter": brighter(0.05), "10 % brighter": brighter(0.10),
    "5 % warmer": warmer(0.05), "another picture": mirrored, "two frames left out": left_out,
    "a frame repeated": repeated,
}  # fmt: skip


def _after(frames: np.ndarray, seam: int, gain: np.ndarray) -> np.ndarray:
    changed = np.clip(frames[seam:].astype(np.float32) * gain.astype(np.float32), 0, 255).round().astype(np.uint8)
    return np.concatenate([frames[:seam], changed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="data sets of clips without seams")
    parser.add_argument("--clips", type=int, default=40, help="of each data set, evenly spread")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/seams.json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    clean: dict[str, list[float]] = {name: [] for name in MEASURES}
    planted = {kind: {name: list[float]() for name in MEASURES} for kind in PLANTED}
    counts = {}
    for url in args.data:
        data = DataSet(url)
        keys = sorted(row["key"] for row in data.rows)
        count = min(args.clips, len(keys))
        counts[url.rstrip("/").rsplit("/", 1)[-1]] = count
        for number in range(count):
            frames = small_frames(data.load(keys[number * len(keys) // count]).clip.frames)
            if len(frames) < 2 * MIN_FRAMES:
                continue
            for seam in np.linspace(4, len(frames) - 5, PLACES).round().astype(int):
                for name, measure in MEASURES.items():
                    clean[name].append(measure(frames, (int(seam),)))
                    for kind, plant in PLANTED.items():
                        planted[kind][name].append(measure(plant(frames, int(seam)), (int(seam),)))
    limits = {name: round(float(np.quantile(values, QUANTILE)), 2) for name, values in clean.items()}
    record = {
        "command": "python benchmarks/seams.py DATA_SET...", "clips": counts, "places": len(clean["seam_colour"]),
        "quantile": QUANTILE, "limits": limits,
        "without a seam": {name: _spread(values) for name, values in clean.items()},
        "planted": {
            kind: {name: _spread(values[name]) for name in MEASURES} | {"found": _found(values, limits)}
            for kind, values in planted.items()
        },
    }  # fmt: skip
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


def _spread(values: list[float]) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 2) for q in (0.05, 0.5, 0.95)}


def _found(values: dict[str, list[float]], limits: dict[str, float]) -> float:
    """Share of planted seams that one of the measures puts above its limit."""
    above = np.array([np.array(values[name]) > limits[name] for name in MEASURES])
    return round(float(above.any(0).mean()), 3)


if __name__ == "__main__":
    main()

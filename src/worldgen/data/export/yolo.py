"""Labels as YOLO text files, one per picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from worldgen.core.labels import CLASSES, Labels
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.video.images import write_image


def yolo_lines(labels: Labels) -> list[str]:
    """``class x y width height`` of each object, its box's centre and size as shares of the picture.

    Boxes are cut to the picture. The format cannot mark an object as ignored, so those are left out, and so are boxes
    without area. Source: Ultralytics YOLO detection format.
    """
    size = np.array([labels.width_px, labels.height_px] * 2, float)
    lines = []
    for row in np.flatnonzero(~labels.ignore):
        x0, y0, x1, y1 = np.clip(labels.box_px[row] / size, 0, 1)
        if x1 > x0 and y1 > y0:
            values = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
            lines.append(f"{labels.class_id[row]} " + " ".join(f"{value:.6f}" for value in values))
    return lines


def write_yolo(samples: Iterable[Sample], folder: Path, suffix: str) -> dict[str, int]:
    """``images/SPLIT/KEY_FRAME``, ``labels/SPLIT/KEY_FRAME.txt`` (empty without objects), ``data.yaml``; returns counts."""
    splits: set[str] = set()
    counts = {"images": 0, "boxes": 0, "ignored": 0}
    for sample in samples:
        splits.add(sample.split)
        texts = folder / "labels" / sample.split
        texts.mkdir(parents=True, exist_ok=True)
        for frame, picture in enumerate(sample.clip.frames):
            name = f"{sample.key}_{frame:06d}"
            write_image(folder / "images" / sample.split / f"{name}{suffix}", picture)
            here = sample.labels.at(frame)
            lines = yolo_lines(here)
            (texts / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "ascii")
            counts["images"] += 1
            counts["boxes"] += len(lines)
            counts["ignored"] += len(here) - len(lines)
    (folder / "data.yaml").write_text(_data_yaml(splits), "utf-8")
    return counts


def _data_yaml(splits: set[str]) -> str:
    """The file trainers start from; a split without samples is not named, so a trainer that needs it says so."""
    lines = ['# Folders are relative to this file (no "path" entry: trainers would look for it elsewhere).']
    lines += [f"{split}: images/{split}" for split in SPLITS if split in splits]
    lines += [
        f"nc: {len(CLASSES)}",
        "names:",
        *(f"  {number}: {json.dumps(name)}" for number, name in enumerate(CLASSES)),
    ]
    return "\n".join(lines) + "\n"

"""Labels as YOLO text files, one per image."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from worldgen.core.labels import Labels
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.export.class_maps import CLASS_MAPS, ClassMap
from worldgen.data.export.sample_labels import sample_labels
from worldgen.data.video.image_files import write_image


def yolo_lines(labels: Labels, classes: ClassMap = CLASS_MAPS["worldgen"]) -> list[str]:
    """One line ``class x y width height`` per object: centre and size of its box as shares of the image.

    Boxes are clipped to the image. Objects flagged ``ignore``, which the format cannot mark, and boxes without area are
    left out. Source: Ultralytics YOLO detection format (https://docs.ultralytics.com/datasets/detect/).
    """
    size = np.array([labels.width_px, labels.height_px] * 2, float)
    lines = []
    for row in np.flatnonzero(~labels.ignore):
        x0, y0, x1, y1 = np.clip(labels.box_px[row] / size, 0, 1)
        if x1 > x0 and y1 > y0:
            values = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
            lines.append(f"{classes.number(int(labels.class_id[row]))} " + " ".join(f"{value:.6f}" for value in values))
    return lines


def write_yolo(samples: Iterable[Sample], folder: Path, suffix: str, classes: ClassMap) -> dict[str, int]:
    """Write ``images/SPLIT/KEY_FRAME``, ``labels/SPLIT/KEY_FRAME.txt`` and ``data.yaml``; returns counts.

    A frame without objects has an empty label file. samples: with the labels to export. suffix: ``.jpg`` or
    ``.png``. classes: numbers of the classes.

    Raises:
        InputError: a sample without labels.
    """
    splits: set[str] = set()
    licences: set[str] = set()
    counts = {"images": 0, "boxes": 0, "ignored": 0}
    for sample in samples:
        splits.add(sample.split)
        licences.add(sample.licence)
        texts = folder / "labels" / sample.split
        texts.mkdir(parents=True, exist_ok=True)
        for frame, picture in enumerate(sample.clip.frames):
            name = f"{sample.key}_{frame:06d}"
            write_image(folder / "images" / sample.split / f"{name}{suffix}", picture)
            here = sample_labels(sample).at(frame)
            lines = yolo_lines(here, classes)
            (texts / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "ascii")
            counts["images"] += 1
            counts["boxes"] += len(lines)
            counts["ignored"] += len(here) - len(lines)
    (folder / "data.yaml").write_text(_data_yaml(splits, classes, licences), "utf-8")
    return counts


def _data_yaml(splits: set[str], classes: ClassMap, licences: set[str]) -> str:
    """The content of ``data.yaml``. It names only splits with samples, so a trainer reports one that is missing."""
    lines = ['# Folders are relative to this file (no "path" entry: trainers would look for it elsewhere).']
    lines += [f"{split}: images/{split}" for split in SPLITS if split in splits]
    lines += [
        f"nc: {len(classes.names)}",
        f"license: {json.dumps(', '.join(sorted(licences)))}",
        "names:",
        *(f"  {number}: {json.dumps(name)}" for number, name in enumerate(classes.names)),
    ]
    return "\n".join(lines) + "\n"

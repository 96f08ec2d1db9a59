"""Box files made by people, read as labels in pixels of their source."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scenario import check_word

CLASS_OF_NAME = {
    **{name: name for name in CLASSES}, "person": "pedestrian", "traffic light": "traffic_light",
    "motorbike": "motorcycle", "bike": "bicycle", "rider": "cyclist", "bicyclist": "cyclist", "van": "car",
    "lorry": "truck", "cone": "traffic_cone",
}  # fmt: skip
"""Names other label sets use -> class. Others need ``labels.classes`` in the config, or ``ignore``."""


@dataclass(frozen=True)
class LabelsConfig:
    """Boxes beside a source.

    path: relative to the SOURCE folder. format: ``xywh_rows``, line i holds ``x,y,width,height`` in source pixels of
    the one object in frame i (a line of zeros: not in this frame). class_name: class of that object. classes: name in a
    COCO file -> class, or "ignore".
    """

    path: str | None = None
    format: Literal["xywh_rows"] = "xywh_rows"
    class_name: str = "car"
    classes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_word("labels.class_name", self.class_name, CLASSES)
        for name, target in self.classes.items():
            check_word(f"labels.classes.{name}", target, (*CLASSES, "ignore"))


@dataclass(frozen=True)
class CocoImage:
    """One picture of a COCO file. boxes: rows of (class index, track id, x0, y0, x1, y1, ignore) in its pixels."""

    file_name: str
    width_px: int
    height_px: int
    boxes: tuple[tuple[float, ...], ...]


def annotated_labels(rows: list[tuple[float, ...]], num_frames: int, size: tuple[int, int]) -> Labels:
    """Labels from rows of (frame, class index, track id, x0, y0, x1, y1, ignore) in pixels of ``size`` (width, height).

    People draw what they see: the amodal box is the drawn one and nothing is known of occlusion, so it is 0.
    """
    width, height = size
    table = np.array(sorted(rows, key=lambda row: (row[0], row[2])), np.float64).reshape(-1, 8)
    amodal = table[:, 3:7]
    box = np.clip(amodal, 0, [width, height, width, height])
    whole = np.maximum((amodal[:, 2] - amodal[:, 0]) * (amodal[:, 3] - amodal[:, 1]), 1e-9)
    inside = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    count = len(table)
    return Labels(
        num_frames, width, height, "annotated", table[:, 0].astype(np.int64), table[:, 2].astype(np.int64),
        table[:, 1].astype(np.int64), box, amodal, np.ones(count), np.zeros(count), np.clip(1 - inside / whole, 0, 1),
        np.full((count, 7), np.nan), table[:, 7].astype(bool),
    )  # fmt: skip


def read_xywh_rows(path: str | Path, config: LabelsConfig, num_frames: int, size: tuple[int, int]) -> Labels:
    """One box per frame, one line per frame, as object 1.

    Raises InputError for another number of lines, text, negative sizes.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("labels file", str(path), "a text file with x,y,width,height a line")
    lines = path.read_text(encoding="utf-8").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) != num_frames:
        raise InputError(f"labels file {path.name}", Received(f"{len(lines)} lines"), f"{num_frames}, one per frame")
    rows = []
    for index, line in enumerate(lines):
        where = f"labels file {path.name}, line {index + 1}"
        try:
            x, y, width, height = (float(word) for word in line.replace(",", " ").split())
        except ValueError as error:
            raise InputError(where, line.strip(), "four numbers: x,y,width,height in pixels") from error
        if not np.isfinite([x, y, width, height]).all() or width < 0 or height < 0:
            raise InputError(where, line.strip(), "finite numbers, width and height from 0")
        if width > 0 and height > 0:
            rows.append((index, CLASSES.index(config.class_name), 1, x, y, x + width, y + height, 0))
    return annotated_labels(rows, num_frames, size)


def read_coco(path: str | Path, classes: dict[str, str]) -> list[CocoImage]:
    """The pictures of a COCO detection file with their boxes. ``iscrowd`` boxes are marked ignore.

    Raises InputError for a file of another shape, a category without a class, a box that is no box.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images, annotations, categories = (content[name] for name in ("images", "annotations", "categories"))
        names = {row["id"]: str(row["name"]) for row in categories}
        boxes: dict[int, list] = {row["id"]: [] for row in images}
        for row in annotations:
            x, y, width, height = (float(v) for v in row["bbox"])
            target = classes.get(names[row["category_id"]], CLASS_OF_NAME.get(names[row["category_id"]]))
            if target is None:
                raise InputError(
                    f"COCO file {path.name}, category",
                    names[row["category_id"]],
                    f"labels.classes: {{{names[row['category_id']]}: CLASS}} with a class or ignore",
                )
            if not (np.isfinite([x, y, width, height]).all() and width >= 0 and height >= 0):
                raise InputError(
                    f"COCO file {path.name}, annotation {row.get('id')}", row["bbox"], "finite x, y, width, height"
                )
            if target != "ignore":
                found = boxes[row["image_id"]]
                track = int(row.get("track_id", len(found) + 1))
                found.append((CLASSES.index(target), track, x, y, x + width, y + height, int(row.get("iscrowd", 0))))
        return [
            CocoImage(row["file_name"], int(row["width"]), int(row["height"]), tuple(boxes[row["id"]]))
            for row in images
        ]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"COCO file {path.name}",
            Received(f"{type(error).__name__} {error}"),
            "images, annotations and categories of the COCO detection format",
        ) from error

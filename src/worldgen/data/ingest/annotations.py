"""Annotated boxes beside a source: COCO files and rows of x, y, width, height, as labels in source pixels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scenario import check_word
from worldgen.files.json_files import read_json

CLASS_OF_NAME = {
    **{name: name for name in CLASSES}, "person": "pedestrian", "traffic light": "traffic_light",
    "motorbike": "motorcycle", "motor": "motorcycle", "bike": "bicycle", "rider": "cyclist", "bicyclist": "cyclist",
    "van": "car", "lorry": "truck", "cone": "traffic_cone",
}  # fmt: skip
"""Class name of other label sets -> class. Other names need an entry in ``labels.classes`` of the config."""
IMAGE_FIELDS = ("id", "file_name", "width", "height", "license", "flickr_url", "coco_url", "date_captured")
"""Fields of an image in a COCO file (https://cocodataset.org/#format-data)."""
MAX_PX, MAX_TRACK = 1e9, 2.0**53
"""Largest magnitudes of annotated coordinates and of track ids, which whole float64 numbers hold exactly."""


@dataclass(frozen=True)
class LabelsConfig:
    """The box file of a source.

    path: relative to the SOURCE folder. format: ``xywh_rows``: line i holds ``x,y,width,height`` in source pixels of a
    single object in frame i; a line of zeros means that it is not in the frame. class_name: class of that object.
    classes: category name of a COCO file -> class, or "ignore".

    Raises:
        InputError: an unknown class.
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
    """One image of a COCO file. boxes: (class index, track id, x0, y0, x1, y1, ignore) per object, in its pixels.
    attributes: what else the file says of the image; the entries of its ``attributes`` stand beside the others."""

    file_name: str
    width_px: int
    height_px: int
    boxes: tuple[tuple[float, ...], ...]
    attributes: dict[str, Any] = field(default_factory=dict)


def annotated_labels(rows: Sequence[tuple[float, ...]], num_frames: int, size: tuple[int, int]) -> Labels:
    """Labels with ``source="annotated"`` from annotated boxes.

    Annotations hold no occlusion, so the amodal box is the annotated one, occlusion is 0 and visible fraction is 1.

    Args:
        rows: (frame index, class index, track id, x0, y0, x1, y1, ignore) of each box, in pixels.
        num_frames: frames of the clip.
        size: width and height of the images in pixels; visible boxes are clipped to it.

    Raises:
        InputError: numbers that are not finite or that labels cannot hold.
    """
    width, height = size
    table = np.array(sorted(rows, key=lambda row: (row[0], row[2])), np.float64).reshape(-1, 8)
    amodal = table[:, 3:7]
    for what, values, most in (("box in pixels", amodal, MAX_PX), ("track id", table[:, 2], MAX_TRACK)):
        wrong = values[~(np.abs(values) <= most)]
        if len(wrong):
            raise InputError(f"annotated {what}", float(wrong[0]), f"finite numbers up to {most:.0f} in magnitude")
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
    """The labels of a file in format ``xywh_rows`` (see :class:`LabelsConfig`); the object has track id 1.

    size: width and height of the source in pixels.

    Raises:
        InputError: a missing file, another number of lines than frames, or a line that is not four finite numbers with
            sizes from 0.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("labels file", str(path), "a text file with x,y,width,height a line")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"labels file {path.name}", Received("bytes that are not text"), "numbers") from error
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
    """The images of a COCO detection file with their boxes; boxes with ``iscrowd`` are flagged ``ignore``.

    classes: category name -> class or "ignore", in addition to ``CLASS_OF_NAME``. Source: COCO data format
    (https://cocodataset.org/#format-data).

    Raises:
        InputError: a file of another structure, a category without a class, or a box that is not four finite numbers.
    """
    path = Path(path)
    with _coco_errors(path):
        content = read_json(path, f"COCO file {path.name}")
        images, annotations, categories = (content[name] for name in ("images", "annotations", "categories"))
        names = {row["id"]: str(row["name"]) for row in categories}
        boxes: dict[int, list] = {row["id"]: [] for row in images}
        for row in annotations:
            x, y, width, height = (float(v) for v in row["bbox"])
            category = names[row["category_id"]]
            target = classes.get(category, CLASS_OF_NAME.get(category))
            if target is None:
                raise InputError(
                    f"COCO file {path.name}, category",
                    category,
                    f"labels.classes: {{{category}: CLASS}} with a class or ignore",
                )
            if not (np.isfinite([x, y, width, height]).all() and width >= 0 and height >= 0):
                raise InputError(
                    f"COCO file {path.name}, annotation {row.get('id')}", row["bbox"], "finite x, y, width, height"
                )
            if target != "ignore":
                found = boxes[row["image_id"]]
                track = int(float(row.get("track_id", len(found) + 1)))
                found.append(
                    (CLASSES.index(target), track, x, y, x + width, y + height, bool(int(row.get("iscrowd", 0))))
                )
        return [
            CocoImage(
                _file_name(row), int(row["width"]), int(row["height"]), tuple(boxes[row["id"]]), _attributes(row)
            )
            for row in images
        ]  # fmt: skip


def _file_name(row: dict[str, Any]) -> str:
    name = row["file_name"]
    if not isinstance(name, str):
        raise TypeError(f"file_name {name!r} is no text")
    return name


def _attributes(row: dict[str, Any]) -> dict[str, Any]:
    """Entries of an image that COCO does not define. Source of the nested form: files converted from BDD100K."""
    nested = row.get("attributes")
    own = {name: value for name, value in row.items() if name not in (*IMAGE_FIELDS, "attributes")}
    return own | (nested if isinstance(nested, dict) else {})


def coco_categories(path: str | Path) -> list[str]:
    """The names of the categories of a COCO detection file.

    Raises:
        InputError: a file of another structure.
    """
    path = Path(path)
    with _coco_errors(path):
        return [str(row["name"]) for row in read_json(path, f"COCO file {path.name}")["categories"]]


def coco_file_names(path: str | Path) -> list[str]:
    """The file names of the images of a COCO detection file.

    Raises:
        InputError: a file of another structure.
    """
    path = Path(path)
    with _coco_errors(path):
        return [_file_name(row) for row in read_json(path, f"COCO file {path.name}")["images"]]


@contextlib.contextmanager
def _coco_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a file of another structure into one ``InputError``."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"COCO file {path.name}",
            Received(f"{type(error).__name__} {error}"),
            "images, annotations and categories of the COCO detection format",
        ) from error

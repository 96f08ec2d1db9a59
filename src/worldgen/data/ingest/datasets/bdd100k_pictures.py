"""BDD100K: single pictures with boxes, the key frame of each video."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.annotations import CLASS_OF_NAME, CocoImage
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.ingest.sources import ClipSource
from worldgen.data.video.image_files import image_files, read_image
from worldgen.files.json_files import read_json

LABELS = ("labels/det_20/det_{split}.json", "labels/bdd100k_labels_images_{split}.json")
"""Boxes of 2020, or those of 2018 where only these are there."""
LEFT_OUT = frozenset(("train", "trailer", "other vehicle", "other person", "traffic sign", "drivable area", "lane"))
"""Categories of the set that are no class here, and those of 2018 that are no boxes."""
LAST_PX = 1.0
"""Boxes hold their first and last pixel (Scalabel): the right and lower edges are one further."""


def labelled_pictures(
    root: Path, split: str, defaults: SourceConfig, licence: str
) -> tuple[ClipSource | None, tuple[str, ...]]:
    """The pictures ``images/100k/SPLIT`` that have an entry in the box file of the split, as one source, and notes.

    The source is None without pictures or without the file: the boxes of the test split are not published. A picture
    whose entry has no box is one without objects. Boxes with the attribute ``crowd`` are flagged ``ignore``.

    Source: format of Scalabel (https://doc.bdd100k.com/format.html).

    Raises:
        InputError: a damaged box file, a category that is unknown, or boxes outside the pictures.
    """
    folder = root / "images" / "100k" / split
    files = {path.name: path for path in image_files(folder)} if folder.is_dir() else {}
    places = [root / pattern.format(split=split) for pattern in LABELS]
    place = next((path for path in places if path.is_file()), None)
    name = f"images/100k/{split}"
    if not files or place is None:
        return None, ((f"{name}: no boxes for it, left out",) if files else ())
    entries = read_json(place, f"boxes {place.name}")
    height_px, width_px = read_image(next(iter(files.values()))).shape[:2]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"boxes {place.name}", Received("no list of pictures"), "a list of records with name, labels")
    images = [
        CocoImage(str(entry["name"]), width_px, height_px, _boxes(entry, place.name, (width_px, height_px)))
        for entry in entries
        if entry.get("name") in files
    ]
    if not images:
        raise InputError(f"boxes {place.name}", Received("none for a picture that is there"), f"names as in {name}")
    twice = [file for file, count in Counter(image.file_name for image in images).items() if count > 1]
    if twice:
        raise InputError(f"boxes {place.name}", Received(f"{twice[0]} twice"), "a record a picture")
    images.sort(key=lambda image: image.file_name)
    left = len(files) - len(images)
    notes = [f"{name}: {counted(left, 'picture')} without an entry left out"] * (left > 0)
    source = ClipSource(
        name, "images", root, folder, f"key-frames-{split}", SourceConfig(licence=licence).over(defaults), True,
        tuple(files[image.file_name] for image in images), coco=tuple(images), split=split,
    )  # fmt: skip
    return source, tuple(notes)


def _boxes(entry: dict[str, Any], file: str, size: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """The boxes of a record as rows of :class:`CocoImage`. size: width and height of the pictures."""
    what = f"boxes {file}, {entry['name']}"
    out: list[tuple[float, ...]] = []
    try:
        for label in entry.get("labels") or ():
            category = str(label["category"])
            if category in LEFT_OUT or label.get("box2d") is None:
                continue
            if category not in CLASS_OF_NAME:
                raise InputError(what, category, "a category of the set")
            x0, y0, x1, y1 = (float(label["box2d"][edge]) for edge in ("x1", "y1", "x2", "y2"))
            if not (-LAST_PX <= x0 <= x1 <= size[0] + LAST_PX and -LAST_PX <= y0 <= y1 <= size[1] + LAST_PX):
                received = Received(f"a box {x0:g} {y0:g} {x1:g} {y1:g} in pictures of {size[0]}x{size[1]}")
                raise InputError(what, received, "pictures in the size that was labelled")
            crowd = float(bool((label.get("attributes") or {}).get("crowd")))
            kind = CLASSES.index(CLASS_OF_NAME[category])
            out.append((kind, len(out) + 1, x0, y0, min(x1 + LAST_PX, size[0]), min(y1 + LAST_PX, size[1]), crowd))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        received = Received(f"{type(error).__name__} {error}")
        raise InputError(what, received, "labels with category and box2d of x1 y1 x2 y2") from error
    return tuple(out)

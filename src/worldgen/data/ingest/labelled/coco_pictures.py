"""COCO detection files as drives of labelled pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from worldgen.core.errors import InputError
from worldgen.core.samples import SPLITS
from worldgen.data.ingest.annotations import read_coco
from worldgen.data.ingest.labelled.picture_set import LabelledDrive, PictureSet, Row, drive_of, drives_of
from worldgen.data.video.image_files import natural_order


def coco_files(folder: Path) -> list[Path]:
    """The COCO files of a folder: ``annotations/*.json``, ``*.coco.json`` and ``_annotations*.json``, if not empty."""
    files = sorted(
        [*folder.glob("annotations/*.json"), *folder.glob("*.coco.json"), *folder.glob("_annotations*.json")]
    )
    return [path for path in files if path.stat().st_size]


def coco_drives(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    """The drives of all COCO files of a folder. A file named after a split gives that split, other files ``train``.

    Source: COCO data format (https://cocodataset.org/#format-data).

    Raises:
        InputError: a damaged file, an unknown category, or a picture that does not exist.
    """
    for path in coco_files(folder):
        split = path.stem if path.stem in SPLITS else "train"
        drives: dict[str, list[tuple[Path, tuple[Row, ...]]]] = {}
        for image in read_coco(path, config.classes):
            places = (folder / image.file_name, path.parent / image.file_name, folder / "images" / image.file_name)
            file = next((place for place in places if place.is_file()), None)
            if file is None:
                raise InputError(f"COCO file {path.name}, image", image.file_name, "a picture that exists")
            drives.setdefault(drive_of(image.file_name), []).append((file, image.boxes))
        for pictures in drives.values():
            pictures.sort(key=lambda item: natural_order(str(item[0])))
        yield from drives_of(dict(sorted(drives.items())), split=split)

"""Folders of labelled pictures as samples: COCO, KITTI tracking, KITTI object and YOLO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Sample
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.annotations import annotated_labels
from worldgen.data.ingest.labelled.box_tracks import linked
from worldgen.data.ingest.labelled.coco_pictures import coco_drives, coco_files
from worldgen.data.ingest.labelled.kitti_pictures import kitti_drives, kitti_tracking_drives
from worldgen.data.ingest.labelled.picture_set import LabelledDrive, PictureSet
from worldgen.data.ingest.labelled.yolo_pictures import yolo_drives
from worldgen.data.video.image_files import read_image

FORMATS = ("coco", "kitti_tracking", "kitti", "yolo")


def find_format(folder: str | Path) -> str:
    """Which of ``FORMATS`` a folder holds.

    Raises:
        InputError: no folder, or none of the formats.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("labelled pictures", str(folder), "an existing folder")
    if coco_files(folder):
        return "coco"
    root = folder / "training" if (folder / "training").is_dir() else folder
    if (root / "image_02").is_dir() and (root / "label_02").is_dir():
        return "kitti_tracking"
    if (root / "image_2").is_dir() and (root / "label_2").is_dir():
        return "kitti"
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return "yolo"
    raise InputError(
        f"labelled pictures {folder}",
        Received("none of the known layouts"),
        "COCO (annotations/*.json), KITTI (image_02 and label_02, or image_2 and label_2), "
        "or YOLO (images, labels, data.yaml)",
    )


def read_labelled(folder: str | Path, config: PictureSet) -> Iterator[Sample]:
    """Samples of at most ``config.frames`` frames, in the order of drives and frames.

    Labels have ``source="annotated"``. Boxes without track ids get them by :func:`box_tracks.linked`.

    Raises:
        InputError: an unknown format or class, a damaged file, or pictures of one drive that differ in size.
    """
    folder = Path(folder)
    reader = {"coco": coco_drives, "kitti_tracking": kitti_tracking_drives, "kitti": kitti_drives, "yolo": yolo_drives}[
        find_format(folder)
    ]
    for drive in reader(folder, config):
        for start in range(0, len(drive.files), config.frames):
            yield _sample(drive, range(start, min(start + config.frames, len(drive.files))), config)


def _sample(drive: LabelledDrive, frames: range, config: PictureSet) -> Sample:
    """The sample of some frames of a drive."""
    pictures = [read_image(drive.files[i]) for i in frames]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1:
        raise InputError(f"pictures of {drive.name}", sorted(s[1::-1] for s in sizes), "one size per drive")
    height, width = pictures[0].shape[:2]
    rows = []
    for number, i in enumerate(frames):
        for name, track, *given, ignore in drive.rows[i]:
            box = _in_pixels(given, width, height) if drive.shares else given
            rows.append((number, name, track, *box, ignore))
    labels = annotated_labels(linked(rows), len(pictures), (width, height))
    key = stable_key("labelled", drive.name, frames.start, width, height, prefix="pictures_")
    return Sample(
        key, Clip(np.stack(pictures), config.fps), "", drive_name(drive.name), drive.split, labels=labels,
        licence=config.licence,
        provenance={"tool": "worldgen", "file": drive.files[frames.start].name, "first_frame": frames.start},
    )  # fmt: skip


def _in_pixels(shares: list[float], width: int, height: int) -> tuple[float, ...]:
    """Centre x, y, width and height as shares of the picture, as x0 y0 x1 y1 in pixels."""
    x, y, w, h = shares
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height

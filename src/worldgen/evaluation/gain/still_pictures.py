"""Labelled stills of other projects as pictures of a gain study: COCO, KITTI and YOLO folders, a drive at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.index import SUMMARY_NAME
from worldgen.data.ingest.annotations import CLASS_OF_NAME
from worldgen.data.ingest.labelled.coco_pictures import coco_files
from worldgen.data.ingest.labelled.labelled_samples import find_format, read_labelled
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.data.video.framing import framing
from worldgen.evaluation.gain.gain_config import PictureSource
from worldgen.files.json_files import read_json
from worldgen.files.storage import join, resolve
from worldgen.instruments.detector.pictures import Boxes, Pictures, boxes_of

LEFT_OUT = "ignore"
CLIP_PICTURES = 10
"""Consecutive pictures of a drive that are a clip: at one picture a second, objects stay in view for about as long."""


def is_stills(url: str) -> bool:
    """Whether a source is a local folder of labelled stills, and not a data set of worldgen."""
    fs, path = resolve(url)
    return not fs.exists(join(path, SUMMARY_NAME)) and Path(url).is_dir()


def stills_digest(url: str) -> str:
    """Hash of the names, sizes and times of all files of a folder: a change of any picture changes it."""
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(url).rglob("*")):
        if path.is_file():
            facts = path.stat()
            state.update(f"{path.relative_to(url)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return state.hexdigest()


def drives_in(url: str) -> set[str]:
    """Names of the drives of a folder of stills."""
    return {_drive(sample.drive) for sample in read_labelled(url, PictureSet(frames=1, classes=_left_out(url)))}


def still_pictures(source: PictureSource, *, size: tuple[int, int], min_height_px: float) -> Pictures:
    """The pictures of a source of stills at a size: the largest centred crop of that shape, resized.

    A clip is ``CLIP_PICTURES`` consecutive pictures of a drive, which are not independent; its tag is the drive, which
    ``with_any`` and ``without`` name. Categories without a class of ours are left out.

    Raises: InputError when no picture has a drive that the source names.
    """
    frames: list[np.ndarray] = []
    boxes: list[Boxes] = []
    index: list[np.ndarray] = []
    tags: list[tuple[str, ...]] = []
    start, seen = 0, 0
    for url in source.urls:
        for sample in read_labelled(url, PictureSet(frames=CLIP_PICTURES, classes=_left_out(url))):
            drive = _drive(sample.drive)
            unwanted = drive in source.without or (source.splits and sample.split not in source.splits)
            if unwanted or (source.with_any and drive not in source.with_any):
                continue
            seen += 1
            if seen <= source.skip or (source.clips and seen > source.skip + source.clips):
                continue
            assert sample.labels is not None
            picked = np.arange(source.first, len(sample.clip), source.every)
            frame_of = framing((sample.clip.width_px, sample.clip.height_px), size)
            found = boxes_of(frame_of.labels(sample.labels), min_height_px=min_height_px)
            found = found.where(np.isin(found.picture_index, picked))
            place = np.searchsorted(picked, found.picture_index)
            boxes.append(Boxes(place + start, found.group, found.box_px, found.ignore, found.distance_m))
            frames += [frame_of.frame(sample.clip.frames[number]) for number in picked]
            index.append(np.full(len(picked), len(tags)))
            tags.append((drive,))
            start += len(picked)
    if not frames:
        wanted = ", ".join(source.with_any) or "any"
        raise InputError(f"stills of {source.url}", Received(f"none of drive {wanted}"), "at least one picture")
    return Pictures(np.stack(frames), Boxes.joined(boxes), np.concatenate(index), tuple(tags))


def reencoded(pictures: Pictures, quality: int) -> Pictures:
    """The pictures after one JPEG encoding at a quality from 1 to 100, so that all arms have the same history."""
    frames = np.empty_like(pictures.frames)
    for number, frame in enumerate(pictures.frames):
        done, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done, frame.shape
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert decoded is not None, frame.shape
        frames[number] = decoded[..., ::-1]
    return Pictures(frames, pictures.boxes, pictures.clip_index, pictures.tags)


def _drive(name: str) -> str:
    """The name of a drive without the folder of its pictures: ``images_0016E5`` and ``0016E5`` are one drive."""
    return name.removeprefix("images_")


def _left_out(url: str) -> dict[str, str]:
    """Categories of a COCO folder without a class of ours -> "ignore"."""
    if find_format(url) != "coco":
        return {}
    names = {str(row["name"]) for path in coco_files(Path(url)) for row in read_json(path, path.name)["categories"]}
    return {name: LEFT_OUT for name in names if name not in CLASS_OF_NAME and name.lower() not in CLASS_OF_NAME}

"""Labels as COCO JSON, with the ``videos`` and ``track_id`` fields of its video variants."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.labels import CLASSES, COCO_NAMES, Labels
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.export.class_maps import CLASS_MAPS, ClassMap
from worldgen.data.export.exported_objects import ExportedObjects, ObjectLimits
from worldgen.data.export.sample_labels import sample_labels
from worldgen.data.video.image_files import write_image

SUPERCATEGORIES = {
    "car": "vehicle", "truck": "vehicle", "bus": "vehicle", "motorcycle": "vehicle", "bicycle": "vehicle",
    "cyclist": "person", "pedestrian": "person", "traffic_light": "outdoor", "traffic_cone": "outdoor",
    "animal": "animal",
}  # fmt: skip


def coco_categories(classes: ClassMap) -> list[dict]:
    """The category rows of a class map. Categories that classes of worldgen share are in the first one's group."""
    rows = []
    for number, name in zip(classes.ids, classes.names, strict=True):
        origin = CLASSES[classes.targets.index(name)] if name in classes.targets else None
        row = {"id": number, "name": name, "supercategory": SUPERCATEGORIES.get(origin or "", "other")}
        rows.append({**row, "coco_name": COCO_NAMES[origin]} if classes.targets == CLASSES and origin else row)
    return rows


@dataclass
class CocoVideo:
    """A COCO record, filled clip by clip; identifiers count from 1.

    In addition to plain COCO, an image has ``video_id`` and ``frame_id`` (from 0), and an annotation has ``track_id``
    (unique within its video), ``amodal_bbox``, ``visible_fraction``, ``occlusion`` and ``truncation`` (null if unknown)
    and, where known, ``box3d_ego``: x y z of the centre (m), length, width, height (m), yaw (rad) in ego axes. Boxes
    are x, y, width, height in pixels. The segmentation of an object is its box as a polygon: worldgen keeps no masks.
    Objects flagged ``ignore`` are ``iscrowd = 1``, which the COCO evaluation and detector trainers skip; their
    segmentation is the box as an uncompressed run-length code. Every object has a visible box (the caller chooses them
    with :class:`worldgen.data.export.exported_objects.ExportedObjects`).

    Source: COCO data format (https://cocodataset.org/#format-data); the video fields are those of TAO and BDD100K.
    """

    classes: ClassMap = CLASS_MAPS["worldgen"]
    videos: list[dict] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)
    annotations: list[dict] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)

    def add(self, labels: Labels, name: str, fps: float, files: list[str], *, licence: str | None = None) -> None:
        """Add a clip of ``labels.num_frames`` frames.

        labels: objects to export. files: image file of each frame, as the record names it. licence: of the clip.
        """
        assert len(files) == labels.num_frames, (len(files), labels.num_frames)
        video_id, first = len(self.videos) + 1, len(self.images) + 1
        size = {"width": labels.width_px, "height": labels.height_px}
        if licence is not None:
            if licence not in self.licences:
                self.licences.append(licence)
            size["license"] = self.licences.index(licence) + 1
        self.videos.append({"id": video_id, "name": name, "fps": fps, "num_frames": labels.num_frames, **size})
        for frame, file in enumerate(files):
            image = {"id": first + frame, "file_name": file, "video_id": video_id, "frame_id": frame, **size}
            self.images.append(image)
        for row in range(len(labels)):
            self.annotations.append(self._annotation(labels, row, first, video_id))

    def _annotation(self, labels: Labels, row: int, first_image: int, video_id: int) -> dict:
        box, whole = _xywh(labels.box_px[row]), _xywh(labels.amodal_box_px[row])
        ignore = int(labels.ignore[row])
        outline = _crowd_rle(box, labels.height_px, labels.width_px) if ignore else _polygon(box)
        annotation = {
            "id": len(self.annotations) + 1, "image_id": first_image + int(labels.frame_index[row]),
            "video_id": video_id, "track_id": int(labels.track_id[row]),
            "category_id": self.classes.ids[self.classes.number(int(labels.class_id[row]))],
            "bbox": box, "area": round(box[2] * box[3], 4), "segmentation": outline, "iscrowd": ignore,
            "ignore": ignore, "amodal_bbox": whole,
        }  # fmt: skip
        for name in ("visible_fraction", "occlusion", "truncation"):
            value = float(getattr(labels, name)[row])
            annotation[name] = None if np.isnan(value) else round(value, 4)
        if np.isfinite(labels.box3d[row]).all():
            annotation["box3d_ego"] = np.round(labels.box3d[row].astype(float), 4).tolist()
        return annotation

    def to_json(self, source: str) -> dict:
        """The COCO record as JSON values. source: origin of the labels, see ``Labels.source``."""
        return {
            "info": {
                "description": "worldgen labels", "version": "1", "labels_source": source,
                "segmentation": "the box of the object; there are no masks",
                "box3d_ego": "x y z (centre, m), length width height (m), yaw (rad); x forward, y left, z up",
            },
            "licenses": [{"id": i + 1, "name": name, "url": ""} for i, name in enumerate(self.licences)],
            "categories": coco_categories(self.classes), "videos": self.videos, "images": self.images,
            "annotations": self.annotations,
        }  # fmt: skip


def _xywh(box: np.ndarray) -> list[float]:
    """x0 y0 x1 y1 as x y width height, rounded to 0.01 pixels. Corners are rounded, so shared edges stay shared."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in box)
    return [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]


def _polygon(box: list[float]) -> list[list[float]]:
    """A box x y width height as one polygon x y x y ... in pixels."""
    x0, y0, x1, y1 = box[0], box[1], round(box[0] + box[2], 2), round(box[1] + box[3], 2)
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def _crowd_rle(box: list[float], height: int, width: int) -> dict:
    """The pixels that a box touches as an uncompressed run-length code.

    Runs go down the columns and begin with a run of zeros.
    Source: ``rleFrPoly`` and ``annToRLE`` of pycocotools (https://github.com/cocodataset/cocoapi).
    """
    left, top = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    right = min(width, max(math.ceil(round(box[0] + box[2], 2)), left + 1))
    bottom = min(height, max(math.ceil(round(box[1] + box[3], 2)), top + 1))
    tall, wide = bottom - top, right - left
    if tall == height:
        counts = [left * height, wide * height]
    else:
        counts = [left * height + top, *[tall, height - tall] * (wide - 1), tall]
    rest = height * width - sum(counts)
    return {"size": [height, width], "counts": [*counts, rest] if rest else counts}


def coco_video(labels: Labels, *, fps: float, file_name: str = "clip.mp4") -> dict:
    """The visible objects of one clip as a COCO record, see :class:`CocoVideo`.

    file_name: file of the clip. Its frames are named as if extracted with ``ffmpeg -i clip.mp4 -start_number 0
    clip/%06d.png``: ``clip/000000.png`` and so on.
    """
    stem = file_name.rsplit(".", 1)[0]
    record = CocoVideo()
    shown = ExportedObjects(ObjectLimits(), CLASS_MAPS["worldgen"]).of(labels)
    record.add(shown, stem, fps, [f"{stem}/{frame:06d}.png" for frame in range(labels.num_frames)])
    record.videos[0]["file_name"] = file_name
    return record.to_json(labels.source)


def write_coco(samples: Iterable[Sample], folder: Path, suffix: str, classes: ClassMap) -> dict[str, int]:
    """Write images under ``images/KEY/`` and ``annotations/SPLIT.json`` of each split that occurs; returns counts.

    samples: with the labels to export. suffix: ``.jpg`` or ``.png``. classes: categories of the record.

    Raises:
        InputError: a sample without labels.
    """
    records: dict[str, CocoVideo] = {}
    sources: dict[str, set[str]] = {}
    for sample in samples:
        labels = sample_labels(sample)
        files = [f"images/{sample.key}/{frame:06d}{suffix}" for frame in range(len(sample.clip))]
        for file, picture in zip(files, sample.clip.frames, strict=True):
            write_image(folder / file, picture)
        record = records.setdefault(sample.split, CocoVideo(classes))
        record.add(labels, sample.key, sample.clip.fps, files, licence=sample.licence)
        sources.setdefault(sample.split, set()).add(labels.source)
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        if split in records:
            text = json.dumps(records[split].to_json(", ".join(sorted(sources[split]))), allow_nan=False)
            (folder / "annotations" / f"{split}.json").write_text(text, "utf-8")
    boxes = sum(len(record.annotations) for record in records.values())
    ignored = sum(a["iscrowd"] for record in records.values() for a in record.annotations)
    return {"images": sum(len(record.images) for record in records.values()), "boxes": boxes, "ignored": ignored}

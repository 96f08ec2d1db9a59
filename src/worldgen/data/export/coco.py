"""Labels as COCO JSON, with the ``videos`` and ``track_id`` fields of its video variants."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.labels import CLASSES, COCO_NAMES, Labels
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.export.sample_labels import sample_labels
from worldgen.data.video.image_files import write_image

SUPERCATEGORIES = {
    "car": "vehicle", "truck": "vehicle", "bus": "vehicle", "motorcycle": "vehicle", "bicycle": "vehicle",
    "cyclist": "person", "pedestrian": "person", "traffic_light": "outdoor", "traffic_cone": "outdoor",
}  # fmt: skip
CATEGORIES = [
    {"id": number + 1, "name": name, "supercategory": SUPERCATEGORIES[name], "coco_name": COCO_NAMES[name]}
    for number, name in enumerate(CLASSES)
]


@dataclass
class CocoVideo:
    """A COCO record, filled clip by clip; identifiers count from 1.

    In addition to plain COCO, an image has ``video_id`` and ``frame_id`` (from 0), and an annotation has ``track_id``
    (unique within its video), ``amodal_bbox``, ``visible_fraction``, ``occlusion`` and ``truncation`` (null if unknown)
    and, where known, ``box3d_ego``: x y z of the centre (m), length, width, height (m), yaw (rad) in ego axes. Boxes
    are x, y, width, height in pixels. Objects flagged ``ignore`` are ``iscrowd = 1``, which the COCO evaluation and
    detector trainers skip. Objects without a visible pixel have a box without area.

    Source: COCO data format (https://cocodataset.org/#format-data); the video fields are those of TAO and BDD100K.
    """

    videos: list[dict] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)
    annotations: list[dict] = field(default_factory=list)

    def add(self, labels: Labels, name: str, fps: float, files: list[str]) -> None:
        """Add a clip of ``labels.num_frames`` frames. files: image file of each frame, as the record names it."""
        assert len(files) == labels.num_frames, (len(files), labels.num_frames)
        video_id, first = len(self.videos) + 1, len(self.images) + 1
        size = {"width": labels.width_px, "height": labels.height_px}
        self.videos.append({"id": video_id, "name": name, "fps": fps, "num_frames": labels.num_frames, **size})
        for frame, file in enumerate(files):
            image = {"id": first + frame, "file_name": file, "video_id": video_id, "frame_id": frame, **size}
            self.images.append(image)
        for row in range(len(labels)):
            self.annotations.append(self._annotation(labels, row, first, video_id))

    def _annotation(self, labels: Labels, row: int, first_image: int, video_id: int) -> dict:
        box, whole = _xywh(labels.box_px[row]), _xywh(labels.amodal_box_px[row])
        ignore = int(labels.ignore[row])
        annotation = {
            "id": len(self.annotations) + 1, "image_id": first_image + int(labels.frame_index[row]),
            "video_id": video_id, "track_id": int(labels.track_id[row]), "category_id": int(labels.class_id[row]) + 1,
            "bbox": box, "area": round(box[2] * box[3], 4), "segmentation": [], "iscrowd": ignore, "ignore": ignore,
            "amodal_bbox": whole,
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
                "box3d_ego": "x y z (centre, m), length width height (m), yaw (rad); x forward, y left, z up",
            },
            "licenses": [], "categories": CATEGORIES, "videos": self.videos, "images": self.images,
            "annotations": self.annotations,
        }  # fmt: skip


def _xywh(box: np.ndarray) -> list[float]:
    """x0 y0 x1 y1 as x y width height, rounded to 0.01 pixels. Corners are rounded, so shared edges stay shared."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in box)
    return [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]


def coco_video(labels: Labels, *, fps: float, file_name: str = "clip.mp4") -> dict:
    """The labels of one clip as a COCO record, see :class:`CocoVideo`.

    file_name: file of the clip. Its frames are named as if extracted with ``ffmpeg -i clip.mp4 -start_number 0
    clip/%06d.png``: ``clip/000000.png`` and so on.
    """
    stem = file_name.rsplit(".", 1)[0]
    record = CocoVideo()
    record.add(labels, stem, fps, [f"{stem}/{frame:06d}.png" for frame in range(labels.num_frames)])
    record.videos[0]["file_name"] = file_name
    return record.to_json(labels.source)


def write_coco(samples: Iterable[Sample], folder: Path, suffix: str) -> dict[str, int]:
    """Write images under ``images/KEY/`` and ``annotations/SPLIT.json`` of each split that occurs; returns counts.

    samples: labelled ones. suffix: ``.jpg`` or ``.png``.

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
        records.setdefault(sample.split, CocoVideo()).add(labels, sample.key, sample.clip.fps, files)
        sources.setdefault(sample.split, set()).add(labels.source)
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        if split in records:
            text = json.dumps(records[split].to_json(", ".join(sorted(sources[split]))), allow_nan=False)
            (folder / "annotations" / f"{split}.json").write_text(text, "utf-8")
    boxes = sum(len(record.annotations) for record in records.values())
    ignored = sum(a["iscrowd"] for record in records.values() for a in record.annotations)
    return {"images": sum(len(record.images) for record in records.values()), "boxes": boxes, "ignored": ignored}

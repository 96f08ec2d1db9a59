"""Export of a labelled data set to COCO, KITTI or YOLO, the formats for training detectors and trackers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.samples import SPLITS, Sample
from worldgen.core.seeds import stable_hash
from worldgen.data.dataset.index import DataSet
from worldgen.data.export.class_maps import ClassMap, class_map
from worldgen.data.export.coco import write_coco
from worldgen.data.export.exported_objects import ExportedObjects, ObjectLimits
from worldgen.data.export.kitti import write_kitti, write_kitti_tracking
from worldgen.data.export.sample_labels import sample_labels
from worldgen.data.export.yolo import write_yolo
from worldgen.data.video.image_files import IMAGE_SUFFIXES

FORMATS: dict[str, Callable[[Iterable[Sample], Path, str, ClassMap], dict[str, int]]] = {
    "coco": write_coco, "kitti": write_kitti, "kitti_tracking": write_kitti_tracking, "yolo": write_yolo,
}  # fmt: skip
DEFAULT_SUFFIX = {"coco": ".jpg", "kitti": ".png", "kitti_tracking": ".png", "yolo": ".jpg"}
"""KITTI readers expect PNG; readers of the other formats accept both."""
DEFAULT_CLASSES = {"coco": "worldgen", "kitti": "kitti", "kitti_tracking": "kitti", "yolo": "worldgen"}
DEFAULT_VAL_SHARE = 0.1


@dataclass(frozen=True)
class ExportConfig:
    """What to export.

    format: one of ``FORMATS``. every: take each n-th frame. suffix: ``.jpg``, ``.png``, or None for the format's
    default. split: only this split, None for all. quarantined: also samples that the gate rejected. limits: from when
    on an object counts. classes: name or ``.json`` file of a class map (:func:`worldgen.data.export.class_maps.
    class_map`), None for the format's default. animals: category of animals, None for that of the class map.
    val_share: share of the train samples that become val when the data set has no val samples; whole drives move.
    None moves ``DEFAULT_VAL_SHARE`` where there are two drives or more, 0 nothing.

    Raises:
        InputError: a value that is not allowed.
    """

    format: str = "coco"
    every: int = 1
    suffix: str | None = None
    split: str | None = None
    quarantined: bool = False
    limits: ObjectLimits = field(default_factory=ObjectLimits)
    classes: str | None = None
    animals: str | None = None
    val_share: float | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError("export format", self.format, "one of " + ", ".join(FORMATS))
        if not isinstance(self.every, int) or self.every < 1:
            raise InputError("every", self.every, "a whole number of frames, at least 1")
        if self.suffix not in (None, *IMAGE_SUFFIXES):
            raise InputError("image suffix", self.suffix, "one of " + ", ".join(IMAGE_SUFFIXES))
        if self.split not in (None, *SPLITS):
            raise InputError("split", self.split, "one of " + ", ".join(SPLITS))
        if self.val_share is not None and not 0 <= self.val_share < 1:
            raise InputError("val_share", self.val_share, "0 to below 1")
        if self.val_share and self.split is not None:
            raise InputError("val_share", self.val_share, "no val_share together with a single split")
        self.class_map()

    def class_map(self) -> ClassMap:
        """The categories of the export."""
        return class_map(self.classes or DEFAULT_CLASSES[self.format]).with_animals(self.animals)


def export_data(
    data: DataSet, folder: Path, config: ExportConfig, *, progress: ProgressReporter = no_progress
) -> dict[str, Any]:
    """Write the labelled samples of a data set into ``folder``; returns counts of samples, images and boxes.

    Samples without labels are counted but not written, because their objects are unknown, not absent. Objects that
    nobody can see are left out. ``provenance.jsonl`` gets a line per sample with its licence and origin. progress:
    shows how many samples are done.

    Raises:
        InputError: no labelled sample to export, val samples asked for that a single drive cannot give, or a damaged
            sample.
    """
    chosen = data.select(config.split, accepted=None if config.quarantined else True)
    labelled = [number for number, row in enumerate(chosen.rows) if row["has_labels"]]
    if not labelled:
        raise InputError(
            f"data set {data.url}", Received(f"{len(chosen)} chosen samples, none with labels"), "labelled samples"
        )
    moved = _val_drives([chosen.rows[number] for number in labelled], config)
    objects = ExportedObjects(config.limits, config.class_map(), regions=config.format.startswith("kitti"))
    splits: Counter[str] = Counter()
    licences: Counter[str] = Counter()

    def samples(provenance: TextIO) -> Iterator[Sample]:
        for number in progress(labelled, desc="samples"):
            sample = _thinned(chosen.load(number), config.every)
            if sample.split == "train" and sample.drive in moved:
                sample = replace(sample, split="val")
            sample = replace(sample, labels=objects.of(sample_labels(sample)))
            splits[sample.split] += 1
            licences[sample.licence] += 1
            provenance.write(json.dumps(_origin(sample)) + "\n")
            yield sample

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "provenance.jsonl", "w", encoding="utf-8") as provenance:
        suffix = config.suffix or DEFAULT_SUFFIX[config.format]
        counts = FORMATS[config.format](samples(provenance), folder, suffix, objects.classes)
    return {
        "samples": len(labelled), "samples_without_labels": len(chosen) - len(labelled),
        "samples_quarantined": len(data.select(config.split)) - len(chosen), **counts, **objects.counts,
        "samples_moved_to_val": sum(chosen.rows[n]["split"] == "train" and chosen.rows[n]["drive"] in moved
                                    for n in labelled),
        "splits": {split: splits[split] for split in SPLITS if splits[split]}, "licences": dict(licences),
    }  # fmt: skip


def _origin(sample: Sample) -> dict:
    """The line of a sample in ``provenance.jsonl``."""
    return {
        "sample": sample.key, "split": sample.split, "drive": sample.drive, "licence": sample.licence,
        "labels_source": sample_labels(sample).source, "provenance": sample.provenance,
    }  # fmt: skip


def _val_drives(rows: list[dict], config: ExportConfig) -> set[str]:
    """Drives of train samples that become val; the smallest hashes of their names, so equal sets give equal splits."""
    share = DEFAULT_VAL_SHARE if config.val_share is None else config.val_share
    if config.split is not None or share == 0 or any(row["split"] == "val" for row in rows):
        return set()
    sizes = Counter(row["drive"] for row in rows if row["split"] == "train")
    if len(sizes) < 2:
        if config.val_share:
            raise InputError("val_share", Received(f"train samples of {len(sizes)} drives"), "two drives or more")
        return set()
    drives = sorted(sizes, key=lambda name: (stable_hash("export val", name), name))
    moved: set[str] = set()
    for drive in drives[:-1]:
        if moved and sum(sizes[name] for name in moved) >= share * sizes.total():
            break
        moved.add(drive)
    return moved


def _thinned(sample: Sample, every: int) -> Sample:
    """Each n-th frame of a sample, from the first on, as a sample of a lower rate, without ego motion."""
    if every == 1:
        return sample
    clip, labels = Clip(sample.clip.frames[::every], sample.clip.fps / every), sample_labels(sample)
    kept = labels.where(labels.frame_index % every == 0)
    labels = replace(kept, num_frames=len(clip), frame_index=kept.frame_index // every)
    return replace(sample, clip=clip, ego=None, labels=labels)

"""Export of a labelled data set to COCO, KITTI or YOLO, the formats for training detectors and trackers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.export.coco import write_coco
from worldgen.data.export.kitti import write_kitti, write_kitti_tracking
from worldgen.data.export.sample_labels import sample_labels
from worldgen.data.export.yolo import write_yolo
from worldgen.data.video.image_files import IMAGE_SUFFIXES

FORMATS: dict[str, Callable[[Iterable[Sample], Path, str], dict[str, int]]] = {
    "coco": write_coco, "kitti": write_kitti, "kitti_tracking": write_kitti_tracking, "yolo": write_yolo,
}  # fmt: skip
DEFAULT_SUFFIX = {"coco": ".jpg", "kitti": ".png", "kitti_tracking": ".png", "yolo": ".jpg"}
"""KITTI readers expect PNG; readers of the other formats accept both."""


@dataclass(frozen=True)
class ExportConfig:
    """What to export.

    format: one of ``FORMATS``. every: take each n-th frame. suffix: ``.jpg``, ``.png``, or None for the format's
    default. split: only this split, None for all. quarantined: also samples that the gate rejected.

    Raises:
        InputError: a value that is not allowed.
    """

    format: str = "coco"
    every: int = 1
    suffix: str | None = None
    split: str | None = None
    quarantined: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError("export format", self.format, "one of " + ", ".join(FORMATS))
        if not isinstance(self.every, int) or self.every < 1:
            raise InputError("every", self.every, "a whole number of frames, at least 1")
        if self.suffix not in (None, *IMAGE_SUFFIXES):
            raise InputError("image suffix", self.suffix, "one of " + ", ".join(IMAGE_SUFFIXES))


def export_data(
    data: DataSet, folder: Path, config: ExportConfig, *, progress: ProgressReporter = no_progress
) -> dict[str, int]:
    """Write the labelled samples of a data set into ``folder``; returns counts of samples, images and boxes.

    Samples without labels are counted but not written, because their objects are unknown, not absent. progress: shows
    how many samples are done.

    Raises:
        InputError: no labelled sample to export, or a damaged sample.
    """
    chosen = data.select(config.split, accepted=None if config.quarantined else True)
    labelled = [number for number, row in enumerate(chosen.rows) if row["has_labels"]]
    if not labelled:
        raise InputError(
            f"data set {data.url}", Received(f"{len(chosen)} chosen samples, none with labels"), "labelled samples"
        )
    samples: Iterator[Sample] = (
        _thinned(chosen.load(number), config.every) for number in progress(labelled, desc="samples")
    )
    counts = FORMATS[config.format](samples, folder, config.suffix or DEFAULT_SUFFIX[config.format])
    return {
        "samples": len(labelled), "samples_without_labels": len(chosen) - len(labelled),
        "samples_quarantined": len(data.select(config.split)) - len(chosen), **counts,
    }  # fmt: skip


def _thinned(sample: Sample, every: int) -> Sample:
    """Each n-th frame of a sample, from the first on, as a sample of a lower rate, without ego motion."""
    if every == 1:
        return sample
    clip, labels = Clip(sample.clip.frames[::every], sample.clip.fps / every), sample_labels(sample)
    kept = labels.where(labels.frame_index % every == 0)
    labels = replace(kept, num_frames=len(clip), frame_index=kept.frame_index // every)
    return replace(sample, clip=clip, ego=None, labels=labels)

"""Samples of data sets, for training and testing instruments, at the size at which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import DataSet

WINDOWS_TOOL = "instrument_sets"
"""Tool in the provenance of samples whose frames are windows of three (``drawn_windows.py``)."""


def samples_of(urls: Iterable[str], splits: tuple[str, ...]) -> Iterator[Sample]:
    """All samples of these splits, decoded one after the other. Raises: InputError for a folder that is no data set."""
    for url in urls:
        data = DataSet(url)
        for row in data.rows:
            if row["split"] in splits:
                yield data.load(row["key"])


def in_windows(sample: Sample) -> bool:
    """Whether the frames of a sample are windows of three, between which time passes."""
    return sample.provenance.get("tool") == WINDOWS_TOOL


def window_middles(sample: Sample) -> range:
    """Numbers of the middle frames of a sample of windows."""
    return range(1, len(sample.clip) - 1, 3)


def at_size(sample: Sample, width_px: int, height_px: int) -> Sample:
    """The sample with frames, labels and camera at another size, as instruments see it."""
    clip = sample.clip
    if (clip.width_px, clip.height_px) == (width_px, height_px):
        return sample
    scale = (width_px / clip.width_px, height_px / clip.height_px)
    way = cv2.INTER_AREA if min(scale) < 1 else cv2.INTER_LINEAR
    frames = np.stack([cv2.resize(frame, (width_px, height_px), interpolation=way) for frame in clip.frames])
    labels, factors = sample.labels, np.array([*scale, *scale], np.float32)
    if labels is not None:
        labels = replace(
            labels, width_px=width_px, height_px=height_px, box_px=labels.box_px * factors,
            amodal_box_px=labels.amodal_box_px * factors,
        )  # fmt: skip
    camera = None if sample.camera is None else sample.camera.resized(width_px, height_px)
    return replace(sample, clip=Clip(frames, clip.fps), labels=labels, camera=camera)

"""The clips a run trains on: rows of one or more data sets, by split, and each clip at the training size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Sample
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.index import DataSet
from worldgen.data.video.framing import framing
from worldgen.training.train_config import DataConfig

_NAMING = ("key", "shard", "num_frames", "fps", "width_px", "height_px", "caption", "split", "mp4_offset", "mp4_size")
"""Columns of an index that together name a clip's content, captions included."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip lies: number of the data set, and of the row in its index."""

    set_index: int
    row_index: int


class Clips:
    """Rows of the data sets of a config. It holds no pixels, so it is light to send to loader processes."""

    def __init__(self, config: DataConfig) -> None:
        if not config.urls:
            raise InputError("data.urls", config.urls, "at least one data set, e.g. data.urls=[data/mine]")
        self.config = config
        self.sets = [DataSet(url) for url in config.urls]

    def places(self, split: str, *, least_frames: int = 1) -> list[ClipPlace]:
        """Accepted clips of a split with enough frames, in order of data set and row, cut to ``max_clips``."""
        found = [
            ClipPlace(s, r)
            for s, data_set in enumerate(self.sets)
            for r, row in enumerate(data_set.rows)
            if row["split"] == split and row["accepted"] and row["num_frames"] >= least_frames
        ]
        return found[: self.config.max_clips or None]

    def repeated(self, places: list[ClipPlace]) -> list[ClipPlace]:
        """Each place as often as its data set counts in one epoch (``data.repeat``)."""
        repeat = self.config.repeat or (1,) * len(self.sets)
        return [place for place in places for _ in range(repeat[place.set_index])]

    def training(self, *, least_frames: int = 1) -> list[ClipPlace]:
        """The training clips.

        Raises:
            InputError: when there are none.
        """
        places = self.places("train", least_frames=least_frames)
        if not places:
            received = f"{sum(map(len, self.sets))} clips, none of them accepted, of split train and that long"
            raise InputError("training clips", Received(received), f"at least one with {least_frames} frames")
        return places

    def row(self, place: ClipPlace) -> dict:
        """The index row of a clip."""
        return self.sets[place.set_index].rows[place.row_index]

    def load(self, place: ClipPlace) -> Sample:
        """Decode one clip and bring it and its camera to the training size. Labels are left out."""
        return self.framed(self.raw(place))

    def raw(self, place: ClipPlace) -> Sample:
        """Decode one clip at its own size."""
        return self.sets[place.set_index].load(place.row_index)

    def framed(self, sample: Sample) -> Sample:
        """A clip at the training size: the largest centred window of that shape, resized."""
        size = (self.config.width_px, self.config.height_px)
        source = (sample.clip.width_px, sample.clip.height_px)
        if source == size:
            return dataclasses.replace(sample, labels=None)
        frame = framing(source, size)
        clip = Clip(np.stack([frame.frame(f) for f in sample.clip.frames]), sample.clip.fps)
        camera = None if sample.camera is None else frame.camera(sample.camera)
        return dataclasses.replace(sample, clip=clip, camera=camera, labels=None)

    def name(self, places: list[ClipPlace]) -> str:
        """A key for the content and order of clips; it changes with the clips, their captions and their cuts."""
        rows = [[self.row(place)[column] for column in _NAMING] for place in places]
        return stable_key("clips", rows)


def evenly_spaced(items: Sequence[Item], count: int) -> list[Item]:
    """At most ``count`` of the items, evenly spaced in their order."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]

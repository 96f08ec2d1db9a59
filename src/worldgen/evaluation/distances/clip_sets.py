"""Clips to measure: of data sets, of folders of videos, and of held-out scenes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.seeds import numpy_rng
from worldgen.data.dataset.index import DataSet
from worldgen.data.video.reading import decode_mp4, read_clip
from worldgen.evaluation.distances.features import ClipItem
from worldgen.evaluation.measures.trials import Trial
from worldgen.files.storage import resolve
from worldgen.files.system_errors import reported

VIDEOS = (".mp4", ".mkv", ".mov", ".avi", ".webm")


@dataclass(frozen=True)
class ClipChoice:
    """Which clips of a data set are taken.

    split: "" for all. tags: only clips with all of these. limit: the most clips, chosen by ``seed``; 0 for all.
    """

    split: str = ""
    tags: tuple[str, ...] = ()
    limit: int = 0
    seed: int = 0


class NoClipsError(InputError):
    """A data set that exists, but holds no accepted clip of the split and tags."""


class ClipSet:
    """Clips of one URL: a data set, or a folder of videos. Iterating decodes one after the other.

    Raises: InputError when there is no clip, and for a split or tags of a folder of videos.
    """

    def __init__(self, url: str, choice: ClipChoice | None = None):
        self.url, self.choice = str(url), choice or ClipChoice()
        self._data, self._files = None, []
        files = _videos(self.url)
        if files and (self.choice.split or self.choice.tags):
            raise InputError(f"split or tags of {url}", Received("a folder of videos"), "a data set, which has them")
        if files:
            self._files = [files[i] for i in _chosen(len(files), self.choice)]
            return
        data = DataSet(self.url).select(self.choice.split or None, self.choice.tags, accepted=True)
        if not len(data):
            raise NoClipsError(f"clips of {url}", Received("none of that split and tags"), "at least one")
        self._data = data
        self._rows = _chosen(len(data), self.choice)

    def __len__(self) -> int:
        return len(self._files) if self._data is None else len(self._rows)

    def __iter__(self) -> Iterator[ClipItem]:
        return (self.item(number) for number in range(len(self)))

    def item(self, number: int) -> ClipItem:
        """The clip with this number in the set."""
        if self._data is None:
            file = self._files[number]
            return ClipItem(read_clip(file), Path(file).stem, Path(file).stem)
        row = self._data.row(self._rows[number])  # only the pixels are read, which halves the time
        video = self._data.member(self._rows[number], "mp4")
        if video is None:
            raise InputError(f"video of clip {row['key']}", Received("none"), "an mp4 in the data set")
        clip = decode_mp4(video)
        return ClipItem(Clip(clip.frames, row["fps"]), row["key"], row["drive"], tuple(row["tags"]))


def trial_items(trials: list[Trial], clips: Iterable[Clip]) -> Iterator[ClipItem]:
    """Clips of held-out scenes with their keys and tags, in order."""
    for trial, clip in zip(trials, clips, strict=True):
        scenario = trial.scenario
        yield ClipItem(clip, trial.key, trial.key, (scenario.weather, scenario.light, scenario.road, *scenario.events))


def is_folder_of_videos(url: str) -> bool:
    """Whether a URL is a local folder with video files in it, and not a data set."""
    return bool(_videos(url))


def _videos(url: str) -> list[str]:
    path = resolve(url)[1]
    if "://" in url or not Path(path).is_dir():
        return []
    with reported("read", url):
        names = sorted(str(p) for p in Path(path).iterdir() if p.suffix.lower() in VIDEOS and p.is_file())
    return names


def _chosen(count: int, choice: ClipChoice) -> list[int]:
    if choice.limit <= 0 or choice.limit >= count:
        return list(range(count))
    return sorted(int(i) for i in numpy_rng("chosen clips", choice.seed).permutation(count)[: choice.limit])

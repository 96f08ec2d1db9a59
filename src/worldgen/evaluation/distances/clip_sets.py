"""Clips to measure: of data sets, of folders of videos, and of held-out scenes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.seeds import numpy_rng
from worldgen.data.dataset.index import INDEX_NAME, SUMMARY_NAME, DataSet
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
    """Clips of one URL: a data set, or a folder of videos, folders below it included. Iterating decodes them in order.

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

    def whole(self, broken: list[str] | None) -> Iterator[ClipItem]:
        """The clips that can be decoded; the reason of each other one is added to ``broken``.

        Raises: InputError for the first clip that cannot be decoded, when ``broken`` is None.
        """
        for number in range(len(self)):
            try:
                yield self.item(number)
            except InputError as error:
                where = (
                    Path(self._files[number]).name if self._data is None else self._data.row(self._rows[number])["key"]
                )
                reason = f"clip {where} of {self.url}: {error}"
                if broken is None:
                    raise InputError(f"{reason}; skip_broken (--skip-broken) leaves such clips out") from error
                broken.append(reason)

    def item(self, number: int) -> ClipItem:
        """The clip with this number in the set."""
        if self._data is None:
            file = self._files[number]
            key = Path(file).relative_to(resolve(self.url)[1]).with_suffix("").as_posix()
            return ClipItem(read_clip(file), key, key)
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
    """Whether a URL is a local folder with video files in it or in folders below it, and not a data set."""
    return bool(_videos(url))


def _videos(url: str) -> list[str]:
    path = resolve(url)[1]
    folder = Path(path)
    if "://" in url or not folder.is_dir() or any((folder / name).exists() for name in (INDEX_NAME, SUMMARY_NAME)):
        return []
    with reported("read", url):
        found = sorted(each for each in folder.rglob("*") if each.suffix.lower() in VIDEOS and each.is_file())
    return [str(each) for each in found if not any(p.startswith(".") for p in each.relative_to(folder).parts)]


def _chosen(count: int, choice: ClipChoice) -> list[int]:
    if choice.limit <= 0 or choice.limit >= count:
        return list(range(count))
    return sorted(int(i) for i in numpy_rng("chosen clips", choice.seed).permutation(count)[: choice.limit])

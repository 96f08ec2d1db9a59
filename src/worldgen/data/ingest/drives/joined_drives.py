"""Sources that their clocks, logs and pixels show to be one recording, so that they become one drive."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from worldgen.data.ingest.drives.name_drives import DATE_TIME, numbered
from worldgen.data.video.shots import follows

CLOCK_GAP_S, NAME_GAP_S = 5.0, 15.0
"""Two files go on from each other when the second begins at most this long after the first ends, by the clock of their
frames or logs, or by the date and time in their names (dashcams lose some seconds between files)."""
DEVICE_CLOCK_S = 1000.0
"""A clock that starts below this may have been set to zero for each file, so equal times say nothing."""
MAX_NOTES = 5
OVERLAP = 0.5
"""Share of the shorter recording from which two recordings of one folder count as made at the same time."""


@dataclass(frozen=True, eq=False)
class RecordedSource:
    """What tells which drive a source belongs to.

    name: path below SOURCE without suffix. drive: by config or name. stated: the config gives it. duration_s: of its
    frames. begin_s: clock of frames or log at the first frame, None without one. named_s: date and time in its name, as
    seconds, or None. log: path of its ego log, or "". content: hash of its pixels. head, tail: ``(N, h, w, 3)``
    thumbnails of its first and last frames, or None where they were not decoded.
    """

    name: str
    drive: str
    stated: bool
    duration_s: float
    begin_s: float | None = None
    named_s: float | None = None
    log: str = ""
    content: str = ""
    head: np.ndarray | None = None
    tail: np.ndarray | None = None


@dataclass(frozen=True)
class Relation:
    """Two sources (by their position) that are one recording, and why, in words."""

    first: int
    second: int
    why: str


def join_drives(sources: Sequence[RecordedSource], relations: Sequence[Relation]) -> list[str]:
    """The drive of every source, with related ones joined under the name of the first. Stated drives stay."""
    drives = [source.drive for source in sources]
    fixed = {source.drive for source in sources if source.stated}
    for relation in relations:
        one, other = drives[relation.first], drives[relation.second]
        if one != other and not {one, other} & fixed:
            kept, lost = (one, other) if drives.index(one) < drives.index(other) else (other, one)
            drives = [kept if drive == lost else drive for drive in drives]
    return drives


def find_relations(sources: Sequence[RecordedSource]) -> Iterator[Relation]:
    """Pairs of sources that are one recording: one log, one clock, or pixels that go on from file to file.

    Clocks and pixels are compared inside a folder and the folder above it, because the cars of a fleet drive at the
    same time; dates in names among names that begin alike.
    """
    by_log: dict[str, int] = {}
    folders: dict[str, list[int]] = defaultdict(list)
    dated: dict[str, list[int]] = defaultdict(list)
    for i, source in enumerate(sources):
        if source.log:
            if source.log in by_log:
                yield Relation(by_log[source.log], i, "they have one ego log")
            by_log.setdefault(source.log, i)
        folder = source.name.rpartition("/")[0]
        folders[f"{folder}/"].append(i)
        if "/" in folder:
            folders[f"{folder.rpartition('/')[0]}//"].append(i)
        if source.named_s is not None:
            dated[DATE_TIME.split(source.name)[0]].append(i)
    seen: set[tuple[int, int]] = set()
    found = [_by_clock(sources, place) for place in folders.values()]
    found += [_by_name(sources, place) for place in dated.values()]
    found += [_by_pixels(sources, place) for place in folders.values()]
    for relation in itertools.chain(*found):
        pair = (relation.first, relation.second)
        if pair not in seen:
            seen.add(pair)
            yield relation


def _by_clock(sources: Sequence[RecordedSource], place: list[int]) -> Iterator[Relation]:
    """Neighbours in time by the clock of frames or logs."""
    begun = sorted((source.begin_s, i) for i in place if (source := sources[i]).begin_s is not None)
    for (one_s, i), (other_s, k) in itertools.pairwise(begun):
        end_s = one_s + sources[i].duration_s
        shared_s = end_s - other_s
        if one_s > DEVICE_CLOCK_S and shared_s > OVERLAP * min(sources[i].duration_s, sources[k].duration_s):
            yield Relation(min(i, k), max(i, k), "their clocks show one time")
        elif other_s > one_s and abs(shared_s) <= min(CLOCK_GAP_S, max(sources[i].duration_s, 1.0)):
            yield Relation(min(i, k), max(i, k), "one goes on where the other ends, by their clocks")


def _by_name(sources: Sequence[RecordedSource], place: list[int]) -> Iterator[Relation]:
    """Neighbours in time by the date and time in their names, which have a resolution of a second."""
    named = sorted((source.named_s, i) for i in place if (source := sources[i]).named_s is not None)
    for (one_s, i), (other_s, k) in itertools.pairwise(named):
        gap_s = other_s - one_s - sources[i].duration_s
        if other_s - one_s <= 1.0:
            yield Relation(min(i, k), max(i, k), "their names have one date and time")
        elif abs(gap_s) <= min(NAME_GAP_S, max(sources[i].duration_s, 1.0)):
            yield Relation(min(i, k), max(i, k), "one goes on where the other ends, by the times in their names")


def _by_pixels(sources: Sequence[RecordedSource], place: list[int]) -> Iterator[Relation]:
    """Numbered neighbours of which the second shows what the first ends with."""
    at = {numbered(sources[i].name): i for i in place if numbered(sources[i].name) is not None}
    for found, i in at.items():
        assert found is not None
        k = at.get((found[0], found[1] + 1))
        if k is None:
            continue
        tail, head = sources[i].tail, sources[k].head
        if tail is not None and head is not None and follows(tail, head):
            yield Relation(min(i, k), max(i, k), "the pixels of one go on in the other")


def _first(notes: list[str]) -> list[str]:
    """The first notes of a long list, and how many more there are."""
    more = len(notes) - MAX_NOTES
    return notes[:MAX_NOTES] + ([f"{more} more leaks of this kind"] if more > 0 else [])


def leak_notes(sources: Sequence[RecordedSource], relations: Sequence[Relation], splits: dict[str, str]) -> list[str]:
    """What one split would know of another, as sentences: related sources, copies, and numbered neighbours.

    sources: with their final drives. splits: drive -> split.
    """

    def apart(i: int, k: int) -> bool:
        return splits[sources[i].drive] != splits[sources[k].drive]

    def pair(i: int, k: int) -> str:
        return " and ".join(f"{sources[j].name} ({splits[sources[j].drive]})" for j in (i, k))

    notes = [
        f"leak: {pair(relation.first, relation.second)} are in different splits, though {relation.why}: "
        "give them one drive"
        for relation in relations
        if apart(relation.first, relation.second)
    ]
    first_with: dict[str, int] = {}
    copies = []
    for i, source in enumerate(sources):
        k = first_with.setdefault(source.content, i) if source.content else i
        if apart(k, i):
            copies.append(f"leak: {pair(k, i)} hold the same frames: give them one drive, or leave one out")
    notes = [*_first(notes), *_first(copies)]
    at = {numbered(source.name): i for i, source in enumerate(sources)}
    doubtful = [
        (i, at[found[0], found[1] + 1])
        for found, i in at.items()
        if found is not None and (found[0], found[1] + 1) in at and not sources[i].stated
    ]
    doubtful = [(i, k) for i, k in doubtful if apart(i, k)]
    if doubtful:
        more = f" ({len(doubtful)} such pairs)" if len(doubtful) > 1 else ""
        notes.append(
            f"possible leak: {pair(*doubtful[0])} differ in a number only{more}: if they are parts of one recording, "
            "join them with drive or drive_pattern"
        )
    return notes

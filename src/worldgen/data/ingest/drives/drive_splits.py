"""The splits of the drives of an ingest: by list, as published, or drawn; no split that is needed is empty."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.core.seeds import stable_hash
from worldgen.data.dataset.splits import SplitConfig, split_drives


def ingest_splits(
    drives: set[str], usable: set[str], config: SplitConfig, published: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The split of every drive, and notes on drives that were moved.

    Drives in the lists of ``config`` have the split stated there; others the one that their data set publishes; the
    rest is drawn by the hash of the name. Where that leaves a split empty, drawn drives move: with one usable drive it
    is train, with two train and val, with three or more all splits whose fraction is above 0 have a drive. The drive
    that moves is the one whose draw is nearest, so the result depends on the set of names only.

    Args:
        drives: all of them.
        usable: those with a window to write; only these count.
        config: lists, fractions and salt.
        published: drive -> split of a public data set.

    Raises:
        InputError: see :func:`worldgen.data.dataset.splits.split_drives`, and a published split that is unknown.
    """
    for drive, split in published.items():
        if split not in SPLITS:
            raise InputError(f"split of drive {drive}", Received(split), ", ".join(SPLITS))
    out = split_drives(drives, config)
    listed = split_drives(drives, SplitConfig(config.train, config.val, config.test, rest="train"))
    others = split_drives(drives, SplitConfig(config.train, config.val, config.test, rest="val"))
    stated = {drive for drive in drives if listed[drive] == others[drive]}
    out |= {drive: split for drive, split in published.items() if drive not in stated and drive in drives}
    if config.rest != "hash":
        return out, []
    fixed = stated | set(published)
    free = sorted((drive for drive in usable - fixed), key=lambda drive: (_draw(drive, config), drive))
    wanted = [split for split, share in zip(SPLITS, config.fractions, strict=True) if share > 0]
    wanted = wanted[: max(len(usable), 1)]
    moved = _cover(out, free, wanted, usable)
    if not moved:
        return out, []
    names = ", ".join(f"{drive} to {out[drive]}" for drive in moved)
    return out, [
        f"few drives: {names}, so that no split that is needed is empty; more drives may change this, lists in split "
        "do not"
    ]


def known_drives(config: SplitConfig, drives: set[str]) -> SplitConfig:
    """The config without the entries of its lists that match no drive: theirs may be a source that cannot be used."""

    def known(patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(pattern for pattern in patterns if any(fnmatchcase(drive, pattern) for drive in drives))

    return replace(config, train=known(config.train), val=known(config.val), test=known(config.test))


def _draw(drive: str, config: SplitConfig) -> int:
    return stable_hash("split", config.salt, drive)


def _cover(out: dict[str, str], free: list[str], wanted: list[str], usable: set[str]) -> list[str]:
    """Give every wanted split a drive of ``free`` (in the order of their draws), in place; returns those that moved."""
    before = dict(out)
    for split in wanted:
        if any(out[drive] == split for drive in usable):
            continue
        counts = {name: sum(out[drive] == name for drive in usable) for name in SPLITS}
        # A split gives a drive away when it has more than one, or is not needed; train gives last.
        givers = [d for d in free if counts[out[d]] > 1 or out[d] not in wanted]
        givers.sort(key=lambda d: (out[d] in wanted, out[d] == "train"))
        best = [d for d in givers if (out[d] in wanted, out[d] == "train") == _rank(out, givers[0], wanted)]
        if best:
            out[best[0] if split == "train" else best[-1]] = split
    return [drive for drive in free if out[drive] != before[drive]]


def _rank(out: dict[str, str], drive: str, wanted: list[str]) -> tuple[bool, bool]:
    return out[drive] in wanted, out[drive] == "train"

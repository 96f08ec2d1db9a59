"""Splits of a data set into train, val and test, by drive: all clips of one drive are in one split."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.core.seeds import stable_hash


@dataclass(frozen=True)
class SplitConfig:
    """How drives are split.

    train, val, test: names of drives, or patterns with ``*``. rest: split of the drives in no list, or ``hash``, which
    draws the split from a hash of the drive's name; new data then never moves a drive to another split. fractions: of
    train, val and test in that draw; they sum to 1. salt: changes the draw.

    Raises:
        InputError: fractions that are no three numbers from 0 that sum to 1.
    """

    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    rest: Literal["hash", "train", "val", "test"] = "hash"
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    salt: str = ""

    def __post_init__(self) -> None:
        if (
            len(self.fractions) != 3
            or min(self.fractions) < 0
            or not math.isclose(sum(self.fractions), 1.0, abs_tol=1e-6)
        ):
            raise InputError(
                "split.fractions", tuple(self.fractions), "three numbers from 0 that sum to 1: train, val, test"
            )


def split_drives(drives: Iterable[str], config: SplitConfig) -> dict[str, str]:
    """The split (``train``, ``val`` or ``test``) of every drive.

    Raises:
        InputError: a listed drive or pattern that matches no drive, or a drive in two lists.
    """
    drives = sorted(set(drives))
    out = {drive: _rest(drive, config) for drive in drives}
    listed: dict[str, str] = {}
    for split in SPLITS:
        for pattern in getattr(config, split):
            matches = [drive for drive in drives if fnmatchcase(drive, pattern)]
            if not matches:
                near = difflib.get_close_matches(pattern, drives, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise InputError(f"split.{split}", pattern, "one of the drives " + ", ".join(drives) + hint)
            for drive in matches:
                if listed.get(drive, split) != split:
                    raise InputError(
                        f"drive {drive!r}", Received(f"listed in split.{listed[drive]} and split.{split}"), "one split"
                    )
                listed[drive] = out[drive] = split
    return out


def _rest(drive: str, config: SplitConfig) -> str:
    if config.rest != "hash":
        return config.rest
    draw = stable_hash("split", config.salt, drive) / 2**63
    train, val, _ = config.fractions
    if draw < train:
        return "train"
    return "val" if draw < train + val else "test"


def drive_name(text: str) -> str:
    """Any text as the name of a drive: runs of characters other than letters, digits, ``_`` and ``-`` become ``_``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "drive"

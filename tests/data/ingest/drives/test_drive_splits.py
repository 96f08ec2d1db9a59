"""Splits of few drives: each that is needed has one, the same in every run, and lists win."""

from __future__ import annotations

import pytest

from worldgen.core.errors import InputError
from worldgen.core.samples import SPLITS
from worldgen.data.dataset.splits import SplitConfig, split_drives
from worldgen.data.ingest.drives.drive_splits import ingest_splits, known_drives


def split(drives, usable=None, published=None, **config):
    drives = set(drives)
    usable = drives if usable is None else set(usable)
    return ingest_splits(drives, usable, SplitConfig(**config), published or {})


@pytest.mark.parametrize("count", range(1, 8))
def test_every_split_that_is_needed_has_a_drive(count):
    for salt in range(200):
        names = [f"drive_{salt}_{i}" for i in range(count)]
        splits, _ = split(names)
        assert splits == split(reversed(names))[0]
        counts = [list(splits.values()).count(name) for name in SPLITS]
        assert all(counts[: min(count, 3)]), f"{splits}"
        drawn = split_drives(names, SplitConfig())
        moved = [name for name in names if splits[name] != drawn[name]]
        assert len(moved) <= 2, f"{moved} moved, more than the empty splits need"


def test_a_single_drive_trains():
    splits, notes = split(["drive"])
    assert splits == {"drive": "train"} and split_drives(["drive"], SplitConfig()) == {"drive": "test"}
    assert notes and notes[0].startswith("few drives: drive to train")


def test_many_drives_are_those_of_the_hash():
    names = [f"d{i}" for i in range(60)]
    splits, notes = split(names)
    assert splits == split_drives(names, SplitConfig()) and notes == []


def test_only_drives_with_windows_count():
    names = [f"d{i}" for i in range(4)]
    for usable in names:
        assert split(names, [usable])[0][usable] == "train"


def test_lists_and_published_splits_stay():
    assert split("abc", test=("*",))[0] == dict.fromkeys("abc", "test")
    assert split("ab", val=("a",))[0] == {"a": "val", "b": "train"}
    assert split("abc", rest="val")[0] == dict.fromkeys("abc", "val")
    assert split("ab", fractions=(1.0, 0.0, 0.0))[0] == dict.fromkeys("ab", "train")
    stated = {"a": "test", "b": "train", "c": "train"}
    assert split("abc", published=stated)[0] == stated
    assert split("ab", published={"a": "test", "b": "test"}, train=("b",))[0] == {"a": "test", "b": "train"}
    with pytest.raises(InputError, match="split of drive a"):
        split("a", published={"a": "training"})


def test_lists_may_name_drives_that_cannot_be_read():
    config = SplitConfig(train=("a", "lost"), val=("b*",))
    assert known_drives(config, {"a", "b1"}) == SplitConfig(train=("a",), val=("b*",))
    with pytest.raises(InputError, match="lost"):
        ingest_splits({"a", "b1"}, {"a"}, config, {})

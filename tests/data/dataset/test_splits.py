from __future__ import annotations

import pytest

from worldgen.core.errors import InputError
from worldgen.data.dataset.splits import SplitConfig, split_drives


def test_hash_split_is_stable_near_its_fractions_and_independent_of_the_others():
    drives = [f"drive{i}" for i in range(2000)]
    splits = split_drives(drives, SplitConfig())
    counts = {name: list(splits.values()).count(name) for name in ("train", "val", "test")}
    assert abs(counts["train"] - 1600) < 60
    assert abs(counts["val"] - 200) < 45
    assert split_drives(drives[:10], SplitConfig()) == {d: splits[d] for d in drives[:10]}
    assert {d: splits[d] for d in ("drive0", "drive7", "drive11")} == {
        "drive0": "train",
        "drive7": "train",
        "drive11": "train",
    }
    assert split_drives(drives, SplitConfig(salt="other")) != splits


def test_lists_win_and_the_rest_follows():
    splits = split_drives(["a1", "a2", "b", "c"], SplitConfig(val=("a*",), test=("b",), rest="train"))
    assert splits == {"a1": "val", "a2": "val", "b": "test", "c": "train"}


def test_mistakes_in_lists():
    with pytest.raises(InputError, match=r"split\.val.*'calgry'.*did you mean calgary"):
        split_drives(["calgary"], SplitConfig(val=("calgry",)))
    with pytest.raises(InputError, match=r"'a'.*split\.train and split\.test"):
        split_drives(["a"], SplitConfig(train=("a",), test=("*",)))
    for fractions in ((0.5, 0.4, 0.2), (1.2, -0.1, -0.1)):
        with pytest.raises(InputError, match=r"split\.fractions"):
            SplitConfig(fractions=fractions)

"""The card of a data set: what the front matter says is what the shards hold."""

from __future__ import annotations

import yaml

from tests.data.samples import make_sample
from worldgen.core.samples import SPLITS
from worldgen.data.dataset.card import CARD_NAME, MARK, MIXED
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter


def build(url, shards: dict[str, list[str]]) -> dict:
    """Shards by name with a sample for each split named; the front matter of the card."""
    number = 0
    for name, splits in shards.items():
        with ShardWriter(str(url), name) as writer:
            for split in splits:
                writer.write(make_sample(f"k{number}", number, split=split, drive=f"d{number}"))
                number += 1
    build_index(str(url))
    return front_matter(url)


def front_matter(url) -> dict:
    _, matter, _ = (url / CARD_NAME).read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(matter)


def test_shards_of_one_split_are_the_files_of_that_split(tmp_path):
    matter = build(tmp_path, {"a-0": ["train", "train"], "a-1": ["train"], "b": ["val"], "c": ["test"]})
    files: dict[str, set[str]] = {}
    for part in (part for config in matter["configs"] for part in config["data_files"]):
        files.setdefault(part["split"], set()).update(part["path"])
    rows = DataSet(str(tmp_path)).rows
    assert files == {split: {row["shard"] for row in rows if row["split"] == split} for split in SPLITS}


def test_shards_that_mix_splits_are_never_called_train(tmp_path):
    matter = build(tmp_path, {"a": ["train", "test"], "b": ["train"]})
    (parts,) = [config["data_files"] for config in matter["configs"]]
    assert parts == [{"split": MIXED, "path": ["a.tar", "b.tar"]}]
    assert "Use only\nclips of `train` to train" in (tmp_path / CARD_NAME).read_text()


def test_what_the_gate_refused_is_a_config_of_its_own():
    from worldgen.data.dataset.card import data_files

    rows = [
        {"shard": "accepted-0.tar", "split": "train", "accepted": True},
        {"shard": "quarantine-0.tar", "split": "train", "accepted": False},
        {"shard": "quarantine-0.tar", "split": "val", "accepted": False},
    ]
    assert data_files(rows) == {
        "default": {"train": ["accepted-0.tar"]}, "quarantine": {MIXED: ["quarantine-0.tar"]},
    }  # fmt: skip


def test_facts_are_those_of_the_summary(tmp_path):
    matter = build(tmp_path, {"a": ["train"] * 3})
    assert matter["license"] == ["cc0-1.0"] and matter["size_categories"] == ["n<1K"] and "worldgen" in matter["tags"]
    text = (tmp_path / CARD_NAME).read_text()
    assert "| clips | 3 (train 3)" in text and "CC0-1.0 (3)" in text and MARK in text


def test_a_card_of_your_own_stays(tmp_path):
    build(tmp_path, {"a": ["train"]})
    first = (tmp_path / CARD_NAME).read_bytes()
    build_index(str(tmp_path))
    assert (tmp_path / CARD_NAME).read_bytes() == first
    (tmp_path / CARD_NAME).write_text("# Mine\n")
    build_index(str(tmp_path))
    assert (tmp_path / CARD_NAME).read_text() == "# Mine\n"

"""Published files are compared with the sizes and hashes that were recorded when they were written."""

from __future__ import annotations

import json

import pytest

from tests.data.samples import make_sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.published import damaged_files, shard_is_sound
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.dataset.validate import validate


@pytest.fixture
def url(tmp_path) -> str:
    for name in ("s0", "s1"):
        with ShardWriter(str(tmp_path), name) as writer:
            writer.write(make_sample(f"{name}-a", int(name[1]), drive=name))
    build_index(str(tmp_path))
    return str(tmp_path)


def flip(path, at: int = 3000) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def harm(folder, how: str) -> None:
    if how == "shard gone":
        (folder / "s1.tar").unlink()
    elif how == "shard cut":
        (folder / "s1.tar").write_bytes((folder / "s1.tar").read_bytes()[:5000])
    elif how == "one bit":
        flip(folder / "s1.tar")
    elif how == "index":
        flip(folder / "index.parquet", 100)
    elif how == "summary":
        (folder / "dataset.json").write_text("{")
    elif how == "counts":
        summary = json.loads((folder / "dataset.json").read_text())
        summary["num_samples"] = summary["shards"][0]["num_samples"] = 3
        (folder / "dataset.json").write_text(json.dumps(summary))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("shard gone", "s1.tar is gone"),
        ("shard cut", "s1.tar has 5000 bytes"),
        ("one bit", "s1.tar holds other bytes"),
        ("index", "index.parquet holds other bytes"),
        ("summary", "dataset.json is gone or damaged"),
        ("counts", "dataset.json counts 3 samples of 2"),
    ],
)
def test_every_damage_is_found(url, tmp_path, how, words):
    summary = json.loads((tmp_path / "dataset.json").read_text())
    assert damaged_files(url, summary) == [] and validate(url).to_json()["valid"]
    harm(tmp_path, how)
    assert any(words in what for what in damaged_files(url, summary))
    assert not validate(url).to_json()["valid"]


def test_a_sound_shard_is_there_whole_and_unchanged(url, tmp_path):
    assert shard_is_sound(url, "s1.tar") and not shard_is_sound(url, "s2.tar")
    flip(tmp_path / "s1.tar")
    assert not shard_is_sound(url, "s1.tar")
    (tmp_path / "dataset.json").unlink()
    (tmp_path / "s0.tar").write_bytes((tmp_path / "s0.tar").read_bytes()[:5000])
    assert not shard_is_sound(url, "s0.tar")


def test_sets_without_hashes_are_valid_with_a_note(url, tmp_path):
    summary = json.loads((tmp_path / "dataset.json").read_text())
    del summary["index_digest"]
    for shard in summary["shards"]:
        del shard["digest"]
    (tmp_path / "dataset.json").write_text(json.dumps(summary))
    report = validate(url)
    assert not report.problems and "no hashes" in report.notes[0] and damaged_files(url, summary) == []
    build_index(url)
    assert not validate(url).notes

"""Validation names every problem of a data set and goes on after it; a valid data set has no problem."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from tests.data.samples import make_clip, make_labels, make_sample
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.dataset.summary import summarise
from worldgen.data.dataset.validate import label_problems, validate


def write(folder, *samples, name="s0", index=True):
    with ShardWriter(str(folder), name) as writer:
        for sample in samples:
            writer.write(sample)
    if index:
        build_index(str(folder))
    return str(folder)


def found(url):
    return [str(problem) for problem in validate(url).problems]


def raw_shard(path, members_of_key):
    """A shard from bytes, without the writer's checks."""
    with tarfile.open(path, "w") as tar:
        for key, members in members_of_key.items():
            for extension, data in members.items():
                info = tarfile.TarInfo(f"{key}.{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def test_clean(tmp_path):
    write(tmp_path, make_sample("a"), make_sample("b", 1, full=False), index=False)
    write(tmp_path, make_sample("c", 2, split="val", drive="d1"), name="s1")
    report = validate(str(tmp_path))
    assert report.problems == []
    assert (report.num_shards, report.num_samples, report.num_frames) == (2, 3, 18)
    assert report.to_json()["valid"] is True


def test_truncated_shard_is_named_with_its_offset_and_the_rest_is_checked(tmp_path):
    write(tmp_path, make_sample("a"), make_sample("b", 1), index=False)
    write(tmp_path, make_sample("c", 2), name="s1")
    shard = tmp_path / "s0.tar"
    with tarfile.open(shard) as tar:
        member = next(m for m in tar if m.name == "b.mp4")
    shard.write_bytes(shard.read_bytes()[: member.offset_data + 100])
    report = validate(str(tmp_path))
    lines = [str(problem) for problem in report.problems]
    assert any(f"s0.tar: received 'b.mp4' at byte {member.offset} cut short" in line for line in lines)
    assert any("the index knows it with" in line for line in lines)
    assert report.num_samples == 1  # the whole one in s1; a sample next to the cut may be cut itself


@pytest.mark.parametrize(
    ("extension", "damage", "words"),
    [
        ("mp4", lambda d: d[: len(d) // 2], "a: video"),
        (
            "mp4",
            lambda d: encode_sample(replace(make_sample("z", 3, full=False), clip=make_clip(3, frames=5)))["mp4"],
            "frames, width and height",
        ),
        (
            "mp4",
            lambda d: encode_sample(replace(make_sample("z", 3, full=False), clip=make_clip(3, fps=12.0)))["mp4"],
            "frame rate",
        ),
        ("ego.npy", lambda d: _npy(np.zeros((4, 2), np.float32)), "ego motion: received 4 rows"),
        ("ego.npy", lambda d: _npy(np.full((6, 2), np.nan, np.float32)), "non-finite"),
        ("labels.json", lambda d: json.dumps(json.loads(d) | {"num_frames": 9}).encode(), "labels"),
        ("labels.json", lambda d: d[:100], "no JSON"),
        ("json", lambda d: b"{}", "sample_version"),
    ],
)
def test_damage_is_named_and_the_other_sample_is_fine(tmp_path, extension, damage, words):
    members = {"a": encode_sample(make_sample("a")), "b": encode_sample(make_sample("b", 2))}
    raw_shard(tmp_path / "s0.tar", members)
    build_index(str(tmp_path))
    members["a"][extension] = damage(members["a"][extension])
    raw_shard(tmp_path / "s0.tar", members)
    lines = found(str(tmp_path))
    assert any(line.startswith("s0.tar: a: ") and words in line for line in lines), lines
    assert not any("s0.tar: b: " in line and "index disagrees" not in line for line in lines)


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def test_drive_in_two_splits(tmp_path):
    lines = found(
        write(tmp_path, make_sample("a", drive="tuesday"), make_sample("b", 1, split="test", drive="tuesday"))
    )
    assert lines == ["drive 'tuesday' is in the splits test, train"]


def test_same_video_in_two_splits(tmp_path):
    lines = found(write(tmp_path, make_sample("a", 5, drive="x"), make_sample("b", 5, split="val", drive="y")))
    assert lines == ["the same video in several splits: a (train), b (val)"]


def test_key_in_two_shards(tmp_path):
    write(tmp_path, make_sample("a"))
    write(tmp_path, make_sample("a", 1), name="s1", index=False)
    assert any(line.startswith("s1.tar: a: also in s0.tar") for line in found(str(tmp_path)))


def test_index_that_does_not_fit(tmp_path):
    url = write(tmp_path, make_sample("a"), make_sample("b", 1))
    write(tmp_path, replace(make_sample("a"), caption="other words"), make_sample("c", 2), index=False)
    lines = found(url)
    assert any("the index disagrees on" in line and "caption" in line for line in lines)
    assert "s0.tar: b: in the index, not in the shard" in lines
    assert "s0.tar: c: in the shard, not in the index" in lines
    (tmp_path / "index.parquet").unlink()
    assert any("index.parquet" in line for line in found(url))
    (tmp_path / "dataset.json").unlink()
    assert any("no index" in line for line in found(url))


def test_files_that_the_record_denies(tmp_path):
    members = encode_sample(make_sample("a", full=False))
    full = encode_sample(make_sample("a"))
    raw_shard(tmp_path / "s0.tar", {"a": members | {"ego.npy": full["ego.npy"], "depth.png": b"x"}})
    build_index(str(tmp_path))
    lines = found(str(tmp_path))
    assert any("ego.npy that its record denies" in line for line in lines)
    assert any("unknown file .depth.png" in line for line in lines)


def _changed(**columns):
    labels = make_labels()
    values = {name: getattr(labels, name).copy() for name in columns}
    for name, (where, value) in columns.items():
        values[name][where] = value
    return replace(labels, **values)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (_changed(box_px=(0, (60, 10, 66, 20))), r"box outside the 64x48 picture \(frame 0, track 1\)"),
        (_changed(box_px=(slice(0, 2), (-3, 10, 20, 20))), "and 1 more"),
        (_changed(amodal_box_px=(0, (25, 20, 30, 30))), "larger than the whole"),
        (_changed(box3d=(0, (1, 2, 3, np.nan, 1, 1, 0))), "only partly known"),
        (_changed(box3d=(0, (1, 2, 3, 0, 1, 1, 0))), "without size"),
        (_changed(track_id=(1, 1)), "track twice|changes its class"),
        (_changed(class_id=(0, 5)), "track 1 changes its class"),
    ],
)
def test_labels(labels, words):
    import re

    problems = label_problems(labels)
    assert any(re.search(words, problem) for problem in problems), problems


def test_good_labels_have_no_problems():
    assert label_problems(make_labels()) == []


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no such"):
        validate(str(tmp_path / "none"))
    with pytest.raises(InputError, match="without shards"):
        validate(str(tmp_path))


def test_summary(tmp_path):
    write(tmp_path, make_sample("a"), make_sample("b", 1, split="val", drive="d1"), make_sample("c", 2, full=False))
    summary = summarise(DataSet(str(tmp_path)))
    json.dumps(summary, allow_nan=False)
    assert (summary["samples"], summary["frames"], summary["drives"]) == (3, 18, 2)
    assert summary["hours"] == pytest.approx(1.8 / 3600, abs=1e-6)
    assert summary["splits"]["val"] == {"samples": 1, "hours": pytest.approx(0.6 / 3600, abs=1e-6), "drives": 1}
    assert summary["labels"]["boxes"] == {"car": 12, "pedestrian": 8} and summary["labels"]["ignored_boxes"] == 12
    assert summary["labels"]["tracks"] == {"car": 2, "pedestrian": 2, "truck": 2}
    assert summary["ego_motion"]["speed_mps"] == {"min": 5, "median": 7, "max": 9}
    assert summary["ego_motion"]["distance_km"] == pytest.approx(2 * 7 * 0.6 / 1000, abs=1e-4)
    assert summary["reasons"] == {"blurry": 1}

"""Shards: round trips, reproducible bytes, agreement with other readers, and the refusal of hostile archives."""

from __future__ import annotations

import errno
import io
import json
import os
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.data.samples import make_sample
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.data.dataset import shards
from worldgen.data.dataset.sample_files import decode_sample, encode_sample
from worldgen.data.dataset.shards import ShardWriter, read_members, read_shard, scan_shard
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4, read_clip


def write(folder, *samples, name="shard-000000"):
    with ShardWriter(str(folder), name) as writer:
        for sample in samples:
            writer.write(sample)
    return f"{folder}/{name}.tar"


def assert_same(back, sample):
    assert np.array_equal(back.clip.frames, decode_mp4(encode_mp4(sample.clip)).frames)
    assert back.clip.fps == sample.clip.fps
    for name in (
        "key", "caption", "drive", "split", "camera", "scenario", "tags", "provenance", "licence", "scorecard",
        "conditions_used",
    ):  # fmt: skip
        assert getattr(back, name) == getattr(sample, name), name
    assert (back.ego is None) == (sample.ego is None)
    if sample.ego is not None:
        assert np.array_equal(back.ego.to_array(), sample.ego.to_array())
    assert (back.labels is None) == (sample.labels is None)
    if sample.labels is not None:
        assert back.labels.to_json() == sample.labels.to_json()


@pytest.mark.parametrize("full", [True, False])
def test_sample_round_trip(full):
    sample = make_sample(full=full)
    members = encode_sample(sample)
    assert set(members) == ({"mp4", "json", "ego.npy", "labels.json"} if full else {"mp4", "json"})
    assert members == encode_sample(sample)
    assert_same(decode_sample(members), sample)


@pytest.mark.parametrize("where", ["local", "file", "memory"])
def test_shard_round_trip(tmp_path, where):
    folder = {"local": str(tmp_path), "file": f"file://{tmp_path}", "memory": "memory://shards/a"}[where]
    samples = [make_sample(f"k{i}", i, full=i != 1) for i in range(3)]
    url = write(folder, *samples)
    back = list(read_shard(url))
    assert len(back) == 3
    for got, sample in zip(back, samples, strict=True):
        assert_same(got, sample)


def test_shards_repeat_bit_for_bit(tmp_path):
    samples = [make_sample(f"k{i}", i) for i in range(2)]
    first = write(tmp_path / "a", *samples)
    second = write(tmp_path / "b", *samples)
    assert Path(first).read_bytes() == Path(second).read_bytes()
    with tarfile.open(first) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}


def test_copying_members_keeps_the_bytes(tmp_path):
    url = write(tmp_path, make_sample("k0"), make_sample("k1", 1))
    with ShardWriter(str(tmp_path / "copy"), "shard-000000") as writer:
        for key, members in read_members(url):
            writer.write_members(key, members)
    assert Path(url).read_bytes() == (tmp_path / "copy/shard-000000.tar").read_bytes()


def test_plain_webdataset_reads_it(tmp_path):
    wds = pytest.importorskip("webdataset")
    sample = make_sample("k0")
    url = write(tmp_path, sample, make_sample("k1", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = list(wds.WebDataset(url, shardshuffle=False, empty_check=False).decode())
    assert [record["__key__"] for record in records] == ["k0", "k1"]
    first = records[0]
    assert first["json"]["caption"] == sample.caption
    assert np.array_equal(first["ego.npy"], sample.ego.to_array())
    assert first["labels.json"]["frame_index"] == sample.labels.frame_index.tolist()
    assert len(decode_mp4(first["mp4"])) == len(sample.clip)


def test_a_shard_written_by_webdataset_is_read(tmp_path):
    """Its tar has extended headers (a fractional time for each file), ours has none."""
    wds = pytest.importorskip("webdataset")
    url = write(tmp_path, make_sample("k0"), make_sample("k1", 1))
    with wds.TarWriter(str(tmp_path / "other.tar"), encoder=False) as writer:
        for key, members in read_members(url):
            writer.write({"__key__": key, **members})
    assert list(read_members(str(tmp_path / "other.tar"))) == [
        (key, dict(sorted(members.items()))) for key, members in read_members(url)
    ]


def test_duplicate_key_and_error_leave_nothing(tmp_path):
    with pytest.raises(InputError, match="k0"):
        write(tmp_path / "out", make_sample("k0"), make_sample("k0", 1))
    assert os.listdir(tmp_path / "out") == []
    with pytest.raises(RuntimeError, match="boom"), ShardWriter(str(tmp_path / "out"), "s") as writer:
        writer.write(make_sample("k0"))
        raise RuntimeError("boom")
    assert os.listdir(tmp_path / "out") == []


def test_a_failing_rewrite_keeps_the_old_shard(tmp_path):
    url = write(tmp_path, make_sample("k0"))
    before = Path(url).read_bytes()
    with pytest.raises(InputError):
        write(tmp_path, make_sample("k1"), make_sample("k1"))
    assert Path(url).read_bytes() == before


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space left"), (errno.EACCES, "permission denied"), (errno.EROFS, "read-only")],
)
def test_full_or_forbidden_disk(tmp_path, monkeypatch, number, words):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(InputError, match=words):
        write(tmp_path / "out", make_sample("k0"))
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a b"])
def test_bad_shard_name(tmp_path, name):
    with pytest.raises(InputError, match="shard name"):
        ShardWriter(str(tmp_path), name)


def test_key_too_long(tmp_path):
    with pytest.raises(InputError, match="80 characters"):
        write(tmp_path, make_sample("k" * 81))


# --- hostile and damaged archives ---


def tar_with(path, *infos):
    with tarfile.open(path, "w") as tar:
        for info, data in infos:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def entry(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (entry("/etc/passwd.json"), "leads outside"),
        (entry("../k0.json"), "leads outside"),
        (entry("a/../../k0.json"), "leads outside"),
        (entry("..\\k0.json"), "leads outside"),
        (entry("C:\\k0.json"), "leads outside"),
        (entry("k0.json", tarfile.SYMTYPE, "/etc/passwd"), "symbolic link"),
        (entry("k0.json", tarfile.LNKTYPE, "other"), "hard link"),
        (entry("k0.json", tarfile.CHRTYPE), "device"),
        (entry("k0.json", tarfile.BLKTYPE), "device"),
        (entry("k0.json", tarfile.FIFOTYPE), "pipe"),
        (entry("no_extension"), "KEY.EXTENSION"),
        (entry("a/k0.json"), "KEY.EXTENSION"),
        (entry("/" + "d" * 150 + "/k0.json"), "leads outside"),
    ],
)
def test_entries_that_reach_outside_are_refused(tmp_path, info, words):
    url = tar_with(tmp_path / "bad.tar", (info, b""))
    for reader in (scan_shard, read_members, read_shard):
        with pytest.raises(InputError, match=words) as error:
            list(reader(url))
        assert "k0" in str(error.value) or "passwd" in str(error.value) or "no_extension" in str(error.value)


def test_every_cut_is_noticed(tmp_path):
    """Cut anywhere, at block borders too, a shard is never taken for a whole one."""
    data = Path(write(tmp_path, make_sample("k0"), make_sample("k1", 1))).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
    end = members[-1].offset_data + members[-1].size
    cuts = {0, 1, 511, 512, 513, end - 1, *(m.offset for m in members), *(m.offset_data for m in members)}
    path = tmp_path / "cut.tar"
    for cut in sorted(cuts | set(range(700, end, 4999))):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError, match=r"cut short.* byte |byte \d+ cut short|at byte"):
            list(read_members(str(path)))


def test_damaged_header_is_named(tmp_path):
    data = bytearray(Path(write(tmp_path, make_sample("k0"), make_sample("k1", 1))).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as tar:
        second = tar.getmembers()[1].offset
    data[second + 5] ^= 0xFF
    path = tmp_path / "bad.tar"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"damaged header at byte {second}"):
        list(read_members(str(path)))


def test_missing_or_foreign_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list(read_shard(str(tmp_path / "none.tar")))
    (tmp_path / "text.tar").write_text("hello " * 300)
    with pytest.raises(InputError, match="damaged header at byte 0"):
        list(read_shard(str(tmp_path / "text.tar")))


def test_keys_that_come_back_are_refused(tmp_path):
    url = tar_with(tmp_path / "a.tar", *[(entry(name), b"{}") for name in ("a.json", "b.json", "a.mp4")])
    with pytest.raises(InputError, match="key a "):
        list(read_members(url))
    url = tar_with(tmp_path / "b.tar", *[(entry(name), b"{}") for name in ("a.json", "a.json")])
    with pytest.raises(InputError, match="each file once"):
        list(read_members(url))


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"run": "me"}], object), allow_pickle=True)
    return buffer.getvalue()


def archived() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros((6, 2), np.float32))
    return buffer.getvalue()


def lying() -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**13, 2)})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("extension", "data", "words"),
    [
        ("ego.npy", pickled(), "without pickle"),
        ("ego.npy", archived(), "no plain array"),
        ("ego.npy", lying(), "plain array"),
        ("ego.npy", b"", "plain array"),
        ("ego.npy", None, "no ego.npy"),
        ("mp4", b"", "empty file"),
        ("mp4", None, "no mp4"),
        ("json", None, "no json"),
        ("json", b"[]", "sample_version"),
        ("json", b'{"sample_version": 99}', "sample_version"),
        ("json", b"\xff\xfe", "not UTF-8"),
        ("labels.json", b"[]", "labels"),
        ("labels.json", b'{"labels_version": 1}', "labels classes"),
        ("labels.json", None, "no labels.json"),
    ],
)
def test_bad_members(extension, data, words):
    members = encode_sample(make_sample())
    if data is None:
        del members[extension]
    else:
        members[extension] = data
    with pytest.raises(InputError, match=words):
        decode_sample(members)


@pytest.mark.parametrize(
    ("field", "value"),
    [("caption", 3), ("num_frames", 5), ("fps", 11.0), ("tags", "fog"), ("split", "all"), ("camera", {"a": 1})],
)
def test_bad_record(field, value):
    members = encode_sample(make_sample())
    members["json"] = json.dumps(json.loads(members["json"]) | {field: value}).encode()
    with pytest.raises(InputError):
        decode_sample(members)


def test_non_finite_scorecard_is_refused():
    sample = make_sample(full=False)
    sample.scorecard["psnr"] = float("nan")
    with pytest.raises(InputError, match="record of sample"):
        encode_sample(sample)


def test_members_are_stored_in_order(tmp_path):
    [(_, group, _)] = scan_shard(write(tmp_path, make_sample("k0")))
    assert tuple(group) == shards.MEMBERS


def test_a_real_window_survives(shared_dir, tmp_path):
    """From a real drive to a shard and back: every frame, the exact NTSC-like rate, little loss."""
    source = read_clip(shared_dir / "data/shippable/calgary.mp4", start_s=20.0, duration_s=1.0)
    url = write(tmp_path, Sample("calgary-0", source, drive="calgary", licence="MIT"))
    [back] = read_shard(url)
    assert back.clip.fps == source.fps == 29.97 and len(back.clip) == 29
    psnr = 10 * np.log10(255**2 / np.mean((back.clip.frames.astype(float) - source.frames) ** 2))
    assert psnr > 37

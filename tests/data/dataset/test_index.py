"""The index: random access by byte range, and the detection of stale and damaged indexes."""

from __future__ import annotations

import io
import json
import pickle

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.spec import AbstractBufferedFile

from tests.data.samples import make_sample
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import SCAN_BYTES, ShardWriter, _grouped, read_shard, scan_shard
from worldgen.files.storage import content_digest

SAMPLES = [
    make_sample("k0", 0), make_sample("k1", 1, split="val", drive="d1"), make_sample("k2", 2, full=False),
    make_sample("k3", 3, split="test", drive="d2"),
]  # fmt: skip


def build(url):
    for number in range(2):
        with ShardWriter(str(url), f"shard-{number:06d}") as writer:
            for sample in SAMPLES[2 * number : 2 * number + 2]:
                writer.write(sample)
    return build_index(str(url))


@pytest.mark.parametrize("where", ["local", "file", "memory"])
def test_random_access_equals_reading_on(tmp_path, where):
    url = {"local": str(tmp_path), "file": f"file://{tmp_path}", "memory": "memory://sets/a"}[where]
    build(url)
    data = DataSet(url)
    in_order = [s for n in range(2) for s in read_shard(f"{url}/shard-{n:06d}.tar")]
    assert len(data) == 4 and [s.key for s in in_order] == [row["key"] for row in data.rows]
    for number in (3, 0, 2, 1):
        one, two = data.load(number), data.load(f"k{number}")
        assert np.array_equal(one.clip.frames, in_order[number].clip.frames)
        assert np.array_equal(two.clip.frames, one.clip.frames)
        assert data.members(number) == encode_sample(SAMPLES[number])
    assert [sample.key for sample in data] == ["k0", "k1", "k2", "k3"]


def test_rows_tell_what_is_in_the_samples(tmp_path):
    build(tmp_path)
    rows = DataSet(str(tmp_path)).rows
    assert [row["shard"] for row in rows] == ["shard-000000.tar"] * 2 + ["shard-000001.tar"] * 2
    first, bare = rows[0], rows[2]
    assert (first["num_frames"], first["fps"], first["width_px"], first["height_px"]) == (6, 10.0, 64, 48)
    assert (first["tags"], first["licence"], first["has_ego"], first["has_labels"]) == (
        ["fog", "urban"],
        "CC0-1.0",
        True,
        True,
    )
    assert (bare["has_ego"], bare["ego_npy_offset"], bare["labels_json_size"], bare["tags"]) == (False, None, None, [])
    assert [row["accepted"] for row in rows] == [True, False, True, False]
    assert [row["reasons"] for row in rows] == [[], ["blurry"], [], ["blurry"]]
    assert [row["score_sharpness"] for row in rows] == [0.5, 1.5, None, 3.5]


def test_summary(tmp_path):
    summary = build(tmp_path)
    assert summary == json.loads((tmp_path / "dataset.json").read_text())
    assert (summary["num_samples"], summary["num_frames"], summary["duration_s"]) == (4, 24, 2.4)
    assert summary["splits"] == {"train": 2, "val": 1, "test": 1}
    assert summary["licences"] == {"CC0-1.0": 3, "unknown": 1}
    assert summary["weights_hashes"] == ["abc"]
    assert [shard["num_samples"] for shard in summary["shards"]] == [2, 2]


def test_index_repeats_bit_for_bit(tmp_path):
    build(tmp_path)
    first = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    build_index(str(tmp_path))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == first


def test_select(tmp_path):
    build(tmp_path)
    data = DataSet(str(tmp_path))
    assert [row["key"] for row in data.select("train").rows] == ["k0", "k2"]
    assert [row["key"] for row in data.select(tags=["fog"]).rows] == ["k0", "k1", "k3"]
    assert [row["key"] for row in data.select("train", "fog").rows] == ["k0"]
    assert [row["key"] for row in data.select(accepted=True).rows] == ["k0", "k2"]
    test = data.select("test")
    assert test.load(0).key == "k3" and test.load("k3").key == "k3"
    with pytest.raises(InputError, match="sample key"):
        test.load("k0")
    with pytest.raises(InputError, match="split"):
        data.select("training")
    with pytest.raises(InputError, match="sample number"):
        data.load(4)


def test_loading_reads_only_the_sample(tmp_path, monkeypatch):
    build(tmp_path)
    data = DataSet(str(tmp_path))
    asked = []
    real = type(fsspec.filesystem("file")).cat_file

    def watch(self, path, start=None, end=None, **how):
        asked.append((path.rsplit("/", 1)[-1], start, end))
        return real(self, path, start=start, end=end, **how)

    monkeypatch.setattr(type(fsspec.filesystem("file")), "cat_file", watch)
    data.load("k1")
    row = data.row("k1")
    assert asked == [("shard-000000.tar", row["mp4_offset"], row["labels_json_offset"] + row["labels_json_size"])]


def test_it_can_be_sent_to_a_worker(tmp_path):
    build(tmp_path)
    data = pickle.loads(pickle.dumps(DataSet(str(tmp_path)).select("val")))
    assert data.load(0).key == "k1"


def test_shards_sort_by_number_at_any_count(tmp_path):
    names = ["accepted-00009", "accepted-99999", "accepted-100000", "quarantine-00001"]
    for number, name in enumerate(names):
        with ShardWriter(str(tmp_path), name) as writer:
            writer.write(make_sample(f"k{number}", number))
    build_index(str(tmp_path))
    assert [row["shard"] for row in DataSet(str(tmp_path)).rows] == [f"{name}.tar" for name in names]


def test_a_writer_says_where_files_lie_and_what_it_wrote(tmp_path):
    """As a scan and a hash of the finished shard do, without reading it."""
    with ShardWriter(str(tmp_path), "s") as writer:
        places = {sample.key: writer.write_members(sample.key, encode_sample(sample)) for sample in SAMPLES}
    assert places == {key: group for key, group, _ in scan_shard(writer.url)}
    written = writer.written
    assert (written.size_bytes, written.digest) == ((tmp_path / "s.tar").stat().st_size, content_digest(writer.url))


def test_a_scan_fetches_no_video(tmp_path):
    """On a store that answers ranges, one request of ``SCAN_BYTES`` a sample, though videos are large."""
    key, large = SAMPLES[0].key, {**encode_sample(SAMPLES[0]), "mp4": bytes(4_000_000)}
    with ShardWriter(str(tmp_path), "large") as writer:
        writer.write_members(key, large)
    data, fetched = (tmp_path / "large.tar").read_bytes(), []

    class Ranged(AbstractBufferedFile):
        def _fetch_range(self, start, end):
            fetched.append(end - start)
            return data[start:end]

    with Ranged(None, "large.tar", block_size=SCAN_BYTES, size=len(data)) as file:
        assert [name for name, _ in _grouped(file, "large")] == [key]
    assert sum(fetched) <= 4 * (SCAN_BYTES + 1024) and len(fetched) <= 4


def test_rows_stay_in_arrow_and_read_like_a_list(tmp_path):
    build(tmp_path)
    rows = DataSet(str(tmp_path)).rows
    assert [row["key"] for row in rows[1:3]] == ["k1", "k2"] == [row["key"] for row in rows[-3:-1]]
    assert rows[-1] == list(rows)[3] and rows[2]["key"] == "k2"
    with pytest.raises(IndexError):
        rows[4]
    assert rows.table.nbytes / len(rows) < 1000


def test_duplicate_keys_across_shards(tmp_path):
    for name in ("a", "b"):
        with ShardWriter(str(tmp_path), name) as writer:
            writer.write(SAMPLES[0])
    with pytest.raises(InputError, match=r"k0: received in a\.tar and b\.tar"):
        build_index(str(tmp_path))
    assert not (tmp_path / "index.parquet").exists()


def test_stale_index_is_noticed(tmp_path):
    build(tmp_path)
    data = DataSet(str(tmp_path))
    with ShardWriter(str(tmp_path), "shard-000000") as writer:
        writer.write(SAMPLES[2])
        writer.write(SAMPLES[0])
    with pytest.raises(InputError, match="worldgen data index"):
        data.load("k0")


def test_missing_and_broken_indexes(tmp_path):
    with pytest.raises(InputError, match="no index"):
        DataSet(str(tmp_path))
    with pytest.raises(InputError, match="no such"):
        build_index(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="without shards"):
        build_index(str(tmp_path))
    build(tmp_path)
    parquet = tmp_path / "index.parquet"
    whole = parquet.read_bytes()
    parquet.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no parquet"):
        DataSet(str(tmp_path))
    pq.write_table(pq.read_table(io.BytesIO(whole)).drop_columns(["mp4_offset"]), parquet)
    with pytest.raises(InputError, match="without mp4_offset"):
        DataSet(str(tmp_path))
    parquet.write_bytes(whole)
    (tmp_path / "dataset.json").write_text('{"dataset_version": 7}')
    with pytest.raises(InputError, match="dataset_version"):
        DataSet(str(tmp_path))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("mp4_offset", None, "column mp4_offset .* row 0: received null"),
        ("tags", None, "column tags"),
        ("num_frames", -3, "column num_frames"),
        ("fps", 0.0, "column fps"),
        ("fps", float("inf"), "column fps"),
        ("mp4_size", -1, "mp4_offset and mp4_size"),
        ("ego_npy_size", None, "ego_npy_offset and ego_npy_size"),
        ("shard", "../s0.tar", "column shard"),
    ],
)
def test_columns_that_no_shard_can_have_are_refused(tmp_path, column, value, words):
    """One odd value is enough; an index is rebuilt from its shards."""
    build(tmp_path)
    path = tmp_path / "index.parquet"
    rows = pq.read_table(path).to_pylist()
    changed = [rows[0] | {column: value}, *rows[1:]]
    pq.write_table(pa.Table.from_pylist(changed), path)
    with pytest.raises(InputError, match=words):
        DataSet(str(tmp_path))


def test_sizes_beyond_the_shard_are_refused_before_a_byte_is_read(tmp_path):
    build(tmp_path)
    path = tmp_path / "index.parquet"
    rows = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([rows[0] | {"mp4_size": 10**15}, *rows[1:]]), path)
    with pytest.raises(InputError, match="as the index says"):
        DataSet(str(tmp_path)).load(0)


def test_columns_of_other_programs_are_not_read(tmp_path):
    build(tmp_path)
    path = tmp_path / "index.parquet"
    table = pq.read_table(path).append_column("stamp", pa.array([1, 2, 3, 4]).cast(pa.timestamp("ns")))
    pq.write_table(table, path)
    assert "stamp" not in DataSet(str(tmp_path)).rows[0]

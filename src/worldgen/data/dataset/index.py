"""The index of a data set: one row per sample, random access by it, and a summary."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.dataset.card import CARD_NAME, MARK, dataset_card
from worldgen.data.dataset.index_table import (
    DATASET_VERSION,
    INDEX_NAME,
    WEIGHTS,
    IndexRows,
    KeyNumbers,
    index_bytes,
    index_row,
    joined_tables,
    read_rows,
    rows_table,
    table_of,
)
from worldgen.data.dataset.sample_files import MEMBERS, canonical_json, decode_record, decode_sample
from worldgen.data.dataset.shards import scan_shard
from worldgen.data.video.control_video import CONTROL_MEMBERS, decode_controls
from worldgen.files.json_files import parse_json
from worldgen.files.storage import content_digest, join, read_bytes, resolve, write_bytes
from worldgen.files.system_errors import reported

SUMMARY_NAME = "dataset.json"
SCANS = 8
"""Shards that are scanned at once: reading waits for the store, not for the processor."""


def shard_urls(url: str) -> list[str]:
    """The URLs of the shards of a data set, in the order of their names; numbers in them sort as numbers.

    Raises:
        InputError: no such folder, or no shard in it.
    """
    fs, path = resolve(url)
    with reported("read", url):
        names = [name.rsplit("/", 1)[-1] for name in fs.ls(path, detail=False) if name.endswith(".tar")]
    if not names:
        raise InputError(f"data set {url}", Received("a folder without shards"), "*.tar files")
    return [join(url, name) for name in sorted(names, key=shard_order)]


def shard_order(name: str) -> tuple[str, int, str]:
    """What shards are sorted by: ``accepted-99999.tar`` comes before ``accepted-100000.tar``."""
    stem = name.removesuffix(".tar")
    prefix = stem.rstrip("0123456789")
    return prefix, len(stem), stem


@dataclass(frozen=True, eq=False)
class IndexedShard:
    """A shard and its rows. rows: a table of :func:`rows_table`, None when they are in the index that is extended."""

    name: str
    size_bytes: int
    digest: str
    num_samples: int
    rows: pa.Table | None

    def to_json(self) -> dict:
        """The shard in ``dataset.json``."""
        return {
            "name": self.name, "size_bytes": self.size_bytes, "num_samples": self.num_samples, "digest": self.digest
        }  # fmt: skip


def build_index(url: str) -> dict:
    """Scan the shards, write ``index.parquet`` and ``dataset.json`` beside them, and return the content of the latter.

    The card of the set, ``README.md``, is written too, unless one of your own is there. No video is decoded. The
    summary holds the BLAKE2b of every shard and of the index. ``SCANS`` shards are read at once.

    Raises:
        InputError: a damaged shard, or a key in two shards.
    """
    urls = shard_urls(url)
    with ThreadPoolExecutor(SCANS) as scans:
        shards = list(scans.map(_scanned, urls))
    return write_index(url, shards)


def _scanned(shard_url: str) -> IndexedShard:
    rows = rows_table(shard_rows(shard_url))
    fs, path = resolve(shard_url)
    name, size = shard_url.rsplit("/", 1)[-1], int(fs.size(path))
    return IndexedShard(name, size, content_digest(shard_url), rows.num_rows, rows)


def extended_index(url: str, summary: dict, added: Sequence[IndexedShard]) -> dict:
    """Add shards to a data set without reading those that it has, and return the new content of ``dataset.json``.

    summary: of the set before. Its rows come from ``index.parquet``; where that is not the file that the summary knows,
    all shards are scanned instead.

    Raises:
        InputError: a key in two shards, or files that cannot be read.
    """
    kept = [_known(shard) for shard in summary["shards"]]
    content = read_bytes(join(url, INDEX_NAME))
    table = table_of(content, url)
    if hashlib.blake2b(content, digest_size=16).hexdigest() != summary.get("index_digest"):
        listed = {shard.name for shard in kept}
        table = table.filter(pc.is_in(table.column("shard"), pa.array(sorted(listed))))
        if table.num_rows != sum(shard.num_samples for shard in kept):
            return build_index(url)
    table = table.append_column(WEIGHTS, pa.nulls(table.num_rows, pa.string()))
    return write_index(url, [*kept, *added], table, summary["weights_hashes"])


def _known(shard: dict) -> IndexedShard:
    return IndexedShard(shard["name"], shard["size_bytes"], shard["digest"], shard["num_samples"], None)


def write_index(
    url: str, shards: Sequence[IndexedShard], before: pa.Table | None = None, weights_hashes: Iterable[str] = ()
) -> dict:
    """Write card, index and summary from the rows of shards; returns the summary.

    before: the rows of shards that have none of their own. weights_hashes: of those rows.

    Raises:
        InputError: a key in two shards.
    """
    shards = sorted(shards, key=lambda shard: shard_order(shard.name))
    tables = [shard.rows for shard in shards if shard.rows is not None]
    table = joined_tables(tables if before is None else [before, *tables])
    if before is not None:
        table = _in_order(table, shards)
    _refuse_repeated(table)
    summary = _summary(table, [shard.to_json() for shard in shards], weights_hashes)
    index = index_bytes(table)
    summary["index_digest"] = hashlib.blake2b(index, digest_size=16).hexdigest()
    _write_card(url, dataset_card(summary, _kinds(table)))
    write_bytes(join(url, INDEX_NAME), index)
    write_bytes(join(url, SUMMARY_NAME), canonical_json(summary, "data set summary"))
    return summary


def _in_order(table: pa.Table, shards: Sequence[IndexedShard]) -> pa.Table:
    """The rows in the order of the shards, and of the files in them."""
    names = pa.array([shard.name for shard in shards], pa.string())
    place = pc.index_in(table.column("shard"), names)
    keyed = pa.table({"shard": place, "offset": table.column("mp4_offset")})
    return table.take(pc.sort_indices(keyed, sort_keys=[("shard", "ascending"), ("offset", "ascending")]))


def _refuse_repeated(table: pa.Table) -> None:
    keys = table.column("key")
    if pc.count_distinct(keys).as_py() == table.num_rows:
        return
    counts = pc.value_counts(keys)
    key = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"]
    names = table.filter(pc.equal(keys, key)).column("shard").to_pylist()
    raise InputError(f"key {key.as_py()}", Received(f"in {names[0]} and {names[1]}"), "each key once")


def _kinds(table: pa.Table) -> list[dict]:
    """One row for each combination of what the card says of shards and sizes."""
    names = ["shard", "split", "accepted", "width_px", "height_px", "fps"]
    return table.group_by(names, use_threads=False).aggregate([]).to_pylist()


def _write_card(url: str, card: str) -> None:
    where = join(url, CARD_NAME)
    fs, path = resolve(where)
    fs.invalidate_cache()
    if not fs.exists(path) or MARK.encode() in read_bytes(where):
        write_bytes(where, card.encode())


def shard_rows(url: str) -> Iterator[dict]:
    """Index rows of one shard, in its order (see :func:`index_row`)."""
    for key, group, data in scan_shard(url):
        yield index_row(url, key, group, data)


def _summary(table: pa.Table, shards: list[dict], weights_hashes: Iterable[str]) -> dict:
    rows = IndexRows(table)
    frames, fps = rows.numbers("num_frames"), rows.numbers("fps")
    splits, licences = (Counter(dict(_counts(table, name))) for name in ("split", "licence"))
    return {
        "dataset_version": DATASET_VERSION, "num_samples": len(rows), "num_frames": int(frames.sum()),
        "duration_s": round(float((frames / fps).sum()), 6), "splits": {split: splits[split] for split in SPLITS},
        "num_accepted": int(rows.numbers("accepted").sum()), "licences": dict(licences),
        "weights_hashes": sorted({*weights_hashes, *pc.unique(table.column(WEIGHTS).drop_null()).to_pylist()}),
        "shards": shards,
    }  # fmt: skip


def _counts(table: pa.Table, column: str) -> Iterator[tuple[str, int]]:
    """How often each word is in a column, in the order of its first row."""
    for each in pc.value_counts(table.column(column)):
        yield each["values"].as_py(), each["counts"].as_py()


class DataSet:
    """A data set, opened by its index. A sample is loaded by reading only its bytes of the shard.

    rows: one dict per sample, see ``COLUMNS``; they stay in Arrow until they are asked for.
    summary: the content of ``dataset.json``. The object holds no open file,
    so it can be sent to another process.

    Raises:
        InputError: no index, a damaged index, or one of another version.
    """

    def __init__(self, url: str):
        self.url = str(url)
        self.summary = read_summary(self.url)
        self.rows = read_rows(self.url)
        self._numbers: KeyNumbers | None = None

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_numbers": None}  # made again where keys are looked up

    def __repr__(self) -> str:
        return f"DataSet({self.url!r}, {len(self)} samples)"

    def __getitem__(self, which: int | str) -> Sample:
        """The sample at a place, or the one with a key; the same as :meth:`load`."""
        return self.load(which)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self.load(number) for number in range(len(self)))

    def row(self, which: int | str) -> dict:
        """The index row of a sample, by number or key.

        Raises:
            InputError: no such sample.
        """
        if isinstance(which, str):
            self._numbers = self._numbers or KeyNumbers(self.rows)
            number = self._numbers.get(which)
            if number is None:
                raise InputError("sample key", which, f"one of the {len(self)} keys of {self.url}")
            return self.rows[number]
        if not -len(self) <= which < len(self):
            raise InputError("sample number", which, f"0 to {len(self) - 1}")
        return self.rows[which]

    def members(self, which: int | str) -> dict[str, bytes]:
        """The files of a sample by extension, read in one piece.

        Raises:
            InputError: no such sample, or a shard that cannot be read.
        """
        row = self.row(which)
        spans = {}
        for member in MEMBERS:
            offset, size = (row[f"{member.replace('.', '_')}_{part}"] for part in ("offset", "size"))
            if offset is not None:
                spans[member] = (offset, offset + size)
        start, end = min(a for a, _ in spans.values()), max(b for _, b in spans.values())
        data = self._bytes(row, start, end)
        return {member: data[a - start : b - start] for member, (a, b) in spans.items()}

    def member(self, which: int | str, name: str) -> bytes | None:
        """One file of a sample; None when the sample does not have it. name: an extension of ``MEMBERS``.

        Raises:
            InputError: no such sample, or a shard that cannot be read.
        """
        row = self.row(which)
        offset, size = (row[f"{name.replace('.', '_')}_{part}"] for part in ("offset", "size"))
        return None if offset is None else self._bytes(row, offset, offset + size)

    def _bytes(self, row: dict, start: int, end: int) -> bytes:
        """Bytes of the shard of a row. Raises: InputError when the shard is shorter than the index says."""
        where = join(self.url, row["shard"])
        fs, path = resolve(where)
        with reported("read", where):
            size = int(fs.size(path))
        if end > size:
            what = f"sample {row['key']} in {where}"
            expected = f"{end}, as the index says (worldgen data index {self.url})"
            raise InputError(what, Received(f"{size} bytes"), expected)
        return read_bytes(where, start, end)

    def load(self, which: int | str) -> Sample:
        """Decode one sample by number or key.

        Raises:
            InputError: no such sample, a damaged sample, or an index that does not fit the shards.
        """
        row = self.row(which)
        members = self.members(which)
        try:
            key = decode_record(members)["key"]
        except InputError:
            key = None
        if key != row["key"]:
            raise InputError(
                f"sample {row['key']} in {join(self.url, row['shard'])}", Received("other bytes than the index says"),
                f"an index that fits (worldgen data index {self.url})",
            )  # fmt: skip
        return decode_sample(members)

    def controls(self, which: int | str) -> dict[str, np.ndarray]:
        """The control videos that are stored with a sample, name -> ``(T, H, W, 3)`` uint8 RGB; {} for none.

        Raises:
            InputError: no such sample, or a damaged shard or video.
        """
        row = self.row(which)
        for key, group, _ in scan_shard(join(self.url, row["shard"])):
            if key == row["key"]:
                files = {name: group[name] for name in CONTROL_MEMBERS if name in group}
                members = {name: self._bytes(row, e.offset, e.offset + e.size) for name, e in files.items()}
                return decode_controls(members, (row["num_frames"], row["height_px"], row["width_px"], 3), key)
        return {}

    def select(self, split: str | None = None, tags: Iterable[str] = (), *, accepted: bool | None = None) -> DataSet:
        """The same data set with only some rows.

        split: one of ``SPLITS``, None for all. tags: rows that have all of them. accepted: True for accepted samples,
        False for quarantined ones, None for all.

        Raises:
            InputError: an unknown split.
        """
        if split is not None and split not in SPLITS:
            raise InputError("split", split, "one of " + ", ".join(SPLITS))
        wanted = {tags} if isinstance(tags, str) else set(tags)
        chosen = object.__new__(DataSet)
        chosen.url, chosen.summary = self.url, self.summary
        mask = self.rows.with_words("tags", wanted)
        if split is not None:
            mask &= pc.equal(self.rows.words("split"), split).to_numpy(zero_copy_only=False)
        if accepted is not None:
            mask &= self.rows.numbers("accepted") == accepted
        chosen.rows, chosen._numbers = self.rows.chosen(mask), None
        return chosen


SUMMARY_TYPES: dict[str, type | tuple[type, ...]] = {
    "num_samples": int, "num_frames": int, "duration_s": (int, float), "splits": dict, "num_accepted": int,
    "licences": dict, "weights_hashes": list, "shards": list,
}  # fmt: skip
"""Fields of ``dataset.json`` -> their JSON types."""


def read_summary(url: str) -> dict:
    """The content of ``dataset.json``.

    Raises:
        InputError: it is missing, damaged or of another version.
    """
    fs, path = resolve(join(url, SUMMARY_NAME))
    with reported("read", url):
        if not fs.exists(path):
            raise InputError(f"data set {url}", Received("no index"), f"one made by: worldgen data index {url}")
    summary = parse_json(read_bytes(join(url, SUMMARY_NAME)), join(url, SUMMARY_NAME), f"worldgen data index {url}")
    version = summary.get("dataset_version") if isinstance(summary, dict) else None
    if version != DATASET_VERSION:
        raise InputError(f"dataset_version of {url}", version, str(DATASET_VERSION))
    for name, kind in SUMMARY_TYPES.items():
        if not isinstance(summary.get(name), kind) or isinstance(summary[name], bool):
            raise InputError(f"{name} of {join(url, SUMMARY_NAME)}", summary.get(name), f"worldgen data index {url}")
    for shard in summary["shards"]:
        if not (
            isinstance(shard, dict) and isinstance(shard.get("name"), str) and isinstance(shard.get("size_bytes"), int)
        ):
            raise InputError(f"shards of {join(url, SUMMARY_NAME)}", shard, f"worldgen data index {url}")
    return summary

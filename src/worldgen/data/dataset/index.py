"""The index of a data set: one row per sample, random access by it, and a summary."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.dataset.card import CARD_NAME, MARK, dataset_card
from worldgen.data.dataset.sample_files import MAX_FPS, MEMBERS, canonical_json, decode_record, decode_sample
from worldgen.data.dataset.shards import SHARD_NAME, scan_shard
from worldgen.data.video.control_video import CONTROL_MEMBERS, decode_controls
from worldgen.files.json_files import parse_json
from worldgen.files.storage import content_digest, join, read_bytes, resolve, write_bytes
from worldgen.files.system_errors import reported
from worldgen.files.tar import TarEntry

DATASET_VERSION = 1
INDEX_NAME, SUMMARY_NAME = "index.parquet", "dataset.json"

COLUMNS = {
    "key": pa.string(), "shard": pa.string(), "num_frames": pa.int64(), "fps": pa.float64(), "width_px": pa.int64(),
    "height_px": pa.int64(), "caption": pa.string(), "drive": pa.string(), "split": pa.string(),
    "tags": pa.list_(pa.string()), "licence": pa.string(), "has_ego": pa.bool_(), "has_labels": pa.bool_(),
    "accepted": pa.bool_(), "reasons": pa.list_(pa.string()),
    **{f"{name.replace('.', '_')}_{part}": pa.int64() for name in MEMBERS for part in ("offset", "size")},
}  # fmt: skip
"""Columns of every index, then one ``score_NAME`` (float64) per number found in any scorecard. Offsets are in bytes
from the start of the shard to the first byte of that file; null where a sample has no such file."""


def shard_urls(url: str) -> list[str]:
    """The URLs of the shards of a data set, in the order of their names.

    Raises:
        InputError: no such folder, or no shard in it.
    """
    fs, path = resolve(url)
    with reported("read", url):
        names = sorted(name for name in fs.ls(path, detail=False) if name.endswith(".tar"))
    if not names:
        raise InputError(f"data set {url}", Received("a folder without shards"), "*.tar files")
    return [join(url, name.rsplit("/", 1)[-1]) for name in names]


def build_index(url: str) -> dict:
    """Scan the shards, write ``index.parquet`` and ``dataset.json`` beside them, and return the content of the latter.

    The card of the set, ``README.md``, is written too, unless one of your own is there. No video is decoded. The
    summary holds the BLAKE2b of every shard and of the index.

    Raises:
        InputError: a damaged shard, or a key in two shards.
    """
    rows: list[dict] = []
    shards: list[dict] = []
    seen: dict[str, str] = {}
    for shard_url in shard_urls(url):
        name = shard_url.rsplit("/", 1)[-1]
        count = len(rows)
        for row in shard_rows(shard_url):
            if row["key"] in seen:
                raise InputError(f"key {row['key']}", Received(f"in {seen[row['key']]} and {name}"), "each key once")
            seen[row["key"]] = name
            rows.append(row)
        fs, path = resolve(shard_url)
        shards.append({"name": name, "size_bytes": int(fs.size(path)), "num_samples": len(rows) - count})
        shards[-1]["digest"] = content_digest(shard_url)
    summary = _summary(rows, shards)
    index = _parquet(rows)
    summary["index_digest"] = hashlib.blake2b(index, digest_size=16).hexdigest()
    _write_card(url, dataset_card(summary, rows))
    write_bytes(join(url, INDEX_NAME), index)
    write_bytes(join(url, SUMMARY_NAME), canonical_json(summary, "data set summary"))
    return summary


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


def index_row(url: str, key: str, group: dict[str, TarEntry], data: bytes) -> dict:
    """The index row of one sample, from the values of :func:`worldgen.data.dataset.shards.scan_shard`.

    The row also holds ``weights_hash``, which is no column, for the summary.

    Raises:
        InputError: a damaged record, or a record with another key.
    """
    record = decode_record({"json": data} if data else {})
    if record["key"] != key:
        raise InputError(f"shard {url}: record of {key}", record["key"], "the key of its file name")
    scorecard = record["scorecard"]
    row = {column: record.get(column) for column in COLUMNS}
    row |= {
        "shard": url.rsplit("/", 1)[-1], "accepted": bool(scorecard.get("accepted", True)),
        "reasons": [str(reason) for reason in scorecard.get("reasons", ())],
    }  # fmt: skip
    for member in MEMBERS:
        entry = group.get(member)
        row[f"{member.replace('.', '_')}_offset"] = None if entry is None else entry.offset
        row[f"{member.replace('.', '_')}_size"] = None if entry is None else entry.size
    row |= {f"score_{name}": value for name, value in _numbers(scorecard)}
    row["weights_hash"] = record["provenance"].get("weights_hash")
    return row


def _numbers(scorecard: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a scorecard by name, nested names joined with ``_``."""
    for name, value in scorecard.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}_")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)  # a float holds every integer that the JSON reader lets through


def _parquet(rows: list[dict]) -> bytes:
    scores = sorted({name for row in rows for name in row if name.startswith("score_")})
    columns = COLUMNS | dict.fromkeys(scores, pa.float64())
    table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"worldgen_dataset_version": str(DATASET_VERSION)}), buffer)
    return buffer.getvalue()


def _summary(rows: list[dict], shards: list[dict]) -> dict:
    return {
        "dataset_version": DATASET_VERSION, "num_samples": len(rows),
        "num_frames": sum(row["num_frames"] for row in rows),
        "duration_s": round(sum(row["num_frames"] / row["fps"] for row in rows), 6),
        "splits": {split: sum(row["split"] == split for row in rows) for split in SPLITS},
        "num_accepted": sum(row["accepted"] for row in rows),
        "licences": dict(Counter(row["licence"] for row in rows)),
        "weights_hashes": sorted({row["weights_hash"] for row in rows if row["weights_hash"]}),
        "shards": shards,
    }  # fmt: skip


class DataSet:
    """A data set, opened by its index. A sample is loaded by reading only its bytes of the shard.

    rows: one dict per sample, see ``COLUMNS``. summary: the content of ``dataset.json``. The object holds no open file,
    so it can be sent to another process.

    Raises:
        InputError: no index, a damaged index, or one of another version.
    """

    def __init__(self, url: str):
        self.url = str(url)
        self.summary = read_summary(self.url)
        self.rows = read_rows(self.url)
        self._number = {row["key"]: number for number, row in enumerate(self.rows)}

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
            if which not in self._number:
                raise InputError("sample key", which, f"one of the {len(self)} keys of {self.url}")
            return self.rows[self._number[which]]
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
        chosen.rows = [
            row for row in self.rows
            if (split is None or row["split"] == split) and wanted <= set(row["tags"])
            and (accepted is None or row["accepted"] == accepted)
        ]  # fmt: skip
        chosen._number = {row["key"]: number for number, row in enumerate(chosen.rows)}
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


def read_rows(url: str) -> list[dict]:
    """The rows of ``index.parquet``, one dict per sample, see ``COLUMNS``.

    Raises:
        InputError: it is missing or damaged, or lacks columns.
    """
    where, remedy = join(url, INDEX_NAME), f"worldgen data index {url}"
    content = read_bytes(where)  # outside the block: a network that fails is no damaged file
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        names = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(where, Received("no parquet file"), remedy) from error
    missing = sorted(set(COLUMNS) - set(names))
    if missing:
        raise InputError(f"columns of {where}", Received(f"without {', '.join(missing)}"), remedy)
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise InputError(f"columns of {where}", Received(f"{repeated[0]} twice"), remedy)
    columns = COLUMNS | {name: pa.float64() for name in names if name.startswith("score_")}
    try:  # columns of other programs are not read: they may hold values that Python has no type for
        table = file.read(columns=list(columns))
        rows = pa.table({name: table.column(name).cast(kind) for name, kind in columns.items()}).to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(f"columns of {where}", Received(f"values that cannot be read ({error})"), remedy) from error
    _check_rows(rows, url)
    return rows


NEVER_NULL = ("key", "shard", "num_frames", "fps", "width_px", "height_px", "caption", "drive", "split", "tags",
              "licence", "has_ego", "has_labels", "accepted", "reasons", "mp4_offset", "mp4_size", "json_offset",
              "json_size")  # fmt: skip
"""Columns that have a value in every row."""


def _check_rows(rows: list[dict], url: str) -> None:
    """Refuse rows that no shard can have.

    Raises:
        InputError: naming the row and the column.
    """
    where, remedy = join(url, INDEX_NAME), f"worldgen data index {url}"
    for number, row in enumerate(rows):
        absent = next((name for name in NEVER_NULL if row[name] is None), None)
        if absent is not None:
            raise InputError(f"column {absent} of {where}, row {number}", Received("null"), remedy)
        wrong = next((name for name in ("num_frames", "width_px", "height_px") if row[name] < 1), None)
        wrong = wrong or (None if 0 < row["fps"] <= MAX_FPS else "fps")
        wrong = wrong or next((name for name in ("tags", "reasons") if None in row[name]), None)
        wrong = wrong or (None if SHARD_NAME.fullmatch(row["shard"]) else "shard")
        if wrong is not None:
            raise InputError(f"column {wrong} of {where}, row {number}", row[wrong], remedy)
        for name in (member.replace(".", "_") for member in MEMBERS):
            offset, size = row[f"{name}_offset"], row[f"{name}_size"]
            if offset is None and size is None:
                continue
            if offset is None or size is None or offset < 0 or size < 0:
                what = f"columns {name}_offset and {name}_size of {where}, row {number}"
                raise InputError(what, (offset, size), remedy)

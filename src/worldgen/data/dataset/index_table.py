"""The table of the index: columns, rows of one shard, reading with checks, and rows that stay in Arrow until asked for.

A row as a Python dict takes 3.5 kB and a row in Arrow 0.4 kB, so ten million rows must not be dicts.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.sample_files import MAX_FPS, MEMBERS, decode_record
from worldgen.data.dataset.shards import SHARD_NAME
from worldgen.files.storage import join, read_bytes
from worldgen.files.tar import TarEntry

DATASET_VERSION = 1
INDEX_NAME = "index.parquet"
BLOCK_ROWS = 4096
"""Rows that are dicts at once."""
COLUMNS = {
    "key": pa.string(), "shard": pa.string(), "num_frames": pa.int64(), "fps": pa.float64(), "width_px": pa.int64(),
    "height_px": pa.int64(), "caption": pa.string(), "drive": pa.string(), "split": pa.string(),
    "tags": pa.list_(pa.string()), "licence": pa.string(), "has_ego": pa.bool_(), "has_labels": pa.bool_(),
    "accepted": pa.bool_(), "reasons": pa.list_(pa.string()),
    **{f"{name.replace('.', '_')}_{part}": pa.int64() for name in MEMBERS for part in ("offset", "size")},
}  # fmt: skip
"""Columns of every index, then one ``score_NAME`` (float64) per number found in any scorecard. Offsets are in bytes
from the start of the shard to the first byte of that file; null where a sample has no such file."""
WEIGHTS = "weights_hash"
"""A column while an index is made, for its summary; it is not written."""


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
    row[WEIGHTS] = record["provenance"].get("weights_hash")
    return row


def _numbers(scorecard: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a scorecard by name, nested names joined with ``_``."""
    for name, value in scorecard.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}_")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)  # a float holds every integer that the JSON reader lets through


def rows_table(rows: Iterable[dict]) -> pa.Table:
    """Rows of :func:`index_row` as a table: ``COLUMNS``, scores in the order of their names, and ``weights_hash``."""
    rows = list(rows)
    scores = sorted({name for row in rows for name in row if name.startswith("score_")})
    columns = COLUMNS | dict.fromkeys(scores, pa.float64())
    table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()})
    hashes = [str(row[WEIGHTS]) if row[WEIGHTS] else None for row in rows]
    return table.append_column(WEIGHTS, pa.array(hashes, pa.string()))


def joined_tables(tables: list[pa.Table]) -> pa.Table:
    """The rows of several tables; scores that one of them lacks are null there."""
    table = pa.concat_tables(tables, promote_options="default")
    scores = sorted(name for name in table.column_names if name.startswith("score_"))
    return table.select([*COLUMNS, *scores, WEIGHTS])


def index_bytes(table: pa.Table) -> bytes:
    """The content of ``index.parquet``."""
    table = table.drop_columns([WEIGHTS]).combine_chunks()
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"worldgen_dataset_version": str(DATASET_VERSION)}), buffer)
    return buffer.getvalue()


class IndexRows(Sequence[dict]):
    """The rows of an index, each a dict when it is asked for. table: the rows in Arrow."""

    def __init__(self, table: pa.Table):
        self.table = table

    def __repr__(self) -> str:
        return f"IndexRows({len(self)} rows)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexRows) and self.table.equals(other.table)

    __hash__ = None  # type: ignore[assignment]  # as a list of the same rows

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[dict]:
        for first in range(0, len(self), BLOCK_ROWS):
            yield from self.table.slice(first, BLOCK_ROWS).to_pylist()

    @overload
    def __getitem__(self, which: int) -> dict: ...

    @overload
    def __getitem__(self, which: slice) -> IndexRows: ...

    def __getitem__(self, which: int | slice) -> dict | IndexRows:
        if isinstance(which, slice):
            return IndexRows(self.table.take(pa.array(range(len(self))[which], pa.int64())))
        number = which + len(self) if which < 0 else which
        if not 0 <= number < len(self):
            raise IndexError(which)
        return self.table.slice(number, 1).to_pylist()[0]

    def numbers(self, column: str) -> np.ndarray:
        """A column of numbers or truth values without nulls, ``(N,)``."""
        return self.table.column(column).to_numpy(zero_copy_only=False)

    def words(self, column: str) -> pa.Array:
        """A column of text in one piece."""
        return self.table.column(column).combine_chunks()

    def with_words(self, column: str, words: Iterable[str]) -> np.ndarray:
        """Which rows have all of some words in a list column, ``(N,)`` bool."""
        lists = self.table.column(column).combine_chunks()
        parents, flat = pc.list_parent_indices(lists), pc.list_flatten(lists)
        has = np.ones(len(self), bool)
        for word in words:
            one = np.zeros(len(self), bool)
            one[parents.filter(pc.equal(flat, word)).to_numpy()] = True
            has &= one
        return has

    def chosen(self, mask: np.ndarray) -> IndexRows:
        """The rows where ``mask``, ``(N,)`` bool, is true."""
        return self if mask.all() else IndexRows(self.table.filter(pa.array(mask)).combine_chunks())


class KeyNumbers:
    """Number of a row by its key, with eight bytes a row."""

    def __init__(self, rows: IndexRows):
        keys = rows.table.column("key")
        self._order = pc.sort_indices(keys)
        self._keys = keys

    def get(self, key: str) -> int | None:
        """The number of the row with a key; None without one."""
        place = bisect_left(self._order, key, key=lambda number: self._keys[number.as_py()].as_py())
        if place == len(self._order):
            return None
        number = self._order[place].as_py()
        return number if self._keys[number].as_py() == key else None


def read_rows(url: str) -> IndexRows:
    """The rows of ``index.parquet``, see ``COLUMNS``.

    Raises:
        InputError: it is missing or damaged, lacks columns, or has values that no shard can have.
    """
    return IndexRows(table_of(read_bytes(join(url, INDEX_NAME)), url))


def table_of(content: bytes, url: str) -> pa.Table:
    """The table in the bytes of ``index.parquet`` of data set ``url``. Raises: see :func:`read_rows`."""
    where, remedy = join(url, INDEX_NAME), f"worldgen data index {url}"
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
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
        table = pa.table({name: table.column(name).cast(kind) for name, kind in columns.items()})
        table.validate(full=True)  # text that is not UTF-8, and lists that lead outside of their values
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(f"columns of {where}", Received(f"values that cannot be read ({error})"), remedy) from error
    _check(table, url)
    return table


NEVER_NULL = ("key", "shard", "num_frames", "fps", "width_px", "height_px", "caption", "drive", "split", "tags",
              "licence", "has_ego", "has_labels", "accepted", "reasons", "mp4_offset", "mp4_size", "json_offset",
              "json_size")  # fmt: skip
"""Columns that have a value in every row."""


def _check(table: pa.Table, url: str) -> None:
    """Refuse rows that no shard can have.

    Raises:
        InputError: naming the row and the column.
    """
    where, remedy = join(url, INDEX_NAME), f"worldgen data index {url}"

    def refuse(column: str, wrong: pa.ChunkedArray | pa.Array) -> None:
        number = pc.index(wrong, True).as_py()
        if number >= 0:
            value = table.column(column)[number].as_py()
            received = Received("null") if value is None else value
            raise InputError(f"column {column} of {where}, row {number}", received, remedy)

    for name in NEVER_NULL:
        refuse(name, table.column(name).is_null())
    for name in ("num_frames", "width_px", "height_px"):
        refuse(name, pc.less(table.column(name), 1))
    fps = table.column("fps")
    refuse("fps", pc.invert(pc.and_(pc.greater(fps, 0), pc.less_equal(fps, MAX_FPS))))
    for name in ("tags", "reasons"):
        lists = table.column(name).combine_chunks()
        parents = pc.list_parent_indices(lists).filter(pc.list_flatten(lists).is_null())
        if len(parents):
            number = parents[0].as_py()
            raise InputError(f"column {name} of {where}, row {number}", lists[number].as_py(), remedy)
    for shard in pc.unique(table.column("shard")).to_pylist():
        if not SHARD_NAME.fullmatch(shard):
            refuse("shard", pc.equal(table.column("shard"), shard))
    for name in (member.replace(".", "_") for member in MEMBERS):
        offset, size = table.column(f"{name}_offset"), table.column(f"{name}_size")
        negative = pc.or_(pc.less(offset.fill_null(0), 0), pc.less(size.fill_null(0), 0))
        wrong = pc.or_(negative, pc.xor(offset.is_null(), size.is_null()))
        number = pc.index(wrong, True).as_py()
        if number >= 0:
            what = f"columns {name}_offset and {name}_size of {where}, row {number}"
            raise InputError(what, (offset[number].as_py(), size[number].as_py()), remedy)

"""Tables of numbers from csv, tsv, json and parquet files; errors name file, row and column."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import parse_json

SUFFIXES = (".csv", ".tsv", ".json", ".parquet")


@dataclass(frozen=True)
class Table:
    """Columns of text or numbers.

    names: columns in order, which may repeat. cells: column -> values. row_word, first_row: word and number of the
    first row, for messages.
    """

    path: Path
    names: tuple[str, ...]
    cells: Mapping[str, list]
    row_word: str
    first_row: int

    def where(self, row: int, column: str) -> str:
        """The name of a cell for messages."""
        return f"ego log {self.path.name}, {self.row_word} {row + self.first_row}, column {column}"


def read_table(path: Path) -> Table:
    """The columns of a csv, tsv, json or parquet file, with their values unchecked.

    A csv or tsv file has a header line; its delimiter is a comma, tab or semicolon. A json file is a list of records or
    an object of columns.

    Raises:
        InputError: another suffix, a damaged file, or fewer than two rows.
    """
    suffix = path.suffix.lower()
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".json": _read_json, ".parquet": _read_parquet}
    if suffix not in readers:
        raise InputError(f"ego log {path.name}", suffix or "no suffix", "one of " + ", ".join(SUFFIXES))
    table = readers[suffix](path)
    if isinstance(table.cells, ParquetColumns):
        counts = {table.cells.num_rows}
    else:
        counts = {len(table.cells[name]) for name in set(table.names)}
    if not table.names or counts in ({0}, {1}):
        raise InputError(f"ego log {path.name}", Received(f"{max(counts, default=0)} rows"), "at least two rows")
    return table


def _read_csv(path: Path) -> Table:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"ego log {path.name}", Received("bytes that are not text"), "a UTF-8 table with a header line"
        ) from error
    first = text.split("\n", 1)[0]
    delimiter = next((mark for mark in (",", "\t", ";") if mark in first), ",")
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"ego log {path.name}", Received(str(error)), "a table with a header line") from error
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise InputError(f"ego log {path.name}", Received("an empty file"), "a header line and at least two rows")
    names = tuple(name.strip() for name in rows[0])
    cells: dict[str, list] = {name: [] for name in names}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise InputError(
                f"ego log {path.name}, line {number}", Received(f"{len(row)} cells"), f"{len(names)}, as in the header"
            )
        for name, cell in zip(names, row, strict=True):
            cells[name].append(cell)
    return Table(path, names, cells, "line", 2)


def _read_json(path: Path) -> Table:
    def no_repeats(pairs: list[tuple[str, object]]) -> dict:
        counts = Counter(name for name, _ in pairs)
        for name, count in counts.items():
            if count > 1:  # the parser would silently drop one
                raise InputError(f"ego log {path.name}, column {name}", Received("twice"), "every column once")
        return dict(pairs)

    expected = "a list of records or an object of columns"
    content = parse_json(path.read_bytes(), f"ego log {path.name}", expected, pairs=no_repeats)
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        names = tuple(content[0])
        for number, row in enumerate(content, start=1):
            if set(row) != set(names):
                raise InputError(
                    f"ego log {path.name}, record {number}",
                    Received(f"keys {sorted(row)}"),
                    f"the keys of the first record, {sorted(names)}",
                )
        return Table(path, names, {name: [row[name] for row in content] for name in names}, "record", 1)
    if isinstance(content, dict) and content and all(isinstance(column, list) for column in content.values()):
        if len({len(column) for column in content.values()}) > 1:
            raise InputError(f"ego log {path.name}", Received("columns of different lengths"), "equal lengths")
        return Table(path, tuple(content), content, "row", 1)
    raise InputError(f"ego log {path.name}", Received(f"a JSON {type(content).__name__}"), expected)


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(path, "rb") as file:
            schema = pq.read_schema(file)
            num_rows = pq.ParquetFile(file).metadata.num_rows
        names = tuple(schema.names)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
        raise InputError(f"ego log {path.name}", Received("a file that is not Parquet"), "a Parquet table") from error
    return Table(path, names, ParquetColumns(path, names, num_rows), "row", 1)


class ParquetColumns(Mapping[str, list]):
    """Columns of a Parquet file by name; a column is read when it is asked for, so one that is not used may hold
    anything. Values are as pyarrow gives them, except times, which are numbers in the unit of their column."""

    def __init__(self, path: Path, names: tuple[str, ...], num_rows: int):
        self.path, self.names, self.num_rows = path, names, num_rows
        self._read: dict[str, list] = {}

    def __len__(self) -> int:
        return len(set(self.names))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self.names))

    def __getitem__(self, name: str) -> list:
        """The values of a column, one a row.

        Raises:
            KeyError: no such column.
            InputError: values that cannot be read: dates out of range, text that is not UTF-8, a damaged file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if name not in self.names:
            raise KeyError(name)
        if name not in self._read:
            what = f"ego log {self.path.name}, column {name}"
            try:
                with open(self.path, "rb") as file:
                    column = pq.ParquetFile(file).read(columns=[name]).column(name)
                if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
                    column = column.cast(pa.int64())
                self._read[name] = column.to_pylist()
            except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
                raise InputError(what, Received(f"values that cannot be read ({error})"), "numbers") from error
        return self._read[name]


def numbers(table: Table, name: str) -> np.ndarray:
    """One column as ``(R,)`` float64.

    Raises:
        InputError: a cell that is empty or not a finite number.
    """
    values = np.empty(len(table.cells[name]))
    for row, cell in enumerate(table.cells[name]):
        if isinstance(cell, bool) or cell is None or (isinstance(cell, str) and not cell.strip()):
            raise InputError(
                table.where(row, name), Received("an empty cell" if cell in (None, "") else repr(cell)), "a number"
            )
        try:
            values[row] = float(cell)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(table.where(row, name), cell, "a number") from error
        if not math.isfinite(values[row]):
            raise InputError(table.where(row, name), Received(str(cell)), "a finite number")
    return values

"""Reads the table of an ego log in whatever kind of file it lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.arrow_files import ArrowColumns, read_feather_table, read_parquet_table
from worldgen.data.ingest.logs.tables.delimited_text import read_text_table
from worldgen.data.ingest.logs.tables.gpx_track import read_gpx_table
from worldgen.data.ingest.logs.tables.json_records import read_json_lines, read_json_table
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout
from worldgen.data.ingest.logs.tables.numpy_file import read_numpy_table

READERS: dict[str, Callable[[Path, TableLayout], Table]] = {
    ".csv": read_text_table, ".tsv": read_text_table, ".json": read_json_table, ".parquet": read_parquet_table,
    ".txt": read_text_table, ".jsonl": read_json_lines, ".feather": read_feather_table, ".npy": read_numpy_table,
    ".gpx": read_gpx_table,
}  # fmt: skip
SUFFIXES = tuple(READERS)
"""Suffixes of tables."""


def read_table(path: Path, layout: TableLayout | None = None) -> Table:
    """The columns of a table, with their values unchecked.

    A text table has a header line; between its cells stands a comma, tab, semicolon or blank. A JSON file is a list of
    records or an object of columns, a ``.jsonl`` file a record a line. layout: what the table does not say itself.

    Raises:
        InputError: another suffix, a damaged file, or fewer than two rows.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise InputError(f"ego log {path.name}", suffix or "no suffix", "one of " + ", ".join(SUFFIXES))
    table = READERS[suffix](path, layout or TableLayout())
    if isinstance(table.cells, ArrowColumns):
        counts = {table.cells.num_rows}
    else:
        counts = {len(table.cells[name]) for name in set(table.names)}
    if not table.names or counts in ({0}, {1}):
        raise InputError(f"ego log {path.name}", Received(f"{max(counts, default=0)} rows"), "at least two rows")
    return table

"""Tables in Parquet and Feather files; a column is read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout


def read_parquet_table(path: Path, layout: TableLayout) -> Table:
    """The columns of a Parquet file. Raises: InputError for a file that is not Parquet."""
    import pyarrow.parquet as pq

    def column(name: str) -> Any:
        with open(path, "rb") as file:
            return pq.ParquetFile(file).read(columns=[name]).column(name)

    def opened() -> tuple[Any, int]:
        with open(path, "rb") as file:
            parquet = pq.ParquetFile(file)
            return parquet.schema_arrow, parquet.metadata.num_rows

    del layout
    return _arrow_table(path, "Parquet", opened, column)


def read_feather_table(path: Path, layout: TableLayout) -> Table:
    """The columns of a Feather file, which is an Arrow IPC file. Raises: InputError for a file that is none."""
    import pyarrow as pa

    def opened() -> tuple[Any, int]:
        with open(path, "rb") as file, pa.ipc.open_file(file) as reader:
            return reader.schema, sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))

    def column(name: str) -> Any:
        with open(path, "rb") as file:
            with pa.ipc.open_file(file) as reader:
                number = reader.schema.get_field_index(name)
            options = pa.ipc.IpcReadOptions(included_fields=[number])
            with pa.ipc.open_file(file, options=options) as reader:
                return reader.read_all().column(name)

    del layout
    return _arrow_table(path, "Feather", opened, column)


def _arrow_table(path: Path, kind: str, opened: Callable[[], tuple[Any, int]], column: Callable[[str], Any]) -> Table:
    """The table of an Arrow file. opened: its schema and number of rows."""
    import pyarrow as pa

    try:
        schema, num_rows = opened()
        names = tuple(schema.names)
        units = {field.name: field.type.unit for field in schema if pa.types.is_timestamp(field.type)}
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
        raise InputError(f"ego log {path.name}", Received(f"a file that is not {kind}"), f"a {kind} table") from error
    return Table(path, names, ArrowColumns(path, names, num_rows, column), "row", 1, units=units)


class ArrowColumns(Mapping[str, list]):
    """Columns of a file by name; a column is read when it is asked for, so one that is not used may hold anything.
    Values are as pyarrow gives them, except times, which are numbers in the unit of their column."""

    def __init__(self, path: Path, names: tuple[str, ...], num_rows: int, column: Callable[[str], Any]):
        self.path, self.names, self.num_rows, self.column = path, names, num_rows, column
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

        if name not in self.names:
            raise KeyError(name)
        if name not in self._read:
            what = f"ego log {self.path.name}, column {name}"
            try:
                column = self.column(name)
                if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
                    column = column.cast(pa.int64())
                self._read[name] = column.to_pylist()
            except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
                raise InputError(what, Received(f"values that cannot be read ({error})"), "numbers") from error
        return self._read[name]

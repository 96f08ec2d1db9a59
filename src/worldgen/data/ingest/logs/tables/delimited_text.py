"""Tables in text files: comma, semicolon, tab or blanks between cells, comments, units rows, decimal commas."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout, has_decimal_commas, is_blank, is_number
from worldgen.data.ingest.logs.time_cells import is_time_text
from worldgen.data.ingest.logs.units import unit_of_word

DELIMITERS = ("\t", ";", ",", "|")
COMMENT_MARKS = ("#", "%", "//")
NO_NAME = "-"
"""Name in ``ego.column_names`` of a column that is not read; it may stand more than once."""
EXCEL_MARK = re.compile(r"sep=(.)", re.IGNORECASE)
"""First line by which Excel knows the delimiter."""
PROBE_LINES = 20
"""Lines from which the delimiter is found."""

Line = tuple[int, str]


def read_text_table(path: Path, layout: TableLayout) -> Table:
    """The columns of a text table.

    Empty lines and lines that begin with ``#``, ``%`` or ``//`` are left out. The names of the columns are in the first
    line, or in the last comment above the numbers, or in ``layout.column_names``. A second line that holds only units
    states the units of the columns.

    Raises:
        InputError: bytes that are not text, an empty file, no header, and lines with another number of cells.
    """
    lines, comment = _lines(path)
    if not lines:
        raise InputError(f"ego log {path.name}", Received("an empty file"), "a header line and at least two rows")
    try:
        mark = EXCEL_MARK.fullmatch(lines[0][1].strip().strip('"')) if len(lines) > 1 else None
        lines = lines[1:] if mark else lines
        delimiter = mark[1] if mark else _delimiter([text for _, text in lines[:PROBE_LINES]])
        rows = [(number, _split(text, delimiter)) for number, text in lines]
    except csv.Error as error:
        raise InputError(f"ego log {path.name}", Received(str(error)), "a table with a header line") from error
    names, rows, notes = _header(path, rows, comment, layout, delimiter)
    units: dict[str, str] = {}
    if len(rows) > 1 and (found := _units_row(names, rows[0][1], rows[1][1])) is not None:
        units, rows = found, rows[1:]
    cells: dict[str, list] = {name: [] for name in names}
    for number, row in rows:
        if len(row) != len(names):
            raise InputError(
                f"ego log {path.name}, line {number}",
                Received(f"{len(row)} cells"),
                f"{len(names)}, as in {'ego.column_names' if layout.column_names else 'the header'}",
            )
        for name, cell in zip(names, row, strict=True):
            cells[name].append(cell)
    unread = NO_NAME if layout.column_names else ""  # a header may end in commas, or leave a row number unnamed
    names = tuple(name for name in names if name != unread)
    cells.pop(unread, None)
    decimal = {"point": ".", "comma": ","}.get(layout.decimal, "")
    if not decimal:
        decimal = "," if has_decimal_commas(cells) else "."
        notes += ["decimal commas read"] * (decimal == ",")
    if units:
        notes.append("units taken from the second line: " + ", ".join(f"{n} in {u}" for n, u in units.items()))
    return Table(
        path, names, cells, "line", rows[0][0] if rows else 2, tuple(number for number, _ in rows), units, decimal,
        tuple(notes),
    )  # fmt: skip


def _lines(path: Path) -> tuple[list[Line], str]:
    """The numbered lines with cells, and the last comment above them without its mark."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"ego log {path.name}", Received("bytes that are not text"), "a UTF-8 table with a header line"
        ) from error
    lines: list[Line] = []
    comment = ""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        mark = next((mark for mark in COMMENT_MARKS if bare.startswith(mark)), None)
        if mark is not None:
            comment = comment if lines else bare.lstrip("#%/ \t")
        elif bare.strip(",;|"):
            lines.append((number, line))
    return lines, comment


def _delimiter(lines: list[str]) -> str:
    """The mark that splits all lines into the same number of cells, else one of the first line, " " for blanks."""
    for mark in DELIMITERS:
        counts = {len(row) for row in csv.reader(lines, delimiter=mark)}
        if len(counts) == 1 and counts != {1}:
            return mark
    found = next((mark for mark in DELIMITERS if mark in lines[0]), None)
    if found is None and not any(is_time_text(line) for line in lines):
        return " "
    return found or ","


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of a line without blanks around them."""
    if delimiter == " ":
        return line.split()
    return [cell.strip() for row in csv.reader([line], delimiter=delimiter, skipinitialspace=True) for cell in row]


def _header(
    path: Path, rows: list, comment: str, layout: TableLayout, delimiter: str
) -> tuple[tuple[str, ...], list, list[str]]:
    """The names of the columns, the rows below them, and notes."""
    first_number, first = rows[0]
    if layout.column_names:
        return tuple(layout.column_names), rows, []
    if not any(is_number(cell) or is_time_text(cell) for cell in first):
        return tuple(first), rows[1:], []
    above = _split(comment, delimiter) if comment else []
    if len(above) != len(first):
        above = re.split(r"[\s,;]+", comment.strip()) if comment else []
    if len(above) == len(first) and not any(is_number(name) for name in above):
        return tuple(above), rows, ["column names taken from the comment above the first row"]
    if len(first) == 1:
        return ("time",), rows, []
    shown = ", ".join(first[:4]) + (", ..." if len(first) > 4 else "")
    raise InputError(
        f"ego log {path.name}, line {first_number}",
        Received(f"values where the names of columns belong ({shown})"),
        f"a header line, or ego.column_names: a name for each of the {len(first)} columns, as [time_s, speed_mps, -]",
    )


def _units_row(names: tuple[str, ...], cells: list[str], below: list[str]) -> dict[str, str] | None:
    """Column -> unit when a line holds only units and the next one holds numbers, None for other lines."""
    if len(cells) != len(names) or any(is_number(cell) or is_time_text(cell) for cell in cells):
        return None
    if not any(is_number(cell) or is_time_text(cell) for cell in below):
        return None
    units = {name: unit_of_word(cell) for name, cell in zip(names, cells, strict=True) if not is_blank(cell)}
    known = {name: unit for name, unit in units.items() if unit is not None}
    return known if known and 2 * len(known) >= len(units) else None

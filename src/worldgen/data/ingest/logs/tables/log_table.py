"""A table of cells, and its columns as numbers; errors name file, row and column."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received

BLANK_WORDS = {"", "nan", "null", "none", "na", "n/a", "#n/a"}
"""Text of a cell without a value, in lower case."""
_COMMA_NUMBER = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")


@dataclass(frozen=True)
class TableLayout:
    """What a table does not say itself. column_names: names of the columns of a table without a header line, in order.
    decimal: mark of decimal fractions, ``auto`` reads a comma where no other reading is possible. records: key of the
    list of records in a JSON file that holds several."""

    column_names: tuple[str, ...] = ()
    decimal: str = "auto"
    records: str | None = None


@dataclass(frozen=True)
class Table:
    """Columns of text or numbers.

    names: columns in order, which may repeat. cells: column -> values. row_word, first_row: word and number of the
    first row, for messages; row_numbers: numbers of all rows where they are not consecutive. units: column -> unit that
    a row of units or the type of the column states (of ``units.UNIT_WORDS``, or ``s ms us ns`` for typed times).
    decimal: mark of decimal fractions in text. notes: how the table was read, where that was found out.
    """

    path: Path
    names: tuple[str, ...]
    cells: Mapping[str, Sequence]
    row_word: str
    first_row: int
    row_numbers: tuple[int, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    decimal: str = "."
    notes: tuple[str, ...] = ()

    def row_number(self, row: int) -> int:
        """The number of a row in the file, for messages."""
        return self.row_numbers[row] if self.row_numbers else row + self.first_row

    def where(self, row: int, column: str) -> str:
        """The name of a cell for messages."""
        return f"ego log {self.path.name}, {self.row_word} {self.row_number(row)}, column {column}"


def is_blank(cell: object) -> bool:
    """Whether a cell holds no value."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return isinstance(cell, str) and cell.strip().lower() in BLANK_WORDS


def numbers(table: Table, name: str) -> np.ndarray:
    """One column as ``(R,)`` float64, NaN where a cell holds no value.

    Raises:
        InputError: a cell that is not a finite number.
    """
    values = np.empty(len(table.cells[name]))
    for row, cell in enumerate(table.cells[name]):
        if is_blank(cell):
            values[row] = math.nan
            continue
        if isinstance(cell, (bool, np.bool_)):
            raise InputError(table.where(row, name), Received(repr(cell)), "a number")
        text = cell
        if isinstance(cell, str) and table.decimal == "," and _COMMA_NUMBER.fullmatch(cell.strip()):
            text = cell.replace(",", ".")
        try:
            values[row] = float(text)
        except (TypeError, ValueError, OverflowError) as error:
            hint = ""
            if isinstance(cell, str) and table.decimal == "." and _COMMA_NUMBER.fullmatch(cell.strip()):
                hint = " (ego.decimal: comma if this is a decimal comma)"
            raise InputError(table.where(row, name), cell, "a number" + hint) from error
        if not math.isfinite(values[row]):
            raise InputError(table.where(row, name), Received(str(cell)), "a finite number")
    return values


def is_number(text: str) -> bool:
    """Whether a text cell is a number, with a decimal point or comma."""
    text = text.strip()
    if _COMMA_NUMBER.fullmatch(text):
        return True
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def has_decimal_commas(cells: Mapping[str, Sequence]) -> bool:
    """Whether the commas in text cells can only be decimal marks.

    True when a number such as ``0,5`` or ``36,50`` is there and none has a decimal point. ``1,234`` alone is no proof,
    because it may be a thousand.
    """
    proof = False
    for column in cells.values():
        for cell in column:
            if not isinstance(cell, str):
                return False
            text = cell.strip()
            if "." in text and is_number(text):
                return False
            if "," in text and _COMMA_NUMBER.fullmatch(text):
                whole, _, fraction = text.lstrip("+-").partition(",")
                proof = proof or len(fraction) != 3 or len(whole) > 3 or whole.startswith("0") or not whole
    return proof

"""From the cells of a table to series of numbers: times, values that mean "no value", and cells of several numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from worldgen.core.ego import MAX_SPEED_MPS, MAX_YAW_RATE_RADPS
from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.tables.log_table import Table, is_blank, numbers
from worldgen.data.ingest.logs.time_cells import UNIT_S, date_text, epoch_unit, is_time_text, shared_unit, text_times
from worldgen.data.ingest.logs.units import ALIASES, ColumnMeaning

TEXT_UNIT = "text"
VECTORS = {
    "quaternion_wxyz": ("qw", "qx", "qy", "qz"), "quaternion_xyzw": ("qx", "qy", "qz", "qw"),
    "position_m": ("x", "y", "z"),
}  # fmt: skip
"""Quantity of a cell with several numbers -> the quantities of its parts, in order."""
NUMBERED = ("q0", "q1", "q2", "q3")
"""Parts of a quaternion whose names do not say which is the real part."""
LIMITS = {
    "speed": (MAX_SPEED_MPS, "m/s"), "yaw_rate": (MAX_YAW_RATE_RADPS, "rad/s"), "lat": (90.0, "degrees"),
    "lon": (360.0, "degrees"), "yaw": (1000.0, "rad"), "heading": (1000.0, "rad"),
}  # fmt: skip
"""Quantity -> largest magnitude and its unit."""
NEVER_NEGATIVE = ("speed", "heading")
"""Quantities in which -1 among values from 0 on means "no value" (phones: CLLocation.speed and .course of iOS)."""


def stated_units(
    table: Table, config: EgoLogConfig, frames_s: tuple[float, float] | None
) -> tuple[dict[str, str], list[str]]:
    """Column -> unit that the table itself states, and notes about units that follow from the values.

    Times without a unit get one when their values allow one only: text that is a date, numbers that are dates of this
    century in one unit, or numbers that meet the clock of the frames in one unit. frames_s: first and last time of the
    frames on an absolute clock, or None.
    """
    units, notes = dict(table.units), []
    for name in table.names:
        target = config.columns.get(name, name).strip().lower()
        if name in units or ALIASES.get(target, target) != "time":
            continue
        cells = _cells(table, name)
        if cells and (all(map(is_time_text, cells)) or (config.time_format and isinstance(cells[0], str))):
            units[name] = TEXT_UNIT
            continue
        try:
            values = numbers(table, name)
        except InputError:
            continue
        unit = shared_unit(values, *frames_s) if frames_s is not None and frames_s[0] > 0 else None
        reason = "so it meets the clock of the frames"
        if unit is None and (unit := epoch_unit(values)) is not None:
            reason = f"the first is {date_text(UNIT_S[unit] * float(values[0]))}"
        if unit is not None:
            units[name] = unit
            notes.append(f"column {name} read in {unit}: {reason}; ego.columns: {{{name}: time_{unit}}} states it")
    return units, notes


def time_column(table: Table) -> str | None:
    """The only column whose cells are all dates as text, None without or with several."""
    found = [
        name for name in dict.fromkeys(table.names)
        if (cells := _cells(table, name)) and all(is_time_text(cell) for cell in cells)
    ]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _cells(table: Table, name: str) -> list:
    """The cells of a column; none for a column that cannot be read."""
    try:
        return list(table.cells[name])
    except InputError:
        return []


def read_series(
    table: Table, config: EgoLogConfig, meanings: Mapping[str, ColumnMeaning]
) -> tuple[dict[str, np.ndarray], dict[str, str], list[str]]:
    """Quantity -> ``(R,)`` float64 in SI units with NaN for "no value", quantity -> column, and notes.

    Raises:
        InputError: text in place of numbers, values that are not possible, or a time without a value.
    """
    series: dict[str, np.ndarray] = {}
    columns: dict[str, str] = {}
    notes: list[str] = []

    def put(name: str, quantity: str, values: np.ndarray) -> None:
        if quantity in series:
            raise InputError(
                f"ego log {table.path.name}, columns {columns[quantity]!r} and {name!r}",
                Received(f"both give {quantity}"),
                f"one of them, as with ego.columns: {{{name}: ignore}}",
            )
        series[quantity], columns[quantity] = values, name

    def read(name: str, meaning: ColumnMeaning) -> None:
        if meaning.quantity in (*VECTORS, "quaternion"):
            parts = VECTORS[meaning.quantity if meaning.quantity in VECTORS else _quaternion_order(table, config, name)]
            for quantity, values in zip(parts, _vectors(table, name, len(parts)), strict=True):
                put(name, quantity, values)
            return
        if meaning.quantity == "time":
            values = _times(table, name, meaning, config)
        else:
            raw = numbers(table, name)
            if blank := int(np.isnan(raw).sum()):
                notes.append(f"column {name}: {blank} of {len(raw)} rows without a value, read between the others")
            notes.extend(_drop_no_value(table, name, meaning, config, raw))
            _check_possible(table, name, meaning, raw)
            values = raw * meaning.factor
        quantity = meaning.quantity
        if quantity in NUMBERED:
            quantity = VECTORS[_quaternion_order(table, config, name)][NUMBERED.index(quantity)]
        put(name, quantity, values)

    wrong: list[InputError] = []
    for name, meaning in meanings.items():
        try:
            read(name, meaning)
        except InputError as error:
            wrong.append(error)
    if wrong:  # all bad columns at a time, not one in every run
        raise wrong[0] if len(wrong) == 1 else InputError("; and ".join(str(error) for error in wrong))
    notes += _drop_missing_fixes(table, series)
    return series, columns, notes


def _quaternion_order(table: Table, config: EgoLogConfig, name: str) -> str:
    """The key of ``VECTORS`` of quaternions whose columns do not state their order."""
    if config.quaternion_order is None:
        raise InputError(
            f"ego log {table.path.name}, column {name}",
            Received("a quaternion whose order is not stated"),
            "ego.quaternion_order: wxyz (the real part first) or xyzw (last)",
        )
    return f"quaternion_{config.quaternion_order}"


def _times(table: Table, name: str, meaning: ColumnMeaning, config: EgoLogConfig) -> np.ndarray:
    """Times ``(R,)`` in seconds; text without a zone is taken as UTC."""
    if meaning.unit == TEXT_UNIT:
        return text_times(
            table.cells[name], lambda row: table.where(row, name), zone=config.time_zone, pattern=config.time_format
        )
    values = numbers(table, name)
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise InputError(table.where(int(missing[0]), name), Received("an empty cell"), "a time in every row")
    return values * meaning.factor


def _vectors(table: Table, name: str, length: int) -> np.ndarray:
    """The parts of a column of lists, ``(length, R)``; NaN for blank cells."""
    out = np.full((length, len(table.cells[name])), math.nan)
    for row, cell in enumerate(table.cells[name]):
        if is_blank(cell):
            continue
        try:
            values = np.array([float(part) for part in cell]) if isinstance(cell, (list, tuple)) else np.empty(0)
        except (TypeError, ValueError, OverflowError):
            values = np.empty(0)
        if values.shape != (length,) or not np.isfinite(values).all():
            raise InputError(table.where(row, name), cell, f"a list of {length} finite numbers")
        out[:, row] = values
    return out


def _drop_no_value(table: Table, name: str, meaning: ColumnMeaning, config: EgoLogConfig, raw: np.ndarray) -> list[str]:
    """Turn values that mean "no value" into NaN, in place; notes say which. raw: ``(R,)`` in the unit of the column."""
    marks = np.isin(raw, config.no_value) if config.no_value else np.zeros(len(raw), bool)
    # Phones give -1 m/s and -1 degree; a logger that converts the speed gives -3.6 km/h.
    minus_one = (raw == -1) | ((meaning.quantity == "speed") & (np.abs(raw * meaning.factor + 1) < 1e-3))
    others = raw[~marks & ~minus_one]
    if meaning.quantity in NEVER_NEGATIVE and len(others) and np.nanmin(np.append(others, 0)) >= 0:
        marks |= minus_one
    if meaning.quantity == "heading":
        marks |= _beyond_the_circle(raw * meaning.factor)
    if not marks.any():
        return []
    rows = np.flatnonzero(marks)
    value = raw[rows[0]]
    raw[marks] = math.nan
    return [
        f"column {name}: {counted(len(rows), 'row')} of {value:g} taken as no value, the first at {table.row_word} "
        f"{table.row_number(int(rows[0]))}"
    ]


def _beyond_the_circle(heading: np.ndarray) -> np.ndarray:
    """Rows ``(R,)`` bool of one value above a full circle among headings from 0 to one: 511 degrees in SAE J1939."""
    beyond = heading > 2 * np.pi * 1.001
    inside = heading[~beyond & ~np.isnan(heading)]
    single = len(np.unique(heading[beyond])) == 1
    return beyond if single and len(inside) > beyond.sum() and inside.min() >= -1e-9 else np.zeros(len(heading), bool)


def _drop_missing_fixes(table: Table, series: dict[str, np.ndarray]) -> list[str]:
    """Turn GPS positions at exactly 0, 0 into NaN when others are elsewhere, in place."""
    if not {"lat", "lon"} <= set(series):
        return []
    zero = (series["lat"] == 0) & (series["lon"] == 0)
    if not zero.any() or zero.all():
        return []
    for quantity in ("lat", "lon"):
        series[quantity] = np.where(zero, math.nan, series[quantity])
    first = table.row_number(int(np.flatnonzero(zero)[0]))
    return [
        f"{counted(int(zero.sum()), 'position')} at latitude 0, longitude 0 taken as no fix, the first at "
        f"{table.row_word} {first}"
    ]


def _check_possible(table: Table, name: str, meaning: ColumnMeaning, raw: np.ndarray) -> None:
    """Refuse values beyond ``LIMITS``: they have a wrong unit, or mean "no value"."""
    if (meaning.quantity not in LIMITS and meaning.unit != "unit") or np.isnan(raw).all():
        return
    limit, unit = LIMITS.get(meaning.quantity, (1.0, "of the stated maximum"))
    values = raw * meaning.factor
    row = int(np.nanargmax(np.abs(values)))
    if abs(values[row]) > limit * (1 + 1e-9):
        cell = table.cells[name][row]
        raise InputError(
            table.where(row, name),
            Received(f"{cell}, which is {values[row]:.6g} {unit}"),
            f"at most {limit:.6g} {unit} in magnitude: is the unit in the column name right? "
            f"(ego.no_value: [{raw[row]:g}] if it marks a missing value)",
        )

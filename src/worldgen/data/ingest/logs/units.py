"""Column names of ego logs: the quantity and the unit they state. Units are never guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from worldgen.core.errors import InputError, Received

IGNORE = "ignore"

_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "text": 1.0}
_SPEED = {"mps": 1.0, "kmh": 1 / 3.6, "kph": 1 / 3.6, "mph": 0.44704, "kn": 1852 / 3600}
_ANGLE = {"rad": 1.0, "deg": math.pi / 180}
_RATE = {"radps": 1.0, "degps": math.pi / 180}

UNITS: dict[str, dict[str, float]] = {
    "time": _TIME,
    "speed": _SPEED,
    "yaw_rate": _RATE,
    "steering": {**_ANGLE, "unit": 1.0},
    "steering_wheel": {**_ANGLE, "unit": 1.0},
    "x": {"m": 1.0},
    "y": {"m": 1.0},
    "z": {"m": 1.0},
    "yaw": _ANGLE,
    "lat": {"deg": 1.0},
    "lon": {"deg": 1.0},
    "heading": _ANGLE,
}
"""Quantity -> unit suffix -> factor to the unit of :class:`EgoLog` (s, m/s, rad/s, rad, m; degrees for lat and lon).

``time_text`` is a date or a time of day as text. ``steering`` is the angle of the front wheels, ``steering_wheel`` that
of the hand wheel; ``unit`` means [-1, 1] of a stated maximum. ``yaw`` is counter-clockwise from x in axes with y to the
left (``ego.axes`` names others); ``heading`` is clockwise from north.
"""

UNITLESS = (
    "qw", "qx", "qy", "qz", "q0", "q1", "q2", "q3", "frame", "quaternion", "quaternion_wxyz", "quaternion_xyzw",
    "position_m",
)  # fmt: skip
"""Names that need no unit beside them. The last four are of cells that hold a list of four or three numbers; the order
of ``quaternion`` and of ``q0`` to ``q3`` is ``ego.quaternion_order``."""
ALIASES = {
    "t": "time", "timestamp": "time", "utime": "time", "velocity": "speed", "yawrate": "yaw_rate",
    "steering_angle": "steering", "steering_wheel_angle": "steering_wheel", "latitude": "lat", "longitude": "lon",
    "frame_index": "frame", "q_w": "qw", "q_x": "qx", "q_y": "qy", "q_z": "qz",
}  # fmt: skip
NEEDS_UNIT = {*UNITS, *(alias for alias, quantity in ALIASES.items() if quantity in UNITS)}
"""Names that are refused without a unit."""
WITH_UNIT_ONLY = {"tx": "x", "ty": "y", "tz": "z", "pos_x": "x", "pos_y": "y", "pos_z": "z", "course": "heading"}
"""Names that are known with a unit, and left alone without one or beside a column with the usual name."""

UNIT_WORDS = {
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "ms": "ms", "msec": "ms", "milliseconds": "ms",
    "us": "us", "µs": "us", "μs": "us", "usec": "us", "microseconds": "us", "ns": "ns", "nsec": "ns",
    "nanoseconds": "ns", "m/s": "mps", "mps": "mps", "m s-1": "mps", "m/sec": "mps", "km/h": "kmh", "kmh": "kmh",
    "kph": "kmh", "km/hr": "kmh", "mph": "mph", "mi/h": "mph", "kn": "kn", "kt": "kn", "kts": "kn", "knots": "kn",
    "rad/s": "radps", "rad/sec": "radps", "radps": "radps", "deg/s": "degps", "deg/sec": "degps", "degps": "degps",
    "°/s": "degps", "º/s": "degps", "rad": "rad", "radians": "rad", "deg": "deg", "degrees": "deg", "°": "deg",
    "º": "deg", "m": "m", "meters": "m", "metres": "m",
}  # fmt: skip
"""Spelling of a unit -> suffix of ``UNITS``."""
_BRACKETED = re.compile(r"(?P<stem>.*?)[\s_]*[\[(](?P<unit>[^\])]*)[\])]")


@dataclass(frozen=True)
class ColumnMeaning:
    """The content of a column. quantity: of ``UNITS`` or ``UNITLESS``. unit: its suffix, "" for none. factor: to SI."""

    quantity: str
    unit: str = ""
    factor: float = 1.0


def canonical_names() -> str:
    """All column names that need no mapping, for messages and help."""
    return ", ".join([*(f"{q}_{'|'.join(units)}" for q, units in UNITS.items()), *UNITLESS])


def unit_of_word(word: str) -> str | None:
    """The unit suffix that a word such as ``km/h``, ``[deg/s]`` or ``(m)`` stands for, None for other words."""
    return UNIT_WORDS.get(word.strip().strip("[](){}").strip().lower())


def _stem_and_unit(name: str) -> tuple[str, str | None]:
    """A column name in lower case without a unit in brackets, and that unit."""
    word = name.strip().lower()
    match = _BRACKETED.fullmatch(word)
    if match is None:
        return word, None
    unit = unit_of_word(match["unit"])
    return (re.sub(r"[\s_]+", "_", match["stem"].strip()), unit) if unit is not None else (word, None)


class NoUnitError(InputError):
    """A column whose name is that of a quantity, without a unit. choices: names with units."""

    def __init__(self, column: str, choices: tuple[str, ...]) -> None:
        expected = f"one of {', '.join(choices)}; rename it or set ego.columns: {{{column}: {choices[0]}}}"
        super().__init__(f"column {column!r}", Received("no unit"), expected)
        self.column, self.choices = column, choices


def parse_name(name: str, stated_unit: str | None = None) -> ColumnMeaning | None:
    """The meaning of a column called ``quantity_unit`` or ``quantity (unit)``, None for other columns.

    stated_unit: the unit that the table states elsewhere: in a row of units, by the type of the column, or by times
    written as text.

    Raises:
        InputError: the name of a quantity without a unit, or with another one than the table states.
    """
    word, bracketed = _stem_and_unit(name)
    if ALIASES.get(word, word) in UNITLESS:
        return ColumnMeaning(ALIASES.get(word, word))
    stem, _, suffix = word.rpartition("_")
    quantity = ALIASES.get(stem, WITH_UNIT_ONLY.get(stem, stem))
    bare = ALIASES.get(word, WITH_UNIT_ONLY.get(word, word))
    if bracketed is not None and bare in UNITS:
        quantity, suffix = bare, bracketed
    if quantity in UNITS and suffix in UNITS[quantity]:
        named = ColumnMeaning(quantity, suffix, UNITS[quantity][suffix])
        if stated_unit is not None and UNITS[quantity].get(stated_unit) != named.factor:
            raise InputError(
                f"column {name!r}", Received(f"{suffix} in its name, {stated_unit} in the table"),
                f"one unit: ego.columns: {{{name}: {quantity}_{stated_unit}}} or {{{name}: {quantity}_{suffix}}}",
            )  # fmt: skip
        return named
    if stated_unit is not None and bare in UNITS and stated_unit in UNITS[bare]:
        return ColumnMeaning(bare, stated_unit, UNITS[bare][stated_unit])
    if word in NEEDS_UNIT or (bracketed is not None and bare in UNITS):
        raise NoUnitError(name, tuple(f"{bare}_{unit}" for unit in UNITS[bare]))
    return None


def read_meanings(
    names: tuple[str, ...], mapping: Mapping[str, str], units: Mapping[str, str] | None = None
) -> dict[str, ColumnMeaning]:
    """Column name -> meaning, of the columns that are used.

    mapping: column -> ``quantity_unit`` or "ignore"; it overrides the names in the file. units: column -> unit that the
    table states beside the names; it says nothing about columns that are mapped.

    Raises:
        InputError: a repeated column, two columns of one quantity, or a mapping from or to an unknown name.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"column {name!r}", Received("twice in the header"), "every column once")
        seen.add(name)
    unknown = sorted(set(mapping) - seen)
    if unknown:
        raise InputError("ego.columns", unknown[0], "a column of the log: " + ", ".join(names))
    meanings: dict[str, ColumnMeaning] = {}
    owner: dict[str, str] = {}
    lacking: list[NoUnitError] = []
    second = {n for n in names if n not in mapping and _stem_and_unit(n)[0].rpartition("_")[0] in WITH_UNIT_ONLY}
    for name in sorted(names, key=second.__contains__):
        target = mapping.get(name, name)
        if target == IGNORE:
            continue
        # A mapping such as {v: speed} takes the unit that the table states, or that stands in brackets in the name.
        stated = (units or {}).get(name) or _stem_and_unit(name)[1]
        needs_unit = ALIASES.get(target.lower(), target.lower()) in UNITS
        try:
            meaning = parse_name(target, stated if name not in mapping or needs_unit else None)
        except NoUnitError as error:
            lacking.append(NoUnitError(name, error.choices))
            continue
        if meaning is None:
            if name in mapping:
                raise InputError(f"ego.columns.{name}", target, f"{IGNORE} or one of {canonical_names()}")
            continue
        if meaning.quantity in owner and name in second:
            continue
        if meaning.quantity in owner:
            raise InputError(
                f"columns {owner[meaning.quantity]!r} and {name!r}", Received(f"both give {meaning.quantity}"),
                f"one of them, as with ego.columns: {{{name}: {IGNORE}}}",
            )  # fmt: skip
        owner[meaning.quantity] = name
        meanings[name] = meaning
    if len(lacking) == 1:
        raise lacking[0]
    if lacking:
        each = "; ".join(f"{error.column}: {' or '.join(error.choices)}" for error in lacking)
        columns = ", ".join(repr(error.column) for error in lacking)
        raise InputError(f"columns {columns}", Received("no units"), f"names with units, or ego.columns with {each}")
    return meanings

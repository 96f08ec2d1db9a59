"""Column names of ego logs: the quantity and the unit they state. Units are never guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from worldgen.core.errors import InputError, Received

IGNORE = "ignore"

_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
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

``steering`` is the angle of the front wheels, ``steering_wheel`` that of the hand wheel; ``unit`` means [-1, 1] of a
stated maximum. ``yaw`` is counter-clockwise from x; ``heading`` is clockwise from north.
"""

UNITLESS = ("qw", "qx", "qy", "qz", "frame")
ALIASES = {
    "t": "time", "timestamp": "time", "velocity": "speed", "yawrate": "yaw_rate", "steering_angle": "steering",
    "steering_wheel_angle": "steering_wheel", "latitude": "lat", "longitude": "lon", "frame_index": "frame",
}  # fmt: skip
NEEDS_UNIT = {*UNITS, *(alias for alias, quantity in ALIASES.items() if quantity in UNITS)}


@dataclass(frozen=True)
class ColumnMeaning:
    """The content of a column. quantity: of ``UNITS`` or ``UNITLESS``. unit: its suffix, "" for none. factor: to SI."""

    quantity: str
    unit: str = ""
    factor: float = 1.0


def canonical_names() -> str:
    """All column names that need no mapping, for messages and help."""
    return ", ".join([*(f"{q}_{'|'.join(units)}" for q, units in UNITS.items()), *UNITLESS])


def parse_name(name: str) -> ColumnMeaning | None:
    """The meaning of a column called ``quantity_unit``, None for other columns.

    Raises:
        InputError: the name of a quantity without a unit.
    """
    word = name.strip().lower()
    if ALIASES.get(word, word) in UNITLESS:
        return ColumnMeaning(ALIASES.get(word, word))
    stem, _, unit = word.rpartition("_")
    quantity = ALIASES.get(stem, stem)
    if quantity in UNITS and unit in UNITS[quantity]:
        return ColumnMeaning(quantity, unit, UNITS[quantity][unit])
    bare = ALIASES.get(word, word)
    if word in NEEDS_UNIT:
        choices = ", ".join(f"{bare}_{u}" for u in UNITS[bare])
        raise InputError(
            f"column {name!r}",
            Received("no unit"),
            f"one of {choices}; rename it or set ego.columns: {{{name}: {bare}_{next(iter(UNITS[bare]))}}}",
        )
    return None


def read_meanings(names: tuple[str, ...], mapping: dict[str, str]) -> dict[str, ColumnMeaning]:
    """Column name -> meaning, of the columns that are used.

    mapping: column -> ``quantity_unit`` or "ignore"; it overrides the names in the file.

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
    for name in names:
        target = mapping.get(name, name)
        if target == IGNORE:
            continue
        meaning = parse_name(target)
        if meaning is None:
            if name in mapping:
                raise InputError(f"ego.columns.{name}", target, f"{IGNORE} or one of {canonical_names()}")
            continue
        if meaning.quantity in owner:
            raise InputError(
                f"columns {owner[meaning.quantity]!r} and {name!r}", Received(f"both give {meaning.quantity}"),
                f"one of them, as with ego.columns: {{{name}: {IGNORE}}}",
            )  # fmt: skip
        owner[meaning.quantity] = name
        meanings[name] = meaning
    return meanings

"""Numbers in a prompt: ranges, bounds, durations and times of day are joined to one unit each."""

from __future__ import annotations

import re

from worldgen.core.errors import InputError
from worldgen.prompts.lexicon import LexiconEntry, WordMeaning
from worldgen.prompts.tokens import SIGNS, Unit

SECONDS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "seconds_long": 1, "second_long": 1,
    "minute": 60, "minutes": 60, "min": 60, "mins": 60, "hour": 3600, "hours": 3600, "ms": 0.001, "milliseconds": 0.001,
}  # fmt: skip
"""Unit name of a time unit -> its seconds."""
HOURS = ((5.0, "night"), (7.5, "dawn"), (17.0, "day"), (19.0, "low_sun"), (20.5, "dusk"), (24.0, "night"))
"""(hour of the day, light until then), at a temperate latitude around the equinox."""
RANGE_WORDS = frozenset(("to", "or"))
BOUND_WORDS = {
    ("at", "least"): 0,
    ("up", "to"): 0,
    ("at", "most"): 0,
    ("more", "than"): 1,
    ("less", "than"): -1,
    ("fewer", "than"): -1,
}
"""Words before a number -> what is added to it."""


def light_at(hour: float) -> str:
    """The light word for an hour of the day, 0 to 24."""
    return next(light for until, light in HOURS if hour < until)


def join_numbers(units: list[Unit]) -> tuple[list[Unit], list[str]]:
    """The units with ranges, bounds, durations and times of day joined, and notes on how they were read.

    Raises InputError for an hour that no clock shows.
    """
    notes: list[str] = []
    out: list[Unit] = []
    i = 0
    while i < len(units):
        for rule in (_negative, _range, _clock, _duration, _bound):
            unit, length = rule(units, i, notes)
            if unit is not None:
                out.append(unit)
                i += length
                break
        else:
            out.append(units[i])
            i += 1
    if len(out) < len(units) and any(u.name == "#" for u in out):
        return _again(out, notes)
    return out, notes


def _again(units: list[Unit], notes: list[str]) -> tuple[list[Unit], list[str]]:
    joined, more = join_numbers(units)
    return joined, notes + more


def _join(units: list[Unit], entry: LexiconEntry, number: float | None) -> Unit:
    text = " ".join(u.text for u in units)
    return Unit(entry, units[0].start, units[-1].end, text, number=number)


def _negative(units: list[Unit], i: int, notes: list[str]) -> tuple[Unit | None, int]:
    """Minus three, -3: the number below zero, which no count and no duration may be."""
    number = units[i + 1].number if i + 1 < len(units) and units[i + 1].name == "#" else None
    if number is None or number < 0 or units[i].name not in ("minus", "negative"):
        return None, 0
    text = units[i].text + ("" if units[i].text in SIGNS else " ") + units[i + 1].text
    return Unit(LexiconEntry("#"), units[i].start, units[i + 1].end, text, number=-number), 2


def _range(units: list[Unit], i: int, notes: list[str]) -> tuple[Unit | None, int]:
    """Two or three, 5-7, between 2 and 4: the middle; halves are rounded up."""
    names = [u.name for u in units[i : i + 4]]
    if names[:1] == ["between"] and len(names) == 4 and names[1] == "#" and names[2] == "and" and names[3] == "#":
        first, length = i + 1, 4
    elif len(names) >= 3 and names[0] == "#" and names[1] in RANGE_WORDS and names[2] == "#":
        first, length = i, 3
    else:
        return None, 0
    low, high = units[first].number, units[first + 2].number
    if low is None or high is None or high < low:
        return None, 0
    middle = float(int((low + high) / 2 + 0.5))
    joined = _join(units[i : i + length], LexiconEntry("#"), middle)
    notes.append(f"{joined.text}: read as {middle:g}, the middle")
    return joined, length


def _bound(units: list[Unit], i: int, notes: list[str]) -> tuple[Unit | None, int]:
    """At least two, more than three: the bound itself, or the next number beyond it."""
    number = units[i + 2].number if i + 2 < len(units) and units[i + 2].name == "#" else None
    if number is None:
        return None, 0
    words = (units[i].text.lower(), units[i + 1].text.lower())
    if words not in BOUND_WORDS:
        return None, 0
    number += BOUND_WORDS[words]
    joined = _join(units[i : i + 3], LexiconEntry("#"), number)
    notes.append(f"{joined.text}: read as {number:g}")
    return joined, 3


def _duration(units: list[Unit], i: int, notes: list[str]) -> tuple[Unit | None, int]:
    """Six seconds, half a minute."""
    names = [u.name for u in units[i : i + 2]]
    if names[0] == "half" and len(names) > 1 and names[1] in SECONDS and SECONDS[names[1]] > 1:
        return _lasting(units[i : i + 2], 0.5 * SECONDS[names[1]]), 2
    number = units[i].number
    if names[0] == "#" and len(names) > 1 and names[1] in SECONDS and number is not None:
        return _lasting(units[i : i + 2], number * SECONDS[names[1]]), 2
    return None, 0


def _lasting(units: list[Unit], seconds: float) -> Unit:
    return _join(units, LexiconEntry("duration", (WordMeaning("duration_s", repr(round(seconds, 4))),)), None)


def _clock(units: list[Unit], i: int, notes: list[str]) -> tuple[Unit | None, int]:
    """3 am, 15:30, 11:15 pm, 6 o'clock: the light at that hour."""
    unit = units[i]
    following = units[i + 1].name if i + 1 < len(units) else ""
    if unit.name == "clock":
        hours, minutes = (int(part) for part in re.findall(r"\d+", unit.text))
        hour = hours + minutes / 60
    elif unit.name == "#" and unit.number is not None and following in ("am", "pm", "o'clock"):
        hour = unit.number
    else:
        return None, 0
    length = 1 + (following in ("am", "pm", "o'clock"))
    if following in ("am", "pm"):
        if not 0 < hour < 13:
            raise InputError(
                "time of day", " ".join(u.text for u in units[i : i + 2]), "an hour from 1 to 12 with am or pm"
            )
        hour = hour % 12 + (12 if following == "pm" else 0)
    if not 0 <= hour < 24:
        raise InputError("time of day", unit.text, "an hour below 24")
    light = light_at(hour)
    joined = _join(units[i : i + length], LexiconEntry("l_" + light, (WordMeaning("light", light),)), None)
    notes.append(f"{joined.text}: read as {light}")
    return joined, length

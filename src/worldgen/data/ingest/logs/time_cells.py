"""Times written as text: ISO 8601 dates with or without a zone, times of day, and dates in a stated format."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable, Sequence

import numpy as np

from worldgen.core.errors import InputError

DAY_S = 86_400.0
ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2}|\d{8})[T _]?\s*"
    r"(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})(?:[.,](?P<part>\d{1,12}))?\s*"
    r"(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
TIME_OF_DAY = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,](?P<part>\d{1,12}))?")
OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?")


def is_time_text(cell: object) -> bool:
    """Whether a cell is a date with a time, or a time of day, whose parts are certain."""
    if not isinstance(cell, str):
        return False
    text = cell.strip()
    if TIME_OF_DAY.fullmatch(text):
        return True
    match = ISO.fullmatch(text)
    return match is not None and (not match["date"].isdigit() or not text.isdigit())


def check_zone(zone: str | None) -> None:
    """Refuse a time zone that is neither an offset nor a known name. Raises: InputError."""
    if zone is not None:
        _zone(zone)


def text_times(
    cells: Sequence[object], where: Callable[[int], str], *, zone: str | None = None, pattern: str | None = None
) -> np.ndarray:
    """Times of text cells in seconds ``(R,)``.

    Dates count from 1970-01-01 in UTC; times of day from midnight, and go on beyond it. A time without a zone is in
    ``zone``, and without one taken as UTC.

    Args:
        cells: one time a row.
        where: the name of a row's cell, for messages.
        zone: an offset such as ``+02:00`` or a name such as ``Europe/Berlin``.
        pattern: format of ``datetime.strptime``; None reads ISO 8601 dates and times of day.

    Raises:
        InputError: a cell that is no time.
    """
    out = np.empty(len(cells))
    of_day = False
    for row, cell in enumerate(cells):
        text = cell.strip() if isinstance(cell, str) else ""
        day = TIME_OF_DAY.fullmatch(text) if pattern is None else None
        try:
            if day is not None:
                out[row] = _seconds(day)
                of_day = True
                continue
            out[row] = _stamp(text, zone, pattern)
        except (ValueError, OverflowError) as error:
            form = f"a time in the form {pattern}" if pattern else "an ISO time as in 2024-05-01T10:00:00.5Z"
            raise InputError(where(row), cell, f"{form} (ego.time_format for others)") from error
    if of_day:
        back = np.flatnonzero(np.diff(out) < -DAY_S / 2)
        for midnight in back.tolist():
            out[midnight + 1 :] += DAY_S
    return out


def _stamp(text: str, zone: str | None, pattern: str | None) -> float:
    """Seconds since 1970 in UTC of a date."""
    if pattern is not None:
        moment = datetime.datetime.strptime(text, pattern)
        part_s = moment.microsecond / 1e6
        moment = moment.replace(microsecond=0)
    else:
        match = ISO.fullmatch(text)
        if match is None:
            raise ValueError(text)
        digits = re.sub(r"\D", "", match["date"])
        moment = datetime.datetime(
            int(digits[:4]), int(digits[4:6]), int(digits[6:]), int(match["hour"]), int(match["minute"]),
            min(int(match["second"]), 59),
        )  # fmt: skip
        part_s = float(f"0.{match['part'] or 0}") + (int(match["second"]) - min(int(match["second"]), 59))
        if match["zone"]:
            moment = moment.replace(tzinfo=_zone(match["zone"]))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(zone or "Z"))
    return moment.timestamp() + part_s


def _seconds(match: re.Match[str]) -> float:
    """Seconds since midnight."""
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(match.group())
    return 3600.0 * hour + 60 * minute + second + float(f"0.{match['part'] or 0}")


def _zone(name: str) -> datetime.tzinfo:
    """A time zone by its offset or name."""
    if name.upper() in ("Z", "UTC", "GMT"):
        return datetime.timezone.utc
    match = OFFSET.fullmatch(name)
    try:
        if match is None:
            return zoneinfo.ZoneInfo(name)
        minutes = 60 * int(match["hours"]) + int(match["minutes"] or 0)
        return datetime.timezone(datetime.timedelta(minutes=-minutes if match["sign"] == "-" else minutes))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise InputError("ego.time_zone", name, "an offset such as +02:00, or a name such as Europe/Berlin") from error


EPOCH_RANGE_S = (946_684_800.0, 4_102_444_800.0)
"""2000-01-01 to 2100-01-01 in seconds since 1970. A clock that counts from 1970 is in it in one unit only."""
UNIT_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
STEP_RANGE_S = (1e-4, 120.0)
"""Mean step between rows of a log of a drive."""


def epoch_unit(values: np.ndarray) -> str | None:
    """The unit in which numbers ``(R,)`` are times since 1970: ``s``, ``ms``, ``us`` or ``ns``; None if that is not
    certain.

    It is certain when the numbers are dates between 2000 and 2100 in one unit, whose steps are those of a log.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    for unit, second in UNIT_S.items():
        low, high = values.min() * second, values.max() * second
        step_s = (high - low) / (len(values) - 1)
        if EPOCH_RANGE_S[0] <= low and high <= EPOCH_RANGE_S[1] and STEP_RANGE_S[0] <= step_s <= STEP_RANGE_S[1]:
            return unit
    return None


def shared_unit(values: np.ndarray, start_s: float, stop_s: float) -> str | None:
    """The only unit in which numbers ``(R,)`` overlap a span of another clock in seconds, None if there is not exactly
    one."""
    if not len(values) or not np.isfinite(values).all():
        return None
    found = [u for u, second in UNIT_S.items() if values.min() * second <= stop_s and values.max() * second >= start_s]
    return found[0] if len(found) == 1 else None


def date_text(time_s: float) -> str:
    """A time as a date in UTC when it is one between 2000 and 2100, else in seconds."""
    if EPOCH_RANGE_S[0] <= time_s <= EPOCH_RANGE_S[1]:
        return datetime.datetime.fromtimestamp(time_s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{time_s:.3f} s"

"""What inserting into a set will take: expected inserts, time and disk, from rates measured on a part of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worldgen.generation.insert.labelled_sets.insert_config import InsertCell


@dataclass(frozen=True)
class InsertRates:
    """Measured on some pictures or clips of a set.

    tried: wished inserts. found: those that found a place and stayed. insert_s, keep_s: processor seconds of one that
    gets inserts, and of one that gets none. bytes_each: size of one on disk.
    """

    tried: int
    found: int
    insert_s: float
    keep_s: float
    bytes_each: float

    @property
    def success(self) -> float:
        """Estimated share of wishes that become inserts, with one success and one failure added: never 0."""
        return (self.found + 1) / (self.tried + 2)


@dataclass(frozen=True)
class InsertEstimate:
    """A run before it begins.

    unit: "pictures" or "clips". items: all. in_split: those that may get inserts. usable: those whose ground is known.
    wanted: inserts of all cells, 0 where one is without a count. expected: inserts. visited: items in which inserts are
    tried. hours: of one core, judging included. disk_bytes: of the output. rates: as measured.
    """

    unit: str
    items: int
    in_split: int
    usable: int
    wanted: int
    expected: int
    visited: int
    hours: float
    disk_bytes: int
    rates: InsertRates

    def to_json(self) -> dict[str, Any]:
        """As JSON, with the inserts that a minute of one core makes."""
        return asdict(self) | {"inserts_per_minute_per_core": round(self.expected / max(60 * self.hours, 1e-9), 1)}

    def lines(self) -> list[str]:
        """In words."""
        rates, minutes = self.rates, 60 * self.hours
        time = f"{self.hours:.1f} h" if self.hours >= 2 else f"{max(minutes, 1):.0f} min"
        return [
            f"{self.items} {self.unit}, {self.in_split} of the split, {self.usable} with a sure ground",
            f"about {self.expected} inserts{f' of {self.wanted} wanted' if self.wanted else ''}: "
            f"{rates.found} of {rates.tried} tried stayed",
            f"about {time} on one core ({rates.insert_s:.2f} s with inserts, {rates.keep_s:.2f} s without)",
            f"about {self.disk_bytes / 1e6:.0f} MB on disk",
        ]  # fmt: skip


def estimate(
    unit: str, counts: tuple[int, int, int], cells: Sequence[InsertCell], per_picture: int, rates: InsertRates
) -> InsertEstimate:
    """The run of ``counts`` (all, of the split, usable) items with measured rates.

    Items are visited until every cell has its count. What is left keeps its pixels.
    """
    items, in_split, usable = counts
    wanted = sum(cell.count for cell in cells) if all(cell.count for cell in cells) else 0
    each = per_picture * rates.success
    visited = min(usable, math.ceil(wanted / each)) if wanted else usable
    expected = min(round(visited * each), wanted or usable * per_picture)
    seconds = visited * rates.insert_s + (items - visited) * rates.keep_s
    disk = round(items * rates.bytes_each)
    return InsertEstimate(unit, items, in_split, usable, wanted, expected, visited, seconds / 3600, disk, rates)

"""What a prompt rules out: the units that "no", "not" and "without" deny."""

from __future__ import annotations

from worldgen.prompts.patterns import PatternMatch
from worldgen.prompts.tokens import Unit

CONTENT = ("weather", "light", "road", "kind", "traffic")
"""Fields that can be negated."""


def _content(unit: Unit, found_at: dict[int, PatternMatch]) -> str | None:
    hit = found_at.get(id(unit))
    if hit is not None:
        return hit.field
    if unit.used:
        return None
    return next((m.field for m in unit.entry.meanings if m.field in CONTENT), None)


def find_negated(units: list[Unit], found_at: dict[int, PatternMatch]) -> tuple[set[int], list[tuple[Unit, str, str]]]:
    """Ids of the units that a "no", "not" or "without" denies, and the denying units as (unit, field, "not").

    A "no" denies the next unit with a meaning and the units that "or" and "nor" join to it; "and" joins only units of
    the same field. found_at: patterns found, by the id of their first unit.
    """
    out: set[int] = set()
    denials: list[tuple[Unit, str, str]] = []
    active: Unit | None = None
    last_field, distance, joined = None, 0, ""
    for i, unit in enumerate(units):
        field = _content(unit, found_at)
        if unit.meaning("not") and not unit.used:
            active, distance, joined = unit, 0, ""
        elif unit.name in (".", "but") or (unit.name == "," and not _list_goes_on(units[i + 1 :])):
            active, joined, last_field = None, "", None
        elif unit.name in ("or", "nor", "and", ","):
            joined = unit.name if last_field else ""
        elif field is not None:
            bare = unit.entry.plural or field != "kind"
            same = joined in ("or", "nor", ",") or (joined == "and" and field == last_field and bare)
            if active is not None or (last_field and same):
                out.add(id(unit))
                if active is not None:
                    denials.append((active, "agents" if field in ("kind", "traffic") else field, "not"))
                    active.used, active = True, None
                last_field = field
            else:
                last_field = None
            joined = ""
        elif unit.name == "#":
            last_field = None
        elif active is not None:
            distance += 1
            if distance > 4:
                active = None
    return out, denials


def _list_goes_on(rest: list[Unit]) -> bool:
    """Whether a comma only separates items of a list that ends with or / nor ("no rain, snow or fog")."""
    for unit in rest[:6]:
        if unit.name in ("or", "nor"):
            return True
        if unit.name in (".", "and", "#") or unit.meaning("not"):
            return False
    return False

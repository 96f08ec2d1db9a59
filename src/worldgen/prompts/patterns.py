"""Finds the patterns of the grammar (events, places, manoeuvres) in a row of units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from worldgen.prompts.lexicon import LexiconEntry, WordMeaning
from worldgen.prompts.tables import load_grammar
from worldgen.prompts.tokens import Unit

GONE = "*"
"""Name of a unit that an earlier pattern has read."""
COUNTED_ARE_AGENTS = frozenset(("cyclist_crossing", "animal_crossing", "child_from_between_parked_cars"))
"""Events with one actor: "three cyclists crossing" is a request for three cyclists instead."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern. needs: for every element that must be present, the unit names that satisfy it."""

    value: str
    expression: re.Pattern[str]
    needs: tuple[frozenset[str], ...]


@dataclass
class PatternMatch:
    """A pattern found in the text: its units, and the field and value that they stand for together."""

    field: str
    value: str
    units: list[Unit]


def _names(element: str) -> frozenset[str]:
    """The unit names that an element of a pattern stands for; groups may name groups."""
    groups = load_grammar().groups
    names = [inner for name in element.rstrip("?").split("|") for inner in groups.get(name, (name,))]
    return frozenset(inner for name in names for inner in groups.get(name, (name,)))


def _compile(value: str, text: str) -> Pattern:
    """A pattern as a regular expression over unit names, a group for each element.

    The gap beside an optional element belongs to it: a pattern neither starts nor ends with skipped words.
    """
    pieces: list[str] = []
    needs: list[frozenset[str]] = []
    gap = ""
    for element in text.split():
        if element.startswith("~"):
            stops = r"(?!(?:and|while) )" if element == "~" else ""
            gap = rf"(?: {stops}[^ ,.{GONE}]+){{0,{2 if element == '~' else 5}}}?"
            if pieces and not needs:
                pieces[-1] = pieces[-1].replace("(?= ))?", "(?= )" + gap + ")?")
                gap = ""
            continue
        names = _names(element)
        piece = gap + " (" + "|".join(re.escape(n) for n in sorted(names)) + ")(?= )"
        if element.endswith("?"):
            piece = f"(?:{piece})?"
        else:
            needs.append(names)
        pieces.append(piece)
        gap = ""
    return Pattern(value, re.compile("".join(pieces)), tuple(needs))


@lru_cache(maxsize=1)
def compiled() -> tuple[tuple[str, tuple[Pattern, ...]], ...]:
    """The pattern tables in the order in which they are tried, each with the field it fills."""
    grammar = load_grammar()
    tables = (
        ("event", grammar.event_patterns), ("place", grammar.place_patterns), ("event", grammar.late_event_patterns),
        ("manoeuvre", grammar.manoeuvre_patterns),
    )  # fmt: skip
    return tuple((field_name, tuple(_compile(*row) for row in table)) for field_name, table in tables)


def find_patterns(units: list[Unit]) -> list[PatternMatch]:
    """All patterns in the text, in text order.

    Marks their units as used. A place stays unused, for the agent that it belongs to.
    """
    ignored = load_grammar().ignored
    found = [PatternMatch("event", unit.value("event"), [unit]) for unit in units if unit.name == "event_name"]
    row = [u for u in units if u.name not in ignored]
    names = [GONE if u.used else u.name for u in row]
    for hit in found:
        here = row.index(hit.units[0])
        hit.units += [row[i] for i in _absorbed(hit.value, row, names, [here])]
        for unit in hit.units:
            unit.used = True
    for field_name, patterns in compiled():
        row = [u for u in units if u.name not in ignored]
        names = [GONE if u.used else u.name for u in row]
        for pattern in patterns:
            present = set(names)
            while all(not present.isdisjoint(need) for need in pattern.needs):
                match = _search(pattern, field_name, row, names)
                if match is None:
                    break
                present = set(names)
                if match.value:
                    found.append(match)
    return sorted(found, key=lambda hit: hit.units[0].start)


def _search(pattern: Pattern, field_name: str, row: list[Unit], names: list[str]) -> PatternMatch | None:
    text = " " + " ".join(names) + " "
    starts: dict[int, int] = {}
    position = 0
    for i, name in enumerate(names):
        starts[position + 1] = i
        position += len(name) + 1
    offset = 0
    while (match := pattern.expression.search(text, offset)) is not None:
        spans = [match.start(i) for i in range(1, (pattern.expression.groups or 0) + 1) if match.start(i) >= 0]
        indices = [starts[s] for s in spans]
        if not _blocked(pattern.value, row, indices):
            break
        offset = match.start() + 1
    else:
        return None
    hit = PatternMatch(field_name, pattern.value, [row[i] for i in indices])
    if field_name == "place":
        entry = LexiconEntry("p_" + pattern.value, (WordMeaning("place", pattern.value),))
        first = row[indices[0]]
        first.entry, names[indices[0]] = entry, entry.name
        rest = indices[1:]
        hit.value = ""
    else:
        # Numbers inside the pattern count the actors of the event.
        rest = [i for i in range(indices[0], indices[-1] + 1) if i in indices or row[i].name == "#"]
        rest += _absorbed(pattern.value, row, names, indices) if field_name == "event" else []
    for i in rest:
        if row[i].name.startswith(("w_", "l_", "r_")):
            names[i] = GONE
            continue
        row[i].used, names[i] = True, GONE
        if row[i] not in hit.units and field_name == "event":
            hit.units.append(row[i])
    return hit


def _absorbed(event: str, row: list[Unit], names: list[str], indices: list[int]) -> list[int]:
    """Indices of units inside the pattern or right after it that repeat what the event says."""
    grammar = load_grammar()
    same = grammar.absorbed | grammar.also_absorbed.get(event, frozenset())
    out = [i for i in range(indices[0], indices[-1]) if names[i] in same]
    for i in range(indices[-1] + 1, len(row)):
        if names[i] in grammar.clause_ends or names[i] == GONE:
            break
        if names[i] in same:
            out.append(i)
        elif not row[i].entry.neutral or row[i].entry.meanings:
            break
    return out


def _blocked(event: str, row: list[Unit], indices: list[int]) -> bool:
    if event not in COUNTED_ARE_AGENTS:
        return False
    subject = row[indices[0]]
    number = next(
        (row[i].number for i in range(indices[0] - 1, max(indices[0] - 3, -1), -1) if row[i].name == "#"), None
    )
    return subject.entry.plural or (number or 1) >= 2

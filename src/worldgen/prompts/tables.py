"""The tables of the prompt language: three JSON files beside this module, read once and checked when they are read.

Phrases are lower case. ``run(s ing ed)`` and ``on/in road`` stand for several phrases (:func:`inflection.spell_out`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from typing import Any

from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import AGENT_KINDS, LIGHTS, PLACES, ROADS, WEATHERS
from worldgen.prompts.inflection import spell_out

PhraseLists = dict[str, tuple[str, ...]]
"""Value of a field, or name of a unit -> the phrases that stand for it."""
PatternTable = tuple[tuple[str, str], ...]
"""(value, pattern) in the order in which patterns are tried."""

SYMBOLIC_WEATHERS = {*WEATHERS, "rain"}
"""``rain`` is rain of unsaid strength."""
SYMBOLIC_LIGHTS = {*LIGHTS, "night"}
"""``night`` is lit or unlit by the road."""
SYMBOLIC_PLACES = {*PLACES, "both", "road"}
"""``both`` is left and right; ``road`` is ahead for what does not belong on a road."""

VALUES: dict[str, set[str] | None] = {
    "weather": SYMBOLIC_WEATHERS, "light": SYMBOLIC_LIGHTS, "road": set(ROADS), "place": SYMBOLIC_PLACES,
    "kind": set(AGENT_KINDS), "kind_plural": set(AGENT_KINDS), "count": None, "traffic": None,
}  # fmt: skip
"""Tables of phrases in the vocabulary -> the values they may have (None: numbers)."""


@dataclass(frozen=True)
class Vocabulary:
    """``vocabulary.json``: what words and phrases mean by themselves.

    A key of weather, light, road or place that ends with ``?`` holds hints, which give way to plain statements.
    kind: singular nouns; their plurals are formed by rule. kind_plural: words that mean several of a kind.
    count, traffic: a number as text -> phrases. empty: the road is empty. filler: read, and rightly without effect.
    unmodelled: phrases that look like known ones and are reported as not understood. label: words that may name a
    field, as in "weather: fog". number_phrase: further words of durations and ranges. real_word: English words close to
    words of the vocabulary, which are not corrected.
    """

    weather: PhraseLists
    light: PhraseLists
    road: PhraseLists
    place: PhraseLists
    kind: PhraseLists
    kind_plural: PhraseLists
    count: PhraseLists
    number: dict[str, int]
    traffic: PhraseLists
    empty: tuple[str, ...]
    negation: tuple[str, ...]
    no_event: tuple[str, ...]
    determiner: frozenset[str]
    filler: tuple[str, ...]
    unmodelled: tuple[str, ...]
    label: frozenset[str]
    number_phrase: tuple[str, ...]
    real_word: frozenset[str]


@dataclass(frozen=True)
class Grammar:
    """``grammar.json``: phrases with an inner structure, for events, places and what the ego vehicle does.

    A pattern is a row of unit names. ``a|b`` is either, ``a?`` may be missing, ``~`` skips up to two units and ``~~``
    up to five, never across the end of a clause. Names in capitals stand for groups. Patterns are tried in order, so
    the more specific ones come first.

    symbols: unit name -> phrases that are read as it. groups: name in capitals -> names of units or groups.
    events: event -> the fields that are assumed with it when the prompt does not say them.
    event_patterns, place_patterns, late_event_patterns, manoeuvre_patterns: the tables in the order in which they are
    tried. A place "from behind a parked car" comes before ``late_event_patterns``.
    ignored: units that patterns look through. clause_ends: units that end a clause. absorbed: units that only repeat
    what an event says when they stand in it or right after it; also_absorbed: the same for one event.
    """

    symbols: PhraseLists
    groups: dict[str, tuple[str, ...]]
    events: dict[str, dict[str, str]]
    event_patterns: PatternTable
    place_patterns: PatternTable
    late_event_patterns: PatternTable
    manoeuvre_patterns: PatternTable
    ignored: frozenset[str]
    clause_ends: frozenset[str]
    absorbed: frozenset[str]
    also_absorbed: dict[str, frozenset[str]]


@dataclass(frozen=True)
class CaptionPhrases:
    """``phrases.json``: what captions are made of, several ways to say each value.

    ``placed`` phrases stand in a sentence ("in fog"), tags in a list ("fog"), sentences and clauses alone.
    templates: ``[...]`` is left out when a slot in it is empty; ``@`` names a form written by `caption.py`.
    """

    templates: tuple[str, ...]
    weather_placed: PhraseLists
    weather_tag: PhraseLists
    weather_sentence: PhraseLists
    light_placed: PhraseLists
    light_tag: PhraseLists
    road_placed: PhraseLists
    road_tag: PhraseLists
    ego_clause: PhraseLists
    ego_tag: PhraseLists
    kind_nouns: PhraseLists
    place_after: PhraseLists
    place_before: PhraseLists
    event_clause: PhraseLists
    event_tag: PhraseLists


@lru_cache(maxsize=1)
def load_vocabulary() -> Vocabulary:
    """The words of the prompt language. Raises InputError when the file is damaged."""
    name = "vocabulary.json"
    raw = _read(name, Vocabulary)
    rows: dict[str, Any] = {key: _phrase_lists(value, f"{name}, {key}") for key, value in raw.items() if key in VALUES}
    rows |= {key: _phrases(value, f"{name}, {key}") for key, value in raw.items() if key not in {*VALUES, "number"}}
    rows["number"] = {word: _number(text, f"{name}, number") for word, text in raw["number"].items()}
    for key, values in VALUES.items():
        _check_values(rows[key], values, f"{name}, {key}")
    for key in ("count", "traffic"):
        rows[key] = {str(_number(number, f"{name}, {key}")): phrases for number, phrases in rows[key].items()}
    return Vocabulary(**rows | {key: frozenset(rows[key]) for key in ("determiner", "label", "real_word")})


@lru_cache(maxsize=1)
def load_grammar() -> Grammar:
    """Patterns for events, places and manoeuvres. Raises InputError when the file is damaged."""
    name = "grammar.json"
    raw = _read(name, Grammar)
    events = {event: dict(context) for event, context in raw["events"].items()}
    also_absorbed = {event: frozenset(_words(names, name)) for event, names in raw["also_absorbed"].items()}
    _check_values(also_absorbed, set(events), f"{name}, also_absorbed")
    return Grammar(
        symbols=_phrase_lists(raw["symbols"], f"{name}, symbols"),
        groups={group: _words(names, f"{name}, groups") for group, names in raw["groups"].items()},
        events=events,
        event_patterns=_patterns(raw["event_patterns"], set(events), name),
        place_patterns=_patterns(raw["place_patterns"], set(PLACES), name),
        late_event_patterns=_patterns(raw["late_event_patterns"], set(events), name),
        manoeuvre_patterns=_patterns(raw["manoeuvre_patterns"], set(MANOEUVRES), name),
        ignored=frozenset(_words(raw["ignored"], f"{name}, ignored")),
        clause_ends=frozenset(_words(raw["clause_ends"], f"{name}, clause_ends")),
        absorbed=frozenset(_words(raw["absorbed"], f"{name}, absorbed")),
        also_absorbed=also_absorbed,
    )


@lru_cache(maxsize=1)
def load_phrases() -> CaptionPhrases:
    """The phrases of captions. Raises InputError when the file is damaged or leaves a value without words."""
    name = "phrases.json"
    raw = _read(name, CaptionPhrases)
    events = set(load_grammar().events)
    values = {"weather": set(WEATHERS), "light": set(LIGHTS), "road": set(ROADS), "ego": set(MANOEUVRES),
              "kind": set(AGENT_KINDS), "place": set(PLACES), "event": events}  # fmt: skip
    tables: dict[str, Any] = {"templates": _words(raw.pop("templates"), f"{name}, templates")}
    for key, table in raw.items():
        where, wanted = f"{name}, {key}", values[key.partition("_")[0]]
        tables[key] = {value: _words(phrases, where) for value, phrases in table.items()}
        _check_values(tables[key], wanted, where)
        if key != "place_before" and set(table) != wanted:
            raise InputError(where, f"no words for {min(wanted - set(table))}", "words for every value")
    return CaptionPhrases(**tables)


def _read(name: str, record: type) -> dict[str, Any]:
    try:
        raw = json.loads((resources.files("worldgen.prompts") / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the prompt table {name}", str(error), "a complete installation") from error
    wanted = {field.name for field in fields(record)}
    if not isinstance(raw, dict) or set(raw) != wanted:
        odd = set(raw) ^ wanted if isinstance(raw, dict) else {type(raw).__name__}
        raise InputError(f"the prompt table {name}", ", ".join(sorted(odd)), f"the keys of {record.__name__}")
    return raw


def _words(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word.strip() for word in value):
        raise InputError(where, str(value)[:60], "a list of words")
    return tuple(value)


def _phrases(value: object, where: str) -> tuple[str, ...]:
    """The phrases of a list with their marks spelled out, each once."""
    try:
        out = dict.fromkeys(phrase for short in _words(value, where) for phrase in spell_out(short))
    except ValueError as error:
        raise InputError(where, str(error), "marks such as run(s ing) and on/in") from error
    capitals = [phrase for phrase in out if phrase != phrase.lower()]
    if capitals:
        raise InputError(where, capitals[0], "lower case")
    return tuple(out)


def _phrase_lists(value: object, where: str) -> PhraseLists:
    if not isinstance(value, dict):
        raise InputError(where, type(value).__name__, "lists of phrases by name")
    return {name: _phrases(phrases, f"{where}, {name}") for name, phrases in value.items()}


def _patterns(value: object, allowed: set[str], where: str) -> PatternTable:
    if not isinstance(value, list) or not all(isinstance(row, list) and len(row) == 2 for row in value):
        raise InputError(where, str(value)[:60], "rows of a value and a list of patterns")
    _check_values((name for name, _ in value), allowed, where)
    return tuple((name, pattern) for name, patterns in value for pattern in _words(patterns, where))


def _check_values(names: Iterable[str], allowed: set[str] | None, where: str) -> None:
    unknown = [name for name in names if allowed is not None and name.rstrip("?") not in allowed]
    if unknown:
        raise InputError(where, unknown[0], "a value that a scenario may have")


def _number(value: object, where: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise InputError(where, str(value), "a whole number") from None

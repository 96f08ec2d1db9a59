"""The data files of the prompt language, and the lemmatiser that keeps them short."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from worldgen.core.errors import InputError
from worldgen.prompts import tables
from worldgen.prompts.inflection import inflect, plural, spell_out
from worldgen.prompts.lexicon import phrase_table
from worldgen.prompts.patterns import compiled
from worldgen.prompts.tables import load_grammar, load_phrases, load_vocabulary

FILES = ("vocabulary.json", "grammar.json", "phrases.json")


@pytest.mark.parametrize(
    "base, s, ing, ed",
    [
        ("brake", "brakes", "braking", "braked"), ("stop", "stops", "stopping", "stopped"),
        ("cross", "crosses", "crossing", "crossed"), ("run", "runs", "running", "ran"),
        ("wander", "wanders", "wandering", "wandered"), ("carry", "carries", "carrying", "carried"),
        ("stray", "strays", "straying", "strayed"), ("fall", "falls", "falling", "fell"),
        ("go", "goes", "going", "went"), ("slow", "slows", "slowing", "slowed"),
        ("appear", "appears", "appearing", "appeared"),
    ],
)  # fmt: skip
def test_forms_of_verbs(base, s, ing, ed):
    assert (inflect(base, "s"), inflect(base, "ing"), inflect(base, "ed")) == (s, ing, ed)


@pytest.mark.parametrize(
    "noun, several",
    [
        ("car", "cars"), ("bus", "buses"), ("lorry", "lorries"), ("child", "children"), ("person", "people"),
        ("deer", "deer"), ("boy", "boys"), ("roe deer", "roe deer"), ("school child", "school children"),
        ("passer by", "passers by"), ("piece of cargo", "pieces of cargo"), ("person on a bike", "people on bikes"),
        ("woman on bicycle", "women on bicycles"), ("person on foot", "people on foot"), ("SUV", "SUVs"),
        ("set of traffic lights", "sets of traffic lights"), ("someone", ""), ("someone on bike", ""),
    ],
)  # fmt: skip
def test_plurals(noun, several):
    assert plural(noun) == several


def test_short_phrases_are_spelled_out():
    assert spell_out("run(s ing ed)") == ["run", "runs", "running", "ran"]
    assert spell_out("stray[s ing]") == ["strays", "straying"]
    assert spell_out("on/in road") == ["on road", "in road"]
    assert spell_out("walk/come(s) out") == ["walk out", "walks out", "come out", "comes out"]
    assert spell_out("no mark") == ["no mark"]


@pytest.mark.parametrize("phrase", ["run(s", "run(er)", "run(s)(ing)", "two  spaces/gaps", "(s)"])
def test_odd_marks_are_refused(phrase):
    with pytest.raises(ValueError, match="phrase"):
        spell_out(phrase)


def test_tables_spell_out_no_form_twice():
    """A form that the lemmatiser gives from a neighbour in the same list has no entry of its own."""
    rows = json.loads((resources.files("worldgen.prompts") / "grammar.json").read_text())["symbols"]
    for name, phrases in rows.items():
        bases = {p for p in phrases if re.fullmatch(r"[a-z ]+", p)}
        doubled = {form for base in bases for ending in ("s", "ing", "ed") if (form := inflect(base, ending)) in bases}
        assert doubled <= bases & {inflect(base, "s") for base in ("reindeer",)}, (name, doubled)


def test_every_symbol_and_group_of_the_patterns_is_known():
    """Capitals are groups, names with underscores are units of the lexicon."""
    grammar = load_grammar()
    units = {entry.name for entry in phrase_table().values()} | {"p_from_behind_parked"}
    patterns = (
        *grammar.event_patterns,
        *grammar.place_patterns,
        *grammar.late_event_patterns,
        *grammar.manoeuvre_patterns,
    )
    names = {name for _, pattern in patterns for name in re.findall(r"[A-Za-z_]+", pattern)}
    names |= {name for members in grammar.groups.values() for name in members}
    assert {name for name in names if name.isupper()} <= set(grammar.groups)
    assert {name for name in names if "_" in name} - units == {"hard_braking_leader"}
    assert sum(len(rows) for _, rows in compiled()) == len(patterns)


def test_the_tables_are_read_once():
    assert load_vocabulary() is load_vocabulary() and load_phrases() is load_phrases()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("fault", ["cut", "key", "value", "kind"])
def test_a_damaged_table_is_refused_in_one_line(name, fault, tmp_path, monkeypatch):
    load = {"vocabulary.json": load_vocabulary, "grammar.json": load_grammar, "phrases.json": load_phrases}[name]
    text = (resources.files("worldgen.prompts") / name).read_text()
    rows = json.loads(text)
    key = {"vocabulary.json": "weather", "grammar.json": "also_absorbed", "phrases.json": "weather_tag"}[name]
    if fault == "key":
        rows["odd"] = rows.pop(key)
    elif fault == "value":
        rows[key]["hail"] = ["hail"]
    elif fault == "kind":
        rows[key] = {value: 3 for value in rows[key]}
    for other in FILES:
        (tmp_path / other).write_text((resources.files("worldgen.prompts") / other).read_text())
    (tmp_path / name).write_text(text[: len(text) // 2] if fault == "cut" else json.dumps(rows))
    monkeypatch.setattr(tables.resources, "files", lambda package: tmp_path)
    load_grammar.cache_clear()
    try:
        with pytest.raises(InputError) as error:
            load.__wrapped__()
    finally:
        load_grammar.cache_clear()
    assert name in str(error.value) and "\n" not in str(error.value)

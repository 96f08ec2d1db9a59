"""The lexicon: every known phrase with its meanings, as a table, as a trie and as a speller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from worldgen.prompts.inflection import plural
from worldgen.prompts.spelling import Speller
from worldgen.prompts.tables import load_grammar, load_vocabulary


@dataclass(frozen=True)
class WordMeaning:
    """One meaning of a phrase.

    field: weather, light, road, kind, count, number, place, traffic, empty, not, event, no_event or duration_s.
    hint: gives way to a plain statement about the same field.
    """

    field: str
    value: str
    hint: bool = False


@dataclass(frozen=True)
class LexiconEntry:
    """A phrase of the lexicon. name: its unit name in patterns; neutral: not reported when nothing uses it."""

    name: str
    meanings: tuple[WordMeaning, ...] = ()
    neutral: bool = False
    plural: bool = False


class Trie:
    """A node of the phrase table as a tree of words. entry: of the phrase that ends here, if one does."""

    __slots__ = ("entry", "following")

    def __init__(self) -> None:
        self.following: dict[str, Trie] = {}
        self.entry: LexiconEntry | None = None


def _field_entries() -> Iterator[tuple[str, LexiconEntry]]:
    words = load_vocabulary()
    for field, table in (
        ("weather", words.weather),
        ("light", words.light),
        ("road", words.road),
        ("place", words.place),
    ):
        for key, phrases in table.items():
            value, hint = key.rstrip("?"), key.endswith("?")
            for phrase in phrases:
                # "a cyclist crosses" is the event, "a cyclist on the way across" a cyclist with a place.
                verb = value == "crossing" and phrase.startswith(("cross", "walk"))
                name = "crossing_verb" if verb else f"{field[0]}_{value}"
                yield phrase, LexiconEntry(name, (WordMeaning(field, value, hint),), neutral=field == "place" and hint)
    for kind, nouns in words.kind.items():
        meanings = (WordMeaning("kind", kind),)
        for noun in nouns:
            yield noun, LexiconEntry(kind, meanings)
            several = plural(noun)
            if several and several != noun:
                yield several, LexiconEntry(kind, meanings, plural=True)
    for kind, nouns in words.kind_plural.items():
        for noun in nouns:
            yield noun, LexiconEntry(kind, (WordMeaning("kind", kind),), plural=True)


def _other_entries() -> Iterator[tuple[str, LexiconEntry]]:
    words = load_vocabulary()
    for count, phrases in words.count.items():
        for phrase in phrases:
            yield phrase, LexiconEntry("#", (WordMeaning("count", count),))
    for word, number in words.number.items():
        yield word, LexiconEntry("#", (WordMeaning("number", str(number)),), neutral=word == "one")
    for count, phrases in words.traffic.items():
        for phrase in phrases:
            yield phrase, LexiconEntry("traffic", (WordMeaning("traffic", count),))
    for name, field, phrases in (
        ("empty", "empty", words.empty), ("no", "not", words.negation), ("no_event", "no_event", words.no_event),
    ):  # fmt: skip
        for phrase in phrases:
            yield phrase, LexiconEntry(name, (WordMeaning(field, "yes"),))
    for phrase in words.filler:
        yield phrase, LexiconEntry(phrase.replace(" ", "_"), neutral=True)
    for phrase in words.unmodelled:
        yield phrase, LexiconEntry(phrase.replace(" ", "_"))
    for event in load_grammar().events:
        yield event.replace("_", " "), LexiconEntry("event_name", (WordMeaning("event", event),))


def _symbol_entries() -> Iterator[tuple[str, LexiconEntry]]:
    determiners = load_vocabulary().determiner
    names: dict[str, str] = {}
    for name, phrases in load_grammar().symbols.items():
        for phrase in phrases:
            # Determiners are passed over in the text, so they must not stand in the trie.
            names.setdefault(" ".join(w for w in phrase.split() if w not in determiners), name)
    for phrase, name in names.items():
        yield phrase, LexiconEntry(name)


@lru_cache(maxsize=1)
def phrase_table() -> dict[tuple[str, ...], LexiconEntry]:
    """Every phrase of the lexicon as a row of words -> entry. A phrase in several tables has all their meanings."""
    table: dict[tuple[str, ...], LexiconEntry] = {}
    for entries in (_symbol_entries(), _field_entries(), _other_entries()):
        for phrase, entry in entries:
            words = tuple(phrase.split())
            old = table.get(words)
            if old is None:
                table[words] = entry
                continue
            meanings = old.meanings + tuple(m for m in entry.meanings if m.field not in {o.field for o in old.meanings})
            # A filler that is also a symbol keeps the symbol's name, so that patterns see it.
            table[words] = LexiconEntry(old.name, meanings, old.neutral or entry.neutral, old.plural or entry.plural)
    return table


@lru_cache(maxsize=1)
def trie() -> Trie:
    """The root of the phrase table as a tree of words."""
    root = Trie()
    for words, entry in phrase_table().items():
        node = root
        for word in words:
            node = node.following.setdefault(word, Trie())
        node.entry = entry
    return root


@lru_cache(maxsize=1)
def speller() -> Speller:
    """The speller for all words of the vocabulary and the grammar."""
    vocabulary, grammar = load_vocabulary(), load_grammar()
    words = {word for words in phrase_table() for word in words} | vocabulary.determiner
    patterns = [pattern for _, pattern in grammar.event_patterns]
    for text in (*patterns, *(name for names in grammar.groups.values() for name in names)):
        words |= {w for w in re.split(r"[|? ~]+", text) if w.isalpha() and w.islower()}
    return Speller(frozenset(words | set(vocabulary.number_phrase)), vocabulary.real_word)

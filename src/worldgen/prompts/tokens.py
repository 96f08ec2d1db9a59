"""From text to units: words and phrases of the lexicon with their meaning and their place in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from worldgen.prompts import grammar, lexicon
from worldgen.prompts.spelling import Speller

WORD = re.compile(r"\d{1,2}:\d{2}|\d+(?:\.\d+)?|[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\S")
NUMBER_SUFFIXES = frozenset(("s", "sec", "secs", "am", "pm", "min", "mins", "ms"))
TRAFFIC_NOUNS = frozenset(("light", "lights", "signal", "signals", "cone", "cones"))
"""After these, "no traffic" is not about traffic."""
BREAKS = frozenset(".;:/|\n()!?")


@dataclass(frozen=True)
class WordMeaning:
    """One thing a phrase says: ``field`` is weather, light, road, kind, count, place, traffic, empty, not or no_event."""

    field: str
    value: str
    hint: bool = False


@dataclass(frozen=True)
class LexiconEntry:
    """A phrase of the lexicon. name: how patterns see it; neutral: rightly without effect when nothing uses it."""

    name: str
    meanings: tuple[WordMeaning, ...] = ()
    neutral: bool = False
    plural: bool = False


@dataclass
class Unit:
    """A phrase as it stands in the text, characters ``start`` to ``end``."""

    entry: LexiconEntry
    start: int
    end: int
    text: str
    number: float | None = None
    used: bool = False

    @property
    def name(self) -> str:
        return self.entry.name

    def meaning(self, field: str) -> WordMeaning | None:
        return next((m for m in self.entry.meanings if m.field == field), None)


@dataclass(frozen=True)
class Token:
    """A word or sign of the text, in lower case and with spelling corrected."""

    word: str
    start: int
    end: int


Trie = dict


def plural(noun: str) -> str:
    """The plural of an English noun phrase."""
    if noun in lexicon.IRREGULAR_PLURALS:
        return lexicon.IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _phrases(text: str) -> list[str]:
    return [phrase for phrase in text.split("|") if phrase]


def _field_entries() -> list[tuple[str, LexiconEntry]]:
    out: list[tuple[str, LexiconEntry]] = []
    tables = (
        ("weather", "w", lexicon.WEATHER_WORDS),
        ("light", "l", lexicon.LIGHT_WORDS),
        ("road", "r", lexicon.ROAD_WORDS),
        ("place", "p", lexicon.PLACE_WORDS),
    )
    for field, letter, table in tables:
        for key, text in table.items():
            value, hint = key.rstrip("?"), key.endswith("?")
            for phrase in _phrases(text):
                # "a cyclist crosses" is the event, "a cyclist on the way across" a cyclist with a place.
                verb = value == "crossing" and phrase.startswith(("cross", "walk"))
                name = "crossing_verb" if verb else f"{letter}_{value}"
                out.append((phrase, LexiconEntry(name, (WordMeaning(field, value, hint),), neutral=field == "place" and hint)))
    for kind, text in lexicon.KIND_WORDS.items():
        for noun in _phrases(text):
            out.append((noun, LexiconEntry(kind, (WordMeaning("kind", kind),))))
            many = plural(noun)
            if many and many != noun:
                out.append((many, LexiconEntry(kind, (WordMeaning("kind", kind),), plural=True)))
    for kind, text in lexicon.ALSO_PLURAL.items():
        out += [(noun, LexiconEntry(kind, (WordMeaning("kind", kind),), plural=True)) for noun in _phrases(text)]
    return out


def _other_entries() -> list[tuple[str, LexiconEntry]]:
    out: list[tuple[str, LexiconEntry]] = []
    for phrase, count in lexicon.VAGUE_COUNTS.items():
        out.append((phrase, LexiconEntry("#", (WordMeaning("count", str(count)),))))
    for number, word in enumerate(lexicon.NUMBER_WORDS):
        out.append((word, LexiconEntry("#", (WordMeaning("number", str(number)),), neutral=word == "one")))
    for word, number in lexicon.TENS.items():
        out.append((word, LexiconEntry("#", (WordMeaning("number", str(number)),))))
    for phrase, count in lexicon.TRAFFIC_COUNTS.items():
        out.append((phrase, LexiconEntry("traffic", (WordMeaning("traffic", str(count)),))))
    out += [(p, LexiconEntry("empty", (WordMeaning("empty", "yes"),))) for p in _phrases(lexicon.EMPTY_WORDS)]
    out += [(p, LexiconEntry("no", (WordMeaning("not", "yes"),))) for p in _phrases(lexicon.NEGATIONS + "|" + lexicon.ALSO_NO)]
    out += [(p, LexiconEntry("no_event", (WordMeaning("no_event", "yes"),))) for p in _phrases(lexicon.NO_EVENT)]
    out += [(p, LexiconEntry(p.replace(" ", "_"), neutral=True)) for p in _phrases(lexicon.FILLERS)]
    out += [(p, LexiconEntry(p.replace(" ", "_"))) for p in _phrases(lexicon.UNMODELLED)]
    out += [(name.replace("_", " "), LexiconEntry("event_name", (WordMeaning("event", name),))) for name in grammar.EVENT_NAMES]
    return out


@lru_cache(maxsize=1)
def phrase_table() -> dict[tuple[str, ...], LexiconEntry]:
    """Every phrase of the lexicon as a row of words -> entry. A phrase in several tables has all their meanings."""
    table: dict[tuple[str, ...], LexiconEntry] = {}
    names: dict[tuple[str, ...], str] = {}
    for name, text in grammar.SYMBOLS.items():
        for phrase in _phrases(text):
            # Determiners are passed over in the text, so that they must not stand in the trie.
            names.setdefault(tuple(w for w in phrase.split() if w not in lexicon.DETERMINERS), name)
    symbols = [(" ".join(words), LexiconEntry(name)) for words, name in names.items()]
    for phrase, entry in symbols + _field_entries() + _other_entries():
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
    """The phrase table as nested dicts; the entry of a complete phrase is under the empty string."""
    root: Trie = {}
    for words, entry in phrase_table().items():
        node = root
        for word in words:
            node = node.setdefault(word, {})
        node[""] = entry
    return root


@lru_cache(maxsize=1)
def speller() -> Speller:
    """The speller for all words of the lexicon and the grammar."""
    words = {word for words in phrase_table() for word in words} | lexicon.DETERMINERS
    for text in (*grammar.GROUPS.values(), *(pattern for _, pattern in grammar.EVENT_PATTERNS)):
        words |= {w for w in re.split(r"[|? ~]+", text) if w.isalpha() and w.islower()}
    words |= {
        "second",
        "seconds",
        "minute",
        "minutes",
        "half",
        "quarter",
        "hours",
        "midnight",
        "up",
        "least",
        "most",
        "more",
        "than",
        "between",
    }
    return Speller(frozenset(words))


def tokenize(text: str) -> list[Token]:
    """Words and signs of a text with their places; spelling corrected, hyphens and underscores split words."""
    plain = unicodedata.normalize("NFKC", text)
    if len(plain) != len(text):
        plain = text
    tokens: list[Token] = []
    for match in WORD.finditer(plain.lower()):
        word = match.group().replace("\u2019", "'")
        start, end = match.span()
        if word in "-\u2013\u2014_":
            # A dash with spaces around separates clauses; between digits it is a range; else it joins words.
            around = plain[max(start - 1, 0) : start], plain[end : end + 1]
            if around[0].isdigit() and around[1].isdigit():
                tokens.append(Token("to", start, end))
            elif around[0].isspace() and around[1].isspace():
                tokens.append(Token(",", start, end))
            continue
        if (
            tokens
            and tokens[-1].end == start
            and tokens[-1].word[0].isdigit()
            and word.isalpha()
            and word not in NUMBER_SUFFIXES
        ):
            tokens[-1] = Token(tokens[-1].word + word, tokens[-1].start, end)  # "4k" is one word
            continue
        if word.endswith("'s") and word not in ("it's", "there's", "driver's"):
            word = word[:-2]
        if word.endswith("n't") and word not in phrase_table():
            word = "not"
        tokens.append(Token(speller().correct(word) or word, start, end))
    return tokens


def read_units(text: str, tokens: list[Token]) -> list[Unit]:
    """Tokens joined to the longest phrases of the lexicon, left to right. Determiners inside phrases are passed over."""
    units: list[Unit] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        entry, last = _longest(tokens, i)
        if entry is not None:
            unit = Unit(entry, token.start, tokens[last - 1].end, text[token.start : tokens[last - 1].end])
            number = unit.meaning("number") or unit.meaning("count")
            unit.number = float(number.value) if number else None
            units.append(unit)
            i = last
            continue
        if token.word in lexicon.DETERMINERS:
            i += 1
            continue
        units.append(_single(text, token))
        i += 1
    return units


def _longest(tokens: list[Token], first: int) -> tuple[LexiconEntry | None, int]:
    node, best, last = trie(), None, first
    for i in range(first, len(tokens)):
        following = node.get(tokens[i].word)
        if following is None:
            if i > first and tokens[i].word in lexicon.DETERMINERS:
                continue
            break
        node = following
        if "" in node and not (
            tokens[i].word == "traffic" and i + 1 < len(tokens) and tokens[i + 1].word in TRAFFIC_NOUNS
        ):
            best, last = node[""], i + 1
    return best, last


def _single(text: str, token: Token) -> Unit:
    word, piece = token.word, text[token.start : token.end]
    if word in BREAKS or word == ",":
        return Unit(LexiconEntry("," if word == "," else ".", neutral=True), token.start, token.end, piece)
    if re.fullmatch(r"\d+(\.\d+)?", word):
        return Unit(LexiconEntry("#"), token.start, token.end, piece, number=float(word))
    if re.fullmatch(r"\d{1,2}:\d{2}", word):
        return Unit(LexiconEntry("clock"), token.start, token.end, piece)
    if not any(letter.isalnum() for letter in word):
        return Unit(LexiconEntry(",", neutral=True), token.start, token.end, piece)
    return Unit(LexiconEntry(re.sub(r"\W", "_", word)), token.start, token.end, piece)

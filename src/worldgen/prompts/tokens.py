"""Text to units: the phrases of the lexicon, with their meaning and their position in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from worldgen.core.errors import InputError
from worldgen.prompts.lexicon import LexiconEntry, WordMeaning, speller, trie
from worldgen.prompts.tables import load_vocabulary

WORD = re.compile(r"\d{1,2}:\d{2}|\d{1,3}(?:,\d{3})+(?![\d.])|\d+(?:\.\d+)?|[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\S")
NUMBER_SUFFIXES = frozenset(("s", "sec", "secs", "am", "pm", "min", "mins", "ms"))
"""Words that stay separate from digits before them, as in "6s"; "4k" is one word."""
TRAFFIC_NOUNS = frozenset(("light", "lights", "signal", "signals", "cone", "cones"))
"""Before these, "traffic" is part of a noun: "no traffic light" says nothing about traffic."""
SIGNS = "-\u2212"
"""A hyphen, or a minus sign, before a number and not after a word makes the number negative."""
MAX_DIGITS = 15
"""Digits of the longest number that is read."""
BREAKS = frozenset(".;:/|\n()!?")
"""Characters that end a clause."""


@dataclass
class Unit:
    """A phrase of the text, characters ``start`` to ``end``.

    number: of digits and number words. used: a pattern or a negation has read the unit.
    """

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

    def value(self, field: str) -> str:
        """The value of a field for which the unit is known to have a meaning."""
        meaning = self.meaning(field)
        assert meaning is not None, (self.text, field)
        return meaning.value


@dataclass(frozen=True)
class Token:
    """A word or punctuation mark of the text, characters ``start`` to ``end``; lower case, spelling corrected."""

    word: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """Words and punctuation marks of a text. Spelling is corrected; hyphens and underscores split words."""
    plain = unicodedata.normalize("NFKC", text)
    if len(plain) != len(text):
        plain = text
    tokens: list[Token] = []
    for match in WORD.finditer(plain.lower()):
        word = match.group().replace("\u2019", "'")
        start, end = match.span()
        if re.fullmatch(r"\d{1,3}(,\d{3})+", word):
            tokens.append(Token(word.replace(",", ""), start, end))  # "1,000" is one number
            continue
        if word in "-\u2013\u2014\u2212_":
            # A dash with spaces around separates clauses; between digits it is a range; else it joins words.
            around = plain[max(start - 1, 0) : start], plain[end : end + 1]
            if around[0].isdigit() and around[1].isdigit():
                tokens.append(Token("to", start, end))
            elif word in SIGNS and not around[0].strip() and around[1].isdigit():
                tokens.append(Token("minus", start, end))
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
        if word.endswith("n't"):
            word = "not"
        tokens.append(Token(speller().correct(word) or word, start, end))
    return tokens


def read_units(text: str, tokens: list[Token]) -> list[Unit]:
    """Tokens joined to the longest phrases of the lexicon, left to right.

    Determiners inside phrases are passed over.
    """
    determiners = load_vocabulary().determiner
    units: list[Unit] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        entry, last = _longest(tokens, i, determiners)
        if entry is not None:
            unit = Unit(entry, token.start, tokens[last - 1].end, text[token.start : tokens[last - 1].end])
            number = unit.meaning("number") or unit.meaning("count")
            unit.number = float(number.value) if number else None
            units.append(unit)
            i = last
            continue
        if token.word in determiners:
            i += 1
            continue
        units.append(_single(text, token))
        i += 1
    return units


def _longest(tokens: list[Token], first: int, determiners: frozenset[str]) -> tuple[LexiconEntry | None, int]:
    """The entry of the longest phrase that begins at token ``first``, and the index after its last token."""
    node, best, last = trie(), None, first
    for i in range(first, len(tokens)):
        word = tokens[i].word
        following = node.following.get(word)
        if following is None:
            if i > first and word in determiners:
                continue
            break
        node = following
        # In "no traffic light", "no traffic" is not about traffic.
        other_noun = word == "traffic" and i + 1 < len(tokens) and tokens[i + 1].word in TRAFFIC_NOUNS
        if node.entry is not None and not other_noun:
            best, last = node.entry, i + 1
    return best, last


def _single(text: str, token: Token) -> Unit:
    word, piece = token.word, text[token.start : token.end]
    if word in BREAKS or word == ",":
        return Unit(LexiconEntry("," if word == "," else ".", neutral=True), token.start, token.end, piece)
    if re.fullmatch(r"\d+(\.\d+)?", word):
        if len(word) > MAX_DIGITS:
            raise InputError("number in the prompt", piece, f"at most {MAX_DIGITS} digits")
        return Unit(LexiconEntry("#"), token.start, token.end, piece, number=float(word))
    if re.fullmatch(r"\d{1,2}:\d{2}", word):
        return Unit(LexiconEntry("clock"), token.start, token.end, piece)
    if not any(letter.isalnum() for letter in word):
        return Unit(LexiconEntry(",", neutral=True), token.start, token.end, piece)
    return Unit(LexiconEntry(re.sub(r"\W", "_", word)), token.start, token.end, piece)

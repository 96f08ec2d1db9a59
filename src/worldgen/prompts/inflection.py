"""A small lemmatiser for the phrase tables: the inflected forms of English words, and phrases written in short.

The tables name each word once. ``run(s ing ed)`` stands for *run, runs, running, ran*; ``stray[s ing]`` for *strays,
straying* without the base form; ``on/in road`` for *on road, in road*. A form may be marked at any word of a phrase.
"""

from __future__ import annotations

import re
from itertools import product

IRREGULAR_FORMS: dict[str, dict[str, str]] = {
    "s": {
        "man": "men", "woman": "women", "person": "people", "child": "children", "workman": "workmen", "deer": "deer",
        "sheep": "sheep", "moose": "moose", "elk": "elk", "reindeer": "reindeer", "debris": "debris", "cargo": "cargo",
        "schoolchild": "schoolchildren", "gentleman": "gentlemen", "passerby": "passersby", "go": "goes",
        "wolf": "wolves",
    },
    "ing": {"lie": "lying"},
    "ed": {
        "run": "ran", "fall": "fell", "lose": "lost", "take": "took", "make": "made", "go": "went", "see": "saw",
        "ride": "rode", "drive": "drove", "break": "broke", "overtake": "overtook", "leave": "left", "come": "came",
    },
    "en": {
        "fall": "fallen", "overtake": "overtaken", "see": "seen", "ride": "ridden", "drive": "driven", "take": "taken",
    },
}  # fmt: skip
"""Ending -> base form -> the form that the rules of :func:`inflect` do not give."""
NO_PLURAL = frozenset(("someone", "somebody", "boxes"))
"""A noun phrase that begins with one of these has no plural."""
HEAD_FIRST = frozenset(("of", "on", "by", "riding"))
"""The head of "piece of cargo" is the word before one of these; "person on bike" has two heads."""
SHORT_WORD = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
"""Words of one short syllable double their last letter: run, running."""
MARKED_WORD = re.compile(r"(?P<base>[^()\[\]]+)(?:(?P<open>[(\[])(?P<endings>[a-z ]+)[)\]])?")
"""Alternatives separated by slashes, and the endings in brackets."""
WORD_WITH_MARK = re.compile(r"[^\s(\[]+(?:[(\[][a-z ]+[)\]])?")


def inflect(base: str, ending: str) -> str:
    """A form of one word. ending: ``s`` (plural of a noun, third person of a verb), ``ing``, ``ed`` or ``en``."""
    irregular = IRREGULAR_FORMS[ending].get(base)
    if irregular is not None:
        return irregular
    if ending == "s":
        if base.endswith(("s", "x", "ch", "sh")):
            return base + "es"
        return base[:-1] + "ies" if base.endswith("y") and base[-2:-1] not in tuple("aeiou") else base + "s"
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + ending
    if ending == "ed" and base.endswith("y") and base[-2:-1] not in tuple("aeiou"):
        return base[:-1] + "ied"
    return base + base[-1] + ending if SHORT_WORD.fullmatch(base) else base + ending


def plural(noun: str) -> str:
    """The plural of an English noun phrase; an empty text for words that have none, such as "someone"."""
    words = noun.split()
    if words[0] in NO_PLURAL:
        return ""
    head = next((i for i, word in enumerate(words) if word in HEAD_FIRST and i), len(words))
    before, after = words[:head], [word for word in words[head:] if word not in ("a", "an")]
    before[-1] = inflect(before[-1], "s")
    if after and after[0] in ("on", "riding") and after[-1] != "foot":
        after[-1] = inflect(after[-1], "s")
    return " ".join(before + after)


def spell_out(phrase: str) -> list[str]:
    """Every phrase that a phrase of the tables stands for, in the order of its marks (see the head of this module).

    Raises ValueError when a mark is not closed or names an unknown ending.
    """
    if "(" not in phrase and "[" not in phrase and "/" not in phrase:
        return [phrase]
    words = WORD_WITH_MARK.findall(phrase) if " " in phrase else [phrase]
    if " ".join(words) != phrase:
        raise ValueError(f"phrase {phrase!r}: a mark is not closed, or there is a double space")
    forms = [[word] if word.isalpha() else _forms(word, phrase) for word in words]
    return [" ".join(row) for row in product(*forms)] if len(forms) > 1 else forms[0]


def _forms(word: str, phrase: str) -> list[str]:
    match = MARKED_WORD.fullmatch(word)
    endings = (match["endings"] or "").split() if match else []
    if match is None or not all(ending in IRREGULAR_FORMS for ending in endings):
        raise ValueError(f"phrase {phrase!r}: {word!r} is no word with endings {', '.join(IRREGULAR_FORMS)}")
    bases = match["base"].split("/")
    return [f for base in bases for f in ([] if match["open"] == "[" else [base]) + [inflect(base, e) for e in endings]]

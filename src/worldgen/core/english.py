"""Words around words in messages and captions."""

from __future__ import annotations

LIKE_CONSONANTS = ("unicorn", "uniform", "uniq", "unit", "use", "url", "one")
"""Beginnings that are written with a vowel and spoken with a consonant."""
SPELT = ("SUV", "HGV")
"""Abbreviations of letters that are spoken with a vowel first."""


def with_article(phrase: str) -> str:
    """A phrase with "a" or "an" before it, as it is spoken: "an export", "an SUV", "a unit".

    phrase: not empty; its first word decides.
    """
    word = phrase.lower()
    vowel = word[0] in "aeiou" and not word.startswith(LIKE_CONSONANTS)
    return f"{'an' if vowel or phrase.startswith(SPELT) else 'a'} {phrase}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number and a noun in its number: "1 window", "2 windows", "0 entries".

    plural: where it is not ``noun`` and "s".
    """
    return f"{count} {noun if count == 1 else plural or noun + 's'}"

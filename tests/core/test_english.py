"""Articles before words."""

from __future__ import annotations

import re

import pytest

from worldgen.core.english import counted, with_article
from worldgen.core.scenario import ROADS
from worldgen.files.folders import NEW
from worldgen.prompts import parse


@pytest.mark.parametrize(
    "phrase",
    ["a car", "an export", "an urban street", "an ego log", "an SUV", "a unit", "a one-way street", "an int", "a URL"],
)
def test_an_article_is_that_of_the_spoken_word(phrase):
    assert with_article(phrase.split(" ", 1)[1]) == phrase


@pytest.mark.parametrize("road", ROADS)
def test_reasons_of_assumptions_have_the_right_article(road):
    reasons = " ".join(each.why for each in parse(f"{road.replace('_', ' ')} at night").assumed)
    assert not re.search(r"\b(a [aeiou]|an [bcdfghj-np-tv-z])", f"{reasons} {NEW}")


@pytest.mark.parametrize(("count", "words"), [(0, "0 windows"), (1, "1 window"), (2, "2 windows")])
def test_a_noun_has_the_number_of_what_is_counted(count, words):
    assert counted(count, "window") == words
    assert counted(count, "window", "panes") == words.replace("windows", "panes")

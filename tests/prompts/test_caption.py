"""Captions: parsing them gives the scenario back; they vary and read well."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import AGENT_KINDS, LIGHTS, PLACES, ROADS, WEATHERS, AgentRequest, Scenario
from worldgen.prompts import describe, parse, vocabulary
from worldgen.prompts.tables import load_grammar, load_phrases

EVENT_NAMES = tuple(load_grammar().events)
WORK_ZONE_EVENTS = {"construction_taper_with_cones", "lane_closure_worker"}
"""They make any road a work zone."""


def draw_scenario(rng: np.random.Generator) -> Scenario:
    """Any scenario the types allow, sensible or not, with each kind and place at most once."""
    pick = lambda options: options[int(rng.integers(len(options)))]  # noqa: E731
    kinds = rng.permutation(AGENT_KINDS)[: rng.integers(0, 4)]
    agents = tuple(AgentRequest(str(kind), int(rng.integers(0, 8)), pick(PLACES)) for kind in kinds)
    events = tuple(str(e) for e in rng.permutation(EVENT_NAMES)[: pick((0, 0, 1, 1, 2))])
    road = "construction" if set(events) & WORK_ZONE_EVENTS else pick(ROADS)
    duration_s = pick((4.0, 4.0, 6.0, 2.5, 1.0, 10.0, 120.0, 3.375))
    return Scenario(pick(WEATHERS), pick(LIGHTS), road, pick(MANOEUVRES), agents, events, duration_s)


@pytest.fixture(scope="module")
def captions() -> list[tuple[Scenario, str]]:
    rng = np.random.default_rng(0)
    scenarios = [draw_scenario(rng) for _ in range(600)]
    return [(s, describe(s, rng)) for s in scenarios]


def test_round_trip(captions):
    for scenario, text in captions:
        parsed = parse(text)
        assert parsed.not_understood == (), text
        got = parsed.scenario
        assert sorted(got.events) == sorted(scenario.events), text
        assert (
            Scenario(got.weather, got.light, got.road, got.manoeuvre, got.agents, scenario.events, got.duration_s)
            == scenario
        ), text


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_round_trip_of_every_event(name):
    rng = np.random.default_rng(1)
    for _ in range(6):
        road = "construction" if name in WORK_ZONE_EVENTS else rng.choice(ROADS)
        scenario = Scenario(rng.choice(WEATHERS), rng.choice(LIGHTS), road, events=(name,))
        assert parse(describe(scenario, rng)).scenario == scenario


def test_every_phrase_says_what_it_should():
    phrases = load_phrases()
    tables = {
        "weather": (phrases.weather_placed, phrases.weather_tag, phrases.weather_sentence),
        "road": (phrases.road_placed, phrases.road_tag), "light": (phrases.light_placed, phrases.light_tag),
        "manoeuvre": (phrases.ego_clause, phrases.ego_tag),
        "events": (phrases.event_clause, phrases.event_tag),
    }  # fmt: skip
    for field, group in tables.items():
        for table in group:
            for value, texts in table.items():
                for phrase in texts:
                    parsed = parse(phrase)
                    got = getattr(parsed.scenario, field)
                    # "at night" is lit or not by the road.
                    allowed = {value, "night_lit"} if value == "night_unlit" else {value}
                    assert got in ({(v,) for v in allowed} if field == "events" else allowed), phrase
                    assert parsed.not_understood == () and parsed.scenario.agents == (), phrase


def test_all_vocabulary_has_phrases():
    phrases = load_phrases()
    for table, words in (
        (phrases.weather_placed, WEATHERS), (phrases.light_tag, LIGHTS), (phrases.road_tag, ROADS),
        (phrases.ego_tag, MANOEUVRES),
        (phrases.kind_nouns, AGENT_KINDS), (phrases.place_after, PLACES),
        (phrases.event_clause, EVENT_NAMES), (phrases.event_tag, EVENT_NAMES),
    ):  # fmt: skip
        assert set(table) == set(words)


def test_captions_vary():
    scenario = Scenario(
        "heavy_rain", "night_lit", "urban", agents=(AgentRequest("pedestrian", 1, "crossing"),), events=("dooring",)
    )
    rng = np.random.default_rng(2)
    texts = [describe(scenario, rng) for _ in range(200)]
    assert len(set(texts)) >= 190
    assert len(load_phrases().templates) >= 14
    assert len({" ".join(t.lower().split()[:2]) for t in texts}) >= 25


def test_same_draw_same_caption():
    scenario = Scenario("fog", "dusk", "rural", "brake", events=("animal_crossing",))
    assert describe(scenario, np.random.default_rng(3)) == describe(scenario, np.random.default_rng(3))


def test_captions_are_clean(captions):
    for _, text in captions:
        assert not re.search(r"[\[\]{}@_]|  |\s[.,:;]|[.,:;]{2}|None|\ba [aeio]|\ban [bcdgjkpqtvwyz]", text), text
        assert "\n" not in text and text == text.strip()
        assert not re.search(
            r"\b(there is|we see) (two|three|\d+) .*\bis visible|there is (two|three|four|five|\d)|there are an? ",
            text,
            re.I,
        ), text


def test_equal_requests_are_told_as_one():
    twice = Scenario(agents=(AgentRequest("car", 1, "ahead"), AgentRequest("car", 2, "ahead")))
    assert parse(describe(twice, np.random.default_rng(4))).scenario.agents == (AgentRequest("car", 3, "ahead"),)


def test_a_scenario_against_itself_is_refused():
    scenario = Scenario(agents=(AgentRequest("car", 0), AgentRequest("car", 2, "ahead")))
    with pytest.raises(InputError, match="contradict"):
        describe(scenario, np.random.default_rng(5))


def test_vocabulary_covers_captions(captions):
    words = set(vocabulary())
    for _, text in captions:
        unknown = set(re.findall(r"[a-z]+", text.lower())) - words
        assert not unknown, (unknown, text)
    assert vocabulary() == sorted(words)


@pytest.mark.parametrize("seconds", [Scenario.duration_s, 1.0, 12.0])
def test_captions_of_clips_say_no_duration(seconds):
    """A clip of 9 frames was called four seconds long, because its scenario lasts as long by default."""
    rng = np.random.default_rng(6)
    texts = [describe(Scenario("fog", "dusk", duration_s=seconds), rng, duration=False) for _ in range(200)]
    assert not [text for text in texts if re.search(r"second|\blong\b|lasts|duration", text, re.I)]
    assert all(parse(text).scenario == Scenario("fog", "dusk") for text in texts)
    assert any("second" in describe(Scenario("fog", "dusk", duration_s=seconds), rng) for _ in range(50))


def test_without_a_duration_most_captions_are_the_same():
    scenario = Scenario("fog", "dusk")
    pairs = [
        (describe(scenario, np.random.default_rng(k)), describe(scenario, np.random.default_rng(k), duration=False))
        for k in range(200)
    ]
    assert sum(one == two for one, two in pairs) > 150

from __future__ import annotations

import json
import math

import pytest

from worldgen.core.errors import InputError
from worldgen.core.scenario import AGENT_KINDS, LIGHTS, MAX_AGENTS, PLACES, ROADS, WEATHERS, AgentRequest, Scenario

SCENARIO = Scenario(
    weather="heavy_rain", light="night_lit", road="urban", manoeuvre="brake",
    agents=(AgentRequest("pedestrian", 2, "crossing"), AgentRequest("car", 3, "oncoming"), AgentRequest("bus", 0)),
    events=("jaywalker",), duration_s=2.5,
)  # fmt: skip


def test_json_and_back():
    assert Scenario.from_json(json.loads(json.dumps(SCENARIO.to_json()))) == SCENARIO
    assert Scenario.from_json({"scenario_version": 1}) == Scenario()


def test_equal_scenarios_have_equal_keys_and_hashes():
    shuffled = Scenario.from_json({**SCENARIO.to_json(), "agents": SCENARIO.to_json()["agents"][::-1]})
    assert shuffled == SCENARIO and hash(shuffled) == hash(SCENARIO) and shuffled.key == SCENARIO.key
    assert Scenario(duration_s=4).key == Scenario(duration_s=4.0).key


def test_the_key_is_the_same_on_every_machine():
    """A change here renames every sample ever made: raise SCENARIO_VERSION when it is meant."""
    assert Scenario().key == "758f4a22631c4ffb"
    assert SCENARIO.key == "1cccc284dab7fd6d"


def test_every_field_changes_the_key():
    base = SCENARIO.to_json()
    changes = {
        "weather": "fog", "light": "day", "road": "rural", "manoeuvre": "keep", "agents": [], "events": [],
        "duration_s": 3.0,
    }  # fmt: skip
    keys = {Scenario.from_json({**base, name: value}).key for name, value in changes.items()}
    assert len(keys | {SCENARIO.key}) == len(changes) + 1


def test_every_word_of_the_vocabulary_is_accepted():
    for field, words in (("weather", WEATHERS), ("light", LIGHTS), ("road", ROADS)):
        assert len({Scenario(**{field: word}).key for word in words}) == len(words)
    assert len({AgentRequest(kind, 1, place) for kind in AGENT_KINDS for place in PLACES}) == len(AGENT_KINDS) * len(
        PLACES
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"weather": "rainy"}, "weather"),
        ({"weather": "light_rian"}, "did you mean light_rain?"),
        ({"light": None}, "light"),
        ({"road": ["urban"]}, "road"),
        ({"manoeuvre": "drift"}, "manoeuvre"),
        ({"duration_s": 0}, "duration_s"),
        ({"duration_s": math.nan}, "duration_s"),
        ({"duration_s": "4"}, "duration_s"),
        ({"duration_s": 1e6}, "duration_s"),
        ({"events": "jaywalker"}, "events"),
        ({"events": [1]}, "events"),
        ({"events": None}, "events"),
        ({"agents": ["car"]}, "agents"),
        ({"agents": None}, "agents"),
        ({"agents": [{"kind": "car", "cuont": 1}]}, "agents"),
        ({"agents": [{"kind": "cra"}]}, "did you mean car?"),
        ({"agents": [{"kind": "car", "place": "above"}]}, "place"),
        ({"agents": [{"kind": "car", "count": -1}]}, "number of agents"),
        ({"agents": [{"kind": "car", "count": True}]}, "number of agents"),
        ({"agents": [{"kind": "car", "count": 1.5}]}, "number of agents"),
        ({"agents": [{"kind": "car", "count": 25}, {"kind": "bus", "count": 25}]}, f"at most {MAX_AGENTS}"),
        ({"wether": "fog"}, "did you mean weather?"),
        ({"scenario_version": 99}, "scenario_version"),
        ({"scenario_version": None}, "scenario_version"),
    ],
)
def test_what_is_outside_the_vocabulary_is_one_clear_line(changes, named):
    with pytest.raises(InputError) as caught:
        Scenario.from_json({**SCENARIO.to_json(), **changes})
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_records_that_are_no_object_are_refused():
    with pytest.raises(InputError, match="scenario"):
        Scenario.from_json([1, 2])

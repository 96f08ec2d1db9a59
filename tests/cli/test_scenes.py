"""``worldgen scenes parse`` and ``list`` as a user runs them."""

from __future__ import annotations

import json

import pytest

from worldgen.cli.main import main
from worldgen.core.scenario import Scenario
from worldgen.simulation.events import EVENTS


def test_parse_prints_what_was_read_assumed_and_missed(capsys):
    assert main(["scenes", "parse", "two cyclists on the left at dusk, no rain, masterpiece"]) == 0
    text = capsys.readouterr().out
    for piece in (
        "2 cyclist left",
        "dusk",
        '"no"',
        "weather: not rain",
        "road: urban",
        "not said",
        'not understood: "masterpiece"',
    ):
        assert piece in text


def test_parse_json_holds_the_scenario(capsys):
    assert main(["scenes", "parse", "--json", "a", "cyclist", "swerves", "in", "the", "fog"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert Scenario.from_json(record["scenario"]) == Scenario("fog", events=("cyclist_swerving",))
    assert record["not_understood"] == [] and {"field", "value", "why"} == set(record["assumed"][0])


@pytest.mark.parametrize("prompt", ["", "day and night", "999 buses"])
def test_bad_prompts_end_with_one_line_and_exit_2(prompt, capsys):
    assert main(["scenes", "parse", prompt]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("worldgen: error: ")


def test_list_names_every_event(capsys):
    assert main(["scenes", "list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text and event.definition in text for name, event in EVENTS.items())
    assert main(["scenes", "list", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(EVENTS)

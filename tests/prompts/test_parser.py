"""Prompts: the file of expected scenarios, what is reported, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.scenario import MAX_AGENTS, AgentRequest, Scenario
from worldgen.prompts import parse, parse_request
from worldgen.prompts.lexicon import phrase_table
from worldgen.prompts.spelling import edit_distance
from worldgen.prompts.tables import load_grammar
from worldgen.simulation.events import EVENTS

ROWS = [json.loads(line) for line in (Path(__file__).parent / "prompts.jsonl").read_text().splitlines()]
FIELDS = ("weather", "light", "road", "manoeuvre", "agents", "events", "duration_s")


def field_errors(row: dict) -> list[tuple[str, object, object]]:
    scenario = parse(row["prompt"]).scenario.to_json()
    default = Scenario().to_json()
    errors = []
    for name in FIELDS:
        got, want = scenario[name], row["expect"].get(name, default[name])
        if name == "agents":
            got = sorted([a["kind"], a["count"], a["place"]] for a in got)
            want = sorted(want)
        if got != want:
            errors.append((name, want, got))
    return errors


def missed_words(prompt: str) -> set[str]:
    return {w for phrase in parse(prompt).not_understood for w in phrase.lower().replace("-", " ").split()}


@pytest.mark.parametrize("held", [False, True], ids=["tuned", "held out"])
def test_fields_right_on_the_file(held):
    rows = [row for row in ROWS if row.get("held", False) == held]
    assert len(rows) >= (40 if held else 160)
    errors = {row["prompt"]: found for row in rows if (found := field_errors(row))}
    right = 1 - sum(map(len, errors.values())) / (len(rows) * len(FIELDS))
    assert right >= 0.98, errors


def test_odd_words_are_reported():
    odd = [row for row in ROWS if row["not_understood"]]
    assert len(odd) >= 20
    unreported = {r["prompt"]: {w.lower() for w in r["not_understood"]} - missed_words(r["prompt"]) for r in odd}
    unreported = {prompt: words for prompt, words in unreported.items() if words}
    assert set(unreported) <= {"a coach coming towards us on a narrow lane"}, unreported


def test_ordinary_prompts_leave_nothing_over():
    rows = [row for row in ROWS if not row["not_understood"]]
    left = {row["prompt"]: missed_words(row["prompt"]) for row in rows if missed_words(row["prompt"])}
    assert len(left) <= 0.02 * len(rows), left


def test_every_word_is_accounted_for():
    """Made-up words in any position of any prompt come back as not understood."""
    rng = np.random.default_rng(0)
    for row in ROWS[::4]:
        words = row["prompt"].split()
        words.insert(int(rng.integers(len(words) + 1)), "qwxzt")
        try:
            parsed = parse(" ".join(words))
        except InputError:
            continue
        assert "qwxzt" in parsed.not_understood, parsed.prompt


def test_understood_spans_are_the_text():
    for row in ROWS:
        parsed = parse(row["prompt"])
        for piece in parsed.understood:
            assert row["prompt"][piece.start : piece.end] == piece.text


def test_every_unsaid_field_is_assumed_with_a_reason():
    for row in ROWS:
        parsed = parse(row["prompt"])
        said = {u.field for u in parsed.understood if not u.value.startswith("not")} | {a.field for a in parsed.assumed}
        assert {"weather", "road", "manoeuvre", "duration_s"} <= said, row["prompt"]
        assert all(a.why for a in parsed.assumed)


def test_same_prompt_same_answer():
    for row in ROWS[:40]:
        assert parse(row["prompt"]) == parse(row["prompt"])


def test_case_and_spacing_do_not_matter():
    for row in ROWS[:60]:
        plain = parse(row["prompt"]).scenario
        assert parse(row["prompt"].upper()).scenario == plain
        assert parse("  " + row["prompt"].replace(" ", "   ") + "\n").scenario == plain


@pytest.mark.parametrize(
    "prompt",
    [
        "day and night", "dawn, dusk", "sunny and heavy snow", "clear weather with fog", "a sunny night",
        "no cars, two cars ahead", "we turn left and turn right", "accelerating and braking", "at night, not at night",
        "city in the countryside", "4 seconds, 6 seconds", "an unlit road under street lamps at night",
    ],
)  # fmt: skip
def test_contradictions_are_one_clear_line(prompt):
    with pytest.raises(InputError, match="contradiction in the prompt") as error:
        parse(prompt)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   ",
        "\n\t",
        "?!...",
        None,
        7,
        b"rain",
        ["rain"],
        "rain " * 500,
        "999 cars",
        "0 seconds",
        "2 hours",
        "2.5 cars",
        "25:00",
        "13 pm",
    ],
)
def test_bad_prompts_are_refused(prompt):
    with pytest.raises(InputError):
        parse(prompt)


def test_any_text_parses_or_is_refused():
    """Random rows of known phrases and rubbish: an InputError at worst."""
    rng = np.random.default_rng(1)
    known = [" ".join(words) for words in phrase_table()]
    rubbish = ["!!!", "4k", "ö", "日本", "\n", "3", "3.5", "99", ";", "12:75", "zzz", "\u200b", "1e9", "'", "½", "2nd"]
    for _ in range(600):
        source = [known if rng.random() < 0.85 else rubbish for _ in range(rng.integers(1, 14))]
        text = " ".join(words[int(rng.integers(len(words)))] for words in source)
        try:
            scenario = parse(text).scenario
        except InputError:
            continue
        assert Scenario.from_json(scenario.to_json()) == scenario


def test_events_are_the_library():
    assert set(load_grammar().events) == set(EVENTS)
    for name in EVENTS:
        assert parse(name).scenario.events == (name,)
        assert parse(name.replace("_", " ")).scenario.events == (name,)


def test_assumed_settings_suit_the_event():
    for name, event in EVENTS.items():
        scenario = parse(name).scenario
        assert scenario.road in event.roads, name
        assert scenario.light in event.lights, name
        assert scenario.weather in event.weathers, name
        assert load_grammar().events[name].get("road", "urban") in event.roads


def agents(prompt: str) -> tuple[AgentRequest, ...]:
    return parse(prompt).scenario.agents


def test_counts_and_places():
    assert agents("between 2 and 4 cyclists") == (AgentRequest("cyclist", 3),)
    assert agents("up to three buses oncoming") == (AgentRequest("bus", 3, "oncoming"),)
    assert agents("on the left, two cyclists") == (AgentRequest("cyclist", 2, "left"),)
    assert agents("two cars and a truck ahead") == (AgentRequest("car", 2, "ahead"), AgentRequest("truck", 1, "ahead"))
    assert agents("two cars ahead and three cars ahead") == (AgentRequest("car", 5, "ahead"),)
    assert agents(f"{MAX_AGENTS} cars")[0].count == MAX_AGENTS


def test_negation_reaches_what_it_should():
    assert agents("no pedestrians and two cars ahead") == (
        AgentRequest("car", 2, "ahead"),
        AgentRequest("pedestrian", 0),
    )
    assert {a.kind for a in agents("no cars, trucks or buses")} == {"car", "truck", "bus"}
    assert parse("no jaywalker").scenario.events == ()
    assert parse("not urban").scenario.road != "urban"
    assert parse("not in daylight").scenario.light == "night_lit"
    assert parse("no clear sky").scenario.weather == "overcast"


def test_a_stated_choice_where_two_weathers_can_be_together():
    parsed = parse("rain and fog")
    assert parsed.scenario.weather == "heavy_rain"
    assert any("left out: fog" in a.why for a in parsed.assumed)


@pytest.mark.parametrize(
    "distance, one, other",
    [(0, "fog", "fog"), (1, "fog", "fgo"), (1, "fog", "frog"), (2, "night", "nigthh"), (3, "fog", "rain")],
)
def test_edit_distance(distance, one, other):
    assert edit_distance(one, other, 2) == edit_distance(other, one, 2) == distance


def test_a_lane_closure_makes_a_road_a_work_zone():
    parsed = parse("a worker at a lane closure on the highway")
    assert parsed.scenario.road == "construction"
    assert any("left out: highway" in a.why for a in parsed.assumed)


def test_numbers_are_read_whole_or_refused():
    for text in ("1,000 cars", "10,000 cars", "-3 cars", "\u22123 cars", "minus three cars", "1.000 cars", "9" * 30):
        with pytest.raises(InputError, match=r"number"):
            parse(text + " at night")
    for text, count in (("rain,3 cars", 3), ("2-4 cars", 3), ("rain - 3 cars", 3), ("a fog, 12 cars", 12)):
        assert [agent.count for agent in parse(text).scenario.agents] == [count]
    assert "-3" in parse("-3 degrees, snow").not_understood


def test_a_request_of_which_nothing_is_understood_is_refused():
    with pytest.raises(InputError, match="none of these was understood"):
        parse_request("xyzzy frobnicate")
    assert parse_request("xyzzy at night").scenario.light.startswith("night")
    assert parse_request("a street").scenario == Scenario()

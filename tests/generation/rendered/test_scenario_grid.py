"""Grids of scenarios: every value is there, events are obeyed, and what a prompt says stays."""

from __future__ import annotations

import pytest

from worldgen.core.errors import InputError
from worldgen.core.scenario import LIGHTS, WEATHERS, Scenario
from worldgen.generation.rendered.scenario_grid import grid_scenarios, prompted_grid
from worldgen.simulation.events import EVENTS


def test_a_grid_goes_through_every_value() -> None:
    scenarios = grid_scenarios(("weather", "light"), Scenario(), free=True, count=36, seed=0)
    assert {(s.weather, s.light) for s in scenarios} == {(w, light) for w in WEATHERS for light in LIGHTS}
    events = grid_scenarios(("event",), Scenario(), free=True, count=2 * len(EVENTS), seed=0)
    assert {s.events[0] for s in events} == set(EVENTS)
    for scenario in events:
        event = EVENTS[scenario.events[0]]
        assert (
            scenario.road in event.roads and scenario.light in event.lights and scenario.manoeuvre in event.manoeuvres
        )


def test_what_the_prompt_says_stays() -> None:
    base = Scenario(weather="fog", road="rural")
    scenarios = grid_scenarios(("light",), base, free=False, count=12, seed=1)
    assert {s.weather for s in scenarios} == {"fog"} and {s.road for s in scenarios} == {"rural"}
    assert prompted_grid(("light",), "fog on a rural road", count=3, seed=1)[0].weather == "fog"


@pytest.mark.parametrize("axes", [("wether",), ("light", "light")])
def test_axes_that_make_no_sense_are_refused(axes) -> None:
    with pytest.raises(InputError, match="axes of the grid"):
        prompted_grid(axes, "", count=3, seed=0)

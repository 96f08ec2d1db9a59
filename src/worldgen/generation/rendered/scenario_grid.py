"""Scenarios that go through all combinations of chosen fields, for a balanced data set of drawn clips."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS, Scenario
from worldgen.core.seeds import numpy_rng
from worldgen.prompts import parse_request
from worldgen.simulation.events import EVENTS

VALUES: dict[str, tuple[str, ...]] = {
    "weather": WEATHERS, "light": LIGHTS, "road": ROADS, "manoeuvre": MANOEUVRES, "event": tuple(EVENTS),
}  # fmt: skip
"""Axis of a grid -> all its values. An event restricts the other four."""
AXES = tuple(VALUES)


def prompted_grid(axes: tuple[str, ...], prompt: str, *, count: int, seed: int) -> list[Scenario]:
    """``count`` scenarios of the grid over ``axes``. Words set what the grid leaves open; without words it is drawn.

    Raises: InputError for an axis that does not exist or is named twice, and when the events of the prompt allow no
    combination.
    """
    if len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
        raise InputError("axes of the grid", ",".join(axes), "some of " + ", ".join(AXES) + ", each once")
    base = parse_request(prompt).scenario if prompt.strip() else Scenario()
    scenarios = grid_scenarios(axes, base, free=not prompt.strip(), count=count, seed=seed)
    if not scenarios:
        raise InputError("axes of the grid", ",".join(axes), "a combination that the prompt's events allow")
    return scenarios


def grid_scenarios(axes: tuple[str, ...], base: Scenario, *, free: bool, count: int, seed: int) -> list[Scenario]:
    """``count`` scenarios that go through all values of the axes again and again, in an order drawn from the seed.

    free: fields outside the grid that an event does not fix are drawn too; otherwise they stay as in ``base``.
    Combinations that an event does not allow are left out of the round; [] when none is allowed.
    """
    out: list[Scenario] = []
    rounds = 0
    while len(out) < count:
        rng = numpy_rng("grid", base.key, seed, rounds, *axes)
        cells = list(itertools.product(*(VALUES[axis] for axis in axes))) if axes else [()]
        completed = [
            _completed(dict(zip(axes, cells[k], strict=True)), base, rng, free=free)
            for k in rng.permutation(len(cells))
        ]
        out += [scenario for scenario in completed if scenario is not None]
        rounds += 1
        if not out:
            return []
    return out[:count]


def _completed(chosen: dict[str, str], base: Scenario, rng: np.random.Generator, *, free: bool) -> Scenario | None:
    """One combination with the fields outside the grid filled in; None when its event does not allow it."""
    events = (chosen.pop("event"),) if "event" in chosen else base.events
    allowed = {field: set(VALUES[field]) for field in ("weather", "light", "road", "manoeuvre")}
    for event in (EVENTS[name] for name in events):
        for field, words in (
            ("weather", event.weathers),
            ("light", event.lights),
            ("road", event.roads),
            ("manoeuvre", event.manoeuvres),
        ):
            allowed[field] &= set(words)
    fields: dict[str, str] = {field: getattr(base, field) for field in allowed} | chosen
    for field, left in allowed.items():
        if fields[field] in left and (field in chosen or not free):
            continue
        if field in chosen or not left:
            return None
        fields[field] = str(rng.choice(sorted(left)))
    if fields["road"] == "highway" and fields["manoeuvre"].startswith("turn"):
        # A highway has no corner to turn at: the field that was not chosen gives way.
        if "manoeuvre" in chosen and "road" in chosen:
            return None
        fields["manoeuvre" if "manoeuvre" not in chosen else "road"] = "keep" if "manoeuvre" not in chosen else "urban"
    return replace(
        base, events=events, weather=fields["weather"], light=fields["light"], road=fields["road"],
        manoeuvre=fields["manoeuvre"],
    )  # fmt: skip

"""Random scenarios in which every weather, light, road, manoeuvre and event comes about equally often."""

from __future__ import annotations

import itertools
from typing import TypeVar

import numpy as np

from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS, AgentRequest, Scenario
from worldgen.core.seeds import numpy_rng
from worldgen.simulation.events import EVENTS

PLAIN_SHARE = 0.4
"""Share of scenarios without an event: most real clips show ordinary driving."""
REQUEST_SHARE = 0.6
"""Share of scenarios without an event that request agents."""

REQUESTS = (
    ("car", "ahead"), ("car", "oncoming"), ("car", "parked"), ("car", "left"), ("car", "right"), ("van", "ahead"),
    ("van", "parked"), ("truck", "ahead"), ("truck", "oncoming"), ("bus", "oncoming"), ("bus", "ahead"),
    ("motorcycle", "ahead"), ("motorcycle", "oncoming"), ("pedestrian", "crossing"), ("pedestrian", "left"),
    ("pedestrian", "right"), ("pedestrian", "ahead"), ("child", "right"), ("cyclist", "ahead"),
    ("cyclist", "oncoming"), ("cyclist", "crossing"), ("bicycle", "right"), ("traffic_cone", "right"),
    ("animal", "crossing"), ("animal", "right"),
)  # fmt: skip
"""(kind, place) of the agents that scenarios without an event request."""

Item = TypeVar("Item")

_GRID = tuple(itertools.product(WEATHERS, LIGHTS))
_DRIVES = tuple(
    (road, name)
    for road, name in itertools.product(ROADS, MANOEUVRES)
    for _ in range(3 if name.startswith(("turn", "lane")) else 1)  # few events allow these manoeuvres
    if not (road == "highway" and name.startswith("turn"))
)
_SLOTS: tuple[str | None, ...] = (*EVENTS, *[None] * round(len(EVENTS) * PLAIN_SHARE / (1 - PLAIN_SHARE)))


def balanced_scenario(index: int, seed: int = 0, *, duration_s: float = 4.0) -> Scenario:
    """Scenario number ``index`` of an endless balanced list. Deterministic in index and seed.

    Every pass through ``_SLOTS`` contains each event once. Every pass through ``_GRID`` (36 scenarios) contains each
    pair of weather and light once, unless the event allows only other values.
    """
    name = _nth(_SLOTS, index, "event", seed)
    weather, light = _nth(_GRID, index, "weather and light", seed)
    rng = numpy_rng("balanced scenario", seed, index)
    if name is None:
        road, manoeuvre = _nth(_DRIVES, index, "road and manoeuvre", seed)
        agents = _draw_requests(rng, road) if rng.random() < REQUEST_SHARE else ()
        return Scenario(weather, light, road, manoeuvre, agents, (), duration_s)
    event = EVENTS[name]
    turn = index // len(_SLOTS)
    road = event.roads[(turn + seed) % len(event.roads)]
    manoeuvre = event.manoeuvres[int(rng.integers(len(event.manoeuvres)))]
    if weather not in event.weathers:
        weather = event.weathers[index % len(event.weathers)]
    if light not in event.lights:
        light = event.lights[index % len(event.lights)]
    return Scenario(weather, light, road, manoeuvre, (), (name,), duration_s)


def _nth(items: tuple[Item, ...], index: int, what: str, seed: int) -> Item:
    """Item ``index`` of an endless list that repeats ``items`` in a new order on every pass."""
    turn, place = divmod(index, len(items))
    return items[int(numpy_rng("balanced", what, seed, turn).permutation(len(items))[place])]


def _draw_requests(rng: np.random.Generator, road: str) -> tuple[AgentRequest, ...]:
    """One or two requests of different kinds that suit the road."""
    options = [
        (kind, place)
        for kind, place in REQUESTS
        if road != "highway" or kind in ("car", "van", "truck", "motorcycle", "traffic_cone")
    ]
    out: dict[str, AgentRequest] = {}
    for _ in range(1 + int(rng.random() < 0.4)):
        kind, place = options[int(rng.integers(len(options)))]
        count = 1 + int(rng.choice((0, 0, 0, 1, 2)))
        out.setdefault(kind, AgentRequest(kind, count, place))
    return tuple(out.values())

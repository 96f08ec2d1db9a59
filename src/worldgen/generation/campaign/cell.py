"""Cells: the kinds of clip that a recipe asks for, each with a count."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

from worldgen.core.errors import InputError, Received
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS, AgentRequest, check_word
from worldgen.core.seeds import stable_key
from worldgen.generation.campaign.recipe import CellGroup, Recipe
from worldgen.prompts import parse
from worldgen.simulation.events import EVENTS

AXES: dict[str, tuple[str, ...]] = {
    "weather": WEATHERS, "light": LIGHTS, "road": ROADS, "event": ("none", *EVENTS), "manoeuvre": MANOEUVRES,
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One kind of clip and how many accepted ones are wanted. Each axis holds the words to draw from, usually one."""

    weather: tuple[str, ...]
    light: tuple[str, ...]
    road: tuple[str, ...]
    event: tuple[str, ...]
    manoeuvre: tuple[str, ...]
    agents: str = ""
    count: int = 1

    @cached_property
    def key(self) -> str:
        """A name that depends on the kind of clip and not on the count."""
        return stable_key("cell", *(list(getattr(self, axis)) for axis in AXES), self.agents, prefix="cell_")

    @property
    def label(self) -> str:
        """In words, e.g. ``heavy_rain x night_lit x urban x jaywalker``, without the axes that may take any word."""
        words = ["|".join(getattr(self, axis)) for axis, known in AXES.items() if getattr(self, axis) != known]
        return " x ".join([*words, self.agents] if self.agents else words) or "anything"

    def combinations(self) -> list[tuple[str, ...]]:
        """All (weather, light, road, event, manoeuvre) that are possible."""
        return [c for c in itertools.product(*(getattr(self, axis) for axis in AXES)) if is_possible(*c)]


def is_possible(weather: str, light: str, road: str, event: str, manoeuvre: str) -> bool:
    """Whether the event allows the combination, and the road the manoeuvre."""
    if road == "highway" and manoeuvre.startswith("turn"):
        return False
    if event == "none":
        return True
    allowed = EVENTS[event]
    return (
        weather in allowed.weathers and light in allowed.lights and road in allowed.roads
        and manoeuvre in allowed.manoeuvres
    )  # fmt: skip


@dataclass(frozen=True)
class CellGrid:
    """The cells of a recipe in its order, and the labels of combinations that events do not allow."""

    cells: tuple[Cell, ...]
    left_out: tuple[str, ...]

    @property
    def quota(self) -> int:
        return sum(cell.count for cell in self.cells)


def grid_of(recipe: Recipe) -> CellGrid:
    """Expand the groups of a recipe.

    Raises: InputError for unknown words, a group without a possible cell, and a cell that is asked for twice.
    """
    if not recipe.cells:
        raise InputError("cells of the recipe", Received("none"), "a list of cells with counts")
    cells: dict[str, Cell] = {}
    left_out = []
    for group in recipe.cells:
        agents_of(group.agents)
        expanded = [
            Cell(weather, light, road, event, manoeuvre, group.agents, group.count)
            for weather, light, road, event, manoeuvre in itertools.product(*_word_sets(group))
        ]
        possible = [cell for cell in expanded if cell.combinations()]
        if not possible:
            raise InputError("cell", expanded[0].label, "a combination that its event and road allow")
        left_out += [cell.label for cell in expanded if not cell.combinations()]
        for cell in possible:
            if cell.key in cells:
                raise InputError("cell", cell.label, "each cell once")
            cells[cell.key] = cell
    return CellGrid(tuple(cells.values()), tuple(left_out))


def _word_sets(group: CellGroup) -> list[list[tuple[str, ...]]]:
    """Per axis the sets of words; each combination of sets is a cell."""
    out: list[list[tuple[str, ...]]] = []
    for axis, known in AXES.items():
        words = getattr(group, axis)
        if words == ("each",):
            out.append([(word,) for word in known])
            continue
        sets = [known if word == "any" else tuple(part.strip() for part in word.split("|")) for word in words]
        for word in itertools.chain.from_iterable(sets):
            check_word(f"{axis} of a cell", word, known)
        out.append(sets)
    return out


def agents_of(words: str) -> tuple[AgentRequest, ...]:
    """The agents that words ask for. Raises: InputError when a word is not understood."""
    if not words.strip():
        return ()
    parsed = parse(words)
    if parsed.not_understood or not parsed.scenario.agents:
        received = ", ".join(str(w) for w in parsed.not_understood) or words
        raise InputError("agents of a cell", received, "agents in words, as in: two pedestrians crossing, no trucks")
    return parsed.scenario.agents

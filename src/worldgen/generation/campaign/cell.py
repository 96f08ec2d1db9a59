"""Cells: what is asked for, one kind of clip each; and takes: the attempts at them, drawn from stable seeds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS, AgentRequest, Scenario, check_word
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng, stable_hash, stable_key
from worldgen.generation.campaign.recipe import CellGroup, Recipe
from worldgen.prompts import describe, parse
from worldgen.simulation.events import EVENTS
from worldgen.simulation.simulate import draw_camera, simulate

AXES: dict[str, tuple[str, ...]] = {
    "weather": WEATHERS, "light": LIGHTS, "road": ROADS, "event": ("none", *EVENTS), "manoeuvre": MANOEUVRES,
}  # fmt: skip
MAX_SCENE_DRAWS = 3
"""An event may not fit the road that one seed draws; another seed is another road."""


@dataclass(frozen=True)
class Cell:
    """One kind of clip and how many are wanted. Each axis holds the words to draw from, usually one."""

    weather: tuple[str, ...]
    light: tuple[str, ...]
    road: tuple[str, ...]
    event: tuple[str, ...]
    manoeuvre: tuple[str, ...]
    agents: str = ""
    count: int = 1

    @cached_property
    def key(self) -> str:
        """A name that depends on what is asked for and not on how many."""
        return stable_key("cell", *(list(getattr(self, axis)) for axis in AXES), self.agents, prefix="cell_")

    @property
    def label(self) -> str:
        """In words, e.g. ``heavy_rain x night_lit x urban x jaywalker``; axes that are left open are left out."""
        words = ["|".join(getattr(self, axis)) for axis, known in AXES.items() if getattr(self, axis) != known]
        return " x ".join([*words, self.agents] if self.agents else words) or "anything"

    def combinations(self) -> list[tuple[str, ...]]:
        """All (weather, light, road, event, manoeuvre) that may be drawn."""
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
        made = [Cell(*words, agents=group.agents, count=group.count) for words in itertools.product(*_choices(group))]
        possible = [cell for cell in made if cell.combinations()]
        if not possible:
            raise InputError("cell", made[0].label, "a combination that its event and road allow")
        left_out += [cell.label for cell in made if not cell.combinations()]
        for cell in possible:
            if cell.key in cells:
                raise InputError("cell", cell.label, "each cell once")
            cells[cell.key] = cell
    return CellGrid(tuple(cells.values()), tuple(left_out))


def _choices(group: CellGroup) -> list[list[tuple[str, ...]]]:
    """Per axis the word sets that become cells."""
    out = []
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
    """Agents asked for in words. Raises: InputError when a word is not understood."""
    if not words.strip():
        return ()
    parsed = parse(words)
    if parsed.not_understood or not parsed.scenario.agents:
        received = ", ".join(str(w) for w in parsed.not_understood) or words
        raise InputError("agents of a cell", received, "agents in words, as in: two pedestrians crossing, no trucks")
    return parsed.scenario.agents


@dataclass(frozen=True, eq=False)
class CellAttempt:
    """One attempt at a cell: everything drawn for it. seed: of the scene, and through candidates of the noise."""

    cell: Cell
    attempt: int
    key: str
    seed: int
    scenario: Scenario
    caption: str
    speed_mps: float | None
    camera: Camera

    def noise_seed(self, candidate: int) -> int:
        return stable_hash("candidate noise", self.seed, candidate)


def draw_attempt(recipe: Recipe, cell: Cell, attempt: int, *, redraw: int = 0) -> CellAttempt:
    """Attempt number ``attempt`` at a cell: a function of recipe name, version and seed, the cell, and the numbers.

    turn: another draw for the same attempt, when the first gave no scene.
    """
    parts = ("take", recipe.name, recipe.version, recipe.seed, cell.key, attempt)
    rng = numpy_rng(*parts, redraw)
    options = cell.combinations()
    events = sorted({option[3] for option in options})  # first the event, so that those with few roads are not rare
    event = str(rng.choice(events))
    options = [option for option in options if option[3] == event]
    weather, light, road, event, manoeuvre = options[int(rng.integers(len(options)))]
    shape = recipe.clip
    scenario = Scenario(
        weather, light, road, manoeuvre, agents_of(cell.agents), () if event == "none" else (event,),
        max((shape.frames - 1) / shape.fps, 0.1),
    )  # fmt: skip
    spoken = dataclasses.replace(scenario, duration_s=Scenario.duration_s)  # length is not a matter of the picture
    span = recipe.ranges.speed_mps
    return CellAttempt(
        cell, attempt, stable_key(*parts, prefix="gen_"), stable_hash(*parts, "seed", redraw), scenario,
        describe(spoken, rng), None if span is None else float(rng.uniform(*span)), _camera(recipe, rng),
    )  # fmt: skip


def _camera(recipe: Recipe, rng: np.random.Generator) -> Camera:
    drawn, ranges = draw_camera(rng), recipe.ranges
    values = {"fov_deg": drawn.fov_deg, "height_m": drawn.height_m, "pitch_deg": math.degrees(drawn.pitch_rad)}
    for name in values:
        span = getattr(ranges, name)
        if span is not None:
            values[name] = float(rng.uniform(*span))
    return Camera.from_fov(
        recipe.clip.width_px, recipe.clip.height_px, values["fov_deg"], height_m=values["height_m"],
        pitch_rad=math.radians(values["pitch_deg"]),
    )  # fmt: skip


def simulate_attempt(recipe: Recipe, cell: Cell, attempt: int) -> tuple[CellAttempt, Scene]:
    """The take of an attempt and its scene. Raises: InputError when no draw gave a scene."""
    for redraw in range(MAX_SCENE_DRAWS):
        drawn = draw_attempt(recipe, cell, attempt, redraw=redraw)
        try:
            scene = simulate(
                drawn.scenario, drawn.seed, fps=recipe.clip.fps, num_frames=recipe.clip.frames, camera=drawn.camera,
                speed_mps=drawn.speed_mps,
            )  # fmt: skip
            return drawn, scene
        except InputError:
            if redraw == MAX_SCENE_DRAWS - 1:
                raise
    raise AssertionError("unreachable")

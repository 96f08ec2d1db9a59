"""Attempts at a cell: the scenario, seeds, camera and caption of each, drawn from stable seeds, and its scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng, stable_hash, stable_key
from worldgen.generation.campaign.cell import Cell, agents_of
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.sample.candidates import best_candidate
from worldgen.prompts import describe
from worldgen.simulation.scene_request import draw_camera
from worldgen.simulation.simulate import simulate

MAX_SCENE_DRAWS = 3
"""An event may not fit the road that one seed draws; another seed draws another road."""


@dataclass(frozen=True, eq=False)
class CellAttempt:
    """One attempt at a cell: everything drawn for it.

    attempt: its number in the cell, from 0. key: of its sample. seed: of the scene; with the number of a candidate it
    gives the seed of the model's noise. speed_mps: of the ego at the start, None when the scene draws it.
    """

    cell: Cell
    attempt: int
    key: str
    seed: int
    scenario: Scenario
    caption: str
    speed_mps: float | None
    camera: Camera

    def noise_seed(self, candidate: int) -> int:
        """Seed of the model's noise for a candidate, numbered from 0."""
        return stable_hash("candidate noise", self.seed, candidate)


def draw_attempt(recipe: Recipe, cell: Cell, attempt: int, *, redraw: int = 0) -> CellAttempt:
    """Draw attempt number ``attempt`` at a cell from the recipe's name, version and seed, the cell, and the numbers.

    redraw: number of the draw for this attempt, above 0 when the draws before gave no scene.
    """
    parts = ("take", recipe.name, recipe.version, recipe.seed, cell.key, attempt)
    rng = numpy_rng(*parts, redraw)
    options = cell.combinations()
    events = sorted({option[3] for option in options})  # drawn first, so that events with few roads are not rare
    event = str(rng.choice(events))
    options = [option for option in options if option[3] == event]
    weather, light, road, event, manoeuvre = options[int(rng.integers(len(options)))]
    shape = recipe.clip
    scenario = Scenario(
        weather, light, road, manoeuvre, agents_of(cell.agents), () if event == "none" else (event,),
        max((shape.frames - 1) / shape.fps, 0.1),
    )  # fmt: skip
    span = recipe.ranges.speed_mps
    return CellAttempt(
        cell, attempt, stable_key(*parts, prefix="gen_"), stable_hash(*parts, "seed", redraw), scenario,
        describe(scenario, rng, duration=False), None if span is None else float(rng.uniform(*span)),
        _camera(recipe, rng),
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


def _scene_of(recipe: Recipe, drawn: CellAttempt, seed: int) -> Scene:
    """A scene of what was drawn for an attempt."""
    return simulate(
        drawn.scenario, seed, fps=recipe.clip.fps, num_frames=recipe.clip.frames, camera=drawn.camera,
        speed_mps=drawn.speed_mps,
    )  # fmt: skip


def simulate_attempt(recipe: Recipe, cell: Cell, attempt: int) -> tuple[CellAttempt, Scene]:
    """An attempt and its scene, which shows what the cell asks for where one of the scene candidates does.

    The seed of the scene is that of the candidate. Raises: InputError when none of the draws gave a scene.
    """
    for redraw in range(MAX_SCENE_DRAWS):
        drawn = draw_attempt(recipe, cell, attempt, redraw=redraw)
        try:
            return drawn, best_candidate(drawn.seed, make=partial(_scene_of, recipe, drawn))[0]
        except InputError:
            if redraw == MAX_SCENE_DRAWS - 1:
                raise
    raise AssertionError("unreachable")

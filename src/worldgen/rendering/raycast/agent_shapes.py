"""Which shape and which colour an agent has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from worldgen.core.scene import Agent
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.scene_geometry import agent_mesh
from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.raycast.mesh_adapter import solid_of_mesh
from worldgen.rendering.shapes.creatures import creature_shape
from worldgen.rendering.shapes.road_objects import cargo_box_shape, cone_shape, signal_shape, tyre_shape
from worldgen.rendering.shapes.solid import Shape
from worldgen.rendering.shapes.two_wheelers import bicycle_shape, cyclist_shape, motorcyclist_shape
from worldgen.rendering.shapes.vehicle_shapes import vehicle_shape
from worldgen.rendering.shapes.walkers import walker_shape

VEHICLES = ("sedan", "hatchback", "suv", "estate", "van")


def agent_shape(agent: Agent, *, rain: bool) -> Shape:
    """The shape of an agent. rain: pedestrians may carry an umbrella."""
    if agent.variant in VEHICLES:
        return vehicle_shape(agent.variant, agent.style)
    rng = numpy_rng("agent", agent.variant, agent.style)
    size, dark, vest = agent.size_m, not agent.reflective, "worker" in agent.role
    phase, speed = np.asarray(agent.gait_phase, float), np.abs(agent.speed_mps)
    elder, ridden = agent.variant == "elder", agent.kind != "bicycle"
    walker = lambda: walker_shape(size, phase, speed, rng, rain=rain, dark=dark, vest=vest, elder=elder)  # noqa: E731
    creature = lambda: creature_shape(agent.variant, size, phase, speed, rng)  # noqa: E731
    makers: dict[str, Callable[[], Shape]] = {
        "adult": walker, "elder": walker, "child": walker, "deer": creature, "dog": creature,
        "bicycle": lambda: cyclist_shape(size, phase, rng, dark=dark) if ridden else bicycle_shape(size, rng),
        "motorbike": lambda: motorcyclist_shape(size, rng, dark=dark), "cone": lambda: cone_shape(size, rng),
        "cargo_box": lambda: cargo_box_shape(size, rng), "tyre": lambda: tyre_shape(size, rng),
        "signal": lambda: signal_shape(size),
    }  # fmt: skip
    if agent.variant in makers:
        return makers[agent.variant]()
    return Shape(solid_of_mesh(agent_mesh(agent, rain=rain)), size)


def agent_colour(agent: Agent) -> np.ndarray:
    """The colour of the panels of a vehicle, ``(3,)`` float32 linear."""
    table = "van" if agent.variant == "van" else "car"
    rng = numpy_rng("panels", agent.variant, agent.style)
    return np.array(draw_colour(table, rng, weighted=table == "car"), np.float32)

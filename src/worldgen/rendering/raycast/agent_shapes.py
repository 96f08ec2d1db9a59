"""Which shape and which colour an agent has."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Agent
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.scene_geometry import agent_mesh
from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.raycast.mesh_adapter import solid_of_mesh
from worldgen.rendering.shapes.solid import Shape
from worldgen.rendering.shapes.vehicle_shapes import vehicle_shape
from worldgen.rendering.shapes.walkers import walker_shape

VEHICLES = ("sedan", "hatchback", "suv", "estate", "van")
WALKERS = ("adult", "elder", "child")


def agent_shape(agent: Agent, *, rain: bool) -> Shape:
    """The shape of an agent. rain: pedestrians may carry an umbrella."""
    if agent.variant in VEHICLES:
        return vehicle_shape(agent.variant, agent.style)
    if agent.variant in WALKERS:
        rng = numpy_rng("agent", agent.variant, agent.style)
        phase, speed = np.asarray(agent.gait_phase, float), np.abs(agent.speed_mps)
        dark, vest = not agent.reflective, "worker" in agent.role
        return walker_shape(agent.size_m, phase, speed, rng, rain=rain, dark=dark, vest=vest)
    return Shape(solid_of_mesh(agent_mesh(agent, rain=rain)), agent.size_m)


def agent_colour(agent: Agent) -> np.ndarray:
    """The colour of the panels of a vehicle, ``(3,)`` float32 linear."""
    table = "van" if agent.variant == "van" else "car"
    rng = numpy_rng("panels", agent.variant, agent.style)
    return np.array(draw_colour(table, rng, weighted=table == "car"), np.float32)

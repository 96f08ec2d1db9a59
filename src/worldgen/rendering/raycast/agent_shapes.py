"""Which shape and which colour an agent has."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Agent
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.scene_geometry import agent_mesh
from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.raycast.mesh_adapter import solid_of_mesh
from worldgen.rendering.shapes.solid import Shape


def agent_shape(agent: Agent, *, rain: bool) -> Shape:
    """The shape of an agent. rain: pedestrians may carry an umbrella."""
    return Shape(solid_of_mesh(agent_mesh(agent, rain=rain)), agent.size_m)


def agent_colour(agent: Agent) -> np.ndarray:
    """The colour of the panels of a vehicle, ``(3,)`` float32 linear."""
    return np.array(draw_colour("car", numpy_rng("panels", agent.variant, agent.style), weighted=True), np.float32)

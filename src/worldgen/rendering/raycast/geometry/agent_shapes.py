"""Which shape and which colour an agent has."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from worldgen.core.scene import Agent
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.shapes.creatures import creature_shape
from worldgen.rendering.shapes.road_objects import cargo_box_shape, cone_shape, signal_shape, tyre_shape
from worldgen.rendering.shapes.solid import Shape, Solid
from worldgen.rendering.shapes.two_wheelers import bicycle_shape, cyclist_shape, motorcyclist_shape
from worldgen.rendering.shapes.vehicle_shapes import door_solid, vehicle_shape
from worldgen.rendering.shapes.walkers import walker_shape

WALKERS = ("adult", "elder", "child")
CREATURES = ("deer", "dog")
RIGID = ("motorbike", "cone", "cargo_box", "tyre", "signal")
PANEL_TABLES = {"van": "van", "city_bus": "bus"}
"""Tables of panel colours of variants that are not painted as cars are."""


def agent_shape(agent: Agent, *, rain: bool) -> Shape:
    """The shape of an agent. rain: pedestrians may carry an umbrella."""
    if agent.variant in RIGID and agent.kind != "bicycle":
        return _rigid_shape(agent.variant, tuple(agent.size_m), agent.style, not agent.reflective)
    rng = numpy_rng("agent", agent.variant, agent.style)
    size, phase = agent.size_m, np.asarray(agent.gait_phase, float)
    speed, dark = np.abs(np.asarray(agent.speed_mps, float)), not agent.reflective
    if agent.kind == "bicycle":
        return bicycle_shape(size, rng)
    if agent.variant in WALKERS:
        vest, elder = "worker" in agent.role, agent.variant == "elder"
        return walker_shape(size, phase, speed, rng, rain=rain, dark=dark, vest=vest, elder=elder)
    if agent.variant in CREATURES:
        return creature_shape(agent.variant, size, phase, speed, rng)
    if agent.variant == "bicycle":
        return cyclist_shape(size, phase, rng, dark=dark)
    shape = vehicle_shape(agent.variant, agent.style)
    swing = np.asarray(agent.door_open, float)
    return _joined(shape, door_solid(shape, swing)) if swing.any() and shape.door is not None else shape


@lru_cache(maxsize=128)
def _rigid_shape(variant: str, size_m: tuple[float, float, float], style: int, dark: bool) -> Shape:
    """Shapes of the same agents at another picture size are the same."""
    rng = numpy_rng("agent", variant, style)
    if variant == "motorbike":
        return motorcyclist_shape(size_m, rng, dark=dark)
    if variant == "signal":
        return signal_shape(size_m)
    return {"cone": cone_shape, "cargo_box": cargo_box_shape, "tyre": tyre_shape}[variant](size_m, rng)


def agent_colour(agent: Agent) -> np.ndarray:
    """The colour of the panels of a vehicle, ``(3,)`` float32 linear."""
    table = PANEL_TABLES.get(agent.variant, "car")
    rng = numpy_rng("panels", agent.variant, agent.style)
    return np.array(draw_colour(table, rng, weighted=table == "car"), np.float32)


def _joined(shape: Shape, part: Solid) -> Shape:
    """A shape with a moving part, over the frames of the part."""
    whole, frames = shape.solid, part.vertices.shape[0]
    spread = lambda values: np.broadcast_to(values, (frames, *values.shape[1:]))  # noqa: E731
    solid = Solid(
        np.concatenate([spread(whole.vertices), part.vertices], 1),
        np.concatenate([spread(whole.normals), part.normals], 1),
        np.concatenate([whole.triangles, part.triangles + whole.vertices.shape[1]]),
        whole.finishes + part.finishes,
        np.concatenate([whole.finish, part.finish + len(whole.finishes)]),
    )
    return Shape(solid, shape.size_m, shape.paint, shape.body_codes)

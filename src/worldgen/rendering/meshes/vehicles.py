"""Meshes of road vehicles: the table of all variants, and open doors."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Agent
from worldgen.rendering.meshes.bodywork import GLASS
from worldgen.rendering.meshes.cars import car, pickup, van
from worldgen.rendering.meshes.mesh import Mesh, MeshBuilder, Paint, Size
from worldgen.rendering.meshes.trucks import box_truck, bus, semi_truck

PER_FACE = ("counts", "colour", "layer", "detail", "lamp", "texture", "two_sided", "gloss", "carried")
"""Columns of a mesh that are joined without renumbering."""
BUILDERS = {"van": van, "pickup": pickup, "box_truck": box_truck, "semi_truck": semi_truck, "city_bus": bus}
"""Builders of the variants that are not passenger cars."""


def vehicle(variant: str, size_m: Size, rng: np.random.Generator) -> Mesh:
    """The mesh of a road vehicle of the given variant and size."""
    builder = MeshBuilder()
    build = BUILDERS.get(variant)
    if build is None:
        car(builder, variant, size_m, rng)
    else:
        build(builder, size_m, rng)
    return builder.build()


def add_door(mesh: Mesh, agent: Agent) -> Mesh:
    """The vehicle with its left front door open by ``agent.door_open`` ``(T,)`` (0 to 1).

    Unchanged if it never opens.
    """
    swing = np.asarray(agent.door_open, float)
    if not swing.any():
        return mesh
    length, width, height = agent.size_m
    hinge, reach, belt = 0.19 * length, 0.23 * length, 0.60 * height
    turn = swing * np.radians(68)
    frames = len(swing)
    along = np.stack([-np.cos(turn), np.sin(turn)], 1) * reach  # (T, 2)
    foot = np.array([hinge, width / 2 + 0.02])
    panels = ((0.18 * height, belt, 1.0), (belt, 0.93 * height, 0.86))
    blocks, builder = [], MeshBuilder()
    red, green, blue = np.median(mesh.colour[mesh.layer == 0], 0)
    for low, high, share in panels:
        near, far = np.broadcast_to(foot, (frames, 2)), foot + along * share
        blocks.append(
            np.stack(
                [
                    np.c_[near, np.full(frames, low)],
                    np.c_[far, np.full(frames, low)],
                    np.c_[far, np.full(frames, high)],
                    np.c_[near, np.full(frames, high)],
                ],
                1,
            )
        )
    builder.part().add(blocks[0], [range(4)], Paint((red, green, blue), two_sided=True))
    builder.add(blocks[1], [range(4)], Paint(GLASS.colour, two_sided=True, gloss=0.3))
    door = builder.build()
    return Mesh(
        vertices=np.concatenate([np.broadcast_to(mesh.vertices, (frames, *mesh.vertices.shape[1:])), door.vertices], 1),
        flat=np.concatenate([mesh.flat, door.flat + mesh.vertices.shape[1]]),
        part=np.concatenate([mesh.part, np.full(len(door.part), mesh.part.max() + 1)]),
        **{name: np.concatenate([getattr(mesh, name), getattr(door, name)]) for name in PER_FACE},
    )  # fmt: skip

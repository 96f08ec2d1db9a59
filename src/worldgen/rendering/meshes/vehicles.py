"""The table of all vehicles, and their doors."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Agent
from worldgen.rendering.meshes.bodywork import GLASS
from worldgen.rendering.meshes.cars import car, pickup, van
from worldgen.rendering.meshes.mesh import Mesh, MeshBuilder, Paint
from worldgen.rendering.meshes.trucks import box_truck, bus, semi_truck

MAKERS = {"van": van, "pickup": pickup, "box_truck": box_truck, "semi_truck": semi_truck, "city_bus": bus}
"""Makers of variants that are not passenger cars."""


def vehicle(variant: str, size_m: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A road vehicle of the given variant, stretched to ``size_m`` (length, width, height in metres)."""
    builder = MeshBuilder()
    maker = MAKERS.get(variant)
    if maker is None:
        car(builder, variant, size_m, rng)
    else:
        maker(builder, size_m, rng)
    return builder.build()


def add_door(mesh: Mesh, agent: Agent) -> Mesh:
    """The vehicle with its left front door swung out by ``agent.door_open`` (0 to 1) over the frames, where it opens at all."""
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
    colour = tuple(np.median(mesh.colour[mesh.layer == 0], 0))
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
    builder.part().add(blocks[0], [range(4)], Paint(colour, two_sided=True))
    builder.add(blocks[1], [range(4)], Paint(GLASS.colour, two_sided=True, gloss=0.3))
    door = builder.build()
    return Mesh(
        vertices=np.concatenate([np.broadcast_to(mesh.vertices, (frames, *mesh.vertices.shape[1:])), door.vertices], 1),
        flat=np.concatenate([mesh.flat, door.flat + mesh.vertices.shape[1]]),
        part=np.concatenate([mesh.part, np.full(len(door.part), mesh.part.max() + 1)]),
        **{name: np.concatenate([getattr(mesh, name), getattr(door, name)]) for name in ("counts", "colour", "layer", "detail", "lamp", "texture", "two_sided", "gloss")},
    )  # fmt: skip

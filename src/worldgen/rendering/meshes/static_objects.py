"""Meshes of static objects: the table of all kinds, and poles, signal posts and bollards."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from worldgen.core.seeds import numpy_rng
from worldgen.rendering.meshes import props
from worldgen.rendering.meshes.buildings import building
from worldgen.rendering.meshes.mesh import Mesh, MeshBuilder, Paint, Size, srgb
from worldgen.rendering.meshes.plants import hedge, tree

UNIT_TREE_M, UNIT_BUSH_M = (4.0, 4.0, 8.0), (1.4, 1.4, 1.1)
NUM_VARIANTS = {
    "tree": 24,
    "bush": 8,
    "fence": 6,
    "sign": 16,
    "bin": 8,
    "hedge": 12,
    "construction_sign": 1,
    "building": 1 << 31,
}
"""Number of variants of a kind; kinds that are not listed have one."""


def static_mesh(kind: str, size_m: Size, style: int) -> Mesh:
    """The mesh of a static object in its own axes (foot at the origin, m). style: chooses the variant."""
    variant = style % NUM_VARIANTS.get(kind, 1)
    if kind == "building":
        return _build_mesh(kind, size_m, variant)
    if kind not in ("tree", "bush"):
        length, width, height = (round(v, 2) for v in size_m)
        return _cached_mesh(kind, (length, width, height), variant)
    # Trees and bushes are a few cached meshes, scaled to size.
    unit = UNIT_TREE_M if kind == "tree" else UNIT_BUSH_M
    mesh = _cached_mesh(kind, unit, variant)
    spread = max(size_m[0], size_m[1], 0.45 * size_m[2]) if kind == "tree" else max(size_m[:2])
    return replace(mesh, vertices=mesh.vertices * (spread / unit[0], spread / unit[0], size_m[2] / unit[2]))


@lru_cache(maxsize=1024)
def _cached_mesh(kind: str, size: Size, variant: int) -> Mesh:
    return _build_mesh(kind, size, variant)


def _build_mesh(kind: str, size: Size, variant: int) -> Mesh:
    builder = MeshBuilder()
    rng = numpy_rng("static", kind, variant)
    builders = {
        "building": lambda: building(builder, size, rng), "tree": lambda: tree(builder, size, rng),
        "bush": lambda: hedge(builder, size, rng, clipped=False),
        "hedge": lambda: hedge(builder, size, rng, clipped=True), "pole": lambda: _pole(builder, size),
        "street_lamp": lambda: props.street_lamp(builder, size), "traffic_light": lambda: _signal_post(builder, size),
        "sign": lambda: props.sign(builder, size, rng),
        "construction_sign": lambda: props.construction_sign(builder, size, rng),
        "barrier": lambda: props.barrier(builder, size, striped=size[2] <= 1.05 and size[0] < 3.5),
        "guard_rail": lambda: props.guard_rail(builder, size), "fence": lambda: props.fence(builder, size, rng),
        "bus_stop": lambda: props.bus_stop(builder, size), "bollard": lambda: _bollard(builder, size),
        "bin": lambda: props.bin_(builder, size, rng),
    }  # fmt: skip
    builders[kind]()
    return builder.build()


def _pole(builder: MeshBuilder, size: Size) -> None:
    """A wooden pole with a cross-arm when tall, else a steel post."""
    wooden = size[2] > 5.0
    colour = srgb("#6b5a48") if wooden else props.DARK_METAL
    builder.part().tube((0, 0, 0), size[2], (0.11, 0.08), Paint(colour), sides=6)
    if wooden:
        builder.part().box((0, 0, size[2] * 0.92), (0.1, 1.6, 0.1), Paint(srgb("#5a4a3a")))


def _signal_post(builder: MeshBuilder, size: Size) -> None:
    """A traffic light on its post, facing -x."""
    foot = max(size[2] - 0.95, 0.5)
    builder.part().tube((0, 0, 0), foot, (0.07, 0.06), Paint(props.DARK_METAL), sides=6)
    props.signal_head(builder, (0, 0, foot), 0.95)


def _bollard(builder: MeshBuilder, size: Size) -> None:
    """A steel bollard with a white band."""
    builder.part().tube((0, 0, 0), size[2], (0.08, 0.07), Paint(srgb("#54595d")), sides=6)
    builder.part().tube((0, 0, size[2] * 0.78), 0.1, (0.085, 0.085), Paint(props.WHITE, detail=1), sides=6)

"""Which shape a static object has."""

from __future__ import annotations

from functools import lru_cache

from worldgen.rendering.meshes.static_objects import static_mesh
from worldgen.rendering.raycast.mesh_adapter import solid_of_mesh
from worldgen.rendering.shapes.roadside.building_shapes import building_shape
from worldgen.rendering.shapes.roadside.plant_shapes import BUSHES, TREES, bush_shape, hedge_shape, tree_shape
from worldgen.rendering.shapes.solid import Shape


def static_shape(kind: str, size_m: tuple[float, float, float], style: int) -> Shape:
    """The shape of a static object of one kind. Its ``size_m`` may differ: instances scale it."""
    if kind == "tree":
        return _plant(kind, style % TREES)
    if kind == "bush":
        return _plant(kind, style % BUSHES)
    length, width, height = (round(float(side), 2) for side in size_m)
    return _built(kind, (length, width, height), style)


@lru_cache(maxsize=64)
def _plant(kind: str, style: int) -> Shape:
    return tree_shape(style) if kind == "tree" else bush_shape(style)


@lru_cache(maxsize=512)
def _built(kind: str, size_m: tuple[float, float, float], style: int) -> Shape:
    if kind == "building":
        return building_shape(size_m, style)
    if kind == "hedge":
        return hedge_shape(size_m, style)
    return Shape(solid_of_mesh(static_mesh(kind, size_m, style)), size_m)

"""Which shape a static object has."""

from __future__ import annotations

from functools import lru_cache

from worldgen.rendering.shapes.roadside.building_shapes import building_shape
from worldgen.rendering.shapes.roadside.furniture import furniture_shape
from worldgen.rendering.shapes.roadside.plant_shapes import BUSHES, TREES, bush_shape, hedge_shape, tree_shape
from worldgen.rendering.shapes.solid import Shape


def static_shape(kind: str, size_m: tuple[float, float, float], style: int) -> Shape:
    """The shape of a static object of one kind. Its ``size_m`` may differ: instances scale it."""
    if kind == "tree":
        return _plant(kind, style % TREES)
    if kind == "bush":
        return _plant(kind, style % BUSHES)
    if kind not in ("building", "hedge"):
        return furniture_shape(kind, size_m, style)
    length, width, height = (round(float(side), 2) for side in size_m)
    return _built(kind, (length, width, height), style)


@lru_cache(maxsize=64)
def _plant(kind: str, style: int) -> Shape:
    return tree_shape(style) if kind == "tree" else bush_shape(style)


@lru_cache(maxsize=512)
def _built(kind: str, size_m: tuple[float, float, float], style: int) -> Shape:
    return building_shape(size_m, style) if kind == "building" else hedge_shape(size_m, style)

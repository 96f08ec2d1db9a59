"""Which shape a static object has."""

from __future__ import annotations

from functools import lru_cache

from worldgen.rendering.meshes.static_objects import static_mesh
from worldgen.rendering.raycast.mesh_adapter import solid_of_mesh
from worldgen.rendering.shapes.solid import Shape


@lru_cache(maxsize=512)
def static_shape(kind: str, size_m: tuple[float, float, float], style: int) -> Shape:
    """The shape of a static object of one kind."""
    return Shape(solid_of_mesh(static_mesh(kind, size_m, style)), size_m)

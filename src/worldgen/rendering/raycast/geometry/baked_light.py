"""How much sky and ground the surface of a rigid shape sees, and how it darkens the ground under it; baked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.raycast.geometry.ray_mesh import RayMesh
from worldgen.rendering.shapes.solid import Solid

DIRECTIONS = 32
"""Directions over the sphere, spread as a Fibonacci lattice."""
MARGIN_M = 1.6
"""The ground is darkened up to this far from the shape."""
CELLS_ALONG = 56
UNDER_BRIGHTNESS = 0.15
"""Light that comes back from ground below the shape itself, as a share of open ground."""


def sphere_directions(count: int) -> np.ndarray:
    """Unit directions ``(count, 3)`` float32 spread evenly. Source: R. Swinbank and R. J. Purser 2006."""
    number = np.arange(count) + 0.5
    up = 1 - 2 * number / count
    turn, flat = np.pi * (1 + 5**0.5) * number, np.sqrt(1 - up * up)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), up], -1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class BakedLight:
    """Ambient light of one shape.

    sky, ground: ``(V,)`` float32 cosine-weighted share of the sphere around each vertex that is open sky, and open
    ground; both together at most 1. contact: ``(rows, columns)`` float32 share of the sky that the ground around the
    shape sees, over x (columns) and y (rows). origin: x, y of its first cell, step: x, y of a cell (m).
    """

    sky: np.ndarray
    ground: np.ndarray
    contact: np.ndarray
    origin: tuple[float, float]
    step: tuple[float, float]


def bake(solid: Solid, mesh: RayMesh) -> BakedLight:
    """The ambient light of a solid (of its first frame) that ``mesh`` holds, both in the axes of the solid."""
    vertices, normals = solid.vertices[0], solid.normals[0]
    keys = np.round(np.concatenate([vertices * 100, normals * 8], 1)).astype(np.int32)
    _, chosen, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    points, facing = vertices[chosen], normals[chosen]
    low, high = vertices.min(0), vertices.max(0)
    sky, ground, weight = (np.zeros(len(points), np.float32) for _ in range(3))
    for direction in sphere_directions(DIRECTIONS):
        cosine = facing @ direction
        lit = np.flatnonzero(cosine > 0.02)
        start = points[lit] + 0.025 * facing[lit]
        free = ~mesh.blocked(start, np.broadcast_to(direction, start.shape)) * cosine[lit]
        weight[lit] += cosine[lit]
        if direction[2] > 0:
            sky[lit] += free
        else:
            foot = points[lit] + direction * (points[lit, 2:] / -direction[2])
            under = ((foot[:, :2] > low[:2]) & (foot[:, :2] < high[:2])).all(1)
            ground[lit] += free * np.where(under, UNDER_BRIGHTNESS, 1.0)
    weight = np.maximum(weight, 1e-6)
    inverse = inverse.reshape(-1)
    contact, origin, step = _contact(mesh, low, high)
    return BakedLight((sky / weight)[inverse], (ground / weight)[inverse], contact, origin, step)


def _contact(
    mesh: RayMesh, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, tuple[float, float], tuple[float, float]]:
    """The share of the sky that the ground sees: map, origin and step (m)."""
    spans = high[:2] - low[:2] + 2 * MARGIN_M
    step = np.maximum(spans / CELLS_ALONG, 0.06)
    columns, rows = (int(np.ceil(span / size)) + 1 for span, size in zip(spans, step, strict=True))
    x0, y0 = low[:2] - MARGIN_M
    x, y = np.meshgrid(x0 + step[0] * np.arange(columns), y0 + step[1] * np.arange(rows))
    points = np.stack([x, y, np.full_like(x, 0.01)], -1).reshape(-1, 3).astype(np.float32)
    seen, weight = np.zeros(len(points), np.float32), 0.0
    for direction in sphere_directions(DIRECTIONS):
        if direction[2] > 0.05:
            seen += direction[2] * ~mesh.blocked(points, np.broadcast_to(direction, points.shape))
            weight += float(direction[2])
    return (seen / weight).reshape(rows, columns), (float(x0), float(y0)), (float(step[0]), float(step[1]))

"""Flat-faced meshes as solids, for objects that have no shape of their own yet."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.meshes.mesh import Mesh
from worldgen.rendering.shapes.solid import LAMP_NAMES, Finish, Solid


def solid_of_mesh(mesh: Mesh) -> Solid:
    """The triangles of a mesh, with the normals of its faces; decals lie 4 mm above their base, layer by layer."""
    starts = np.concatenate([[0], np.cumsum(mesh.counts)[:-1]])
    kept = np.flatnonzero(mesh.detail >= 0)
    finishes: list[Finish] = []
    vertices, normals, triangles, numbers = [], [], [], []
    total = 0
    for face in kept:
        corners = mesh.flat[starts[face] : starts[face] + mesh.counts[face]]
        points = mesh.vertices[:, corners]
        normal = np.cross(points, np.roll(points, -1, 1)).sum(1)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        points = points + 0.004 * float(mesh.layer[face]) * normal[:, None]
        finish = Finish(
            (float(mesh.colour[face, 0]), float(mesh.colour[face, 1]), float(mesh.colour[face, 2])),
            gloss=float(min(mesh.gloss[face] * 3, 1.0)), lamp=LAMP_NAMES[int(mesh.lamp[face])],
            carried=bool(mesh.carried[face]),
        )  # fmt: skip
        if finish not in finishes:
            finishes.append(finish)
        count = len(corners)
        fan = np.stack([np.zeros(count - 2, int), np.arange(1, count - 1), np.arange(2, count)], 1) + total
        vertices.append(points)
        normals.append(np.broadcast_to(normal[:, None], points.shape))
        triangles.append(fan)
        numbers.append(np.full(count - 2, finishes.index(finish)))
        total += count
    return Solid(
        np.concatenate(vertices, 1).astype(np.float32), np.concatenate(normals, 1).astype(np.float32),
        np.concatenate(triangles).astype(np.int32), tuple(finishes), np.concatenate(numbers).astype(np.int32),
    )  # fmt: skip

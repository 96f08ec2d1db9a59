"""Triangles that rays are cast against, with Embree where it can be had."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from worldgen.rendering.raycast.geometry.numpy_bvh import NumpyBvh

EMBREE = importlib.util.find_spec("embreex") is not None
"""Whether Embree is installed; without it rays are cast in NumPy, with the same results and much slower."""


@dataclass(frozen=True, eq=False)
class FirstHits:
    """What M rays meet first.

    triangle: ``(M,)`` int32 numbers, -1 for none. distance: ``(M,)`` float32 in lengths of the direction, inf for none.
    u, v: ``(M,)`` float32 barycentric weights of the second and third corner.
    """

    triangle: np.ndarray
    distance: np.ndarray
    u: np.ndarray
    v: np.ndarray


class RayMesh:
    """Triangles in a bounding volume hierarchy.

    vertices: ``(V, 3)`` float32. triangles: ``(N, 3)`` int32. embree: default where it is installed. Source of the
    method: I. Wald et al. 2014, Embree.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray, *, embree: bool | None = None):
        self.num_triangles = len(triangles)
        self.embree = EMBREE if embree is None else embree
        if not self.num_triangles:
            return
        corners = np.ascontiguousarray(np.asarray(vertices, np.float32)[triangles])
        if not self.embree:
            self.tree = NumpyBvh(corners)
            return
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.scene = EmbreeScene()
        self.mesh = TriangleMesh(self.scene, corners)

    def first_hit(self, origins: np.ndarray, directions: np.ndarray) -> FirstHits:
        """What rays from ``origins`` ``(M, 3)`` along ``directions`` ``(M, 3)`` meet first."""
        count = len(directions)
        if not count or not self.num_triangles:
            none = np.zeros(count, np.float32)
            return FirstHits(np.full(count, -1, np.int32), np.full(count, np.inf, np.float32), none, none)
        if not self.embree:
            return FirstHits(*self.tree.cast(_ready(origins), _ready(directions), None, first=True))
        found = self.scene.run(_ready(origins), _ready(directions), output=1)
        triangle = found["primID"]
        distance = np.where(triangle >= 0, found["tfar"], np.float32(np.inf))
        return FirstHits(triangle, distance, found["u"], found["v"])

    def blocked(self, origins: np.ndarray, directions: np.ndarray, reach: np.ndarray | None = None) -> np.ndarray:
        """Whether rays meet anything, ``(M,)`` bool. reach: ``(M,)`` float32 lengths of the direction; None: no end."""
        count = len(directions)
        if not count or not self.num_triangles:
            return np.zeros(count, bool)
        if not self.embree:
            return self.tree.cast(_ready(origins), _ready(directions), reach, first=False)[0] >= 0
        limit = None if reach is None else np.ascontiguousarray(reach, np.float32)
        return self.scene.run(_ready(origins), _ready(directions), dists=limit, query="OCCLUDED") >= 0


def _ready(vectors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vectors, np.float32)

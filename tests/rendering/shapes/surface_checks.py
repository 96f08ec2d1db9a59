"""Checks that hold for the surface of every solid."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from worldgen.rendering.shapes.solid import Solid


def check_surface(solid: Solid, *, disagree: float = 0.01) -> None:
    """Normals are unit vectors on the side of the triangles' fronts; closed pieces have their fronts outside.

    disagree: largest share of the area whose normals point to the other side (sharp creases have some).
    """
    assert np.isfinite(solid.vertices).all() and np.isfinite(solid.normals).all()
    assert solid.triangles.min() >= 0 and solid.triangles.max() < solid.vertices.shape[1]
    assert len(solid.finish) == len(solid.triangles) and solid.finish.max() < len(solid.finishes)
    for vertices, normals in zip(solid.vertices, solid.normals, strict=True):
        a, b, c = (vertices[solid.triangles[:, k]].astype(float) for k in range(3))
        flat = np.cross(b - a, c - a)
        area = np.linalg.norm(flat, axis=1)
        used = area > 1e-9
        mean = normals[solid.triangles].astype(float).sum(1)
        assert np.abs(np.linalg.norm(normals[solid.triangles[used]], axis=-1) - 1).max() < 1e-3
        wrong = used & ((flat * mean).sum(1) < 0)
        assert area[wrong].sum() < disagree * area.sum(), area[wrong].sum() / area.sum()
    for volume in piece_volumes(solid):
        assert volume > 0, volume


def piece_volumes(solid: Solid, frame: int = 0) -> list[float]:
    """Signed volumes (m3) of the closed pieces: vertices at one place are one, and every edge has two triangles."""
    vertices = solid.vertices[frame].astype(float)
    _, place = np.unique(np.round(vertices * 1e5).astype(np.int64), axis=0, return_inverse=True)
    count = len(vertices)
    edges = np.concatenate([solid.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    links = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    _, piece = connected_components(links, directed=False)
    corners = place.reshape(-1)[solid.triangles]
    whole = (corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]) & (corners[:, 2] != corners[:, 0])
    volumes = []
    for number in np.unique(piece[solid.triangles[:, 0]]):
        own = np.flatnonzero((piece[solid.triangles[:, 0]] == number) & whole)
        ends = np.concatenate([corners[own][:, [i, (i + 1) % 3]] for i in range(3)])
        _, times = np.unique(np.sort(ends, 1), axis=0, return_counts=True)
        if len(own) and (times == 2).all():
            p = vertices[solid.triangles[own]] - vertices[solid.triangles[own[0], 0]]
            volumes.append(float((p[:, 0] * np.cross(p[:, 1], p[:, 2])).sum() / 6))
    return volumes

"""Rays meet triangles where arithmetic says, with Embree and without."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.rendering.raycast.geometry.ray_mesh import EMBREE, RayMesh

WAYS = [pytest.param(True, marks=pytest.mark.skipif(not EMBREE, reason="embreex is not installed")), False]
SQUARE = np.array([(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0)], np.float32)
HALVES = np.array([(0, 1, 2), (0, 2, 3)])


@pytest.mark.parametrize("embree", WAYS)
def test_a_ray_down_on_a_square(embree) -> None:
    mesh = RayMesh(SQUARE, HALVES, embree=embree)
    origins = np.array([(1.5, 0.5, 3.0), (0.5, 1.5, 3.0), (5.0, 0.5, 3.0), (1.5, 0.5, -1.0)], np.float32)
    hits = mesh.first_hit(origins, np.tile(np.float32([0, 0, -2.0]), (4, 1)))
    np.testing.assert_array_equal(hits.triangle, [0, 1, -1, -1])
    np.testing.assert_allclose(hits.distance, [1.5, 1.5, np.inf, np.inf], rtol=1e-5)
    # Corner a + u (b - a) + v (c - a) is where the ray meets the triangle.
    corners = SQUARE[HALVES[hits.triangle[:2]]]
    u, v = hits.u[:2, None], hits.v[:2, None]
    place = corners[:, 0] * (1 - u - v) + corners[:, 1] * u + corners[:, 2] * v
    np.testing.assert_allclose(place[:, :2], origins[:2, :2], atol=1e-5)


@pytest.mark.parametrize("embree", WAYS)
def test_what_lies_beyond_the_reach_does_not_block(embree) -> None:
    mesh = RayMesh(SQUARE, HALVES, embree=embree)
    origins, down = np.full((3, 3), 1.0, np.float32), np.tile(np.float32([0, 0, -1.0]), (3, 1))
    np.testing.assert_array_equal(mesh.blocked(origins, down, np.float32([0.5, 0.9, 1.1])), [False, False, True])
    np.testing.assert_array_equal(mesh.blocked(origins, -down), [False] * 3)


@pytest.mark.parametrize("embree", WAYS)
def test_no_triangles_and_no_rays(embree) -> None:
    none = RayMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), int), embree=embree)
    ray = np.ones((1, 3), np.float32)
    assert none.first_hit(ray, ray).triangle.tolist() == [-1] and not none.blocked(ray, ray).any()
    some = RayMesh(SQUARE, HALVES, embree=embree)
    assert len(some.first_hit(ray[:0], ray[:0]).triangle) == 0


@pytest.mark.skipif(not EMBREE, reason="embreex is not installed")
def test_both_ways_meet_the_same_triangles() -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(-5, 5, (400, 1, 3))
    corners = (centres + rng.normal(0, 0.6, (400, 3, 3))).astype(np.float32)
    vertices, triangles = corners.reshape(-1, 3), np.arange(1200).reshape(-1, 3)
    origins = rng.uniform(-6, 6, (3000, 3)).astype(np.float32)
    directions = rng.normal(0, 1, (3000, 3)).astype(np.float32)
    fast, slow = (RayMesh(vertices, triangles, embree=way).first_hit(origins, directions) for way in (True, False))
    same = fast.triangle == slow.triangle
    assert same.mean() >= 0.999 and 0.2 < (fast.triangle >= 0).mean() < 0.98
    met = same & (fast.triangle >= 0)
    np.testing.assert_allclose(fast.distance[met], slow.distance[met], rtol=1e-3, atol=1e-3)
    reach = rng.uniform(0, 5, 3000).astype(np.float32)
    shadows = [RayMesh(vertices, triangles, embree=way).blocked(origins, directions, reach) for way in (True, False)]
    assert (shadows[0] == shadows[1]).mean() >= 0.999

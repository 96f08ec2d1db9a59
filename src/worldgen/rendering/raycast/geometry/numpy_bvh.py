"""Ray casting without Embree: a bounding volume hierarchy in NumPy, for machines that Embree has no wheel for.

All rays visit a node together, so the cost in Python is per node and not per ray. Pictures take about ten times as long
as with Embree.
"""

from __future__ import annotations

import numpy as np

LEAF_TRIANGLES = 16
TINY = 1e-12


class NumpyBvh:
    """Triangles ``(N, 3, 3)`` in a tree of boxes, split in the middle of the longest side of their centres."""

    def __init__(self, corners: np.ndarray):
        self.corners = np.asarray(corners, np.float32)
        low, high = self.corners.min(1), self.corners.max(1)
        centre = (low + high) / 2
        self.low: list[np.ndarray] = []
        self.high: list[np.ndarray] = []
        self.children: list[tuple[int, int] | None] = []
        self.members: list[np.ndarray] = []
        self._add(np.arange(len(self.corners)), low, high, centre)

    def _add(self, members: np.ndarray, low: np.ndarray, high: np.ndarray, centre: np.ndarray) -> int:
        number = len(self.low)
        self.low.append(low[members].min(0))
        self.high.append(high[members].max(0))
        self.children.append(None)
        self.members.append(members)
        if len(members) > LEAF_TRIANGLES:
            axis = int(np.ptp(centre[members], axis=0).argmax())
            order = members[np.argsort(centre[members, axis], kind="stable")]
            half = len(order) // 2
            left = self._add(order[:half], low, high, centre)
            right = self._add(order[half:], low, high, centre)
            self.children[number] = (left, right)
        return number

    def cast(
        self, origins: np.ndarray, directions: np.ndarray, reach: np.ndarray | None, *, first: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Triangle (-1: none), distance, u and v of each of M rays, ``(M,)``; any hit will do unless ``first``.

        Distances are in lengths of the direction. Source of the triangle test: T. Moeller and B. Trumbore 1997.
        """
        count = len(directions)
        best = np.full(count, np.inf, np.float32) if reach is None else reach.astype(np.float32).copy()
        triangle = np.full(count, -1, np.int32)
        u, v = np.zeros(count, np.float32), np.zeros(count, np.float32)
        with np.errstate(divide="ignore"):
            inverse = np.where(np.abs(directions) < TINY, np.float32(np.inf), 1.0 / directions).astype(np.float32)
        stack = [(0, np.arange(count))]
        while stack:
            node, rays = stack.pop()
            if not first:
                rays = rays[triangle[rays] < 0]
            with np.errstate(invalid="ignore"):
                a = (self.low[node] - origins[rays]) * inverse[rays]
                b = (self.high[node] - origins[rays]) * inverse[rays]
            enter = np.nan_to_num(np.fmin(a, b), nan=-np.inf, posinf=np.inf, neginf=-np.inf).max(1)
            leave = np.nan_to_num(np.fmax(a, b), nan=np.inf, posinf=np.inf, neginf=-np.inf).min(1)
            rays = rays[(leave >= np.maximum(enter, 0.0) * 0.9999) & (enter <= best[rays])]
            if not len(rays):
                continue
            children = self.children[node]
            if children is not None:
                stack += [(children[0], rays), (children[1], rays)]
                continue
            self._leaf(self.members[node], rays, origins, directions, (best, triangle, u, v))
        return triangle, np.where(triangle >= 0, best, np.float32(np.inf)), u, v

    def _leaf(
        self, members: np.ndarray, rays: np.ndarray, origins: np.ndarray, directions: np.ndarray,
        found: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    ) -> None:  # fmt: skip
        """Test rays against the triangles of a leaf and keep nearer hits in ``found``, in place."""
        best, triangle, u, v = found
        a = self.corners[members, 0]
        first, second = self.corners[members, 1] - a, self.corners[members, 2] - a
        direction = directions[rays][:, None]
        p = _cross(direction, second[None])
        offset = origins[rays][:, None] - a[None]
        q = _cross(offset, first[None])
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / np.einsum("mlc,lc->ml", p, first)
            x, y = np.einsum("mlc,mlc->ml", p, offset) * inverse, np.einsum("mlc,moc->ml", q, direction) * inverse
            distance = np.einsum("mlc,lc->ml", q, second) * inverse
            hit = (x >= 0) & (y >= 0) & (x + y <= 1) & (distance > 0)
        distance = np.where(hit, distance, np.inf)
        nearest = distance.argmin(1)
        row = np.arange(len(rays))
        closer = distance[row, nearest] < best[rays]
        row, nearest, rows = row[closer], nearest[closer], rays[closer]
        best[rows], triangle[rows] = distance[row, nearest], members[nearest]
        u[rows], v[rows] = x[row, nearest], y[row, nearest]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products; ``np.cross`` is several times slower."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        -1,
    )

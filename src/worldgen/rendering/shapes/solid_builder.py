"""Builds solids from grids, boxes, ellipsoids, capsules, rings and lathed bodies; each may move from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from worldgen.rendering.shapes.solid import Finish, Solid


def turn_x(angle_rad: float) -> np.ndarray:
    """Rotation ``(3, 3)`` about x (forward): positive tips the left side up."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(angle_rad: float) -> np.ndarray:
    """Rotation ``(3, 3)`` about y (left): positive tips the top forward."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def turn_z(angle_rad: float) -> np.ndarray:
    """Rotation ``(3, 3)`` about z (up): positive turns left."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of vectors ``(..., 3)``; several times as fast as NumPy's for few vectors."""
    (ax, ay, az), (bx, by, bz) = (a[..., k] for k in range(3)), (b[..., k] for k in range(3))
    out = np.empty((*np.broadcast_shapes(a.shape, b.shape),))
    np.subtract(ay * bz, az * by, out=out[..., 0])
    np.subtract(az * bx, ax * bz, out=out[..., 1])
    np.subtract(ax * by, ay * bx, out=out[..., 2])
    return out


def _slope(points: np.ndarray, axis: int) -> np.ndarray:
    """Differences of neighbours along an axis: central inside, one-sided at the ends."""
    points = points.swapaxes(axis, 0)
    out = np.empty_like(points)
    np.subtract(points[2:], points[:-2], out=out[1:-1])
    out[1:-1] /= 2
    out[0], out[-1] = points[1] - points[0], points[-1] - points[-2]
    return out.swapaxes(axis, 0)


def _next(values: np.ndarray, axis: int, step: int) -> np.ndarray:
    """The values one place further on (step 1) or back (step -1) along an axis whose end joins its start."""
    cut = 1 if step > 0 else -1
    return np.concatenate(np.split(values, [cut], axis)[::-1], axis)


def superellipse(value: np.ndarray, power: float) -> np.ndarray:
    """``value`` (a cosine or sine) bent from a circle (power 2) towards a square (larger powers)."""
    return np.sign(value) * np.abs(value) ** (2.0 / power)


BOX_CORNERS = np.array([
    [(-1, -1, -1), (-1, 1, -1), (1, 1, -1), (1, -1, -1)], [(-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)],
    [(-1, -1, -1), (1, -1, -1), (1, -1, 1), (-1, -1, 1)], [(1, 1, -1), (-1, 1, -1), (-1, 1, 1), (1, 1, 1)],
    [(1, -1, -1), (1, 1, -1), (1, 1, 1), (1, -1, 1)], [(-1, 1, -1), (-1, -1, -1), (-1, -1, 1), (-1, 1, 1)],
], float)  # fmt: skip
"""Corners ``(6, 4, 3)`` of the faces of a box, counter-clockwise seen from outside."""
BOX_TRIANGLES = (4 * np.arange(6)[:, None, None] + np.array([(0, 1, 2), (0, 2, 3)])).reshape(-1, 3)


@dataclass
class SolidBuilder:
    """Collects the pieces of a solid. Points are in metres: ``(3,)``, or ``(T, 3)`` for parts that move."""

    vertices: list[np.ndarray] = field(default_factory=list)
    normals: list[np.ndarray] = field(default_factory=list)
    triangles: list[np.ndarray] = field(default_factory=list)
    finish: list[np.ndarray] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)
    num_vertices: int = 0

    def add(self, vertices: np.ndarray, normals: np.ndarray, triangles: np.ndarray, finish: Finish) -> None:
        """Add triangles ``(N, 3)`` over vertices ``(V, 3)`` or ``(T, V, 3)`` with normals of the same shape."""
        vertices, normals = np.asarray(vertices, np.float32), np.asarray(normals, np.float32)
        if vertices.ndim == 2:
            vertices, normals = vertices[None], normals[None]
        if finish not in self.finishes:
            self.finishes.append(finish)
        self.vertices.append(vertices)
        self.normals.append(normals)
        self.triangles.append(np.asarray(triangles, np.int32) + self.num_vertices)
        self.finish.append(np.full(len(triangles), self.finishes.index(finish), np.int32))
        self.num_vertices += vertices.shape[1]

    def grid(self, points: np.ndarray, finish: Finish, *, closed: bool = False, flip: bool = False) -> None:
        """A smooth sheet through ``(A, B, 3)`` or ``(T, A, B, 3)`` points.

        The outside is the side of the cross product of the directions along A and B; ``flip`` turns it. closed: whether
        the last column joins the first. Rows that shrink to a point take the mean normal of the row beside them.
        """
        points = np.asarray(points, float)
        points = points[None] if points.ndim == 3 else points
        rows, columns = points.shape[1:3]
        across = _next(points, 2, 1) - _next(points, 2, -1) if closed else _slope(points, 2)
        normals = cross(_slope(points, 1), across)
        length = np.sqrt(np.square(normals).sum(-1, keepdims=True))
        normals = np.where(length > 1e-10, normals / np.maximum(length, 1e-12), 0.0)
        for row, beside in ((0, 1), (rows - 1, rows - 2)):
            empty = length[:, row, :, 0] <= 1e-10
            if empty.any():
                mean = normals[:, beside].mean(1, keepdims=True)
                mean = mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-12)
                normals[:, row] = np.where(empty[..., None], mean, normals[:, row])
        number = np.arange(rows * columns).reshape(rows, columns)
        right = _next(number, 1, 1) if closed else number[:, 1:]
        left = number if closed else number[:, :-1]
        a, b, c, d = left[:-1], right[:-1], right[1:], left[1:]
        triangles = np.concatenate([np.stack([a, d, c], -1).reshape(-1, 3), np.stack([a, c, b], -1).reshape(-1, 3)])
        if flip:
            normals, triangles = -normals, triangles[:, ::-1]
        frames = points.shape[0]
        self.add(points.reshape(frames, -1, 3), normals.reshape(frames, -1, 3), triangles, finish)

    def box(
        self, centre: Sequence[float], size: Sequence[float], finish: Finish, *, turn: np.ndarray | None = None,
        cells_m: float = 0.0, taper: float = 1.0,
    ) -> None:  # fmt: skip
        """A box with sharp edges. turn: rotation ``(3, 3)`` about its centre. taper: scale of length and width on top.

        cells_m: largest side of its cells, 0 for one cell a face; baked light is stored at vertices, so large faces
        near other parts want cells.
        """
        half = np.asarray(size, float) / 2
        if cells_m <= 0:
            points = BOX_CORNERS * half
            points[..., :2] *= np.where(points[..., 2:] > 0, taper, 1.0)
            if turn is not None:
                points = points @ turn.T
            normals = cross(points[:, 1] - points[:, 0], points[:, 3] - points[:, 0])
            normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
            normals = np.repeat(normals, 4, 0)
            self.add(points.reshape(-1, 3) + np.asarray(centre, float), normals, BOX_TRIANGLES, finish)
            return
        for axis in range(3):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            steps = [2 if cells_m <= 0 else min(12, int(np.ceil(2 * half[k] / cells_m)) + 1) for k in (u, v)]
            for side in (-1.0, 1.0):
                a, b = np.meshgrid(np.linspace(-1, 1, steps[0]), np.linspace(-1, 1, steps[1]), indexing="ij")
                points = np.empty((*a.shape, 3))
                points[..., axis], points[..., u], points[..., v] = side, a, b
                points = points * half
                points[..., :2] *= np.where(points[..., 2:] > 0, taper, 1.0)
                if turn is not None:
                    points = points @ turn.T
                self.grid(points + np.asarray(centre, float), finish, flip=side < 0)

    def ellipsoid(
        self, centre: np.ndarray | Sequence[float], radii: np.ndarray | Sequence[float], finish: Finish, *,
        turn: np.ndarray | None = None, power: float = 2.0, sides: int = 14, bands: int = 9,
    ) -> None:  # fmt: skip
        """A superellipsoid. centre: ``(3,)`` or ``(T, 3)``. turn: ``(3, 3)`` or ``(T, 3, 3)``. power: 2 is round.

        Source: A. H. Barr 1981, superquadrics.
        """
        up = np.linspace(-np.pi / 2, np.pi / 2, bands)[:, None]
        round_ = np.linspace(0, 2 * np.pi, sides, endpoint=False)[None]
        cos_up = superellipse(np.cos(up), power)
        points = np.stack(
            [
                cos_up * superellipse(np.cos(round_), power),
                cos_up * superellipse(np.sin(round_), power),
                superellipse(np.sin(up), power) + 0 * round_,
            ],
            -1,
        ) * np.asarray(radii, float)
        points = points[None]
        if turn is not None:
            turn = turn[None] if turn.ndim == 2 else turn
            points = np.einsum("tabk,tjk->tabj", np.broadcast_to(points, (len(turn), *points.shape[1:])), turn)
        self.grid(np.atleast_2d(np.asarray(centre, float))[:, None, None] + points, finish, closed=True, flip=True)

    def capsule(
        self, start: np.ndarray | Sequence[float], end: np.ndarray | Sequence[float], radii: tuple[float, float],
        finish: Finish, *, sides: int = 10, flatten: float = 1.0, middle: float | None = None,
    ) -> None:  # fmt: skip
        """A tapered limb with round ends from ``start`` to ``end``, each ``(3,)`` or ``(T, 3)``.

        radii: at start and end. flatten: scale of its thickness along x (forward) against y. middle: radius half way.
        """
        start, end = np.atleast_2d(np.asarray(start, float)), np.atleast_2d(np.asarray(end, float))
        start, end = np.broadcast_arrays(start, end)
        along = end - start
        length = np.linalg.norm(along, axis=-1, keepdims=True)
        along = along / np.maximum(length, 1e-9)
        helper = np.where(np.abs(along[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
        first = cross(helper, along)
        first /= np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-9)
        second = cross(along, first)
        cap = np.linspace(-np.pi / 2, 0, 4)
        a, b = radii
        half = (a + b) / 2 if middle is None else middle
        profile = [(0.0, a * np.sin(q), a * np.cos(q)) for q in cap]
        profile += [(0.3, 0.0, 0.4 * a + 0.6 * half), (0.5, 0.0, half), (0.7, 0.0, 0.4 * b + 0.6 * half)]
        profile += [(1.0, b * np.sin(-q), b * np.cos(q)) for q in cap[::-1]]
        share, offset, radius = np.array(profile).T
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        spine = start[:, None] + along[:, None] * (share * length + offset)[..., None]
        around = np.cos(angle)[:, None] * first[:, None] * flatten + np.sin(angle)[:, None] * second[:, None]
        self.grid(spine[:, :, None] + radius[:, None, None] * around[:, None], finish, closed=True, flip=True)

    def ring(
        self, centre: Sequence[float], radii: tuple[float, float], finish: Finish, *, sides: int = 28, tube: int = 8,
        turn: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """A torus that stands in the x-z plane. radii: of the ring and of its tube. turn: rotation about its centre."""
        u = np.linspace(0, 2 * np.pi, sides + 1)[:, None]
        w = np.linspace(0, 2 * np.pi, tube, endpoint=False)[None]
        big, small = radii
        points = np.stack(
            [(big + small * np.cos(w)) * np.cos(u), small * np.sin(w) + 0 * u, (big + small * np.cos(w)) * np.sin(u)],
            -1,
        )
        if turn is not None:
            points = points @ turn.T
        self.grid(points + np.asarray(centre, float), finish, closed=True, flip=True)

    def lathe(
        self, centre: Sequence[float], profile: Sequence[tuple[float, float]], finish: Finish, *, axis: str = "y",
        side: float = 1.0, sides: int = 28,
    ) -> None:  # fmt: skip
        """A body of revolution about ``axis`` ("y" or "z") through ``centre``.

        profile: (offset along the axis, radius) of each ring, from the inner to the outer end; ``side`` -1 mirrors it.
        """
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        offset, radius = np.array(profile, float).T
        a, b = radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle)
        o = np.broadcast_to(side * offset[:, None], a.shape)
        points = np.stack([a, o, b] if axis == "y" else [a, b, o], -1)
        flip = (side < 0) if axis == "y" else (side > 0)
        self.grid(points + np.asarray(centre, float), finish, closed=True, flip=flip)

    def build(self) -> Solid:
        """The finished solid; its number of frames is that of the parts that move, else 1."""
        frames = max(block.shape[0] for block in self.vertices)

        def spread(blocks: list[np.ndarray]) -> np.ndarray:
            return np.concatenate([np.broadcast_to(b, (frames, *b.shape[1:])) for b in blocks], 1)

        return Solid(
            spread(self.vertices), spread(self.normals), np.concatenate(self.triangles), tuple(self.finishes),
            np.concatenate(self.finish),
        )  # fmt: skip

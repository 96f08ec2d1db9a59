"""Patches: convex areas of a surface with a finish of their own, and the paint that puts them on per hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.solid import LAMP_CODES, Finish, Surface

VIEWS = {
    "side": (0, 2, 1, 0), "front": (1, 2, 0, 1), "rear": (1, 2, 0, -1), "top": (0, 1, 2, 1), "bottom": (0, 1, 2, -1),
}  # fmt: skip
"""View -> axes of u and v, axis of sight, and side of the surface that is seen (0: both)."""
FACING_SOFT = 0.1
"""Width of the fade of patches where the surface turns away, in units of the normal."""
SHARPEST_M = 0.004
"""Smallest width of an edge."""
CHUNK = 2048
"""Hits that are compared with all patches at once; larger tables leave the cache of the processor."""


@dataclass(frozen=True, eq=False)
class SurfacePatch:
    """A convex polygon on the surface, seen along an axis.

    view: one of ``VIEWS``. Views from the side see both sides as one, views from the front, rear and top the left and
    right half as one: u or v is \\|y\\|. edges: ``(K, 3)`` half planes a u + b v + c <= 0 inside. bounds: u and v from
    and to. shape: area, perimeter and corner term of its area when its edges move out. side: 1 left half only, -1
    right half only, 0 both. facing: smallest part of the normal along the view. span: from and to along the axis of
    sight. opacity: share that it covers.
    """

    view: str
    edges: np.ndarray
    bounds: tuple[float, float, float, float]
    shape: tuple[float, float, float]
    finish: Finish
    side: int = 0
    facing: float = 0.35
    span: tuple[float, float] = (-np.inf, np.inf)
    opacity: float = 1.0


def polygon_patch(
    view: str,
    corners: Sequence[Sequence[float]] | np.ndarray,
    finish: Finish,
    *,
    round_m: float = 0.0,
    side: int = 0,
    facing: float = 0.35,
    span: tuple[float, float] = (-np.inf, np.inf),
    opacity: float = 1.0,
) -> SurfacePatch:
    """A patch from the corners (u, v) of a convex polygon in metres. round_m: length cut off at every corner."""
    points = _hull(np.asarray(corners, float))
    if round_m > 0:
        points = _chamfered(points, round_m)
    way = np.roll(points, -1, 0) - points
    length = np.hypot(*way.T)
    outward = np.stack([way[:, 1], -way[:, 0]], 1) / length[:, None]
    edges = np.concatenate([outward, -(outward * points).sum(1, keepdims=True)], 1).astype(np.float32)
    area = 0.5 * np.sum(points[:, 0] * np.roll(points[:, 1], -1) - np.roll(points[:, 0], -1) * points[:, 1])
    turn = np.arccos(np.clip((outward * np.roll(outward, 1, 0)).sum(1), -1, 1))
    (u0, v0), (u1, v1) = points.min(0), points.max(0)
    shape = (float(area), float(length.sum()), float(np.tan(turn / 2).sum()))
    return SurfacePatch(view, edges, (u0, u1, v0, v1), shape, finish, side, facing, span, opacity)


def box_patch(view: str, u: tuple[float, float], v: tuple[float, float], finish: Finish, **options) -> SurfacePatch:
    """A rectangle from and to along u and v; options as of :func:`polygon_patch`."""
    return polygon_patch(view, [(u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])], finish, **options)


def _hull(points: np.ndarray) -> np.ndarray:
    """The convex hull, counter-clockwise, without corners that lie on its sides."""
    order = points[np.lexsort((points[:, 1], points[:, 0]))]

    def chain(rows: np.ndarray) -> list[np.ndarray]:
        kept: list[np.ndarray] = []
        for row in rows:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-1] - kept[-2], row - kept[-2]
                if ax * by - ay * bx > 1e-7:
                    break
                kept.pop()
            kept.append(row)
        return kept

    return np.array(chain(order)[:-1] + chain(order[::-1])[:-1])


def _chamfered(points: np.ndarray, length_m: float) -> np.ndarray:
    """The polygon with each corner replaced by two points, ``length_m`` or less along its sides."""
    cut = []
    for k, corner in enumerate(points):
        for other in (points[k - 1], points[(k + 1) % len(points)]):
            way = other - corner
            length = np.hypot(*way)
            cut.append(corner + way * min(length_m / length, 0.45))
    return np.array(cut)


@dataclass(frozen=True, eq=False)
class WheelFaces:
    """Where the wheels of a vehicle are and what their rims look like.

    places: ``(W, 2)`` x and radius of the tyre. spokes: number of spokes, 0 for a steel disc with holes. code: of the
    finish of rims.
    """

    code: int
    places: np.ndarray
    spokes: int = 5


class PatchPaint:
    """Paints patches on the surfaces of a vehicle, later ones over earlier ones, and the spokes of its wheels."""

    def __init__(self, patches: Mapping[int, Sequence[SurfacePatch]], wheels: WheelFaces | None = None):
        """patches: code of a finish -> patches on it."""
        self.patches = {code: tuple(group) for code, group in patches.items()}
        self.tables = {code: _PatchTable(group) for code, group in self.patches.items() if group}
        self.wheels = wheels

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Change ``surface`` in place; see :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        for number, table in self.tables.items():
            chosen = np.flatnonzero(code == number)
            for start in range(0, len(chosen), CHUNK):
                rows = chosen[start : start + CHUNK]
                size = np.maximum(footprint_m[rows], np.float32(SHARPEST_M))
                table.paint(surface, rows, points_m.take(rows, 0), normals.take(rows, 0), size)
        if self.wheels is not None:
            chosen = np.flatnonzero(code == self.wheels.code)
            if len(chosen):
                _paint_rims(surface, self.wheels, chosen, points_m, footprint_m)


class _PatchTable:
    """P patches that are painted together: each hit is compared with all, and what a patch covers becomes a pair."""

    def __init__(self, patches: Sequence[SurfacePatch]):
        patches = [p for view in VIEWS for p in patches if p.view == view]
        self.views = [p.view for p in patches]
        most = max(len(p.edges) for p in patches)
        self.edges = np.array([p.edges[np.arange(most) % len(p.edges)] for p in patches], np.float32)
        # What the points of a patch lie between: u, v and depth from and to, and the least facing.
        limits = [(*p.bounds, *p.span, p.facing - FACING_SOFT / 2) for p in patches]
        self.limits = np.array(limits, np.float32)
        self.area, self.perimeter, self.corners = np.array([p.shape for p in patches], np.float32).T
        root = np.maximum(self.perimeter**2 - 4 * self.corners * self.area, 0)
        self.depth = 2 * self.area / (self.perimeter + np.sqrt(root))
        self.facing = np.array([p.facing for p in patches], np.float32)
        self.opacity = np.array([p.opacity for p in patches], np.float32)
        self.side = np.array([p.side for p in patches])
        finishes = [p.finish for p in patches]
        self.colour = np.array([f.colour for f in finishes], np.float32)
        self.gloss, self.glass = (np.array([getattr(f, n) for f in finishes], np.float32) for n in ("gloss", "glass"))
        self.lamp = np.array([LAMP_CODES[f.lamp] for f in finishes], np.int16)

    def paint(
        self, surface: Surface, rows: np.ndarray, points_m: np.ndarray, normals: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Paint M hits at ``rows`` of the surface."""
        pairs = [self._pairs(view, points_m, normals, footprint_m) for view in dict.fromkeys(self.views)]
        patch, hit, share, lit = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        self._set_lamps(surface, rows, (patch[lit], hit[lit]), points_m)
        order = np.argsort(hit.astype(np.int16), kind="stable")  # by hit, the patches of each in their order
        patch, hit, share = patch[order], hit[order], share[order]
        first = np.flatnonzero(np.diff(hit, prepend=-1))
        count = np.diff(first, append=len(hit))
        albedo, gloss, glass = surface.albedo, surface.gloss, surface.glass
        for layer in range(int(count.max(initial=0))):
            top = first[count > layer] + layer
            at, number, part = rows[hit[top]], patch[top], share[top]
            old = albedo.take(at, 0)
            albedo[at] = old + part[:, None] * (self.colour.take(number, 0) - old)
            gloss[at] += part * (self.gloss[number] - gloss[at])
            glass[at] += part * (self.glass[number] - glass[at])

    def _pairs(
        self, view: str, points_m: np.ndarray, normals: np.ndarray, footprint_m: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Patches of one view and the hits that they cover, as pairs in the order of the patches.

        Numbers of the patch and of the hit ``(N,)`` int, share that is covered ``(N,)`` float32, and whether the middle
        of the hit lies in the patch ``(N,)`` bool.
        """
        mine = slice(self.views.index(view), self.views.index(view) + self.views.count(view))
        u_axis, v_axis, axis, sign = VIEWS[view]
        facing = normals[:, axis] * sign if sign else np.abs(normals[:, axis])
        seen = np.flatnonzero(facing > self.limits[mine, 6].min())
        points = points_m.take(seen, 0)
        u, v, depth = (np.abs(points[:, k]) if k == 1 else points[:, k] for k in (u_axis, v_axis, axis))
        facing, size, left = facing[seen], footprint_m[seen], points[:, 1] >= 0
        margin = size / 2
        u0, u1, v0, v1, near0, near1, turned = self.limits[mine].T[:, :, None]
        near = (u + margin > u0) & (u - margin < u1) & (v + margin > v0) & (v - margin < v1)  # (P, M)
        near &= (depth >= near0) & (depth <= near1) & (facing > turned)
        side = self.side[mine, None]
        near &= (side == 0) | (left == (side > 0))
        columns = np.flatnonzero(near.any(0))
        # Distances to all edges at once; those of pairs alone would take longer.
        edges = self.edges[mine]
        flat = np.stack([u[columns], v[columns], np.ones(len(columns), np.float32)])
        distance = (edges.reshape(-1, 3) @ flat).reshape(*edges.shape[:2], -1).max(1)
        patch, column = np.nonzero(near.take(columns, 1))
        hit, distance = columns[column], distance[patch, column]
        patch += mine.start
        share, inside = self._cover(patch, distance, size[hit])
        weight = np.clip((facing[hit] - self.facing[patch]) / FACING_SOFT + 0.5, 0, 1)
        lit = inside & (weight > 0.5) & (self.lamp[patch] > 0)
        share *= weight * self.opacity[patch]
        kept = np.flatnonzero((share > 0) | lit)
        return patch[kept], seen[hit[kept]], share[kept], lit[kept]

    def _cover(self, patch: np.ndarray, distance: np.ndarray, footprint_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share that patches ``(N,)`` cover of footprints ``(N,)``, and whether their middle lies in them.

        distance: ``(N,)`` m of the middle from the edge, negative inside. The sum of a share over the surface is
        the area of the patch at every footprint, also where it is thinner.
        """
        share = np.clip(0.5 - distance / footprint_m, 0, 1)
        reach = footprint_m / 2
        # Where a patch is wide, its area grows as much outside as it shrinks inside.
        thin = np.zeros(len(self.area), bool)
        thin[patch[reach > 0.2 * self.depth[patch]]] = True
        some = np.flatnonzero(thin[patch])
        number, reach = patch[some], reach[some]
        low = -np.minimum(reach, self.depth[number])
        area = self.area[number]
        mean = area * (reach - low) + self.perimeter[number] * (reach**2 - low**2) / 2
        mean += self.corners[number] * (reach**3 - low**3) / 3
        share[some] = np.minimum(share[some] * (area * footprint_m[some] / mean), 1.0)
        return share, distance <= 0

    def _set_lamps(
        self, surface: Surface, rows: np.ndarray, pair: tuple[np.ndarray, np.ndarray], points_m: np.ndarray
    ) -> None:
        """Set the lamps of hits; a patch of lamp "left" is the right indicator on the right half.

        pair: numbers of the patch and of the hit, in the order of the patches.
        """
        patch, hit = pair
        lamp = self.lamp[patch]
        right = (lamp == LAMP_CODES["left"]) & (points_m[hit, 1] < 0)
        surface.lamp[rows[hit]] = np.where(right, np.int16(LAMP_CODES["right"]), lamp)


def _paint_rims(
    surface: Surface, wheels: WheelFaces, chosen: np.ndarray, points_m: np.ndarray, footprint_m: np.ndarray
) -> None:
    """Darken what lies between the spokes of the wheels."""
    x, z = points_m[chosen, 0], points_m[chosen, 2]
    nearest = np.abs(x[:, None] - wheels.places[:, 0]).argmin(1)
    centre, radius = wheels.places[nearest].T
    r = np.hypot(x - centre, z - radius) / radius
    angle = np.arctan2(z - radius, x - centre)
    soft = np.maximum(footprint_m[chosen], SHARPEST_M) / radius
    if wheels.spokes:
        wave = np.cos(wheels.spokes * angle + 0.6) - (0.05 + 0.5 * (r - 0.2))
        hole = wave * r / wheels.spokes  # about the distance to the edge of a spoke, negative between spokes
        ring = np.minimum(r - 0.19, 0.61 - r)
    else:
        hole = 0.05 - np.hypot(((angle / (2 * np.pi) * 10) % 1 - 0.5) * 2 * np.pi * 0.42 / 10, r - 0.42)
        hole, ring = -hole, np.minimum(r - 0.3, 0.55 - r)
    dark = np.clip(0.5 - hole / soft, 0, 1) * np.clip(0.5 + ring / soft, 0, 1)
    dark = dark.astype(np.float32)
    surface.albedo[chosen] += dark[:, None] * (np.float32(0.012) - surface.albedo[chosen])
    surface.gloss[chosen] *= 1 - dark

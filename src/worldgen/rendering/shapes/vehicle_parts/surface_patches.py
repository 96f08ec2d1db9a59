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
CHUNK = 8192
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

    def cover(self, u: np.ndarray, v: np.ndarray, footprint_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share that the patch covers of footprints at u, v ``(M,)``, and whether their middle lies in it.

        Its sum over the surface is the area of the patch at every footprint, also where the patch is thinner than it.
        """
        distance = (self.edges[:, :1] * u + self.edges[:, 1:2] * v + self.edges[:, 2:]).max(0)
        reach = footprint_m / 2
        area, perimeter, corners = self.shape
        share = np.clip(0.5 - distance / footprint_m, 0, 1)
        depth = 2 * area / (perimeter + np.sqrt(max(perimeter**2 - 4 * corners * area, 0.0)))
        if reach.max(initial=0.0) > 0.2 * depth:  # else its area grows as much outside as it shrinks inside
            low = -np.minimum(reach, depth)
            mean = area * (reach - low) + perimeter * (reach**2 - low**2) / 2 + corners * (reach**3 - low**3) / 3
            share = np.minimum(share * (area * footprint_m / mean), 1.0)
        return share, distance <= 0


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
        self.patches = {
            code: {view: tuple(p for p in group if p.view == view) for view in VIEWS} for code, group in patches.items()
        }
        self.limits = {
            code: {view: _limits(group) for view, group in groups.items() if group}
            for code, groups in self.patches.items()
        }
        self.wheels = wheels

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Change ``surface`` in place; see :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        for number, views in self.limits.items():
            chosen = np.flatnonzero(code == number)
            for start in range(0, len(chosen), CHUNK):
                rows = chosen[start : start + CHUNK]
                hits = _PaintHits(rows, points_m[rows], normals[rows], np.maximum(footprint_m[rows], SHARPEST_M))
                for view, limits in views.items():
                    _paint_view(surface, self.patches[number][view], limits, hits)
        if self.wheels is not None:
            chosen = np.flatnonzero(code == self.wheels.code)
            if len(chosen):
                _paint_rims(surface, self.wheels, chosen, points_m, footprint_m)


@dataclass(frozen=True, eq=False)
class _PaintHits:
    """Hits that are painted: rows ``(M,)`` of the surface, points and normals ``(M, 3)``, footprints ``(M,)``."""

    rows: np.ndarray
    points_m: np.ndarray
    normals: np.ndarray
    footprint_m: np.ndarray


def _limits(patches: Sequence[SurfacePatch]) -> np.ndarray:
    """What the points of patches lie between: ``(P, 7)`` u, v and depth from and to, and the least facing."""
    table = [(*p.bounds, *p.span, p.facing - FACING_SOFT / 2) for p in patches]
    return np.array(table, np.float32)


def _paint_view(
    surface: Surface, patches: Sequence[SurfacePatch], limits: np.ndarray, hits: _PaintHits
) -> None:  # fmt: skip
    """Paint patches of one view."""
    u_axis, v_axis, axis, sign = VIEWS[patches[0].view]
    facing = hits.normals[:, axis] * sign if sign else np.abs(hits.normals[:, axis])
    seen = np.flatnonzero(facing > limits[:, 6].min())
    if not len(seen):
        return
    facing, print_m, rows, points = facing[seen], hits.footprint_m[seen], hits.rows[seen], hits.points_m[seen]
    left = points[:, 1] >= 0
    u, v, depth = (np.abs(points[:, k]) if k == 1 else points[:, k] for k in (u_axis, v_axis, axis))
    margin = print_m / 2
    u0, u1, v0, v1, near0, near1, turned = limits.T[:, :, None]
    near = (u + margin > u0) & (u - margin < u1) & (v + margin > v0) & (v - margin < v1)  # (P, M)
    near &= (depth >= near0) & (depth <= near1) & (facing > turned)
    for number in np.flatnonzero(near.any(1)).tolist():
        patch, own = patches[number], near[number]
        if patch.side:
            own = own & (left == (patch.side > 0))
        at = np.flatnonzero(own)
        if not len(at):
            continue
        share, inside = patch.cover(u[at], v[at], print_m[at])
        weight = np.clip((facing[at] - patch.facing) / FACING_SOFT + 0.5, 0, 1)
        _blend(surface, rows[at], (share * weight * patch.opacity).astype(np.float32), patch.finish)
        if patch.finish.lamp != "none":
            lit = at[inside & (weight > 0.5)]
            _set_lamp(surface, rows[lit], patch.finish.lamp, left[lit])


def _blend(surface: Surface, rows: np.ndarray, share: np.ndarray, finish: Finish) -> None:
    """Lay a finish over the surface."""
    surface.albedo[rows] += share[:, None] * (np.array(finish.colour, np.float32) - surface.albedo[rows])
    surface.gloss[rows] += share * (np.float32(finish.gloss) - surface.gloss[rows])
    surface.glass[rows] += share * (np.float32(finish.glass) - surface.glass[rows])


def _set_lamp(surface: Surface, rows: np.ndarray, lamp: str, left: np.ndarray) -> None:
    """Set the lamp of rows; a patch of lamp "left" is the right indicator on the right half. left: ``(M,)`` bool."""
    surface.lamp[rows] = np.where(left, LAMP_CODES["left"], LAMP_CODES["right"]) if lamp == "left" else LAMP_CODES[lamp]


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

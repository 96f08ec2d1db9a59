"""Lofted bodies: the skin of a car, cab or bus from its side profile, belt line, underside and plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.vehicle_parts.smooth_curve import monotone_curve

REFINE = 3
"""Steps of the fine grid per step of the mesh; normals are those of the fine grid, so a coarse mesh looks smooth."""
FLANK, BELT, EDGE, ROOF = 5, 8, 11, 14
"""Corners of a half section: the widest one, the belt line, the roof edge, the middle of the roof."""
END_SCALES = np.array([0.0, 0.3, 0.55, 0.75, 0.88, 0.96])
"""Sizes of the first sections from an end, as shares of the full section across."""


@dataclass(frozen=True)
class Rounding:
    """How a body closes at an end: its sections shrink along superellipses of this exponent.

    across_m, up_m: length over which width and height shrink. power: 2 is round, larger is flatter with sharper edges.
    face: (height, setback) pairs in metres that lean and bend the end: bumpers stand out, a nose leans back.
    """

    across_m: float
    up_m: float
    power: float = 3.0
    face: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class BodyLines:
    """The lines of a body: (x, value) pairs in metres, x forward, from rear to front.

    top: height of the roof line, bonnet and boot, ends included. belt: height of the sill of the side windows. bottom:
    height of the underside. plan: half width. tumblehome: how much the sides lean in above the belt, m per m. edge_m:
    radius of the roof edge at full height of the windows. spacing_m: of the sections.
    """

    top: tuple[tuple[float, float], ...]
    belt: tuple[tuple[float, float], ...]
    bottom: tuple[tuple[float, float], ...]
    plan: tuple[tuple[float, float], ...]
    tumblehome: float
    rear: Rounding
    front: Rounding
    edge_m: float = 0.09
    spacing_m: float = 0.17


@dataclass(frozen=True, eq=False)
class LoftedBody:
    """The skin of a body: ``(R, C, 3)`` points and outward unit normals; rows from rear to front, columns from the
    middle of the underside up the left side, over the roof and down the right side.

    x, top, belt, bottom, half_width, roof_half_width: ``(N,)`` its lines at fine steps, for what is placed on it.
    """

    points: np.ndarray
    normals: np.ndarray
    x: np.ndarray
    top: np.ndarray
    belt: np.ndarray
    bottom: np.ndarray
    half_width: np.ndarray
    roof_half_width: np.ndarray

    def at(self, line: str, x: float | np.ndarray) -> np.ndarray:
        """The value of a line, such as "belt", at ``x``."""
        return np.interp(x, self.x, getattr(self, line))


def _section(half: np.ndarray, bottom: np.ndarray, belt: np.ndarray, top: np.ndarray, lines: BodyLines) -> np.ndarray:
    """Half sections ``(N, 15, 2)`` (y, z) from the middle of the underside to the middle of the roof."""
    glazed = np.maximum(top - belt, 0.0)
    share = np.clip(glazed / 0.35, 0, 1)
    edge = 0.035 + (lines.edge_m - 0.035) * share
    roof = half * (0.965 - 0.03 * share) - lines.tumblehome * glazed
    door = belt - bottom
    y = [
        0 * half, 0.52 * half, 0.86 * half, 0.965 * half, 0.992 * half, half, 0.992 * half, 0.968 * half,
        0.945 * half, 0.945 * half - 0.06 * lines.tumblehome * share, (0.93 * half + roof) / 2, roof,
        roof - edge * (0.55 + 0.1 * share), 0.68 * roof, 0 * half,
    ]  # fmt: skip
    z = [
        bottom, bottom, bottom + 0.006, bottom + 0.07, bottom + 0.24 * door, bottom + 0.52 * door,
        bottom + 0.8 * door, belt - 0.03, belt, belt + 0.06 * share, belt + 0.5 * glazed, top - edge - 0.018,
        top - 0.3 * edge - 0.018, top - 0.012, top,
    ]  # fmt: skip
    return np.stack([np.stack(y, -1), np.stack(z, -1)], -1)


def _shrink(distance_m: np.ndarray, length_m: float, power: float) -> np.ndarray:
    """Size of a section at a distance from the end, 0 to 1: a superellipse."""
    share = np.clip(distance_m / length_m, 0, 1)
    return (1 - (1 - share) ** power) ** (1 / power)


def _stations(lines: BodyLines) -> np.ndarray:
    """x of the sections: even along the roof line, and crowded where the ends close."""
    top = np.array(lines.top)
    rear, front = top[0, 0], top[-1, 0]
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(top, axis=0).T))])
    even = monotone_curve(way, top[:, 0], np.linspace(0, way[-1], max(8, int(way[-1] / lines.spacing_m))))
    ends = []
    for x, sign, end in ((rear, 1.0, lines.rear), (front, -1.0, lines.front)):
        near = 1 - (1 - END_SCALES**end.power) ** (1 / end.power)
        ends.append(x + sign * near * end.across_m)
    clear = (even > ends[0].max() + 0.03) & (even < ends[1].min() - 0.03)
    return np.unique(np.concatenate([ends[0], even[clear], ends[1]]))


def _set_back(points: np.ndarray, end: Rounding, x_end: float, sign: float) -> None:
    """Lean and bend an end of the body by its face."""
    if end.face:
        height, back = np.array(end.face).T
        weight = np.clip(1 - np.abs(points[..., 0] - x_end) / 0.6, 0, 1)
        points[..., 0] -= sign * weight * np.interp(points[..., 2], height, back)


def _line(pairs: tuple[tuple[float, float], ...], x: np.ndarray) -> np.ndarray:
    """The smooth line through (x, value) pairs at ``x``."""
    knots = np.array(pairs)
    return monotone_curve(knots[:, 0], knots[:, 1], x)


def loft(lines: BodyLines) -> LoftedBody:
    """The skin of a body from its lines."""
    rows = _stations(lines)
    steps = np.arange(REFINE * (len(rows) - 1) + 1) / REFINE
    x = np.interp(steps, np.arange(len(rows)), rows)
    top, bottom, half, belt = (_line(pairs, x) for pairs in (lines.top, lines.bottom, lines.plan, lines.belt))
    belt = np.minimum(belt, top - 0.055)
    corners = _section(half, bottom, belt, top, lines)
    count = corners.shape[1]
    at = np.arange(REFINE * (count - 1) + 1) / REFINE
    sections = monotone_curve(np.arange(count), corners.transpose(1, 0, 2), at).transpose(1, 0, 2)
    scale = np.ones((2, len(x)))
    for distance, end in ((x - rows[0], lines.rear), (rows[-1] - x, lines.front)):
        scale[0] *= _shrink(distance, end.across_m, end.power)
        scale[1] *= _shrink(distance, end.up_m, end.power)
    middle = ((bottom + top) / 2)[:, None]
    points = np.empty((*sections.shape[:2], 3))
    points[..., 0] = x[:, None]
    points[..., 1] = sections[..., 0] * scale[0][:, None]
    points[..., 2] = middle + (sections[..., 1] - middle) * scale[1][:, None]
    _set_back(points, lines.rear, rows[0], -1.0)
    _set_back(points, lines.front, rows[-1], 1.0)
    ring = np.concatenate([points, (points * [1.0, -1.0, 1.0])[:, -2:0:-1]], 1)
    normals = _normals(ring)
    for x_end, sign, end in ((rows[0], -1.0, lines.rear), (rows[-1], 1.0, lines.front)):
        _smooth_end(ring, normals, (x_end, sign, end), scale[0])
    made = points[:, ::REFINE]
    return LoftedBody(
        ring[::REFINE, ::REFINE], normals[::REFINE, ::REFINE], np.maximum.accumulate(made[:, ROOF, 0]),
        top=made[:, ROOF, 2], belt=made[:, BELT, 2], bottom=made[:, 0, 2], half_width=made[:, FLANK, 1],
        roof_half_width=made[:, EDGE, 1],
    )  # fmt: skip


def _normals(ring: np.ndarray) -> np.ndarray:
    """Outward unit normals of a grid of rings; the closed ends look along x."""
    along = np.gradient(ring, axis=0)
    across = np.roll(ring, -1, 1) - np.roll(ring, 1, 1)
    normals = np.cross(across, along)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals /= np.maximum(length, 1e-12)
    normals[0], normals[-1] = (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)
    return normals


def _smooth_end(ring: np.ndarray, normals: np.ndarray, end: tuple[float, float, Rounding], scale: np.ndarray) -> None:
    """Give the end of a body the normals of a smooth dome.

    Its sections shrink with their corners, which would show as creases across the end. end: x, direction, rounding.
    scale: size of each section, 0 to 1.
    """
    x_end, sign, rounding = end
    near = (scale < 1) & (np.abs(ring[:, :, 0].mean(1) - x_end) < 1.0)
    share = np.clip((0.98 - scale[near]) / 0.15, 0, 1)[:, None, None]
    points = ring[near]
    middle = (points[..., 2].min() + points[..., 2].max()) / 2
    half = np.array([points[..., 1].max(), points[..., 2].max() - middle])
    across, up = points[..., 1] / half[0], (points[..., 2] - middle) / half[1]
    dome = np.empty_like(points)
    dome[..., 0] = sign
    dome[..., 1] = np.sign(across) * np.abs(across) ** (2 * rounding.power) * 0.8 + 0.12 * across
    dome[..., 2] = np.sign(up) * np.abs(up) ** (2 * rounding.power) * 0.8
    if rounding.face:
        height, back = np.array(rounding.face).T
        step = 0.03
        ahead = np.interp(points[..., 2] + step, height, back) - np.interp(points[..., 2] - step, height, back)
        dome[..., 2] += np.clip(ahead / (2 * step), -0.8, 0.8)
    mixed = normals[near] * (1 - share) + dome / np.linalg.norm(dome, axis=-1, keepdims=True) * share
    normals[near] = mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def add_skin(
    builder: SolidBuilder, body: LoftedBody, finish: Finish, *, arches: tuple[tuple[float, float, float], ...] = (),
    arch_inner_m: float = 0.0,
) -> None:  # fmt: skip
    """Add the skin of a body, with wheel arches cut out of its sides.

    arches: (x, z, radius) of each pair of arches. arch_inner_m: where they end inwards.
    """
    rows, columns = body.points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(number, -1, 1)
    a, b, c, d = number[:-1], right[:-1], right[1:], number[1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    vertices, normals = body.points.reshape(-1, 3), body.normals.reshape(-1, 3)
    for arch in arches:
        vertices, normals, triangles = cut_arch(vertices, normals, triangles, arch, arch_inner_m)
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1)
    used, triangles = np.unique(triangles[area > 1e-9], return_inverse=True)
    builder.add(vertices[used], normals[used], triangles.reshape(-1, 3), finish)


def cut_arch(
    vertices: np.ndarray, normals: np.ndarray, triangles: np.ndarray, arch: tuple[float, float, float], inner_m: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut what lies within the cylinder ``arch`` (x, z, radius) about y, where \\|y\\| >= ``inner_m``.

    Triangles that cross the edge are cut along it. Returns vertices, normals and triangles.
    """
    x, z, radius = arch
    outside = np.hypot(vertices[:, 0] - x, vertices[:, 2] - z) - radius
    hit = (outside[triangles] < 0) & (np.abs(vertices[triangles][..., 1]).min(1, keepdims=True) >= inner_m - 1e-6)
    inside = hit.sum(1)
    kept = [triangles[inside == 0]]
    made_v, made_n, count = [vertices], [normals], len(vertices)
    for corners_inside in (1, 2):
        chosen = inside == corners_inside
        if not chosen.any():
            continue
        odd = hit[chosen] if corners_inside == 1 else ~hit[chosen]
        turn = (np.argmax(odd, 1)[:, None] + np.arange(3)) % 3
        tri = np.take_along_axis(triangles[chosen], turn, 1)  # the odd corner first
        ends = []
        for other in (1, 2):
            share = _crossing(vertices[tri[:, 0]], vertices[tri[:, other]], arch)[:, None]
            made_v.append(vertices[tri[:, 0]] * (1 - share) + vertices[tri[:, other]] * share)
            normal = normals[tri[:, 0]] * (1 - share) + normals[tri[:, other]] * share
            made_n.append(normal / np.linalg.norm(normal, axis=-1, keepdims=True))
            ends.append(count + np.arange(len(tri)))
            count += len(tri)
        if corners_inside == 1:
            kept += [np.stack([ends[0], tri[:, 1], tri[:, 2]], 1), np.stack([ends[0], tri[:, 2], ends[1]], 1)]
        else:
            kept.append(np.stack([tri[:, 0], ends[0], ends[1]], 1))
    return np.concatenate(made_v), np.concatenate(made_n), np.concatenate(kept)


def _crossing(start: np.ndarray, end: np.ndarray, arch: tuple[float, float, float]) -> np.ndarray:
    """Share of the way ``(M,)`` from ``start`` to ``end`` ``(M, 3)`` at which the cylinder of the arch is crossed."""
    centre, radius = np.array(arch[:2]), arch[2]
    first = start[:, (0, 2)] - centre
    way = end[:, (0, 2)] - start[:, (0, 2)]
    a, b, c = (way**2).sum(1), (first * way).sum(1), (first**2).sum(1) - radius**2
    root = np.sqrt(np.maximum(b**2 - a * c, 0))
    a = np.maximum(a, 1e-12)
    low, high = (-b - root) / a, (-b + root) / a
    return np.where(c < 0, np.clip(high, 0, 1), np.clip(low, 0, 1))

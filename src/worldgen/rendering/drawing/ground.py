"""The mesh of the ground: surfaces cut into quads, lane marks, crossings and wheel tracks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldgen.core.scene import Line, Patch, Road
from worldgen.rendering.meshes.mesh import Colour, scaled, srgb

SEMANTICS = (
    "sky", "terrain", "drivable", "lane_marks", "crossing", "sidewalk", "building", "vegetation", "structure", "object",
)  # fmt: skip
"""Codes of the semantic raster.

The classes of layouts follow as ``len(SEMANTICS) + class_id``. "object": without such a class.
"""
SEM = {name: code for code, name in enumerate(SEMANTICS)}

SURFACES = {
    "asphalt": (srgb("#525356"), 0.13), "concrete": (srgb("#87847c"), 0.09), "sidewalk": (srgb("#75716b"), 0.10),
    "grass": (srgb("#515d33"), 0.30), "dirt": (srgb("#7d6648"), 0.30), "crossing": (srgb("#525356"), 0.13),
    "stop_line": (srgb("#dcdad2"), 0.10), "arrow": (srgb("#dcdad2"), 0.10), "gravel": (srgb("#756e62"), 0.25),
}  # fmt: skip
"""Linear albedo and noise strength by surface."""
WET_MIRROR = {"grass": 0.0, "dirt": 0.25, "gravel": 0.25, "sidewalk": 0.6, "concrete": 0.6}
"""Reflectance of a surface when wet, 0 to 1; 1 for surfaces that are not listed."""
PAINT_WHITE, PAINT_YELLOW = srgb("#dcdad2"), srgb("#d9a520")
DASH_AND_GAP_M = {"highway": (4.0, 8.0)}
USUAL_DASH_AND_GAP_M = (3.0, 4.5)
TOLERANCE_M = 0.02
TRACK_OFFSET_M, TRACK_WIDTH_M = 0.82, 0.42

# Share of the snow cover that a face takes: wheel tracks stay bare, lawns turn white first.
SNOW_TERRAIN, SNOW_ROAD, SNOW_TRACK, SNOW_MARK = 1.0, 0.74, 0.14, 0.64
TRACK_STEPS = ((1.5, 0.5), (0.8, 1.0))
"""Widths of a wheel track's strips relative to its own, and how far each differs from the road beside it."""


@dataclass
class GroundFaces:
    """Faces on the ground in drawing order, one entry per face in every list.

    corners: convex outlines ``(K, 3)``, world m. colour: linear albedo. grain: strength of the noise. semantic: code of
    ``SEMANTICS``. snow: share of the snow cover it takes. mirror: reflectance when wet, 0 to 1.
    """

    corners: list[np.ndarray] = field(default_factory=list)
    colour: list[Colour] = field(default_factory=list)
    grain: list[float] = field(default_factory=list)
    semantic: list[int] = field(default_factory=list)
    snow: list[float] = field(default_factory=list)
    mirror: list[float] = field(default_factory=list)

    def add(
        self,
        corners: np.ndarray,
        surface: str,
        semantic: str,
        *,
        colour: Colour | None = None,
        snow: float = 1.0,
    ) -> None:
        """Add a face with convex ``corners`` ``(K, 3)`` above the faces so far.

        colour: instead of the surface's albedo.
        """
        albedo, grain = SURFACES[surface]
        # Faces point up: counter-clockwise seen from above.
        area = np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - corners[:, 1] * np.roll(corners[:, 0], -1))
        self.corners.append(corners if area >= 0 else corners[::-1])
        self.colour.append(albedo if colour is None else colour)
        self.grain.append(grain)
        self.semantic.append(SEM[semantic])
        self.snow.append(snow)
        self.mirror.append(WET_MIRROR.get(surface, 1.0))


def ground_faces(road: Road) -> GroundFaces:
    """All faces of the ground in drawing order: surfaces, wheel tracks, marks, lines."""
    out = GroundFaces()
    marks: list[Patch] = []
    for patch in road.patches:
        if patch.surface in ("crossing", "stop_line", "arrow"):
            marks.append(patch)
        else:
            _surface(out, patch)
    _tracks(out, road)
    for patch in marks:
        _mark(out, patch)
    for line in road.lines:
        _line(out, line, road.kind)
    return out


def _surface(out: GroundFaces, patch: Patch) -> None:
    semantic = "drivable" if patch.drivable else "sidewalk" if patch.surface in ("sidewalk", "concrete") else "terrain"
    snow = SNOW_ROAD if patch.drivable else SNOW_TERRAIN
    for quad in quads(patch.points_m):
        out.add(quad, patch.surface, semantic, snow=snow)


def quads(points: np.ndarray) -> list[np.ndarray]:
    """A strip outline ``(N, 3)`` (one side, then the other reversed) as convex quads ``(4, 3)``.

    Small outlines stay whole.
    """
    points = np.asarray(points, float)
    if len(points) % 2 or len(points) < 6:
        return [points]
    half = len(points) // 2
    right, left = points[:half], points[half:][::-1]
    keep = _simplified(np.concatenate([right, left], 1))
    right, left = right[keep], left[keep]
    return [np.stack([right[i], right[i + 1], left[i + 1], left[i]]) for i in range(len(keep) - 1)]


def _simplified(path: np.ndarray) -> np.ndarray:
    """Indices of the points that keep a polyline ``(N, D)`` within ``TOLERANCE_M``.

    Source: Douglas and Peucker 1973.
    """
    keep = np.zeros(len(path), bool)
    keep[[0, -1]] = True
    stack = [(0, len(path) - 1)]
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        along = path[b] - path[a]
        offset = path[a + 1 : b] - path[a]
        share = (offset @ along) / max(along @ along, 1e-12)
        gap = np.linalg.norm(offset - np.clip(share, 0, 1)[:, None] * along, axis=1)
        worst = int(gap.argmax())
        if gap[worst] > TOLERANCE_M:
            keep[a + 1 + worst] = True
            stack += [(a, a + 1 + worst), (a + 1 + worst, b)]
    return np.flatnonzero(keep)


def _offset(points: np.ndarray, shift_m: float) -> np.ndarray:
    """A polyline ``(N, 3)`` shifted sideways by ``shift_m``, left positive."""
    slope = np.gradient(points[:, :2], axis=0)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    out = points.copy()
    out[:, 0] -= slope[:, 1] * shift_m
    out[:, 1] += slope[:, 0] * shift_m
    return out


def _ribbon(points: np.ndarray, width_m: float) -> list[np.ndarray]:
    """A strip of constant width along a polyline ``(N, 3)``, as quads."""
    right, left = _offset(points, -width_m / 2), _offset(points, width_m / 2)
    return (
        quads(np.concatenate([right, left[::-1]]))
        if len(points) > 2
        else [np.stack([right[0], right[1], left[1], left[0]])]
    )


def _tracks(out: GroundFaces, road: Road) -> None:
    """Add wheel tracks: darker asphalt, which stays bare under snow; from outside to inside, so that edges are soft."""
    if len(road.centre_m) < 2:
        return
    for width, depth in TRACK_STEPS:
        colour = scaled(SURFACES["asphalt"][0], 1 - 0.12 * depth)
        snow = SNOW_ROAD + depth * (SNOW_TRACK - SNOW_ROAD)
        for offset, _ in road.lanes:
            for side in (1, -1):
                path = _offset(road.centre_m, offset + side * TRACK_OFFSET_M)
                for quad in _ribbon(path, width * TRACK_WIDTH_M):
                    out.add(quad, "asphalt", "drivable", colour=colour, snow=snow)


def _mark(out: GroundFaces, patch: Patch) -> None:
    if patch.surface != "crossing":
        for piece in quads(patch.points_m) if patch.surface == "stop_line" else _arrow_pieces(patch.points_m):
            out.add(piece, patch.surface, "lane_marks", snow=SNOW_MARK)
        return
    points = np.asarray(patch.points_m, float)
    for quad in quads(points):
        out.add(quad, "crossing", "crossing", snow=SNOW_ROAD)
    half = len(points) // 2
    right, left = points[:half], points[half:][::-1]
    near, far = (right[0], left[0]), (right[-1], left[-1])
    across = np.linalg.norm(near[1] - near[0])
    stripes = max(2, round(across / 1.0))
    for k in range(stripes):
        a, b = (k + 0.25) / stripes, (k + 0.75) / stripes
        corners = [
            near[0] + a * (near[1] - near[0]),
            far[0] + a * (far[1] - far[0]),
            far[0] + b * (far[1] - far[0]),
            near[0] + b * (near[1] - near[0]),
        ]
        out.add(np.array(corners), "stop_line", "crossing", snow=SNOW_MARK)


def _arrow_pieces(points: np.ndarray) -> list[np.ndarray]:
    """An arrow outline of seven points as shaft and head; other outlines stay whole."""
    points = np.asarray(points, float)
    if len(points) != 7:
        return [points]
    return [points[[0, 1, 5, 6]], points[[2, 3, 4]]]


def _line(out: GroundFaces, line: Line, road_kind: str) -> None:
    colour = PAINT_YELLOW if line.yellow else PAINT_WHITE
    for path in painted_paths(line, road_kind):
        for quad in _ribbon(path, line.width_m):
            out.add(quad, "arrow", "lane_marks", colour=colour, snow=SNOW_MARK)


def painted_paths(line: Line, road_kind: str) -> list[np.ndarray]:
    """Middles ``(N, 3)`` (m) of the painted pieces of a line: one, two beside each other, or the dashes."""
    if line.style == "none" or len(line.points_m) < 2:
        return []
    points = np.asarray(line.points_m, float)
    if line.style == "solid":
        return [points]
    if line.style == "double":
        return [_offset(points, side * 1.1 * line.width_m) for side in (-1, 1)]
    return _dashes(points, road_kind)


def _dashes(points: np.ndarray, road_kind: str) -> list[np.ndarray]:
    """The painted pieces of a dashed line, each a polyline ``(N, 3)``."""
    dash, gap = DASH_AND_GAP_M.get(road_kind, USUAL_DASH_AND_GAP_M)
    steps = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    pieces = []
    for start in np.arange(0.0, length[-1] - 0.5, dash + gap):
        end = min(start + dash, length[-1])
        inner = length[(length > start + 0.2) & (length < end - 0.2)]
        s = np.concatenate([[start], inner, [end]])
        pieces.append(np.stack([np.interp(s, length, points[:, k]) for k in range(3)], 1))
    return pieces

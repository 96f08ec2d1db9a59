"""The map of a scene as world scenario maps show it: typed lines, filled areas, poles and signs, in world axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.scene import Patch, Scene, Static
from worldgen.rendering.drawing.ground import painted_paths, quads

POLE_KINDS = ("pole", "street_lamp", "traffic_light", "sign", "construction_sign", "bollard")
SIGN_KINDS = ("sign", "construction_sign")
BOARD_FROM_M, PLATE_M, BOARD_SHARE = 1.5, 0.75, 0.55
"""Signs wider than the first are boards of the last share of their width; others have a plate of this size at most."""
PLATE_DEPTH_M = 0.06
BORDER_STEP_M, BORDER_PROBE_M = 0.8, 0.15
"""Outlines are walked in such steps; a piece is a border of the road where nothing drivable lies so far outside."""


@dataclass(frozen=True, eq=False)
class MapLine:
    """A line of the map. kind: key of ``scenario_map.MAP_COLOURS``. points_m: ``(N, 3)`` world."""

    kind: str
    points_m: np.ndarray


@dataclass(frozen=True, eq=False)
class MapArea:
    """A filled convex polygon of the map. kind: key of ``scenario_map.MAP_COLOURS``. corners_m: ``(N, 3)`` world."""

    kind: str
    corners_m: np.ndarray


@dataclass(frozen=True, eq=False)
class MapBox:
    """A box of the map, such as the plate of a sign. centre_m: ``(3,)`` world. size_m: length, width, height."""

    kind: str
    centre_m: np.ndarray
    size_m: tuple[float, float, float]
    yaw_rad: float


@dataclass(frozen=True)
class SceneMap:
    """What a world scenario map shows of a scene, apart from its agents; lines and areas in drawing order."""

    areas: tuple[MapArea, ...]
    lines: tuple[MapLine, ...]
    poles: tuple[MapLine, ...]
    boxes: tuple[MapBox, ...]


def scene_map(scene: Scene) -> SceneMap:
    """The map of a scene: crosswalks, arrows, stop lines, borders of the road, lane lines, poles and signs."""
    areas, lines = [], []
    for patch in scene.road.patches:
        if patch.surface == "crossing":
            areas += [MapArea("crosswalks", quad) for quad in quads(patch.points_m)]
        elif patch.surface == "arrow":
            points = np.asarray(patch.points_m, float)
            pieces = [points[[0, 1, 5, 6]], points[[2, 3, 4]]] if len(points) == 7 else [points]
            areas += [MapArea("road_markings", piece) for piece in pieces]
        elif patch.surface == "stop_line":
            lines.append(MapLine("wait_lines", _middle(patch)))
    lines += [MapLine("road_boundaries", piece) for piece in road_borders(scene.road.patches)]
    for line in scene.road.lines:
        kind = "lanelines_yellow" if line.yellow else "lanelines_white"
        lines += [MapLine(kind, path) for path in painted_paths(line, scene.road.kind)]
    poles = [MapLine("poles", _pole(static)) for static in scene.statics if static.kind in POLE_KINDS]
    boxes = [_plate(static) for static in scene.statics if static.kind in SIGN_KINDS]
    return SceneMap(tuple(areas), tuple(lines), tuple(poles), tuple(boxes))


def road_borders(patches: tuple[Patch, ...]) -> list[np.ndarray]:
    """Outlines of the drivable area as pieces ``(2, 3)`` (world m): those beside which nothing drivable lies."""
    drivable = [
        np.asarray(p.points_m, float) for p in patches if p.drivable and p.surface not in ("arrow", "stop_line")
    ]
    pieces = []
    for outline in drivable:
        following = np.roll(outline, -1, 0)
        turn = np.sign(_area(outline[:, :2])) or 1.0
        for a, b in zip(outline, following, strict=True):
            length = float(np.hypot(*(b - a)[:2]))
            count = max(1, int(np.ceil(length / BORDER_STEP_M)))
            ends = a + np.linspace(0, 1, count + 1)[:, None] * (b - a)
            outward = np.array([(b - a)[1], -(b - a)[0]]) / max(length, 1e-9) * turn
            probe = (ends[:-1, :2] + ends[1:, :2]) / 2 + BORDER_PROBE_M * outward
            free = ~np.any([_inside(probe, other[:, :2]) for other in drivable], axis=0)
            pieces += [np.stack([p, q]) for p, q in _runs(ends, free)]
    return pieces


def _runs(ends: np.ndarray, free: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """First and last point of each run of free steps."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(int)))
    return [(ends[start], ends[stop]) for start, stop in edges.reshape(-1, 2).tolist()]


def _area(points: np.ndarray) -> float:
    """Twice the signed area of a polygon ``(N, 2)``, positive when it is counter-clockwise."""
    x, y = points.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Whether points ``(M, 2)`` lie in a polygon ``(N, 2)``, by the even-odd rule, ``(M,)`` bool."""
    low, high = polygon.min(0), polygon.max(0)
    out = ((points >= low) & (points <= high)).all(1)
    rows = np.flatnonzero(out)
    if not len(rows):
        return out
    x, y = points[rows, :1], points[rows, 1:]
    (ax, ay), (bx, by) = polygon.T, np.roll(polygon, -1, 0).T
    crosses = (ay > y) != (by > y)
    rise = np.where(by == ay, 1.0, by - ay)
    out[rows] = (crosses & (x < ax + (y - ay) / rise * (bx - ax))).sum(1) % 2 == 1
    return out


def _middle(patch: Patch) -> np.ndarray:
    """The line along the middle of a bar ``(4, 3)``, along its longer side."""
    points = np.asarray(patch.points_m, float)
    half = len(points) // 2
    right, left = points[:half], points[half:][::-1]
    along, across = (right + left) / 2, np.stack([(right[0] + right[-1]) / 2, (left[0] + left[-1]) / 2])
    return along if np.linalg.norm(along[-1] - along[0]) > np.linalg.norm(across[1] - across[0]) else across


def _pole(static: Static) -> np.ndarray:
    """The post of a static object, with the arm of a street lamp, ``(N, 3)``."""
    foot, (length, _, height) = np.asarray(static.position_m, float), static.size_m
    points = [foot, foot + np.array([0.0, 0.0, height])]
    if static.kind == "street_lamp":
        points.append(points[1] + length * np.array([np.cos(static.yaw_rad), np.sin(static.yaw_rad), 0.0]))
    return np.array(points)


def _plate(static: Static) -> MapBox:
    """The plate or board of a sign, at the top of its post."""
    _, width, height = static.size_m
    tall = BOARD_SHARE * width if width > BOARD_FROM_M else min(width, PLATE_M)
    wide = width if width > BOARD_FROM_M else tall
    centre = np.asarray(static.position_m, float) + np.array([0.0, 0.0, height - tall / 2])
    return MapBox("traffic_signs", centre, (PLATE_DEPTH_M, wide, tall), static.yaw_rad)

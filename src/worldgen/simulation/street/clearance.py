"""Free space beside the road: which static objects may stand where they were placed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worldgen.core.scene import Static
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.scene_builder import SceneBuilder


class StaticPlacement(NamedTuple):
    """A static object in coordinates of the road: position, yaw from the road's heading, length, width and height.

    on_closed_ground: it may stand on ground that road works have closed.
    """

    kind: str
    s_m: float
    d_m: float
    yaw_rad: float
    size_m: tuple[float, float, float]
    style: int
    on_closed_ground: bool = False


def keep_off(builder: SceneBuilder, rows: list[StaticPlacement], main_count: int) -> tuple[Static, ...]:
    """Drops placements on a road, in a driveway or on the path of an actor; the others become static objects.

    The first ``main_count`` rows belong to the main road, the others to the cross road.
    """
    plan = builder.plan
    s, d, yaw = (np.array(column) for column in zip(*((r.s_m, r.d_m, r.yaw_rad) for r in rows), strict=True))
    size = np.array([r.size_m for r in rows])
    on_closed_ground = np.array([r.on_closed_ground for r in rows])
    x, y, heading = plan.line.world(s, d)
    yaw = yaw + heading
    # The crown of a tree may overhang the road; its trunk must keep off.
    foot = np.where(np.array([r.kind == "tree" for r in rows])[:, None], 0.4, size[:, :2] / 2)
    keep = np.ones(len(rows), bool)
    section = plan.section
    corner_s, corner_d = plan.line.project(*_corners(x, y, yaw, foot))
    inside = (corner_d > section.right_edge_m + 0.02) & (corner_d < section.left_edge_m - 0.02)
    if section.median_m:
        inner = section.inner_shoulder_m
        inside &= (corner_d < inner) | (corner_d > section.median_m - inner)
    inside &= (corner_s > plan.start_m) & (corner_s < plan.end_m)
    keep &= ~inside.any(1) | on_closed_ground
    if plan.junction is not None:
        own_walk = np.arange(len(rows)) >= main_count
        keep &= ~_on_cross_road(plan, _corners(x, y, yaw, foot), own_walk) | on_closed_ground
    for at, side in plan.driveways:
        keep &= ~((np.abs(s - at) < 2.2 + size[:, 0] / 2) & (d * side > 0) & (np.abs(d) < 30.0))
    keep &= ~_in_the_way(builder, x, y, yaw, foot)
    z = plan.line.height(s)
    return tuple(
        Static(
            rows[i].kind,
            (float(x[i]), float(y[i]), float(z[i])),
            float(yaw[i]),
            rows[i].size_m,
            rows[i].style,
        )
        for i in np.flatnonzero(keep)
    )


def _corners(x: np.ndarray, y: np.ndarray, yaw: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners, middles of sides and centres of footprints, ``(N, 9)`` x and y."""
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    a = half[:, :1] * np.array([1, 1, -1, -1, 0, 0, 1, -1, 0])
    b = half[:, 1:] * np.array([1, -1, 1, -1, 1, -1, 0, 0, 0])
    return x[:, None] + a * cos - b * sin, y[:, None] + a * sin + b * cos


def _on_cross_road(plan: RoadPlan, corners: tuple[np.ndarray, np.ndarray], own_walk: np.ndarray) -> np.ndarray:
    """Whether a footprint is on the cross road, its corners or, where not ``own_walk``, its sidewalks."""
    junction = plan.present_junction
    section = junction.section
    _, d = junction.line.project(*corners)
    right = np.where(own_walk, section.right_edge_m + 0.02, section.right_outer_m - 0.3)[:, None]
    left = np.where(own_walk, section.left_edge_m - 0.02, section.left_outer_m + 0.3)[:, None]
    on_road = (d > right) & (d < left)
    main_s, main_d = plan.line.project(corners[0][:, -1], corners[1][:, -1])
    reach = junction.half_m + junction.corner_m
    edge = np.where(main_d > 0, plan.section.left_edge_m, plan.section.right_edge_m)
    on_corner = (np.abs(main_s - junction.s_m) < reach) & (np.abs(main_d - edge) < junction.corner_m + 0.3)
    return on_road.any(1) | on_corner


def _in_the_way(builder: SceneBuilder, x: np.ndarray, y: np.ndarray, yaw: np.ndarray, foot: np.ndarray) -> np.ndarray:
    """Whether a footprint is within about half a metre of an actor's path, or in a clear zone."""
    blocked, radius = np.zeros(len(x), bool), np.hypot(foot[:, 0], foot[:, 1])
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    for track in builder.tracks:
        if track.kind == "traffic_light":
            continue
        pick = (
            slice(None, None, max(1, builder.steps // 12))
            if np.ptp(track.x_m) + np.ptp(track.y_m) > 0.1
            else slice(0, 1)
        )
        reach = track.half_width_m + 0.4 if track.half_length_m < 0.6 else track.half_length_m + 0.3
        dx, dy = track.x_m[None, pick] - x[:, None], track.y_m[None, pick] - y[:, None]
        inside = (np.abs(dx * cos + dy * sin) < foot[:, :1] + reach) & (
            np.abs(dy * cos - dx * sin) < foot[:, 1:] + reach
        )
        blocked |= inside.any(1)
    for zx, zy, zr in builder.clear_zones:
        blocked |= np.hypot(x - zx, y - zy) < zr + radius
    return blocked

"""The static objects beside the road; none of them stands on it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgen.core.scene import Static
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.street.clearance import StaticPlacement, keep_off
from worldgen.simulation.street.roadside_styles import STYLES, placement


def place_statics(builder: SceneBuilder) -> tuple[Static, ...]:
    """All static objects beside the roads. They keep off roads, driveways and the paths of actors."""
    plan, rng = builder.plan, builder.rng
    rows: list[StaticPlacement] = []
    furnish = STYLES[plan.base]
    for side in (1, -1):
        rows += furnish(rng, plan, side)
    rows += _works(rng, plan)
    rows += _signal_poles(plan) + _crossing_lamps(plan)
    main_count = len(rows)
    if plan.junction is not None:
        rows += _along_cross_road(rng, plan, furnish)
    return keep_off(builder, rows, main_count)


CROSSING_LAMP_M = 3.5
"""A lamp of a zebra crossing stands so far before its middle, so that drivers see the lit side of people."""
BLOCK_DEPTH_M = 18.0
"""Depth of the first row of houses along the main road; the cross road's own begin behind it."""


def _along_cross_road(
    rng: np.random.Generator,
    plan: RoadPlan,
    furnish: Callable[[np.random.Generator, RoadPlan, int], list[StaticPlacement]],
) -> list[StaticPlacement]:
    """Static objects beside the cross road, in coordinates of the main road."""
    junction = plan.present_junction
    street = RoadPlan(plan.kind, plan.base, junction.line, junction.section, 0, float(junction.line.s_m[-1]))
    rows = [row for side in (1, -1) for row in furnish(rng, street, side)]
    kinds = np.array([row.kind for row in rows])
    s, d = np.array([row.s_m for row in rows]), np.array([row.d_m for row in rows])
    x, y, heading = junction.line.world(s, d)
    main_s, main_d = plan.line.project(x, y)
    turn = heading - np.interp(main_s, plan.line.s_m, plan.line.heading_rad)
    long = np.array([max(row.size_m[:2]) for row in rows])
    beyond = np.maximum(main_d - plan.section.left_outer_m, plan.section.right_outer_m - main_d)
    keep = beyond > np.where(np.isin(kinds, ("building", "hedge", "fence")), BLOCK_DEPTH_M + long / 2, 0.5 + long / 2)
    return [
        row._replace(s_m=float(main_s[i]), d_m=float(main_d[i]), yaw_rad=float(row.yaw_rad + turn[i]))
        for i, row in enumerate(rows)
        if keep[i]
    ]


def _works(rng: np.random.Generator, plan: RoadPlan) -> list[StaticPlacement]:
    """Barriers and signs of a construction site, on the closed ground."""
    closure = plan.closure
    if closure is None:
        return []
    side = -1 if closure.from_right else 1
    outer = closure.offset_m + side * 0.7
    rows = [
        placement(rng, "barrier", s, outer, (2.4, 0.45, 1.0), on_closed_ground=True)
        for s in np.arange(closure.closed_m + 4.0, closure.end_m - 3.0, 5.0)
    ]
    edge = (
        plan.section.right_edge_m
        if closure.from_right
        else (plan.section.left_edge_m if not plan.section.median_m else 0.0)
    )
    for s in (closure.taper_start_m - 9.0, closure.taper_start_m - 1.0):
        if closure.from_right:
            rows.append(placement(rng, "construction_sign", s, edge - 0.5, (0.1, 0.9, 1.6)))
    rows.append(
        placement(
            rng, "construction_sign", closure.closed_m + 1.0, closure.offset_m, (0.1, 1.5, 1.6), on_closed_ground=True
        )
    )
    return rows


def _signal_poles(plan: RoadPlan) -> list[StaticPlacement]:
    junction = plan.junction
    if junction is None or not junction.signals:
        return []
    at = junction.s_m - junction.stop_m - 0.2
    far = junction.s_m + junction.stop_m + 0.2
    right, left = plan.section.right_edge_m - 0.55, plan.section.left_edge_m + 0.55
    return [
        StaticPlacement("pole", at, right, 0.0, (0.16, 0.16, 3.4), 0),
        StaticPlacement("pole", far, left, math.pi, (0.16, 0.16, 3.4), 0),
    ]


def _crossing_lamps(plan: RoadPlan) -> list[StaticPlacement]:
    """Lamps that light a zebra crossing from the side its drivers come from, as EN 13201-2 advises."""
    if plan.crossing_s_m is None or plan.base not in ("urban", "suburban"):
        return []
    right, left = plan.section.right_edge_m - 0.6, plan.section.left_edge_m + 0.6
    size = (0.2, 0.2, 6.0)
    return [
        StaticPlacement("street_lamp", plan.crossing_s_m - CROSSING_LAMP_M, right, math.pi / 2, size, 0),
        StaticPlacement("street_lamp", plan.crossing_s_m + CROSSING_LAMP_M, left, -math.pi / 2, size, 0),
    ]

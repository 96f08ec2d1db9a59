"""What stands beside the road: buildings, trees, lamps, rails, signs; never on it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgen.core.scene import Static
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.street.clearance import keep_off


def place_statics(builder: SceneBuilder) -> tuple[Static, ...]:
    """Everything beside the road, denser in town; leaves the way of every actor free."""
    plan, rng = builder.plan, builder.rng
    rows: list[tuple] = []
    furnish = {"urban": _urban, "suburban": _suburban, "rural": _rural, "highway": _highway}[plan.base]
    for side in (1, -1):
        rows += furnish(rng, plan, side)
    rows += _works(rng, plan)
    rows += _signal_poles(plan)
    main_count = len(rows)
    if plan.junction is not None:
        rows += _along_cross_road(rng, plan, furnish)
    return keep_off(builder, rows, main_count)


BLOCK_DEPTH_M = 18.0
"""Depth of the first row of houses along the main road; the cross road's own begin behind it."""


def _along_cross_road(
    rng: np.random.Generator, plan: RoadPlan, furnish: Callable[[np.random.Generator, RoadPlan, int], list[tuple]]
) -> list[tuple]:
    """What stands beside the cross road, in coordinates of the main road."""
    junction = plan.junction
    street = RoadPlan(plan.kind, plan.base, junction.line, junction.section, 0, float(junction.line.s_m[-1]))
    rows = [row for side in (1, -1) for row in furnish(rng, street, side)]
    kinds, s, d, yaw = (np.array([row[k] for row in rows]) for k in range(4))
    x, y, heading = junction.line.world(s, d)
    main_s, main_d = plan.line.project(x, y)
    turn = heading - np.interp(main_s, plan.line.s_m, plan.line.heading_rad)
    long = np.array([max(row[4][:2]) for row in rows])
    beyond = np.maximum(main_d - plan.section.left_outer_m, plan.section.right_outer_m - main_d)
    keep = beyond > np.where(np.isin(kinds, ("building", "hedge", "fence")), BLOCK_DEPTH_M + long / 2, 0.5 + long / 2)
    return [
        (row[0], float(main_s[i]), float(main_d[i]), float(yaw[i] + turn[i]), *row[4:])
        for i, row in enumerate(rows)
        if keep[i]
    ]


def _row(
    rng: np.random.Generator, kind: str, s: float, d: float, size: tuple, *, yaw: float = 0.0, fixed: bool = False
) -> tuple:
    """kind, s, d, yaw from the road, size, style, whether it may stand on closed ground."""
    return (kind, float(s), float(d), yaw, size, int(rng.integers(1 << 31)), fixed)


def _span(plan: RoadPlan) -> tuple[float, float]:
    return plan.start_m + 6.0, plan.end_m - 6.0


def _every(rng: np.random.Generator, span: tuple[float, float], low: float, high: float) -> list[float]:
    """Places along the road, spaced between low and high metres."""
    count = int((span[1] - span[0]) / low) + 2
    s = span[0] + np.cumsum(rng.uniform(low, high, count)) - low * rng.random()
    return s[s < span[1]].tolist()


def _edge(plan: RoadPlan, side: int) -> tuple[float, float]:
    """Offsets of the carriageway's edge and of the street's outer edge on a side."""
    section = plan.section
    return (section.left_edge_m, section.left_outer_m) if side > 0 else (section.right_edge_m, section.right_outer_m)


def _urban(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[tuple]:
    edge, outer = _edge(plan, side)
    rows, s = [], _span(plan)[0]
    while s < _span(plan)[1]:
        length, depth = rng.uniform(9.0, 24.0), rng.uniform(8.0, 14.0)
        height = float(np.clip(rng.gamma(5.0, 2.6), 6.0, 34.0))
        if rng.random() < 0.9:
            setback = 0.2 if rng.random() < 0.8 else rng.uniform(1.0, 4.0)
            rows.append(
                _row(rng, "building", s + length / 2, outer + side * (depth / 2 + setback), (length, depth, height))
            )
        else:
            rows += [_row(rng, "tree", s + length * f, outer + side * 3.0, _tree(rng)) for f in (0.3, 0.7)]
        s += length + (0.0 if rng.random() < 0.75 else rng.uniform(1.0, 5.0))
    lamp_d = edge + side * 0.6
    phase = rng.uniform(24.0, 30.0)
    rows += [
        _row(rng, "street_lamp", s, lamp_d, (0.2, 0.2, 7.5), yaw=-side * math.pi / 2)
        for s in np.arange(_span(plan)[0] + (phase / 2 if side > 0 else 0), _span(plan)[1], phase)
    ]
    walk = plan.section.verge_m + plan.section.sidewalk_m
    if walk > 2.6 and rng.random() < 0.6:
        rows += [_row(rng, "tree", s, edge + side * 1.0, _tree(rng, 0.75)) for s in _every(rng, _span(plan), 9.0, 16.0)]
    for kind, size, low, high in (
        ("bin", (0.5, 0.5, 1.0), 25.0, 70.0),
        ("sign", (0.08, 0.6, 2.4), 30.0, 80.0),
        ("bollard", (0.15, 0.15, 0.9), 20.0, 60.0),
    ):
        rows += [
            _row(rng, kind, s, edge + side * rng.uniform(0.45, 0.8), size, yaw=math.pi if side < 0 else 0.0)
            for s in _every(rng, _span(plan), low, high)
        ]
    if rng.random() < 0.3:
        rows.append(
            _row(
                rng,
                "bus_stop",
                rng.uniform(15.0, 70.0),
                outer - side * 0.9,
                (4.0, 1.3, 2.5),
                yaw=-side * math.pi / 2 + math.pi / 2,
            )
        )
    return rows


def _tree(rng: np.random.Generator, scale: float = 1.0) -> tuple[float, float, float]:
    height = float(rng.uniform(4.5, 10.0) * scale)
    crown = float(height * rng.uniform(0.4, 0.65))
    return (crown, crown, height)


def _suburban(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[tuple]:
    edge, outer = _edge(plan, side)
    rows, s = [], _span(plan)[0]
    boundary = str(rng.choice(["hedge", "fence", "none"], p=[0.4, 0.35, 0.25]))
    gates = [at for at, driveway_side in plan.driveways if driveway_side == side]
    while s < _span(plan)[1]:
        lot, length, depth = rng.uniform(15.0, 24.0), rng.uniform(8.0, 12.0), rng.uniform(7.0, 10.0)
        setback = rng.uniform(4.5, 8.0)
        gate = any(s - 2 < g < s + lot + 2 for g in gates)
        if not any(abs(g - (s + lot / 2)) < length / 2 + 2.5 for g in gates):
            rows.append(
                _row(
                    rng,
                    "building",
                    s + lot / 2,
                    outer + side * (setback + depth / 2),
                    (length, depth, float(rng.uniform(4.5, 8.5))),
                )
            )
        if boundary != "none" and not gate:
            size = (
                (lot - 3.5, 0.7, float(rng.uniform(1.0, 1.8)))
                if boundary == "hedge"
                else (lot - 3.5, 0.1, float(rng.uniform(0.9, 1.3)))
            )
            rows.append(_row(rng, boundary, s + lot / 2 - 1.7, outer + side * 0.6, size))
        if rng.random() < 0.7:
            rows.append(
                _row(rng, "tree", s + rng.uniform(1.0, lot - 1.0), outer + side * rng.uniform(2.5, 3.8), _tree(rng))
            )
        if rng.random() < 0.5:
            rows.append(
                _row(
                    rng,
                    "bush",
                    s + rng.uniform(1.0, lot - 1.0),
                    outer + side * rng.uniform(1.6, 2.2),
                    (1.2, 1.2, 1.0),
                )
            )
        if rng.random() < 0.3:
            rows.append(_row(rng, "bin", s + rng.uniform(1.0, lot - 1.0), outer + side * 0.3, (0.6, 0.6, 1.1)))
        s += lot
    lamp = [
        _row(rng, "street_lamp", s, edge + side * 0.6, (0.18, 0.18, 6.0), yaw=-side * math.pi / 2)
        for s in np.arange(_span(plan)[0] + 16.0 * (side > 0), _span(plan)[1], 34.0)
    ]
    verge = (
        [_row(rng, "tree", s, edge + side * 0.7, _tree(rng, 0.6)) for s in _every(rng, _span(plan), 16.0, 45.0)]
        if plan.section.verge_m > 1.2
        else []
    )
    return rows + lamp + verge


def _rural(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[tuple]:
    edge, _ = _edge(plan, side)
    rows = []
    density = rng.choice([(5.0, 12.0), (10.0, 30.0), (30.0, 90.0)])
    near = rng.uniform(3.0, 6.0)
    for s in _every(rng, _span(plan), *density):
        size = _tree(rng, 1.15)
        rows.append(_row(rng, "tree", s, edge + side * (near + size[0] / 2 + rng.gamma(2.0, 2.0)), size))
        if density[0] < 9.0:
            rows.append(
                _row(rng, "tree", s + 3.0, edge + side * (near + 9.0 + rng.uniform(0.0, 12.0)), _tree(rng, 1.2))
            )
    rows += [
        _row(rng, "bush", s, edge + side * rng.uniform(2.6, 6.0), (1.4, 1.4, 1.1))
        for s in _every(rng, _span(plan), 8.0, 40.0)
    ]
    style = rng.random()
    if style < 0.35:
        rows += [
            _row(rng, "fence", s, edge + side * 2.2, (5.8, 0.08, 1.1))
            for s in np.arange(_span(plan)[0], _span(plan)[1], 6.0)
        ]
    elif style < 0.6:
        rows += [
            _row(rng, "pole", s, edge + side * 2.4, (0.25, 0.25, 8.0))
            for s in np.arange(_span(plan)[0], _span(plan)[1], 38.0)
        ]
    elif style < 0.75:
        rows += [
            _row(rng, "guard_rail", s, edge + side * 0.7, (4.0, 0.25, 0.75))
            for s in np.arange(_span(plan)[0], _span(plan)[1], 4.0)
        ]
    rows += [
        _row(rng, "bollard", s, edge + side * 0.45, (0.12, 0.12, 1.0))
        for s in np.arange(_span(plan)[0], _span(plan)[1], 25.0)
    ]
    if rng.random() < 0.4:
        rows.append(
            _row(rng, "building", rng.uniform(40.0, 120.0), edge + side * rng.uniform(16.0, 30.0), (14.0, 9.0, 6.5))
        )
    rows += [
        _row(
            rng,
            "sign",
            rng.uniform(20.0, 90.0),
            edge + side * 1.3,
            (0.08, 0.7, 2.3),
            yaw=math.pi if side < 0 else 0.0,
        )
    ]
    return rows


def _highway(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[tuple]:
    edge, _ = _edge(plan, side)
    span, rows = _span(plan), []
    section = plan.section
    rows += [_row(rng, "guard_rail", s, edge + side * 0.7, (4.0, 0.25, 0.75)) for s in np.arange(span[0], span[1], 4.0)]
    if side > 0:  # the rail or wall between the carriageways
        kind, size = ("barrier", (4.0, 0.5, 0.9)) if section.median_m < 5.5 else ("guard_rail", (4.0, 0.3, 0.75))
        rows += [_row(rng, kind, s, section.median_m / 2, size) for s in np.arange(span[0], span[1], 4.0)]
    rows += [
        _row(rng, "tree", s, edge + side * rng.uniform(6.0, 18.0), _tree(rng, 1.2))
        for s in _every(rng, span, 7.0, 30.0)
    ]
    rows += [
        _row(rng, "bush", s, edge + side * rng.uniform(2.5, 5.0), (1.5, 1.5, 1.2))
        for s in _every(rng, span, 12.0, 50.0)
    ]
    rows.append(
        _row(
            rng,
            "sign",
            rng.uniform(40.0, 150.0),
            edge + side * 2.2,
            (0.15, 3.0, 5.0),
            yaw=math.pi if side < 0 else 0.0,
        )
    )
    if rng.random() < 0.3:
        rows += [
            _row(rng, "street_lamp", s, edge + side * 1.3, (0.22, 0.22, 10.0), yaw=-side * math.pi / 2)
            for s in np.arange(span[0], span[1], 40.0)
        ]
    if rng.random() < 0.25:
        rows += [
            _row(
                rng,
                "building",
                s,
                edge + side * rng.uniform(35.0, 55.0),
                (26.0, 16.0, float(rng.uniform(7.0, 14.0))),
            )
            for s in _every(rng, span, 45.0, 90.0)
        ]
    return rows


def _works(rng: np.random.Generator, plan: RoadPlan) -> list[tuple]:
    """Barriers and signs of a construction site, on the closed ground."""
    closure = plan.closure
    if closure is None:
        return []
    side = -1 if closure.from_right else 1
    outer = closure.offset_m + side * 0.7
    rows = [
        _row(rng, "barrier", s, outer, (2.4, 0.45, 1.0), fixed=True)
        for s in np.arange(closure.closed_m + 4.0, closure.end_m - 3.0, 5.0)
    ]
    edge = (
        plan.section.right_edge_m
        if closure.from_right
        else (plan.section.left_edge_m if not plan.section.median_m else 0.0)
    )
    for s in (closure.taper_start_m - 9.0, closure.taper_start_m - 1.0):
        if closure.from_right:
            rows.append(_row(rng, "construction_sign", s, edge - 0.5, (0.1, 0.9, 1.6)))
    rows.append(_row(rng, "construction_sign", closure.closed_m + 1.0, closure.offset_m, (0.1, 1.5, 1.6), fixed=True))
    return rows


def _signal_poles(plan: RoadPlan) -> list[tuple]:
    junction = plan.junction
    if junction is None or not junction.signals:
        return []
    at = junction.s_m - junction.stop_m - 0.2
    far = junction.s_m + junction.stop_m + 0.2
    right, left = plan.section.right_edge_m - 0.55, plan.section.left_edge_m + 0.55
    return [
        ("pole", at, right, 0.0, (0.16, 0.16, 3.4), 0, False),
        ("pole", far, left, math.pi, (0.16, 0.16, 3.4), 0, False),
    ]

"""Static objects beside each kind of road: buildings, trees, lamps, rails and signs on one side."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.street.clearance import StaticPlacement


def placement(
    rng: np.random.Generator,
    kind: str,
    s: float,
    d: float,
    size: tuple[float, float, float],
    *,
    yaw: float = 0.0,
    on_closed_ground: bool = False,
) -> StaticPlacement:
    """A static object at (s, d) with a random style."""
    return StaticPlacement(kind, float(s), float(d), yaw, size, int(rng.integers(1 << 31)), on_closed_ground)


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


def _tree(rng: np.random.Generator, scale: float = 1.0) -> tuple[float, float, float]:
    height = float(rng.uniform(4.5, 10.0) * scale)
    crown = float(height * rng.uniform(0.4, 0.65))
    return (crown, crown, height)


def _urban(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[StaticPlacement]:
    edge, outer = _edge(plan, side)
    rows, s = [], _span(plan)[0]
    while s < _span(plan)[1]:
        length, depth = rng.uniform(9.0, 24.0), rng.uniform(8.0, 14.0)
        height = float(np.clip(rng.gamma(5.0, 2.6), 6.0, 34.0))
        if rng.random() < 0.9:
            setback = 0.2 if rng.random() < 0.8 else rng.uniform(1.0, 4.0)
            rows.append(
                placement(
                    rng, "building", s + length / 2, outer + side * (depth / 2 + setback), (length, depth, height)
                )
            )
        else:
            rows += [placement(rng, "tree", s + length * f, outer + side * 3.0, _tree(rng)) for f in (0.3, 0.7)]
        s += length + (0.0 if rng.random() < 0.75 else rng.uniform(1.0, 5.0))
    lamp_d = edge + side * 0.6
    phase = rng.uniform(24.0, 30.0)
    rows += [
        placement(rng, "street_lamp", s, lamp_d, (0.2, 0.2, 7.5), yaw=-side * math.pi / 2)
        for s in np.arange(_span(plan)[0] + (phase / 2 if side > 0 else 0), _span(plan)[1], phase)
    ]
    walk = plan.section.verge_m + plan.section.sidewalk_m
    if walk > 2.6 and rng.random() < 0.6:
        rows += [
            placement(rng, "tree", s, edge + side * 1.0, _tree(rng, 0.75)) for s in _every(rng, _span(plan), 9.0, 16.0)
        ]
    for kind, size, low, high in (
        ("bin", (0.5, 0.5, 1.0), 25.0, 70.0),
        ("sign", (0.08, 0.6, 2.4), 30.0, 80.0),
        ("bollard", (0.15, 0.15, 0.9), 20.0, 60.0),
    ):
        rows += [
            placement(rng, kind, s, edge + side * rng.uniform(0.45, 0.8), size, yaw=math.pi if side < 0 else 0.0)
            for s in _every(rng, _span(plan), low, high)
        ]
    if rng.random() < 0.3:
        rows.append(
            placement(
                rng,
                "bus_stop",
                rng.uniform(15.0, 70.0),
                outer - side * 0.9,
                (4.0, 1.3, 2.5),
                yaw=-side * math.pi / 2 + math.pi / 2,
            )
        )
    return rows


def _suburban(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[StaticPlacement]:
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
                placement(
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
            rows.append(placement(rng, boundary, s + lot / 2 - 1.7, outer + side * 0.6, size))
        if rng.random() < 0.7:
            rows.append(
                placement(
                    rng, "tree", s + rng.uniform(1.0, lot - 1.0), outer + side * rng.uniform(2.5, 3.8), _tree(rng)
                )
            )
        if rng.random() < 0.5:
            rows.append(
                placement(
                    rng,
                    "bush",
                    s + rng.uniform(1.0, lot - 1.0),
                    outer + side * rng.uniform(1.6, 2.2),
                    (1.2, 1.2, 1.0),
                )
            )
        if rng.random() < 0.3:
            rows.append(placement(rng, "bin", s + rng.uniform(1.0, lot - 1.0), outer + side * 0.3, (0.6, 0.6, 1.1)))
        s += lot
    lamp = [
        placement(rng, "street_lamp", s, edge + side * 0.6, (0.18, 0.18, 6.0), yaw=-side * math.pi / 2)
        for s in np.arange(_span(plan)[0] + 16.0 * (side > 0), _span(plan)[1], 34.0)
    ]
    verge = (
        [placement(rng, "tree", s, edge + side * 0.7, _tree(rng, 0.6)) for s in _every(rng, _span(plan), 16.0, 45.0)]
        if plan.section.verge_m > 1.2
        else []
    )
    return rows + lamp + verge


def _rural(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[StaticPlacement]:
    edge, _ = _edge(plan, side)
    rows = []
    density = rng.choice([(5.0, 12.0), (10.0, 30.0), (30.0, 90.0)])
    near = rng.uniform(3.0, 6.0)
    for s in _every(rng, _span(plan), *density):
        size = _tree(rng, 1.15)
        rows.append(placement(rng, "tree", s, edge + side * (near + size[0] / 2 + rng.gamma(2.0, 2.0)), size))
        if density[0] < 9.0:
            rows.append(
                placement(rng, "tree", s + 3.0, edge + side * (near + 9.0 + rng.uniform(0.0, 12.0)), _tree(rng, 1.2))
            )
    rows += [
        placement(rng, "bush", s, edge + side * rng.uniform(2.6, 6.0), (1.4, 1.4, 1.1))
        for s in _every(rng, _span(plan), 8.0, 40.0)
    ]
    style = rng.random()
    if style < 0.35:
        rows += [
            placement(rng, "fence", s, edge + side * 2.2, (5.8, 0.08, 1.1))
            for s in np.arange(_span(plan)[0], _span(plan)[1], 6.0)
        ]
    elif style < 0.6:
        rows += [
            placement(rng, "pole", s, edge + side * 2.4, (0.25, 0.25, 8.0))
            for s in np.arange(_span(plan)[0], _span(plan)[1], 38.0)
        ]
    elif style < 0.75:
        rows += [
            placement(rng, "guard_rail", s, edge + side * 0.7, (4.0, 0.25, 0.75))
            for s in np.arange(_span(plan)[0], _span(plan)[1], 4.0)
        ]
    rows += [
        placement(rng, "bollard", s, edge + side * 0.45, (0.12, 0.12, 1.0))
        for s in np.arange(_span(plan)[0], _span(plan)[1], 25.0)
    ]
    if rng.random() < 0.4:
        rows.append(
            placement(
                rng, "building", rng.uniform(40.0, 120.0), edge + side * rng.uniform(16.0, 30.0), (14.0, 9.0, 6.5)
            )
        )
    rows += [
        placement(
            rng,
            "sign",
            rng.uniform(20.0, 90.0),
            edge + side * 1.3,
            (0.08, 0.7, 2.3),
            yaw=math.pi if side < 0 else 0.0,
        )
    ]
    return rows


def _highway(rng: np.random.Generator, plan: RoadPlan, side: int) -> list[StaticPlacement]:
    edge, _ = _edge(plan, side)
    span, rows = _span(plan), []
    section = plan.section
    rows += [
        placement(rng, "guard_rail", s, edge + side * 0.7, (4.0, 0.25, 0.75)) for s in np.arange(span[0], span[1], 4.0)
    ]
    if side > 0:  # the rail or wall between the carriageways
        kind, size = ("barrier", (4.0, 0.5, 0.9)) if section.median_m < 5.5 else ("guard_rail", (4.0, 0.3, 0.75))
        rows += [placement(rng, kind, s, section.median_m / 2, size) for s in np.arange(span[0], span[1], 4.0)]
    rows += [
        placement(rng, "tree", s, edge + side * rng.uniform(6.0, 18.0), _tree(rng, 1.2))
        for s in _every(rng, span, 7.0, 30.0)
    ]
    rows += [
        placement(rng, "bush", s, edge + side * rng.uniform(2.5, 5.0), (1.5, 1.5, 1.2))
        for s in _every(rng, span, 12.0, 50.0)
    ]
    rows.append(
        placement(
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
            placement(rng, "street_lamp", s, edge + side * 1.3, (0.22, 0.22, 10.0), yaw=-side * math.pi / 2)
            for s in np.arange(span[0], span[1], 40.0)
        ]
    if rng.random() < 0.25:
        rows += [
            placement(
                rng,
                "building",
                s,
                edge + side * rng.uniform(35.0, 55.0),
                (26.0, 16.0, float(rng.uniform(7.0, 14.0))),
            )
            for s in _every(rng, span, 45.0, 90.0)
        ]
    return rows


STYLES: dict[str, Callable[[np.random.Generator, RoadPlan, int], list[StaticPlacement]]] = {
    "urban": _urban, "suburban": _suburban, "rural": _rural, "highway": _highway,
}  # fmt: skip
"""Kind of street -> function that furnishes one side of it (+1 left, -1 right)."""

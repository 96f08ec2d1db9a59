"""What is on the ground: asphalt, kerbs, sidewalks, crossings and painted lines, in drawing order."""

from __future__ import annotations

import math

import numpy as np

from worldgen.core.scene import Line, Patch, Road
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.road_plan import Closure, CrossSection, Junction, RoadPlan

GROUND_REACH_M = 110.0
"""Distance to which the ground extends on both sides of the road."""
KERB_M = 0.18


def build_road(plan: RoadPlan) -> Road:
    """The ground of a planned road: patches from the bottom up, then lines."""
    s = _stations(plan)
    patches = [_ground(plan, s)]
    patches += _beside(plan.line, plan.section, s)
    junction = plan.junction
    cross_s = np.array([-110.0, -60.0, -30.0, 0.0, 30.0, 60.0, 110.0])
    if junction is not None:
        patches += _beside(junction.line, junction.section, cross_s)
    patches += _carriageway(plan.line, plan.section, s)
    if junction is not None:
        patches += _carriageway(junction.line, junction.section, cross_s)
        patches += _corners(plan, junction)
    patches += [_driveway(plan, at, side) for at, side in plan.driveways]
    if plan.closure is not None:
        patches.append(_closed_area(plan, plan.closure))
    patches += _marks_on_ground(plan)
    centre = plan.line.points(s)
    return Road(
        plan.kind, centre, plan.section.lane_width_m, plan.section.lanes, tuple(patches), tuple(_lines(plan, s))
    )


def _stations(plan: RoadPlan) -> np.ndarray:
    line = plan.line
    step = 10.0 if line.is_straight and not line.z_m.any() else 4.0
    return np.linspace(line.s_m[0], line.s_m[-1], max(int(np.ptp(line.s_m) / step), 2) + 1)


def strip(line: Curve, s_m: np.ndarray, right_m: np.ndarray | float, left_m: np.ndarray | float) -> np.ndarray:
    """Outline ``(2N, 3)`` of the ground between two offsets."""
    return np.concatenate(
        [
            line.points(s_m, right_m),
            line.points(s_m[::-1], np.asarray(left_m)[..., ::-1] if np.ndim(left_m) else left_m),
        ]
    )


def _ground(plan: RoadPlan, s: np.ndarray) -> Patch:
    surface = plan.section.ground
    if plan.line.z_m.any():
        return Patch(strip(plan.line, s, -GROUND_REACH_M, GROUND_REACH_M), surface)
    points = plan.line.points(s)
    (x0, y0), (x1, y1) = points[:, :2].min(0) - GROUND_REACH_M, points[:, :2].max(0) + GROUND_REACH_M
    return Patch(np.array([[x0, y0, 0.0], [x1, y0, 0.0], [x1, y1, 0.0], [x0, y1, 0.0]]), surface)


def _beside(line: Curve, section: CrossSection, s: np.ndarray) -> list[Patch]:
    """Shoulders, verges, sidewalks and kerbs of one road."""
    out = []
    for sign, edge, verge, walk in (
        (-1.0, section.right_edge_m, section.verge_m, section.sidewalk_m),
        (1.0, section.left_edge_m, section.verge_m, section.sidewalk_m),
    ):
        bands = []
        if walk:
            if verge:
                bands.append((edge, edge + sign * verge, "grass"))
            bands.append((edge + sign * verge, edge + sign * (verge + walk), "sidewalk"))
            bands.append((edge, edge + sign * KERB_M, "concrete"))
        else:
            bands.append((edge, edge + sign * 1.2, "gravel"))
        out += [Patch(strip(line, s, min(a, b), max(a, b)), surface) for a, b, surface in bands]
    return out


def _carriageway(line: Curve, section: CrossSection, s: np.ndarray) -> list[Patch]:
    if not section.median_m:
        return [Patch(strip(line, s, section.right_edge_m, section.left_edge_m), "asphalt", True)]
    inner = section.inner_shoulder_m
    return [
        Patch(strip(line, s, section.right_edge_m, inner), "asphalt", True),
        Patch(strip(line, s, section.median_m - inner, section.left_edge_m), "asphalt", True),
    ]


def _corners(plan: RoadPlan, junction: Junction) -> list[Patch]:
    """Rounded kerb corners of a junction."""
    out = []
    half, radius = junction.half_m, junction.corner_m
    arc = np.linspace(0.0, math.pi / 2, 7)
    for along in (-1.0, 1.0):
        for edge, across in ((plan.section.right_edge_m, -1.0), (plan.section.left_edge_m, 1.0)):
            s = junction.s_m + along * (half + radius - radius * np.sin(arc))
            d = edge + across * (radius - radius * np.cos(arc))
            s, d = np.append(s, junction.s_m + along * half), np.append(d, edge)
            out.append(Patch(plan.line.points(s, d), "asphalt", True))
    return out


def _driveway(plan: RoadPlan, at_m: float, side: int) -> Patch:
    edge = plan.section.left_edge_m if side > 0 else plan.section.right_edge_m
    s = np.array([at_m - 1.7, at_m + 1.7])
    near, far = sorted((edge, edge + side * 16.0))
    return Patch(strip(plan.line, s, near, far), "concrete")


def _closed_area(plan: RoadPlan, closure: Closure) -> Patch:
    """The ground taken by the works: a taper, then the whole lane; not drivable."""
    half = _closed_half_width(plan, closure)
    s = np.array([closure.taper_start_m, closure.closed_m, closure.end_m])
    outer, inner = (-half, half) if closure.from_right else (half, -half)
    inner_d = closure.offset_m + np.array([outer, inner, inner])
    outer_d = closure.offset_m + np.full(3, outer)
    dense = np.unique(np.concatenate([s, np.arange(s[0], s[-1], 6.0)]))
    inner_dense, outer_dense = np.interp(dense, s, inner_d), np.interp(dense, s, outer_d)
    return Patch(
        strip(plan.line, dense, outer_dense, inner_dense), "gravel" if plan.base == "rural" else "asphalt", False
    )


def _closed_half_width(plan: RoadPlan, closure: Closure) -> float:
    on_lane = closure.offset_m > plan.section.right_lane_edge_m
    return (
        plan.section.lane_width_m / 2
        if on_lane
        else max(plan.section.parking_right_m + plan.section.shoulder_m, 1.0) / 2
    )


def _marks_on_ground(plan: RoadPlan) -> list[Patch]:
    """Crossings, stop lines and arrows."""
    section, junction, out = plan.section, plan.junction, []
    if plan.crossing_s_m is not None:
        s = plan.crossing_s_m + np.array([-1.7, 1.7])
        out.append(Patch(strip(plan.line, s, section.right_edge_m, section.left_edge_m), "crossing", True))
    if junction is None:
        return out
    if plan.base != "rural":
        for line, street, distance in (
            (plan.line, section, junction.crossing_m),
            (junction.line, junction.section, _cross_distance_m(plan, junction)),
        ):
            middle = junction.s_m if line is plan.line else 0.0
            for sign in (-1.0, 1.0):
                s = middle + sign * distance + np.array([-1.6, 1.6])
                out.append(Patch(strip(line, s, street.right_edge_m, street.left_edge_m), "crossing", True))
    out += _stop_lines(plan, junction)
    arrow_s = junction.s_m - junction.stop_m - 7.0
    out += [
        Patch(plan.line.points(arrow_s + ARROW_M[:, 0], offset + ARROW_M[:, 1]), "arrow", True)
        for offset, direction in section.lanes
        if direction > 0
    ]
    return out


ARROW_M = np.array(
    [[0.0, -0.08], [2.6, -0.08], [2.6, -0.32], [4.4, 0.0], [2.6, 0.32], [2.6, 0.08], [0.0, 0.08]]
)  # fmt: skip
"""Outline of a straight arrow on a lane: metres along and across."""


def _cross_distance_m(plan: RoadPlan, junction: Junction) -> float:
    """Distance from the middle to the crossings over the cross road."""
    middle = 0.5 * (plan.section.left_edge_m + plan.section.right_edge_m)
    return plan.section.left_edge_m - middle + junction.corner_m + 1.0 + abs(middle)


def _stop_lines(plan: RoadPlan, junction: Junction) -> list[Patch]:
    section, street = plan.section, junction.section
    cross = _cross_distance_m(plan, junction) + 2.2
    places = (
        (plan.line, junction.s_m - junction.stop_m, section.right_lane_edge_m, 0.0),
        (plan.line, junction.s_m + junction.stop_m, section.median_m, section.left_lane_edge_m),
        (junction.line, -cross, street.right_lane_edge_m, 0.0),
        (junction.line, cross, 0.0, street.left_lane_edge_m),
    )
    return [
        Patch(strip(line, s + np.array([-0.2, 0.2]), right, left), "stop_line", True) for line, s, right, left in places
    ]


def _lines(plan: RoadPlan, s: np.ndarray) -> list[Line]:
    out = []
    gaps = []
    if plan.junction is not None:
        gaps.append((plan.junction.s_m - plan.junction.stop_m, plan.junction.s_m + plan.junction.stop_m))
    if plan.crossing_s_m is not None:
        gaps.append((plan.crossing_s_m - 2.4, plan.crossing_s_m + 2.4))
    for piece in _pieces(s, gaps):
        out += _street_lines(plan.line, plan.section, piece, plan.base)
    if plan.junction is not None:
        reach = _cross_distance_m(plan, plan.junction) + 2.2
        for piece in (np.array([-110.0, -40.0, -reach]), np.array([reach, 40.0, 110.0])):
            out += _street_lines(plan.junction.line, plan.junction.section, piece, plan.base)
    return out


def _pieces(s: np.ndarray, gaps: list[tuple[float, float]]) -> list[np.ndarray]:
    """Stations cut at gaps, each piece ending exactly at them."""
    edges = [float(s[0]), *[edge for gap in sorted(gaps) for edge in gap], float(s[-1])]
    out = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > 2.0:
            out.append(np.concatenate([[start], s[(s > start + 0.5) & (s < end - 0.5)], [end]]))
    return out


def _street_lines(line: Curve, section: CrossSection, s: np.ndarray, base: str) -> list[Line]:
    """Edge, lane and centre lines of one stretch."""
    width = section.lane_width_m
    dividers = [(-k * width, "dashed", False) for k in range(1, section.forward)]
    dividers += [(section.median_m + k * width, "dashed", False) for k in range(1, section.backward)]
    if section.median_m:
        dividers += [(0.0, "solid", True), (section.median_m, "solid", True)]
    elif section.forward > 1:
        dividers.append((0.0, "double", False))
    else:
        dividers.append((0.0, "dashed", base == "rural"))
    if section.median_m or base == "rural" or section.parking_right_m:
        dividers.append((section.right_lane_edge_m, "solid", False))
    if section.median_m or base == "rural" or section.parking_left_m:
        dividers.append((section.left_lane_edge_m, "solid", False))
    return [Line(line.points(s, d), 0.15 if base != "urban" else 0.12, style, yellow) for d, style, yellow in dividers]

"""Drawing the junction and the cross road that a manoeuvre or an event needs."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.road_needs import RoadNeeds
from worldgen.simulation.road.road_plan import CrossSection, Junction, RoadPlan

TURN_RADIUS_M = {"turn_left": 9.5, "turn_right": 7.5}
"""Radius of the circular part of a turn."""

TURN_RAMP_M = 4.0
"""Length over which the curvature of a turn builds up and fades."""


def draw_junction(rng: np.random.Generator, plan: RoadPlan, needs: RoadNeeds) -> Junction:
    """A junction at right angles, where the manoeuvre needs it."""
    cross = draw_cross_section(rng, plan)
    half = max(cross.left_edge_m, -cross.right_edge_m)
    corner = rng.uniform(5.0, 6.5)
    margin = half + corner + 4.2  # middle to stop line
    wants_far = bool(needs.road_features & {"far_junction", "far_crossing"}) and not needs.manoeuvre.startswith("turn")
    if needs.manoeuvre == "turn_left":
        start, reach = turn_start_m(rng, needs), turn_extent_m(TURN_RADIUS_M["turn_left"])[0]
        s = start + reach - cross.lane_width_m / 2
    elif needs.manoeuvre == "turn_right":
        corner = 6.0
        start, reach = turn_start_m(rng, needs), turn_extent_m(TURN_RADIUS_M["turn_right"])[0]
        s = start + reach + (cross.forward - 0.5) * cross.lane_width_m
    elif needs.manoeuvre == "stop":
        s = needs.distance_m + margin + 2.6  # front bumper just before the stop line
    elif needs.manoeuvre == "brake":
        s = needs.distance_m + margin + rng.uniform(3.0, 9.0)
    else:
        s = margin + rng.uniform(6.0, 18.0)
    if "crossing" in needs.road_features and not needs.manoeuvre.startswith("turn"):
        s = max(rng.uniform(0.7, 0.95) * needs.distance_m, 7.0) + EGO_FRONT_M + 1.0 + half + corner + 1.0
    elif "through" in needs.road_features:
        s = max(rng.uniform(0.7, 0.95) * needs.distance_m, 10.0) + EGO_FRONT_M + 2.0
    elif wants_far:
        s = max(s, needs.distance_m + margin + rng.uniform(2.0, 8.0))
    if needs.course is not None and needs.course.exit_pose is not None:
        return _junction_at_exit(plan, cross, float(corner), needs.course.exit_pose)
    centre = plan.line.world(s)
    grid = np.arange(-120.0, 121.0, 2.0)
    line = Curve.from_curvature(
        grid,
        np.zeros_like(grid),
        origin_m=(float(centre[0]), float(centre[1])),
        heading_rad=float(centre[2]) + math.pi / 2,
    )
    signals = (plan.base == "urban" and rng.random() < 0.75) or "signals" in needs.road_features
    signals = signals and "no_signals" not in needs.road_features
    return Junction(float(s), line, cross, float(corner), bool(signals))


def _junction_at_exit(
    plan: RoadPlan, cross: CrossSection, corner_m: float, exit_pose: tuple[float, float, float]
) -> Junction:
    """A junction whose cross road carries the given exit pose in its outermost lane of that direction."""
    x, y, yaw = exit_pose
    left = yaw > 0
    inset = (0.5 if left else cross.backward - 0.5) * cross.lane_width_m
    px, py = x - inset * math.sin(yaw), y + inset * math.cos(yaw)  # a point of the cross road's reference line
    main_y = -plan.ego_offset_m
    along = (main_y - py) / math.sin(yaw)
    centre_x = px + along * math.cos(yaw)
    grid = np.arange(-120.0, 121.0, 2.0)
    heading = yaw if left else yaw + math.pi
    line = Curve.from_curvature(grid, np.zeros_like(grid), origin_m=(centre_x, main_y), heading_rad=heading)
    return Junction(centre_x, line, cross, corner_m, False)


def draw_cross_section(rng: np.random.Generator, plan: RoadPlan) -> CrossSection:
    """The street that crosses: like the main one, as wide or narrower."""
    main = plan.section
    lanes = 1 if main.forward == 1 or rng.random() < 0.5 else 2
    if plan.base == "rural":
        return CrossSection(main.lane_width_m, 1, 1, shoulder_m=0.6)
    return CrossSection(
        main.lane_width_m,
        lanes,
        lanes,
        shoulder_m=0.3,
        verge_m=main.verge_m,
        sidewalk_m=main.sidewalk_m,
        ground=main.ground,
    )


def turn_extent_m(radius_m: float, angle_rad: float = math.pi / 2) -> tuple[float, float, np.ndarray]:
    """How far a turn reaches along and across, and its curvature profile at 0.25 m steps (trapezoid, left positive)."""
    length = angle_rad * radius_m + TURN_RAMP_M
    s = np.arange(0.0, length + 0.25, 0.25)
    curvature = np.clip(np.minimum(s, length - s) / TURN_RAMP_M, 0.0, 1.0) / radius_m
    curvature *= angle_rad / (0.5 * (curvature[1:] + curvature[:-1]) * 0.25).sum()
    curve = Curve.from_curvature(s, curvature)
    return float(curve.xy_m[-1, 0]), float(curve.xy_m[-1, 1]), curvature


def turn_start_m(rng: np.random.Generator, needs: RoadNeeds) -> float:
    """Where the ego begins to turn: soon, but late enough to have slowed down comfortably."""
    slow = 4.6 if needs.manoeuvre == "turn_right" else 5.1
    braking = max(0.0, needs.speed_mps**2 - slow**2) / (2 * 1.5) + 0.5 * max(0.0, needs.speed_mps - slow)
    return float(braking + rng.uniform(0.2, 1.5))

"""Drawing a road: cross-section, course, features and road works for a scenario."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.simulation.actors import EGO_FRONT_M
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.junctions import draw_junction
from worldgen.simulation.road.road_needs import MULTI_LANE, RoadNeeds, with_implied_features
from worldgen.simulation.road.road_plan import AHEAD_M, BEHIND_M, Closure, CrossSection, RoadPlan

SPEED_RANGE_MPS = {
    "highway": (23.0, 32.0), "urban": (7.5, 13.0), "suburban": (7.5, 12.5), "rural": (14.0, 21.0),
    "intersection": (7.0, 12.0), "construction": (8.0, 13.0),
}  # fmt: skip
"""Usual free speeds by kind of road: city 30 to 50 km/h, country road 50 to 80, motorway 80 to 115."""

DESIGN_LATERAL_MPS2 = 1.8
"""Lateral acceleration at which the drawn course of a road is comfortable at the ego's speed."""

FAR_CROSSING_M = (5.5, 2.0)
"""Least distance of a far crossing beyond the end of the driven stretch, and the spread of it."""

MAX_DRIVEN_TURN_RAD = 0.16
"""Turn of the road over the stretch driven in the clip, so that a bend is not mistaken for a turn at a junction."""


def draw_section(rng: np.random.Generator, base: str, road_features: frozenset[str]) -> CrossSection:
    """A random cross-section of a kind of road, with the requested features."""
    pick = rng.random(4)
    if base == "highway":
        lanes = 2 + int(pick[0] < 0.55) + int(pick[1] < 0.15)
        return CrossSection(
            3.6 + 0.15 * pick[2], lanes, lanes, median_m=4.0 + 4.0 * pick[3], inner_shoulder_m=1.0, shoulder_m=2.8
        )
    if base == "rural":
        multi = bool(road_features & MULTI_LANE)
        return CrossSection(3.1 + 0.4 * pick[0], 2 if multi else 1, 1, shoulder_m=0.6 + 0.9 * pick[1])
    two = "single_lane" not in road_features and (
        pick[0] < (0.35 if base == "urban" else 0.06) or bool(road_features & MULTI_LANE)
    )
    lanes = 2 if two else 1
    parked = "parking" in road_features or pick[1] < (0.6 if base == "urban" else 0.35)
    both = parked and ("parking" in road_features or pick[2] < 0.6)
    if base == "urban":
        return CrossSection(
            3.0 + 0.3 * pick[3],
            lanes,
            lanes,
            parking_right_m=2.2 if parked else 0.0,
            parking_left_m=2.2 if both else 0.0,
            shoulder_m=0.3,
            verge_m=0.0 if pick[2] < 0.7 else 1.4,
            sidewalk_m=2.4 + 1.8 * pick[1],
            ground="sidewalk",
        )
    return CrossSection(
        3.0 + 0.4 * pick[3],
        lanes,
        lanes,
        parking_right_m=2.1 if parked else 0.0,
        parking_left_m=2.1 if both else 0.0,
        shoulder_m=0.2,
        verge_m=1.0 + 1.5 * pick[2],
        sidewalk_m=1.6 + 0.6 * pick[1],
    )


def base_road(rng: np.random.Generator, needs: RoadNeeds) -> str:
    """The kind of street under an intersection or construction site."""
    if needs.road == "intersection":
        return "urban" if rng.random() < 0.7 else "suburban"
    if needs.road == "construction":
        if needs.road_features & {"junction", "parking", "crossing", "far_crossing"}:
            return "urban"
        return str(rng.choice(["urban", "rural", "highway"], p=[0.5, 0.2, 0.3])) if needs.speed_mps < 16 else "highway"
    return needs.road


def draw_curvature(rng: np.random.Generator, s_m: np.ndarray, needs: RoadNeeds) -> np.ndarray:
    """Curvature (1/m) along the road: straight, or smooth bends that the ego's speed allows."""
    straight_share = {"highway": 0.35, "rural": 0.15, "suburban": 0.45}.get(needs.road, 0.6)
    if (
        needs.road_features & {"junction", "crest", "straight"}
        or needs.manoeuvre.startswith("turn")
        or rng.random() < straight_share
    ):
        return np.zeros_like(s_m)
    length = rng.uniform(160.0, 420.0)
    peak = rng.uniform(0.25, 1.0) * min(DESIGN_LATERAL_MPS2 / max(needs.speed_mps, 6.0) ** 2, 0.45 * math.pi / length)
    curvature = rng.choice((-1.0, 1.0)) * peak * np.sin(2 * math.pi * (s_m / length + rng.random()))
    limit = MAX_DRIVEN_TURN_RAD
    if needs.manoeuvre.startswith("lane"):
        limit = min(limit, 0.25 / max(needs.speed_mps, 3.0))  # a small part of the lane change's own heading
    heading = np.cumsum(curvature[(s_m >= 0) & (s_m <= needs.distance_m)]) * (s_m[1] - s_m[0])
    if not len(heading):
        return curvature
    shift_m = abs(float(heading.sum()))
    looks_like_lane_change = abs(heading[-1]) < 0.7 * np.abs(heading).max()
    scale = min(1.0, limit / max(float(np.ptp(np.append(heading, 0.0))), 1e-9))
    return curvature * (min(scale, 1.2 / max(shift_m, 1e-9)) if looks_like_lane_change else scale)


def ego_lane(rng: np.random.Generator, section: CrossSection, needs: RoadNeeds) -> int:
    """The forward lane in which the ego starts, so that manoeuvre and requested lanes fit."""
    lanes = list(range(section.forward))
    if needs.manoeuvre in ("lane_left", "turn_right") or "left_lane" in needs.road_features:
        lanes = [k for k in lanes if k >= 1] or lanes
    if needs.manoeuvre in ("lane_right", "turn_left") or "right_lane" in needs.road_features:
        lanes = [k for k in lanes if k <= section.forward - 2] or lanes
    if needs.manoeuvre == "turn_right":
        return lanes[-1]
    if needs.manoeuvre == "turn_left":
        return lanes[0]
    return int(rng.choice(lanes))


def draw_plan(rng: np.random.Generator, needs: RoadNeeds) -> RoadPlan:
    """A random road with what the scene needs. The ego starts at the origin.

    Raises InputError for a manoeuvre or features that the kind of road cannot have.
    """
    if needs.road == "highway" and needs.manoeuvre.startswith("turn"):
        raise InputError(
            "ego manoeuvre on a highway", needs.manoeuvre, "keep, accelerate, brake, stop, lane_left or lane_right"
        )
    road_features = with_implied_features(needs)
    if needs.road == "highway" and road_features & {"junction", "crossing", "far_crossing"}:
        raise InputError("junction or crossing on a highway", "highway", "urban, suburban, rural or intersection")
    if "single_lane" in road_features and road_features & MULTI_LANE:
        raise InputError(
            "events and manoeuvre together",
            "one that needs a single lane and one that needs a lane beside it",
            "one of them",
        )
    needs = replace(needs, road_features=road_features)
    base = base_road(rng, needs)
    section = draw_section(rng, base, road_features)
    if "left_lane" in road_features and "right_lane" in road_features:
        section = replace(section, forward=max(section.forward, 3))
    lane = ego_lane(rng, section, needs)
    s = np.arange(-BEHIND_M, needs.distance_m + AHEAD_M + 1.0, 1.0)
    if needs.course is not None:
        curvature = np.interp(s, needs.course.curvature_s_m, needs.course.curvature)
    else:
        curvature = draw_curvature(rng, s, replace(needs, road=base))
    line = Curve.from_curvature(s, curvature, origin_m=(0.0, -section.forward_offset_m(lane)))
    if "crest" in road_features:
        line = replace(line, z_m=crest_height(rng, s, needs.distance_m))
    return _with_features(rng, RoadPlan(needs.road, base, line, section, lane, float(s[-1])), needs)


def _with_features(rng: np.random.Generator, plan: RoadPlan, needs: RoadNeeds) -> RoadPlan:
    """The plan with junction, works, zebra crossing and driveways."""
    road_features, distance = needs.road_features, needs.distance_m
    if "junction" in road_features:
        plan = replace(plan, junction=draw_junction(rng, plan, needs))
    if needs.road == "construction":
        plan = replace(plan, closure=draw_closure(rng, plan, needs))
    if "crossing" in road_features and plan.junction is None:
        plan = replace(plan, crossing_s_m=float(max(rng.uniform(0.7, 0.95) * distance, 7.0) + EGO_FRONT_M + 1.0))
    elif plan.junction is None and ("far_crossing" in road_features or (plan.base == "urban" and rng.random() < 0.35)):
        clear, spread = FAR_CROSSING_M if "far_crossing" in road_features else (10.0, 40.0)
        plan = replace(plan, crossing_s_m=float(distance + clear + rng.uniform(0.0, spread)))
    if plan.base == "suburban":
        plan = replace(plan, driveways=draw_driveways(rng, plan, needs))
    return plan


def draw_driveways(rng: np.random.Generator, plan: RoadPlan, needs: RoadNeeds) -> tuple[tuple[float, int], ...]:
    """Driveways of houses, away from the junction; the first, on the right, is reached within the clip if requested."""
    out = []
    if "driveway" in needs.road_features:
        out.append((float(max(rng.uniform(0.7, 0.95) * needs.distance_m, 9.0) + EGO_FRONT_M + 1.0), -1))
    for side in (-1, 1):
        s = rng.uniform(-20.0, 10.0)
        while s < min(plan.end_m - 20.0, 140.0):
            clear = all(abs(s - at) > 9.0 or other_side != side for at, other_side in out)
            off = plan.junction is None or abs(s - plan.junction.s_m) > plan.junction.stop_m + 5.0
            if clear and off:
                out.append((float(s), side))
            s += rng.uniform(16.0, 45.0)
    return tuple(out)


def crest_height(rng: np.random.Generator, s_m: np.ndarray, distance_m: float) -> np.ndarray:
    """A hill ahead, flat where the ego starts: a smooth bump that it climbs within the clip; slopes below 8 %."""
    top = max(0.62 * distance_m, 24.0)
    half, height = top * rng.uniform(0.92, 1.0), min(2.2, 0.045 * top + 0.5)
    phase = np.clip((s_m - top) / half, -1.0, 1.0)
    return height * 0.5 * (1 + np.cos(math.pi * phase))


def draw_closure(rng: np.random.Generator, plan: RoadPlan, needs: RoadNeeds) -> Closure:
    """The lane, or the strip beside the road, that the road works close."""
    section, lane = plan.section, plan.ego_lane
    shift = {"lane_left": -1, "lane_right": 1}.get(needs.manoeuvre, 0)
    final = lane + shift
    if "ego_lane_closed" in needs.road_features and not shift:
        free = lane - 1 if lane > 0 else lane + 1
        near, far = (0.95, 1.15) if needs.manoeuvre == "stop" else (0.5, 0.75)
        taper = rng.uniform(near, far) * needs.distance_m + EGO_FRONT_M
        return Closure(
            section.forward_offset_m(lane), taper, taper + rng.uniform(8.0, 14.0), taper + 130.0, free < lane
        )
    others = [k for k in (final - 1, final + 1) if 0 <= k < section.forward]
    closed = lane if shift else (others[int(rng.integers(len(others)))] if others else None)
    taper = needs.distance_m + rng.uniform(4.0, 12.0) if shift else rng.uniform(10.0, 20.0)
    length = rng.uniform(16.0, 28.0)
    if "ego_lane_closed" in needs.road_features:
        taper, length = rng.uniform(0.8, 0.95) * needs.distance_m + EGO_FRONT_M, 10.0
    if "early_closure" in needs.road_features:
        taper, length = rng.uniform(2.0, 6.0), rng.uniform(8.0, 12.0)
    if closed is None:  # one lane only: the works stand on the shoulder and parking strip
        offset = section.right_lane_edge_m - max(section.parking_right_m + section.shoulder_m, 1.0) / 2 - 0.1
        return Closure(offset, taper, taper + length, taper + length + 120.0, True)
    return Closure(section.forward_offset_m(closed), taper, taper + length, taper + length + 120.0, closed > final)

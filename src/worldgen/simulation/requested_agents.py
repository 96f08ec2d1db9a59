"""Requested agents: placed where the request says, within the camera's view."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, MOTOR_KINDS, SIZE_M, Track
from worldgen.simulation.events.base import drive_along
from worldgen.simulation.requested_vehicles import clear_place_m, place_vehicle
from worldgen.simulation.scene_builder import SceneBuilder, exit_road_builder
from worldgen.simulation.street.furnishing import GREEN, RED, cone_places, park, signal
from worldgen.simulation.street.pedestrians import WALK_MPS, cross, walk_along

CROSSED_SHARE = (0.22, 0.5)
"""So much of the way across the road somebody who was asked for has walked in the middle of the clip."""


def requested_kinds(scenario: Scenario) -> frozenset[str]:
    """Kinds and classes that the background must not add, because the scenario requests an exact number of them."""
    return frozenset(request.kind for request in scenario.agents)


def requested_road_features(scenario: Scenario) -> set[str]:
    """Features of the road that the requests need. Raises InputError for requests that a highway cannot carry."""
    road_features: set[str] = set()
    for request in scenario.agents:
        if not request.count:
            continue
        if request.kind in MOTOR_KINDS:
            if request.place == "ahead" and request.count > 1 and not scenario.events:
                road_features.add("neighbour")
            if request.place == "crossing":
                road_features.add("junction")
            if request.place in ("parked", "from_behind_parked") and scenario.road in (
                "urban",
                "suburban",
                "intersection",
            ):
                road_features.add("parking")
        elif request.place == "from_behind_parked" and scenario.road in ("urban", "suburban", "intersection"):
            road_features.add("parking")
        elif (
            request.place == "crossing"
            and request.kind in ("pedestrian", "child")
            and scenario.road in ("urban", "suburban")
        ):
            road_features.add("far_crossing")
        if request.kind == "traffic_light":
            road_features.update(("junction", "signals", "far_junction"))
    if scenario.road == "highway" and road_features & {"junction"}:
        raise InputError(
            "agents on a highway",
            ", ".join(sorted(r.kind for r in scenario.agents)),
            "none that need a junction (crossing vehicles, traffic lights)",
        )
    return road_features


def place_requests(builder: SceneBuilder) -> list[tuple[AgentRequest, list[Track]]]:
    """Adds the requested agents; returns the tracks added for each request."""
    out = []
    turning = builder.ego.manoeuvre.startswith("turn") and builder.plan.junction is not None
    beyond = exit_road_builder(builder) if turning else builder
    for request in builder.scenario.agents:
        tracks = []
        on_main = request.kind == "traffic_light" or (
            request.kind in MOTOR_KINDS and request.place in ("ahead", "crossing")
        )
        for i in range(request.count):
            added = _handler(request)(builder if on_main else beyond, request, i)
            if added is not None:
                added.essential = True
                tracks.append(added)
        out.append((request, tracks))
    return out


def _handler(request: AgentRequest) -> Callable[[SceneBuilder, AgentRequest, int], Track | None]:
    if request.kind == "traffic_light":
        return _light
    if request.kind == "traffic_cone":
        return _cone
    if request.kind in ("cargo", "bicycle"):
        return _lying
    return place_vehicle if request.kind in MOTOR_KINDS else _person


def _person(builder: SceneBuilder, request: AgentRequest, i: int) -> Track | None:
    """Pedestrians, children, cyclists and animals."""
    place, kind = request.place, request.kind
    if place == "anywhere":
        place = (
            str(builder.rng.choice(["left", "right", "right", "crossing"]))
            if kind != "cyclist"
            else str(builder.rng.choice(["ahead", "right", "oncoming"]))
        )
    if kind == "cyclist" and place in ("ahead", "right", "oncoming", "left", "parked"):
        return _cyclist(builder, place, i)
    if place in ("ahead", "crossing", "from_behind_parked"):
        return _crossing(builder, kind, i, hidden=place == "from_behind_parked")
    return _on_walk(builder, kind, place, i)


def _walk_offset(builder: SceneBuilder, side: int, i: int) -> float:
    section = builder.plan.section
    middle = section.left_walk_m if side > 0 else section.right_walk_m
    return middle + side * ((i % 2) - 0.5) * min(0.9, 0.4 * max(section.sidewalk_m, 1.5))


def _on_walk(builder: SceneBuilder, kind: str, place: str, i: int) -> Track:
    """Along the sidewalk or the roadside, in view until late in the clip."""
    side = {"left": 1, "right": -1}.get(place, 1 if i % 2 else -1)
    if kind + place not in builder.group_motion:
        towards = -1.0 if place == "oncoming" else float(builder.rng.choice((-1, 1)))
        still = builder.rng.random() < 0.15 or place == "parked"
        builder.group_motion[kind + place] = (towards, 0.0 if still else builder.uniform(*WALK_MPS[kind]))
    # A group shares one walking speed, so that nobody overlaps another.
    direction, speed = int(builder.group_motion[kind + place][0]), builder.group_motion[kind + place][1]
    near = (
        0.8 * builder.nominal_s_m[-1]
        + builder.uniform(9.0, 10.0)
        + 2.6 * (i // 2)
        - direction * speed * 0.8 * builder.duration_s
    )
    if builder.plan.section.median_m and side > 0:
        # Beyond the far carriageway people are out of view, so they stand on the median.
        d = builder.plan.section.inner_shoulder_m + 0.8
    else:
        d = _walk_offset(builder, side, i)
    junction = builder.plan.junction
    if junction is not None:
        near = _off_cross_road(builder, near, direction * speed)
    if speed == 0.0:
        track = builder.standing(kind, near, d, yaw_rad=builder.uniform(-3.1, 3.1))
    else:
        track = walk_along(builder, kind, near, d, direction=direction, speed_mps=speed)
    track.is_obstacle = False
    return track


def _off_cross_road(builder: SceneBuilder, s_m: float, velocity_mps: float) -> float:
    """A start from which the whole walk stays before or beyond the cross road."""
    junction = builder.plan.present_junction
    reach = junction.half_m + junction.corner_m + 0.8
    span = sorted((0.0, velocity_mps * builder.duration_s))
    if s_m + span[1] < junction.s_m - reach or s_m + span[0] > junction.s_m + reach:
        return s_m
    before = junction.s_m - reach - span[1]
    return before if before > 6.0 else junction.s_m + reach - span[0]


def _crossing(builder: SceneBuilder, kind: str, i: int, *, hidden: bool) -> Track:
    """Crossing the road beyond the ego's last position."""
    plan, section = builder.plan, builder.plan.section
    speed = builder.uniform(*WALK_MPS["cyclist" if kind == "cyclist" else kind])
    if kind + "crossing" not in builder.group_motion:
        builder.group_motion[kind + "crossing"] = (
            speed,
            builder.nominal_s_m[-1] + EGO_FRONT_M + builder.uniform(3.5, 6.0),
        )
    speed, s = builder.group_motion[kind + "crossing"]
    side = -1 if hidden or i % 2 else 1
    s += 1.6 * i
    if plan.crossing_s_m is not None and not hidden and abs(plan.crossing_s_m - s) < 14.0:
        s = plan.crossing_s_m - 1.2 + 0.8 * (i % 4) + 3.4 * (i // 4)
    if plan.junction is not None and not hidden:
        s = _junction_crossing(builder, s, i)
    ends = (section.left_walk_m, section.right_walk_m) if side > 0 else (section.right_walk_m, section.left_walk_m)
    if section.median_m:
        inner = section.inner_shoulder_m + 0.8
        ends = (inner, section.right_walk_m) if side > 0 else (section.right_walk_m, inner)
    total = abs(ends[1] - ends[0]) / speed
    # In the middle of the clip the person is on the carriageway, before or in the ego's lane.
    start = 0.5 * builder.duration_s - builder.uniform(*CROSSED_SHARE) * total - 0.9 * (i // 2)
    if hidden:
        start = builder.uniform(0.1, 0.3) * builder.duration_s
        if i == 0 and builder.allowed("van"):
            s = clear_place_m(builder, s, -1, 6.0)
            builder.group_motion[kind + "crossing"] = (speed, s)
            hide = park(builder, "van", s - 3.5, -1)
            hide.is_obstacle = False
    return cross(builder, kind, s, ends[0], ends[1], start_s=start, speed_mps=speed)


def _junction_crossing(builder: SceneBuilder, s_m: float, i: int) -> float:
    """Position (m) of the zebra crossing of the junction ahead of the ego's last position, else a place beyond it."""
    junction = builder.plan.present_junction
    for at in (junction.s_m - junction.crossing_m, junction.s_m + junction.crossing_m):
        if at > builder.nominal_s_m[-1] + EGO_FRONT_M + 2.5 or builder.ego.manoeuvre.startswith("turn"):
            return at - 1.0 + 0.7 * (i % 4) + 3.2 * (i // 4)
    return max(s_m, junction.s_m + junction.crossing_m + 0.7 * i)


def _cyclist(builder: SceneBuilder, place: str, i: int) -> Track:
    """Riding at the edge of the road, ahead of the ego or towards it."""
    section = builder.plan.section
    speed = builder.uniform(*WALK_MPS["cyclist"])
    edge = section.right_lane_edge_m
    room = section.parking_right_m + section.shoulder_m
    d_right = edge - min(0.45, 0.5 * room)
    # Keeps 0.4 m of lateral distance to the ego.
    lane_right = builder.plan.ego_offset_m - EGO_HALF_WIDTH_M - 0.4 - SIZE_M["bicycle"][1] / 2
    d_right = min(d_right, lane_right)
    v_ego = float(builder.nominal_v_mps.mean())
    if place in ("oncoming", "left") and section.backward and not section.median_m:
        d = section.left_lane_edge_m + min(0.35, 0.4 * (section.parking_left_m + section.shoulder_m)) - 0.2
        s = (
            builder.nominal_s_m[-1]
            + EGO_FRONT_M
            + builder.uniform(3.0, 7.0)
            + speed * (builder.duration_s - builder.times_s)
            + 4.0 * i
        )
        return drive_along(builder, "cyclist", s, d, np.full(builder.steps, speed), direction=-1)
    ahead = max((v_ego - speed) * builder.duration_s, 0.0) + EGO_FRONT_M + builder.uniform(4.5, 8.0) + 4.2 * i
    return drive_along(builder, "cyclist", ahead + speed * builder.times_s, d_right, np.full(builder.steps, speed))


def _light(builder: SceneBuilder, request: AgentRequest, i: int) -> Track | None:
    """A traffic light of the junction ahead; several alternate between its near and far side."""
    junction = builder.plan.junction
    if junction is None:
        return None
    if builder.ego.manoeuvre.startswith("turn"):
        at = junction.s_m + junction.stop_m
    else:
        at = junction.s_m - junction.stop_m if i % 2 == 0 else junction.s_m + junction.stop_m
    section = builder.plan.section
    d = section.right_edge_m - 0.55 if i % 4 in (0, 3) else section.left_edge_m + 0.55
    if section.median_m == 0 and i >= 4:
        d += math.copysign(0.7 * (i // 4), d)
    signal(builder, at, d, math.pi, RED if builder.main_stops else GREEN)
    return builder.tracks[-1]


def _cone(builder: SceneBuilder, request: AgentRequest, i: int) -> Track | None:
    """A traffic cone: on the taper of the road works, else along the edge of the road."""
    section, closure = builder.plan.section, builder.plan.closure
    if closure is not None and request.place in ("anywhere", "ahead"):
        seen = [p for p in cone_places(builder, closure) if p[0] > 0.65 * builder.nominal_s_m[-1] + 6.0]
        s, d = seen[i % len(seen)] if seen else (closure.end_m + 3.0 * i, closure.offset_m)
        s += 0.9 * (i // max(len(seen), 1))
    else:
        side = 1 if request.place in ("left", "oncoming") and not section.median_m else -1
        edge = section.left_lane_edge_m if side > 0 else section.right_lane_edge_m
        s = builder.nominal_s_m[-1] + EGO_FRONT_M + 4.0 + 2.2 * i
        d = edge + side * 0.25
    track = builder.standing("traffic_cone", s, d)
    track.is_obstacle = builder.plan.closure_blocks_ego and closure is not None
    return track


def _lying(builder: SceneBuilder, request: AgentRequest, i: int) -> Track | None:
    """Parked bicycles beside the road; lost cargo on its edge."""
    section = builder.plan.section
    side = 1 if request.place in ("left", "oncoming") and not section.median_m else -1
    s = max(0.75 * builder.nominal_s_m[-1], 3.0) + 9.0 + 2.3 * i
    if request.kind == "bicycle":
        edge = section.left_edge_m if side > 0 else section.right_edge_m
        track = builder.standing(
            "bicycle",
            _off_cross_road(builder, s, 0.0) if builder.plan.junction else s,
            edge + side * (section.verge_m + 0.7),
        )
    elif request.place == "ahead":
        track = builder.standing(
            "cargo",
            builder.nominal_s_m[-1] + EGO_FRONT_M + 5.0 + 2.0 * i,
            builder.plan.ego_offset_m,
            yaw_rad=builder.uniform(-1, 1),
        )
    else:
        edge = section.left_lane_edge_m if side > 0 else section.right_lane_edge_m
        track = builder.standing("cargo", s, edge + side * 0.55, yaw_rad=builder.uniform(-1, 1))
    track.is_obstacle = request.kind == "cargo"
    return track

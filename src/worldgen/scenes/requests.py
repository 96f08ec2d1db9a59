"""Agents that were asked for: put where they were asked to be, so that the camera sees them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.scenes.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, MOTOR_KINDS, SIZE_M, Track
from worldgen.scenes.events.base import rides
from worldgen.scenes.pedestrians import WALK_MPS, cross, walk_along
from worldgen.scenes.plan import RoadPlan
from worldgen.scenes.stage import Motion, Stage
from worldgen.scenes.street import GREEN, RED, cone_places, park, signal, way_of

LONG_M = {"truck": 9.0, "bus": 12.0, "van": 5.4, "car": 4.7, "motorcycle": 2.2}
STANDING_KINDS = ("traffic_light", "traffic_cone", "cargo", "bicycle")


def quiet_kinds(scenario: Scenario) -> frozenset[str]:
    """Kinds and classes of which the background must not add any: those asked for by number."""
    return frozenset(request.kind for request in scenario.agents)


def request_wants(scenario: Scenario) -> set[str]:
    """Features of the road that the requests need."""
    wants: set[str] = set()
    for request in scenario.agents:
        if not request.count:
            continue
        if request.kind in MOTOR_KINDS:
            if request.place == "ahead" and request.count > 1 and not scenario.events:
                wants.add("neighbour")
            if request.place == "crossing":
                wants.add("junction")
            if request.place in ("parked", "from_behind_parked") and scenario.road in (
                "urban",
                "suburban",
                "intersection",
            ):
                wants.add("parking")
        elif request.place == "from_behind_parked" and scenario.road in ("urban", "suburban", "intersection"):
            wants.add("parking")
        elif (
            request.place == "crossing"
            and request.kind in ("pedestrian", "child")
            and scenario.road in ("urban", "suburban")
        ):
            wants.add("far_crossing")
        if request.kind == "traffic_light":
            wants.update(("junction", "signals", "far_junction"))
    if scenario.road == "highway" and wants & {"junction"}:
        raise InputError(
            "agents on a highway",
            ", ".join(sorted(r.kind for r in scenario.agents)),
            "none that need a junction (crossing vehicles, traffic lights)",
        )
    return wants


def place_requests(stage: Stage) -> list[tuple[AgentRequest, list[Track]]]:
    """Adds the agents asked for; returns what was added for each request."""
    out = []
    turning = stage.ego.manoeuvre.startswith("turn") and stage.plan.junction is not None
    beyond = exit_stage(stage) if turning else stage
    for request in stage.scenario.agents:
        tracks = []
        on_main = request.kind == "traffic_light" or (
            request.kind in MOTOR_KINDS and request.place in ("ahead", "crossing")
        )
        for i in range(request.count):
            added = _handler(request)(stage if on_main else beyond, request, i)
            if added is not None:
                added.essential = True
                tracks.append(added)
        out.append((request, tracks))
    return out


def exit_stage(stage: Stage) -> Stage:
    """The same stage seen along the road into which the ego turns: there it looks when the clip ends.

    Shares the tracks; the exit road is the main one, with the junction behind.
    """
    plan, junction = stage.plan, stage.plan.junction
    left = stage.ego.manoeuvre == "turn_left"
    cross_line, main_line = (
        (junction.line, plan.line.reversed_at(junction.s_m))
        if left
        else (junction.line.reversed_at(0.0), plan.line.shifted(junction.s_m))
    )
    back = replace(junction, s_m=0.0, line=main_line, section=plan.section)
    lane = 0 if left else junction.section.forward - 1
    exit_plan = RoadPlan(
        plan.kind, plan.base, cross_line, junction.section, lane, float(cross_line.s_m[-1]), junction=back
    )
    keep = replace(stage.ego, manoeuvre="keep", fixed=(stage.nominal_s_m, stage.nominal_v_mps))
    view = replace(stage, plan=exit_plan, ego=keep)
    x, y, _ = stage.ego.path.world(stage.nominal_s_m[-1:])
    view.nominal_s_m = stage.nominal_s_m - stage.nominal_s_m[-1] + max(float(cross_line.project(x, y)[0][0]), 6.0)
    return view


def _handler(request: AgentRequest) -> Callable[[Stage, AgentRequest, int], Track | None]:
    if request.kind == "traffic_light":
        return _light
    if request.kind == "traffic_cone":
        return _cone
    if request.kind in ("cargo", "bicycle"):
        return _lying
    return _vehicle if request.kind in MOTOR_KINDS else _person


def _vehicle(stage: Stage, request: AgentRequest, i: int) -> Track | None:
    place = request.place
    if place == "anywhere":
        options = ["ahead", "oncoming", "ahead", "parked", "left", "right"]
        place = (
            options[(i + int(stage.rng.integers(len(options)))) % len(options)]
            if i
            else str(stage.rng.choice(["ahead", "ahead", "oncoming", "parked"]))
        )
        if request.kind in ("motorcycle", "truck") and place == "parked":
            place = "ahead"
    if place == "right" and stage.plan.ego_lane + 1 >= stage.plan.section.forward:
        place = "parked"
    if place == "left" and stage.plan.ego_lane == 0 and stage.plan.section.backward:
        place = "oncoming"
    if place == "crossing" and stage.plan.junction is None:
        place = "from_behind_parked"
    return VEHICLE_PLACES[place](stage, request.kind, i)


def _taken_ahead(stage: Stage, offset_m: float) -> float:
    """Road coordinate beyond the last actor that starts in the lane ahead of the ego, or of the ego's front."""
    rear = EGO_FRONT_M
    for track in stage.tracks:
        s, d = stage.plan.line.project(track.x_m[:1], track.y_m[:1])
        if abs(d[0] - offset_m) < 2.0 and s[0] > -2.0:
            rear = max(rear, float(s[0]) + track.half_length_m)
    return rear


def _ahead(stage: Stage, kind: str, i: int) -> Track:
    """Before the ego in its own lane; it does as the ego means to do, a little ahead of it."""
    half = LONG_M[kind] / 2
    beside = stage.plan.ego_lane + (-1 if stage.plan.ego_lane > 0 else 1)
    closed = (
        stage.plan.closure is not None
        and abs(stage.plan.section.forward_offset_m(beside) - stage.plan.closure.offset_m) < 1.0
    )
    if (
        i % 2
        and beside < stage.plan.section.forward
        and not closed
        and not stage.ego.manoeuvre.startswith(("turn", "lane"))
    ):
        return _beside(stage, kind, i, stage.plan.ego_lane - beside)  # one behind the other they would hide each other
    taken = _taken_ahead(stage, stage.plan.ego_offset_m)
    if taken > EGO_FRONT_M + 0.1:
        s0 = taken + half + 2.0 + stage.uniform(0.45, 0.7) * stage.ego.speed_mps
    else:
        s0 = EGO_FRONT_M + half + float(np.clip(3.0 + stage.uniform(0.9, 1.3) * stage.ego.speed_mps, 6.0, 30.0))
    way = stage.nominal_s_m - stage.nominal_s_m[0]
    line = (
        stage.ego.path
        if stage.ego.manoeuvre.startswith(("turn", "lane")) or stage.ego.fixed is not None
        else stage.plan.line
    )
    d = (0.0 if line is stage.ego.path else stage.plan.ego_offset_m) + (0.0, 0.4, -0.4)[i % 3]
    if stage.ego.manoeuvre.startswith("turn"):
        # It turns as well, slowly enough for the bend: as far ahead in time, not in metres.
        lead = (s0 - EGO_FRONT_M) / max(stage.ego.speed_mps, 3.0)
        later = np.interp(stage.times_s + lead, stage.times_s, stage.nominal_s_m)
        beyond = np.maximum(stage.times_s + lead - stage.duration_s, 0.0) * stage.nominal_v_mps[-1]
        way = later + beyond
        way, s0 = way - way[0], way[0] + half + EGO_FRONT_M
    variant = "box_truck" if kind == "truck" else None
    motion = Motion(s0 + way, np.full(stage.steps, d), stage.nominal_v_mps.copy())
    track = stage.track(kind, motion, line=line, variant=variant)
    slowing = np.gradient(stage.nominal_v_mps, stage.dt_s) if stage.steps > 1 else np.zeros(1)
    track.braking = (slowing < -0.8) | (stage.nominal_v_mps < 0.2)
    return track


def _beside(stage: Stage, kind: str, i: int, side: int) -> Track:
    """In the next lane of the same direction, ahead and slowly being caught up or pulling away."""
    section = stage.plan.section
    lane = stage.plan.ego_lane - side
    if not 0 <= lane < section.forward:
        return _ahead(stage, kind, i)
    offset = section.forward_offset_m(lane)
    half = LONG_M[kind] / 2
    speed = np.maximum(stage.nominal_v_mps + stage.uniform(-0.8, 0.8), 0.0)
    taken = _taken_ahead(stage, offset)
    s0 = taken + half + (stage.uniform(5.0, 12.0) if taken <= EGO_FRONT_M + 0.1 else 6.0 + 0.5 * stage.ego.speed_mps)
    return rides(
        stage, kind, way_of(speed, stage.dt_s, s0), offset, speed, variant="box_truck" if kind == "truck" else None
    )


def _oncoming(stage: Stage, kind: str, i: int) -> Track:
    """In the opposite lane, passing late in the clip."""
    section = stage.plan.section
    if not section.backward:
        return _ahead(stage, kind, i)
    half = LONG_M[kind] / 2
    speed = max(stage.ego.speed_mps * stage.uniform(0.75, 1.05), 5.0)
    lane = i % section.backward
    offset = section.backward_offset_m(lane)
    end = (
        stage.nominal_s_m[-1]
        + EGO_FRONT_M
        + stage.uniform(3.0, 9.0)
        + half
        + (i // section.backward) * (10.0 + 2 * half + 0.6 * speed)
    )
    s = end + speed * (stage.duration_s - stage.times_s)
    return rides(
        stage, kind, s, offset, np.full(stage.steps, speed), way=-1, variant="box_truck" if kind == "truck" else None
    )


def _parked(stage: Stage, kind: str, i: int) -> Track:
    """Parked beside the road where the ego passes late or not at all."""
    both = stage.plan.section.parking_left_m > 0 and stage.plan.section.backward > 0
    side = 1 if both and i % 2 else -1
    rank = i // 2 if both else i
    s = max(0.7 * stage.nominal_s_m[-1], 4.0) + 9.0 + rank * (LONG_M[kind] + 1.6) + stage.uniform(0.0, 1.0)
    s = _beyond(stage, s, side, LONG_M[kind])
    return park(stage, kind, s, side, variant="box_truck" if kind == "truck" else None)


def _beyond(stage: Stage, s_m: float, side: int, length_m: float) -> float:
    """The place, moved on until it is clear of what stands on that side, of junction and crossing."""
    plan = stage.plan
    for _ in range(8):
        moved = s_m
        if plan.junction is not None and abs(s_m - plan.junction.s_m) < plan.junction.stop_m + length_m / 2:
            moved = plan.junction.s_m + plan.junction.stop_m + length_m / 2 + 1.0
        if plan.crossing_s_m is not None and abs(s_m - plan.crossing_s_m) < 3.0 + length_m / 2:
            moved = plan.crossing_s_m + 3.2 + length_m / 2
        for track in stage.tracks:
            s, d = plan.line.project(track.x_m[:1], track.y_m[:1])
            beside = (
                d[0] > plan.section.left_lane_edge_m - 0.3 if side > 0 else d[0] < plan.section.right_lane_edge_m + 0.3
            )
            if (
                beside
                and abs(d[0]) < 14.0
                and track.speed_mps[0] < 0.1
                and abs(s[0] - s_m) < length_m / 2 + track.half_length_m + 0.8
            ):
                moved = max(moved, float(s[0]) + length_m / 2 + track.half_length_m + 1.2)
        if moved == s_m:
            return s_m
        s_m = moved
    return s_m


def _through(stage: Stage, kind: str, i: int) -> Track:
    """On the cross road of the junction, passing before the ego gets there."""
    junction = stage.plan.junction
    way = 1 if (i + int(stage.rng.integers(2))) % 2 else -1
    offset = junction.section.forward_offset_m(0) if way > 0 else junction.section.backward_offset_m(0)
    speed = stage.uniform(5.0, 8.5)
    pass_s = stage.uniform(0.3, 0.6) * stage.duration_s + (i // 2) * ((LONG_M[kind] + 6.0) / speed)
    s = way * speed * (stage.times_s - pass_s)
    return stage.track(kind, Motion(s, np.full(stage.steps, offset), np.full(stage.steps, speed), way), line=junction.line,
                       variant="box_truck" if kind == "truck" else None)  # fmt: skip


def _pulling_out(stage: Stage, kind: str, i: int) -> Track:
    """From behind a parked van into the ego's lane, well ahead."""
    start = stage.uniform(0.1, 0.35) * stage.duration_s
    t = np.maximum(stage.times_s - start, 0.0)
    v = np.minimum(1.8 * t, max(4.0, 0.7 * stage.ego.speed_mps))
    way = way_of(v, stage.dt_s, 0.0)
    s0 = _beyond(stage, stage.nominal_s_m[-1] + 10.0 + 9.0 * i, -1, LONG_M[kind] + 7.0)
    parked = park(stage, kind, s0, -1, variant="box_truck" if kind == "truck" else None)
    d0 = float(stage.plan.line.project(parked.x_m[:1], parked.y_m[:1])[1][0])
    stage.tracks.remove(parked)
    if stage.allowed("van") and not i:
        hide = park(stage, "van", s0 - LONG_M[kind] / 2 - 4.2, -1)
        hide.stop_for = False
    phase = np.clip(way / 10.0, 0.0, 1.0)
    d = d0 + (stage.plan.ego_offset_m - d0) * (phase - np.sin(2 * math.pi * phase) / (2 * math.pi))
    track = rides(stage, kind, s0 + way, d, v, variant="box_truck" if kind == "truck" else None)
    track.indicator = np.ones(stage.steps, int)
    return track


VEHICLE_PLACES: dict[str, Callable[[Stage, str, int], Track | None]] = {
    "ahead": _ahead, "left": lambda s, k, i: _beside(s, k, i, 1), "right": lambda s, k, i: _beside(s, k, i, -1),
    "oncoming": _oncoming, "parked": _parked, "crossing": _through, "from_behind_parked": _pulling_out,
}  # fmt: skip


def _person(stage: Stage, request: AgentRequest, i: int) -> Track | None:
    """Pedestrians, children, cyclists and animals."""
    place, kind = request.place, request.kind
    if place == "anywhere":
        place = (
            str(stage.rng.choice(["left", "right", "right", "crossing"]))
            if kind != "cyclist"
            else str(stage.rng.choice(["ahead", "right", "oncoming"]))
        )
    if kind == "cyclist" and place in ("ahead", "right", "oncoming", "left", "parked"):
        return _cyclist(stage, place, i)
    if place in ("ahead", "crossing", "from_behind_parked"):
        return _crossing(stage, kind, i, hidden=place == "from_behind_parked")
    return _on_walk(stage, kind, place, i)


def _walk_offset(stage: Stage, side: int, i: int) -> float:
    section = stage.plan.section
    middle = section.left_walk_m if side > 0 else section.right_walk_m
    return middle + side * ((i % 2) - 0.5) * min(0.9, 0.4 * max(section.sidewalk_m, 1.5))


def _on_walk(stage: Stage, kind: str, place: str, i: int) -> Track:
    """Along the sidewalk or the roadside, in view until late in the clip."""
    side = {"left": 1, "right": -1}.get(place, 1 if i % 2 else -1)
    if kind + place not in stage.pace:
        towards = -1.0 if place == "oncoming" else float(stage.rng.choice((-1, 1)))
        still = stage.rng.random() < 0.15 or place == "parked"
        stage.pace[kind + place] = (towards, 0.0 if still else stage.uniform(*WALK_MPS[kind]))
    # A group keeps one pace, so that nobody walks through another.
    way, speed = int(stage.pace[kind + place][0]), stage.pace[kind + place][1]
    near = (
        0.8 * stage.nominal_s_m[-1] + stage.uniform(9.0, 10.0) + 2.6 * (i // 2) - way * speed * 0.8 * stage.duration_s
    )
    if stage.plan.section.median_m and side > 0:
        # Nobody is seen beyond the far carriageway: they stand on the median.
        d = stage.plan.section.inner_shoulder_m + 0.8
    else:
        d = _walk_offset(stage, side, i)
    junction = stage.plan.junction
    if junction is not None:
        near = _off_cross_road(stage, near, way * speed)
    if speed == 0.0:
        track = stage.standing(kind, near, d, yaw_rad=stage.uniform(-3.1, 3.1))
    else:
        track = walk_along(stage, kind, near, d, way=way, speed_mps=speed)
    track.stop_for = False
    return track


def _off_cross_road(stage: Stage, s_m: float, velocity_mps: float) -> float:
    """A start from which the whole walk stays before or beyond the cross road."""
    junction = stage.plan.junction
    reach = junction.half_m + junction.corner_m + 0.8
    span = sorted((0.0, velocity_mps * stage.duration_s))
    if s_m + span[1] < junction.s_m - reach or s_m + span[0] > junction.s_m + reach:
        return s_m
    before = junction.s_m - reach - span[1]
    return before if before > 6.0 else junction.s_m + reach - span[0]


def _crossing(stage: Stage, kind: str, i: int, *, hidden: bool) -> Track:
    """Across the road beyond where the ego gets to."""
    plan, section = stage.plan, stage.plan.section
    side = -1 if hidden or i % 2 else 1
    speed = stage.uniform(*WALK_MPS["cyclist" if kind == "cyclist" else kind])
    if kind + "crossing" not in stage.pace:
        stage.pace[kind + "crossing"] = (speed, stage.nominal_s_m[-1] + EGO_FRONT_M + stage.uniform(6.0, 9.0))
    speed, s = stage.pace[kind + "crossing"]
    s += 1.6 * i
    if plan.crossing_s_m is not None and not hidden and abs(plan.crossing_s_m - s) < 14.0:
        s = plan.crossing_s_m - 1.2 + 0.8 * (i % 4) + 3.4 * (i // 4)
    if plan.junction is not None and not hidden:
        s = _junction_crossing(stage, s, i)
    ends = (section.left_walk_m, section.right_walk_m) if side > 0 else (section.right_walk_m, section.left_walk_m)
    if section.median_m:
        inner = section.inner_shoulder_m + 0.8
        ends = (inner, section.right_walk_m) if side > 0 else (section.right_walk_m, inner)
    total = abs(ends[1] - ends[0]) / speed
    start = stage.uniform(-0.25, 0.15) * min(total, stage.duration_s) - 0.9 * (i // 2)
    if hidden:
        start = stage.uniform(0.1, 0.3) * stage.duration_s
        if i == 0 and stage.allowed("van"):
            s = _beyond(stage, s, -1, 6.0)
            stage.pace[kind + "crossing"] = (speed, s)
            hide = park(stage, "van", s - 3.5, -1)
            hide.stop_for = False
    return cross(stage, kind, s, ends[0], ends[1], start_s=start, speed_mps=speed)


def _junction_crossing(stage: Stage, s_m: float, i: int) -> float:
    """The zebra of the junction that lies ahead of where the ego ends, or the place itself."""
    junction = stage.plan.junction
    for at in (junction.s_m - junction.crossing_m, junction.s_m + junction.crossing_m):
        if at > stage.nominal_s_m[-1] + EGO_FRONT_M + 2.5 or stage.ego.manoeuvre.startswith("turn"):
            return at - 1.0 + 0.7 * (i % 4) + 3.2 * (i // 4)
    return max(s_m, junction.s_m + junction.crossing_m + 0.7 * i)


def _cyclist(stage: Stage, place: str, i: int) -> Track:
    """Riding at the edge of the road, ahead of the ego or towards it."""
    section = stage.plan.section
    speed = stage.uniform(*WALK_MPS["cyclist"])
    edge = section.right_lane_edge_m
    room = section.parking_right_m + section.shoulder_m
    d_right = edge - min(0.45, 0.5 * room)
    # Leaves 0.4 m to the side of the ego if that passes.
    lane_right = stage.plan.ego_offset_m - EGO_HALF_WIDTH_M - 0.4 - SIZE_M["bicycle"][1] / 2
    d_right = min(d_right, lane_right)
    v_ego = float(stage.nominal_v_mps.mean())
    if place in ("oncoming", "left") and section.backward and not section.median_m:
        d = section.left_lane_edge_m + min(0.35, 0.4 * (section.parking_left_m + section.shoulder_m)) - 0.2
        s = (
            stage.nominal_s_m[-1]
            + EGO_FRONT_M
            + stage.uniform(3.0, 7.0)
            + speed * (stage.duration_s - stage.times_s)
            + 4.0 * i
        )
        return rides(stage, "cyclist", s, d, np.full(stage.steps, speed), way=-1)
    ahead = max((v_ego - speed) * stage.duration_s, 0.0) + EGO_FRONT_M + stage.uniform(4.5, 8.0) + 4.2 * i
    return rides(stage, "cyclist", ahead + speed * stage.times_s, d_right, np.full(stage.steps, speed))


def _light(stage: Stage, request: AgentRequest, i: int) -> Track | None:
    """Signals of the junction ahead; on its approach, one after another."""
    junction = stage.plan.junction
    if junction is None:
        return None
    if stage.ego.manoeuvre.startswith("turn"):
        at = junction.s_m + junction.stop_m
    else:
        at = junction.s_m - junction.stop_m if i % 2 == 0 else junction.s_m + junction.stop_m
    section = stage.plan.section
    d = section.right_edge_m - 0.55 if i % 4 in (0, 3) else section.left_edge_m + 0.55
    if section.median_m == 0 and i >= 4:
        d += math.copysign(0.7 * (i // 4), d)
    signal(stage, at, d, math.pi, RED if stage.main_stops else GREEN)
    return stage.tracks[-1]


def _cone(stage: Stage, request: AgentRequest, i: int) -> Track | None:
    """Cones: on the works' taper, else along the right edge of the road, or the left."""
    section, closure = stage.plan.section, stage.plan.closure
    if closure is not None and request.place in ("anywhere", "ahead"):
        seen = [p for p in cone_places(stage, closure) if p[0] > 0.65 * stage.nominal_s_m[-1] + 6.0]
        s, d = seen[i % len(seen)] if seen else (closure.end_m + 3.0 * i, closure.offset_m)
        s += 0.9 * (i // max(len(seen), 1))
    else:
        side = 1 if request.place in ("left", "oncoming") and not section.median_m else -1
        edge = section.left_lane_edge_m if side > 0 else section.right_lane_edge_m
        s = stage.nominal_s_m[-1] + EGO_FRONT_M + 4.0 + 2.2 * i
        d = edge + side * 0.25
    track = stage.standing("traffic_cone", s, d)
    track.stop_for = stage.plan.closure_blocks_ego and closure is not None
    return track


def _lying(stage: Stage, request: AgentRequest, i: int) -> Track | None:
    """Parked bicycles beside the road; lost cargo on its edge."""
    section = stage.plan.section
    side = 1 if request.place in ("left", "oncoming") and not section.median_m else -1
    s = max(0.75 * stage.nominal_s_m[-1], 3.0) + 9.0 + 2.3 * i
    if request.kind == "bicycle":
        edge = section.left_edge_m if side > 0 else section.right_edge_m
        track = stage.standing(
            "bicycle",
            _off_cross_road(stage, s, 0.0) if stage.plan.junction else s,
            edge + side * (section.verge_m + 0.7),
        )
    elif request.place == "ahead":
        track = stage.standing(
            "cargo",
            stage.nominal_s_m[-1] + EGO_FRONT_M + 5.0 + 2.0 * i,
            stage.plan.ego_offset_m,
            yaw_rad=stage.uniform(-1, 1),
        )
    else:
        edge = section.left_lane_edge_m if side > 0 else section.right_lane_edge_m
        track = stage.standing("cargo", s, edge + side * 0.55, yaw_rad=stage.uniform(-1, 1))
    track.stop_for = request.kind == "cargo"
    return track

"""Events with moving vehicles on the ego's road."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, compact_variant
from worldgen.simulation.events.base import (
    STRAIGHT_ON,
    Event,
    PlayedEvent,
    adjacent_lane_offset,
    drive_along,
    ego_front,
    end_time_s,
    meeting_time,
    step_at,
)
from worldgen.simulation.kinematics import brake_profile, positions_from_speed, smooth_change
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.street.furnishing import bay_offset_m, park

FLOWING = ("keep", "accelerate", "brake")


def _motor(builder: SceneBuilder, *, large: float = 0.2) -> str:
    """A kind of motor vehicle: mostly car, with probability ``large`` a van or truck."""
    pick = builder.rng.random()
    if pick < large / 2 and builder.allowed("truck"):
        return "truck"
    return "van" if pick < large and builder.allowed("van") else "car"


def hard_braking_leader(builder: SceneBuilder) -> PlayedEvent:
    """The vehicle ahead brakes hard."""
    speed, start = builder.ego.speed_mps, builder.uniform(0.08, 0.3) * builder.duration_s
    v = brake_profile(
        builder.times_s, speed, start, builder.uniform(5.0, 7.5), final_mps=builder.uniform(0.0, 0.3) * speed
    )
    gap = 2.0 + speed * builder.uniform(0.8, 1.3)
    track = drive_along(
        builder,
        _motor(builder),
        positions_from_speed(v, builder.dt_s, EGO_FRONT_M + 2.4 + gap),
        builder.plan.ego_offset_m,
        v,
        part="leader",
    )
    return PlayedEvent((track,), start, end_time_s(builder, start, 3.0))


def sudden_stop_and_go(builder: SceneBuilder) -> PlayedEvent:
    """In dense traffic the vehicle ahead stops short and soon drives on."""
    speed, start = builder.ego.speed_mps, builder.uniform(0.05, 0.2) * builder.duration_s
    braking = builder.uniform(4.5, 6.5)
    v = brake_profile(builder.times_s, speed, start, braking)
    go = start + speed / braking + builder.uniform(0.3, 0.8)
    v = np.maximum(v, np.clip(2.0 * (builder.times_s - go), 0.0, speed))
    gap = 2.0 + speed * builder.uniform(0.7, 1.1)
    track = drive_along(
        builder,
        _motor(builder),
        positions_from_speed(v, builder.dt_s, EGO_FRONT_M + 2.4 + gap),
        builder.plan.ego_offset_m,
        v,
        part="leader",
    )
    return PlayedEvent((track,), start, end_time_s(builder, go, 1.5))


def _cuts_in(
    builder: SceneBuilder, part: str, *, gap_m: float, slower_mps: float, length_s: float, start_s: float, side: int = 0
) -> PlayedEvent:
    """A slower vehicle ``gap_m`` ahead changes from the adjacent lane into the ego's lane from ``start_s``."""
    lane, side = adjacent_lane_offset(builder, side)
    v = np.maximum(builder.nominal_v_mps - slower_mps * smooth_change(builder.times_s, start_s - 0.6, 1.2), 0.5)
    kind = _motor(builder)
    half = 2.6 if kind == "van" else (4.0 if kind == "truck" else 2.35)
    s = positions_from_speed(v, builder.dt_s, 0.0)
    front = ego_front(builder)
    s += np.interp(start_s, builder.times_s, front) + gap_m + half - np.interp(start_s, builder.times_s, s)
    d = lane + (builder.plan.ego_offset_m - lane) * smooth_change(builder.times_s, start_s, length_s)
    track = drive_along(builder, kind, s, d, v, part=part, variant=compact_variant(kind))
    track.indicator = np.where((builder.times_s > start_s - 0.5) & (builder.times_s < start_s + length_s), -side, 0)
    track.noticed_from_step = step_at(builder, start_s + 0.35)
    return PlayedEvent((track,), max(0.0, start_s), end_time_s(builder, start_s, length_s + 1.0))


def cut_in(builder: SceneBuilder) -> PlayedEvent:
    """A vehicle from the next lane pushes in just ahead of the ego."""
    start = builder.uniform(0.1, 0.35) * builder.duration_s
    return _cuts_in(
        builder,
        "vehicle",
        gap_m=builder.uniform(4.0, 9.0),
        slower_mps=builder.uniform(2.0, 4.5),
        length_s=builder.uniform(1.6, 2.6),
        start_s=start,
    )


def merging_without_gap(builder: SceneBuilder) -> PlayedEvent:
    """A vehicle merges from the right although there is no gap, half a length ahead of the ego."""
    start = builder.uniform(0.1, 0.3) * builder.duration_s
    return _cuts_in(
        builder,
        "merging",
        gap_m=builder.uniform(1.2, 3.2),
        slower_mps=builder.uniform(0.8, 2.2),
        length_s=builder.uniform(2.2, 3.0),
        start_s=start,
        side=-1,
    )


def cut_out_revealing_stopped_car(builder: SceneBuilder) -> PlayedEvent:
    """The vehicle ahead changes lane at the last moment and reveals a stopped car."""
    lane, side = adjacent_lane_offset(builder)
    speed = builder.ego.speed_mps
    leader_gap = 2.0 + speed * builder.uniform(0.8, 1.05)
    start = builder.uniform(0.05, 0.2) * builder.duration_s
    v = np.full(builder.steps, speed)
    s = positions_from_speed(v, builder.dt_s, EGO_FRONT_M + 2.4 + leader_gap)
    d = builder.plan.ego_offset_m + (lane - builder.plan.ego_offset_m) * smooth_change(builder.times_s, start, 1.9)
    leader = drive_along(
        builder, "van" if builder.allowed("van") and builder.rng.random() < 0.5 else "car", s, d, v, part="leader"
    )
    leader.indicator = np.where(builder.times_s > start, side, 0)
    # The leader's rear is clear of the stopped car's lane just before it gets there.
    at = float(np.interp(start + 1.75, builder.times_s, s)) + 2.6 + builder.uniform(2.6, 5.0)
    stopped = builder.standing("car", at + 2.3, builder.plan.ego_offset_m, part="stopped")
    stopped.indicator = np.full(builder.steps, 2)
    stopped.noticed_from_step = step_at(builder, start + 0.8)
    builder.reserve(-20.0, at + 30.0, lane - 1.5, lane + 1.5)
    return PlayedEvent((stopped,), start, end_time_s(builder, start, 3.0))


def wrong_way_driver(builder: SceneBuilder) -> PlayedEvent:
    """A car comes towards the ego in the ego's own lane."""
    speed = builder.uniform(0.7, 1.1) * max(builder.ego.speed_mps, 8.0)
    meet = meeting_time(builder, 0.85, 1.1, cap_s=4.5)
    s = builder.road_s_at(meet) + 2.3 - speed * (builder.times_s - meet)
    dodge = builder.uniform(2.2, 2.6) * smooth_change(builder.times_s, meet - builder.uniform(1.2, 1.7), 1.5)
    track = drive_along(
        builder,
        "car",
        s,
        builder.plan.ego_offset_m + builder.uniform(-0.3, 0.3) + _free_side(builder) * dodge,
        np.full(builder.steps, speed),
        direction=-1,
        part="car",
    )
    return PlayedEvent((track,), 0.0, end_time_s(builder, meet, 0.5))


def _free_side(builder: SceneBuilder) -> int:
    """Side to which a head-on car escapes: towards its own side of the road."""
    return (
        1
        if builder.plan.section.backward and not builder.plan.section.median_m
        else (1 if builder.plan.ego_lane > 0 else -1)
    )


def oncoming_overtaker(builder: SceneBuilder) -> PlayedEvent:
    """An oncoming car overtakes another in the ego's lane and just gets back in time."""
    section = builder.plan.section
    own, lane = builder.plan.ego_offset_m, section.backward_offset_m(0)
    slow = builder.uniform(0.55, 0.8) * max(builder.ego.speed_mps, 8.0)
    fast = slow + builder.uniform(4.0, 6.0)
    meet = meeting_time(builder, 0.85, 1.1, cap_s=4.5)
    base = builder.road_s_at(meet) + 2.3
    back = meet - builder.uniform(1.5, 1.9)
    d = own + (lane - own) * smooth_change(builder.times_s, back, 1.4)
    track = drive_along(
        builder,
        "car",
        base - fast * (builder.times_s - meet),
        d,
        np.full(builder.steps, fast),
        direction=-1,
        part="overtaker",
    )
    track.indicator = np.where((builder.times_s > back - 0.4) & (builder.times_s < back + 1.2), -1, 0)
    # The overtaken vehicle is already behind the overtaker when that changes back.
    at_back = base - fast * (back - meet) + 2.4 + 2.0
    kind = (
        "truck"
        if builder.rng.random() < 0.5 and builder.allowed("truck")
        else ("van" if builder.allowed("van") else "car")
    )
    half = {"truck": 4.1, "van": 2.8}.get(kind, 2.4)
    s = at_back + half + 1.0 - slow * (builder.times_s - back)
    drive_along(
        builder,
        kind,
        s,
        lane,
        np.full(builder.steps, slow),
        direction=-1,
        part="overtaken",
        variant=compact_variant(kind),
    )
    return PlayedEvent((track,), 0.0, end_time_s(builder, meet, 0.3))


def drifting_neighbour(builder: SceneBuilder) -> PlayedEvent:
    """The driver in the next lane drifts over the line towards the ego and corrects late."""
    lane, side = adjacent_lane_offset(builder)
    start = builder.uniform(0.15, 0.35) * builder.duration_s
    slower = builder.uniform(1.2, 3.0)
    v = np.maximum(builder.nominal_v_mps - slower, 0.5)
    s = positions_from_speed(v, builder.dt_s, 0.0)
    s += (
        np.interp(start + 0.8, builder.times_s, ego_front(builder))
        + builder.uniform(3.0, 7.0)
        + 2.35
        - np.interp(start + 0.8, builder.times_s, s)
    )
    over = builder.uniform(1.1, 1.7)
    drift = over * (smooth_change(builder.times_s, start, 1.8) - smooth_change(builder.times_s, start + 2.6, 1.6))
    track = drive_along(builder, _motor(builder, large=0.0), s, lane - side * drift, v, part="neighbour")
    track.noticed_from_step = step_at(builder, start + 0.6)
    return PlayedEvent((track,), start, end_time_s(builder, start, 3.5))


def bus_pulling_out(builder: SceneBuilder) -> PlayedEvent:
    """A bus leaves its stop and pulls out in front of the ego."""
    meet = meeting_time(builder, 0.8, 1.1)
    start = max(-0.5, meet - builder.uniform(2.2, 2.9))
    bus = park(builder, "bus", 0.0, -1, part="bus")
    t = np.maximum(builder.times_s - start, 0.0)
    v = np.minimum(1.6 * t, builder.uniform(3.5, 5.0))
    begin = builder.road_s_at(meet) + bus.half_length_m + builder.uniform(-1.0, 2.0)
    d0, d1 = bay_offset_m(builder, -1, bus.half_width_m), builder.plan.ego_offset_m - 0.2
    travelled_m = positions_from_speed(v, builder.dt_s, 0.0)
    d = d0 + (d1 - d0) * smooth_change(travelled_m, 0.3, 11.0)
    builder.tracks.remove(bus)
    track = drive_along(builder, "bus", begin + travelled_m, d, v, part="bus")
    track.indicator = np.ones(builder.steps, int)
    track.noticed_from_step = step_at(builder, max(0.0, start) + 0.5)
    builder.reserve(begin - 12.0, begin + 25.0, d0 - 1.6, d0 + 1.6)
    return PlayedEvent((track,), max(0.0, start), end_time_s(builder, meet, 1.0))


def car_reversing_out_of_driveway(builder: SceneBuilder) -> PlayedEvent:
    """A car backs out of a driveway into the ego's lane."""
    at, side = builder.plan.driveways[0]
    meet = builder.reaches_at(at - 1.0)
    edge = builder.plan.section.right_edge_m
    speed = builder.uniform(1.3, 2.2)
    d_in = builder.plan.ego_offset_m - builder.uniform(0.2, 0.9)  # its rear comes to rest about here
    half = 2.3
    start = meet + builder.uniform(-1.1, -0.4) - (d_in - edge + 1.0) / speed
    d_start = edge - half - 0.6
    t = np.maximum(builder.times_s - start, 0.0)
    travelled_m = np.minimum(
        speed * np.maximum(t - 0.3, 0.0) + 0.5 * speed / 0.6 * np.minimum(t, 0.6) ** 2 * (t < 0.6),
        d_in - half - d_start,
    )
    d = d_start + travelled_m
    moving = np.gradient(travelled_m, builder.dt_s)
    x, y, heading = builder.plan.line.world(np.full(builder.steps, at), d)
    track = builder.add("car", (x, y, heading + side * math.pi / 2), np.abs(moving), part="car")
    track.size_m = (2 * half, *track.size_m[1:])
    track.braking = (moving < 0.05) & (travelled_m > 0.1)
    track.lights_on = True
    track.noticed_from_step = step_at(builder, max(0.0, start) + 0.25)
    return PlayedEvent((track,), max(0.0, start), end_time_s(builder, meet, 1.0))


EVENTS = (
    Event("cut_in", "A vehicle from the next lane pushes in just ahead of the ego.", (0.4, 6.0), cut_in,
          roads=("highway", "urban", "intersection"), road_features=frozenset({"neighbour", "far_junction"}),
          needs_kinds=("car",), manoeuvres=FLOWING),
    Event("cut_out_revealing_stopped_car", "The leader swerves away and reveals a stopped car.", (0.3, 4.5),
          cut_out_revealing_stopped_car, roads=("highway", "urban"),
          road_features=frozenset({"neighbour", "straight"}), needs_kinds=("car",), speed_mps=(8.0, 11.0),
          manoeuvres=FLOWING),
    Event("hard_braking_leader", "The vehicle ahead brakes hard.", (0.4, 4.0), hard_braking_leader,
          road_features=frozenset({"far_junction"}), needs_kinds=("car",), manoeuvres=FLOWING),
    Event("sudden_stop_and_go", "In dense traffic the vehicle ahead stops short and drives on.", (0.3, 4.0),
          sudden_stop_and_go, road_features=frozenset({"far_junction"}), needs_kinds=("car",), speed_mps=(5.0, 8.0),
          manoeuvres=FLOWING),
    Event("wrong_way_driver", "A car comes towards the ego in the ego's own lane.", (0.3, 3.5), wrong_way_driver,
          roads=("highway", "rural", "urban", "suburban"), needs_kinds=("car",), manoeuvres=STRAIGHT_ON),
    Event("oncoming_overtaker", "An oncoming car overtakes in the ego's lane.", (0.3, 3.5), oncoming_overtaker,
          roads=("rural", "suburban", "urban"), road_features=frozenset({"single_lane"}), needs_kinds=("car",),
          manoeuvres=STRAIGHT_ON, speed_mps=(9.0, 16.0)),
    Event("drifting_neighbour", "The driver in the next lane drifts towards the ego.", (0.5, 8.0),
          drifting_neighbour, roads=("highway", "urban"), road_features=frozenset({"neighbour", "far_junction"}),
          needs_kinds=("car",), manoeuvres=FLOWING),
    Event("merging_without_gap", "A vehicle merges although there is no gap.", (0.3, 6.0), merging_without_gap,
          roads=("highway", "urban"), road_features=frozenset({"right_lane"}), needs_kinds=("car",),
          manoeuvres=FLOWING),
    Event("bus_pulling_out", "A bus leaves its stop in front of the ego.", (0.3, 4.5), bus_pulling_out,
          roads=("urban", "suburban", "intersection"),
          road_features=frozenset({"parking", "single_lane", "far_junction"}), needs_kinds=("bus",),
          speed_mps=(7.0, 11.0)),
    Event("car_reversing_out_of_driveway", "A car backs out of a driveway into the ego's lane.", (0.3, 4.0),
          car_reversing_out_of_driveway, roads=("suburban",), road_features=frozenset({"driveway", "single_lane"}),
          needs_kinds=("car",), manoeuvres=FLOWING, speed_mps=(7.0, 11.0)),
)  # fmt: skip

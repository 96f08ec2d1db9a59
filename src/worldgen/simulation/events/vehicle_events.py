"""Events with moving vehicles on the ego's road."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M
from worldgen.simulation.events.base import (
    STRAIGHT_ON,
    Event,
    Played,
    ego_front,
    meeting_time,
    neighbour_offset,
    rides,
    shift,
    step_at,
)
from worldgen.simulation.stage import SceneBuilder
from worldgen.simulation.street.street import bay_offset_m, brake_profile, park, way_of

FLOWING = ("keep", "accelerate", "brake")


def _motor(stage: SceneBuilder, *, large: float = 0.2) -> str:
    """A car, now and then a van or truck."""
    pick = stage.rng.random()
    if pick < large / 2 and stage.allowed("truck"):
        return "truck"
    return "van" if pick < large and stage.allowed("van") else "car"


def _end(stage: SceneBuilder, start_s: float, length_s: float) -> float:
    return min(stage.duration_s, start_s + length_s)


def hard_braking_leader(stage: SceneBuilder) -> Played:
    """The vehicle ahead brakes hard."""
    speed, start = stage.ego.speed_mps, stage.uniform(0.08, 0.3) * stage.duration_s
    v = brake_profile(stage.times_s, speed, start, stage.uniform(5.0, 7.5), final_mps=stage.uniform(0.0, 0.3) * speed)
    gap = 2.0 + speed * stage.uniform(0.8, 1.3)
    track = rides(
        stage, _motor(stage), way_of(v, stage.dt_s, EGO_FRONT_M + 2.4 + gap), stage.plan.ego_offset_m, v, part="leader"
    )
    return Played((track,), start, _end(stage, start, 3.0))


def sudden_stop_and_go(stage: SceneBuilder) -> Played:
    """In dense traffic the vehicle ahead stops short and soon drives on."""
    speed, start = stage.ego.speed_mps, stage.uniform(0.05, 0.2) * stage.duration_s
    braking = stage.uniform(4.5, 6.5)
    v = brake_profile(stage.times_s, speed, start, braking)
    go = start + speed / braking + stage.uniform(0.3, 0.8)
    v = np.maximum(v, np.clip(2.0 * (stage.times_s - go), 0.0, speed))
    gap = 2.0 + speed * stage.uniform(0.7, 1.1)
    track = rides(
        stage, _motor(stage), way_of(v, stage.dt_s, EGO_FRONT_M + 2.4 + gap), stage.plan.ego_offset_m, v, part="leader"
    )
    return Played((track,), start, _end(stage, go, 1.5))


def _cuts_in(
    stage: SceneBuilder, part: str, *, gap_m: float, slower_mps: float, length_s: float, start_s: float, side: int = 0
) -> Played:
    """A neighbour ``gap_m`` ahead changes into the ego's lane from ``start_s`` and is slower."""
    lane, side = neighbour_offset(stage, side)
    v = np.maximum(stage.nominal_v_mps - slower_mps * shift(stage.times_s, start_s - 0.6, 1.2), 0.5)
    kind = _motor(stage)
    half = 2.6 if kind == "van" else (4.0 if kind == "truck" else 2.35)
    s = way_of(v, stage.dt_s, 0.0)
    front = ego_front(stage)
    s += np.interp(start_s, stage.times_s, front) + gap_m + half - np.interp(start_s, stage.times_s, s)
    d = lane + (stage.plan.ego_offset_m - lane) * shift(stage.times_s, start_s, length_s)
    track = rides(stage, kind, s, d, v, part=part, variant="box_truck" if kind == "truck" else None)
    track.indicator = np.where((stage.times_s > start_s - 0.5) & (stage.times_s < start_s + length_s), -side, 0)
    track.seen_from = step_at(stage, start_s + 0.35)
    return Played((track,), max(0.0, start_s), _end(stage, start_s, length_s + 1.0))


def cut_in(stage: SceneBuilder) -> Played:
    """A vehicle from the next lane pushes in just ahead of the ego."""
    start = stage.uniform(0.1, 0.35) * stage.duration_s
    return _cuts_in(
        stage, "vehicle", gap_m=stage.uniform(4.0, 9.0), slower_mps=stage.uniform(2.0, 4.5),
        length_s=stage.uniform(1.6, 2.6), start_s=start,
    )  # fmt: skip


def merging_without_gap(stage: SceneBuilder) -> Played:
    """A vehicle merges from the right although there is no gap, half a length ahead of the ego."""
    start = stage.uniform(0.1, 0.3) * stage.duration_s
    return _cuts_in(
        stage, "merging", gap_m=stage.uniform(1.2, 3.2), slower_mps=stage.uniform(0.8, 2.2),
        length_s=stage.uniform(2.2, 3.0), start_s=start, side=-1,
    )  # fmt: skip


def cut_out_revealing_stopped_car(stage: SceneBuilder) -> Played:
    """The vehicle ahead changes lane at the last moment and reveals a stopped car."""
    lane, side = neighbour_offset(stage)
    speed = stage.ego.speed_mps
    leader_gap = 2.0 + speed * stage.uniform(0.8, 1.05)
    start = stage.uniform(0.05, 0.2) * stage.duration_s
    v = np.full(stage.steps, speed)
    s = way_of(v, stage.dt_s, EGO_FRONT_M + 2.4 + leader_gap)
    d = stage.plan.ego_offset_m + (lane - stage.plan.ego_offset_m) * shift(stage.times_s, start, 1.9)
    leader = rides(stage, "van" if stage.allowed("van") and stage.rng.random() < 0.5 else "car", s, d, v, part="leader")
    leader.indicator = np.where(stage.times_s > start, side, 0)
    # The leader's rear is clear of the stopped car's lane just before it gets there.
    at = float(np.interp(start + 1.75, stage.times_s, s)) + 2.6 + stage.uniform(2.6, 5.0)
    stopped = stage.standing("car", at + 2.3, stage.plan.ego_offset_m, part="stopped")
    stopped.indicator = np.full(stage.steps, 2)
    stopped.seen_from = step_at(stage, start + 0.8)
    stage.reserve(-20.0, at + 30.0, lane - 1.5, lane + 1.5)
    return Played((stopped,), start, _end(stage, start, 3.0))


def wrong_way_driver(stage: SceneBuilder) -> Played:
    """A car comes towards the ego in the ego's own lane."""
    speed = stage.uniform(0.7, 1.1) * max(stage.ego.speed_mps, 8.0)
    meet = meeting_time(stage, 0.85, 1.1, cap_s=4.5)
    s = stage.road_s_at(meet) + 2.3 - speed * (stage.times_s - meet)
    dodge = stage.uniform(2.2, 2.6) * shift(stage.times_s, meet - stage.uniform(1.2, 1.7), 1.5)
    track = rides(
        stage,
        "car",
        s,
        stage.plan.ego_offset_m + stage.uniform(-0.3, 0.3) + _free_side(stage) * dodge,
        np.full(stage.steps, speed),
        way=-1,
        part="car",
    )
    return Played((track,), 0.0, _end(stage, meet, 0.5))


def _free_side(stage: SceneBuilder) -> int:
    """Side to which a head-on car escapes: to the middle of the road where it belongs."""
    return (
        1 if stage.plan.section.backward and not stage.plan.section.median_m else (1 if stage.plan.ego_lane > 0 else -1)
    )


def oncoming_overtaker(stage: SceneBuilder) -> Played:
    """An oncoming car overtakes another in the ego's lane and just gets back in time."""
    section = stage.plan.section
    own, lane = stage.plan.ego_offset_m, section.backward_offset_m(0)
    slow = stage.uniform(0.55, 0.8) * max(stage.ego.speed_mps, 8.0)
    fast = slow + stage.uniform(4.0, 6.0)
    meet = meeting_time(stage, 0.85, 1.1, cap_s=4.5)
    base = stage.road_s_at(meet) + 2.3
    back = meet - stage.uniform(1.5, 1.9)
    d = own + (lane - own) * shift(stage.times_s, back, 1.4)
    track = rides(
        stage, "car", base - fast * (stage.times_s - meet), d, np.full(stage.steps, fast), way=-1, part="overtaker"
    )
    track.indicator = np.where((stage.times_s > back - 0.4) & (stage.times_s < back + 1.2), -1, 0)
    # The overtaken vehicle is already behind the overtaker's tail when that goes back.
    at_back = base - fast * (back - meet) + 2.4 + 2.0
    kind = (
        "truck" if stage.rng.random() < 0.5 and stage.allowed("truck") else ("van" if stage.allowed("van") else "car")
    )
    half = {"truck": 4.1, "van": 2.8}.get(kind, 2.4)
    s = at_back + half + 1.0 - slow * (stage.times_s - back)
    rides(
        stage,
        kind,
        s,
        lane,
        np.full(stage.steps, slow),
        way=-1,
        part="overtaken",
        variant="box_truck" if kind == "truck" else None,
    )
    return Played((track,), 0.0, _end(stage, meet, 0.3))


def drifting_neighbour(stage: SceneBuilder) -> Played:
    """The driver in the next lane drifts over the line towards the ego and corrects late."""
    lane, side = neighbour_offset(stage)
    start = stage.uniform(0.15, 0.35) * stage.duration_s
    slower = stage.uniform(1.2, 3.0)
    v = np.maximum(stage.nominal_v_mps - slower, 0.5)
    s = way_of(v, stage.dt_s, 0.0)
    s += (
        np.interp(start + 0.8, stage.times_s, ego_front(stage))
        + stage.uniform(3.0, 7.0)
        + 2.35
        - np.interp(start + 0.8, stage.times_s, s)
    )
    over = stage.uniform(1.1, 1.7)
    drift = over * (shift(stage.times_s, start, 1.8) - shift(stage.times_s, start + 2.6, 1.6))
    track = rides(stage, _motor(stage, large=0.0), s, lane - side * drift, v, part="neighbour")
    track.seen_from = step_at(stage, start + 0.6)
    return Played((track,), start, _end(stage, start, 3.5))


def bus_pulling_out(stage: SceneBuilder) -> Played:
    """A bus leaves its stop and pulls out in front of the ego."""
    meet = meeting_time(stage, 0.8, 1.1)
    start = max(-0.5, meet - stage.uniform(2.2, 2.9))
    bus = park(stage, "bus", 0.0, -1, part="bus")
    t = np.maximum(stage.times_s - start, 0.0)
    v = np.minimum(1.6 * t, stage.uniform(3.5, 5.0))
    begin = stage.road_s_at(meet) + bus.half_length_m + stage.uniform(-1.0, 2.0)
    d0, d1 = bay_offset_m(stage, -1, bus.half_width_m), stage.plan.ego_offset_m - 0.2
    way = way_of(v, stage.dt_s, 0.0)
    d = d0 + (d1 - d0) * shift(way, 0.3, 11.0)
    stage.tracks.remove(bus)
    track = rides(stage, "bus", begin + way, d, v, part="bus")
    track.indicator = np.ones(stage.steps, int)
    track.seen_from = step_at(stage, max(0.0, start) + 0.5)
    stage.reserve(begin - 12.0, begin + 25.0, d0 - 1.6, d0 + 1.6)
    return Played((track,), max(0.0, start), _end(stage, meet, 1.0))


def car_reversing_out_of_driveway(stage: SceneBuilder) -> Played:
    """A car backs out of a driveway into the ego's lane."""
    at, side = stage.plan.driveways[0]
    meet = stage.reaches_at(at - 1.0)
    edge = stage.plan.section.right_edge_m
    speed = stage.uniform(1.3, 2.2)
    d_in = stage.plan.ego_offset_m - stage.uniform(0.2, 0.9)  # its tail comes to rest about here
    half = 2.3
    start = meet + stage.uniform(-1.1, -0.4) - (d_in - edge + 1.0) / speed
    d_start = edge - half - 0.6
    t = np.maximum(stage.times_s - start, 0.0)
    way = np.minimum(
        speed * np.maximum(t - 0.3, 0.0) + 0.5 * speed / 0.6 * np.minimum(t, 0.6) ** 2 * (t < 0.6),
        d_in - half - d_start,
    )
    d = d_start + way
    moving = np.gradient(way, stage.dt_s)
    x, y, heading = stage.plan.line.world(np.full(stage.steps, at), d)
    track = stage.add("car", (x, y, heading + side * math.pi / 2), np.abs(moving), part="car")
    track.size_m = (2 * half, *track.size_m[1:])
    track.braking = (moving < 0.05) & (way > 0.1)
    track.lights_on = True
    track.seen_from = step_at(stage, max(0.0, start) + 0.25)
    return Played((track,), max(0.0, start), _end(stage, meet, 1.0))


EVENTS = (
    Event("cut_in", "A vehicle from the next lane pushes in just ahead of the ego.", (0.4, 6.0), cut_in, roads=("highway", "urban", "intersection"),
          wants=frozenset({"neighbour", "far_junction"}), needs_kinds=("car",), manoeuvres=FLOWING),
    Event("cut_out_revealing_stopped_car", "The leader swerves away and reveals a stopped car.", (0.3, 4.5), cut_out_revealing_stopped_car,
          roads=("highway", "urban"), wants=frozenset({"neighbour", "straight"}), needs_kinds=("car",), speed_mps=(8.0, 11.0), manoeuvres=FLOWING),
    Event("hard_braking_leader", "The vehicle ahead brakes hard.", (0.4, 4.0), hard_braking_leader, wants=frozenset({"far_junction"}), needs_kinds=("car",), manoeuvres=FLOWING),
    Event("sudden_stop_and_go", "In dense traffic the vehicle ahead stops short and drives on.", (0.3, 4.0), sudden_stop_and_go,
          wants=frozenset({"far_junction"}), needs_kinds=("car",), speed_mps=(5.0, 8.0), manoeuvres=FLOWING),
    Event("wrong_way_driver", "A car comes towards the ego in the ego's own lane.", (0.3, 3.5), wrong_way_driver,
          roads=("highway", "rural", "urban", "suburban"), needs_kinds=("car",), manoeuvres=STRAIGHT_ON),
    Event("oncoming_overtaker", "An oncoming car overtakes in the ego's lane.", (0.3, 3.5), oncoming_overtaker,
          roads=("rural", "suburban", "urban"), wants=frozenset({"single_lane"}), needs_kinds=("car",), manoeuvres=STRAIGHT_ON, speed_mps=(9.0, 16.0)),
    Event("drifting_neighbour", "The driver in the next lane drifts towards the ego.", (0.5, 8.0), drifting_neighbour,
          roads=("highway", "urban"), wants=frozenset({"neighbour", "far_junction"}), needs_kinds=("car",), manoeuvres=FLOWING),
    Event("merging_without_gap", "A vehicle merges although there is no gap.", (0.3, 6.0), merging_without_gap,
          roads=("highway", "urban"), wants=frozenset({"right_lane"}), needs_kinds=("car",), manoeuvres=FLOWING),
    Event("bus_pulling_out", "A bus leaves its stop in front of the ego.", (0.3, 4.5), bus_pulling_out, roads=("urban", "suburban", "intersection"),
          wants=frozenset({"parking", "single_lane", "far_junction"}), needs_kinds=("bus",), speed_mps=(7.0, 11.0)),
    Event("car_reversing_out_of_driveway", "A car backs out of a driveway into the ego's lane.", (0.3, 4.0), car_reversing_out_of_driveway,
          roads=("suburban",), wants=frozenset({"driveway", "single_lane"}), needs_kinds=("car",), manoeuvres=FLOWING, speed_mps=(7.0, 11.0)),
)  # fmt: skip

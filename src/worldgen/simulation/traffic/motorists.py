"""Vehicles that were asked for: put on the road where they were asked to be, in sight of the camera."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgen.core.scenario import AgentRequest
from worldgen.simulation.actors import EGO_FRONT_M, Track
from worldgen.simulation.events.base import rides
from worldgen.simulation.stage import ActorMotion, SceneBuilder
from worldgen.simulation.street.street import park, way_of

LONG_M = {"truck": 9.0, "bus": 12.0, "van": 5.4, "car": 4.7, "motorcycle": 2.2}
"""Typical lengths by kind, to space vehicles before their size is drawn."""


def place_vehicle(stage: SceneBuilder, request: AgentRequest, i: int) -> Track | None:
    """The ``i``-th vehicle of a request."""
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


def _taken_ahead(stage: SceneBuilder, offset_m: float) -> float:
    """Road coordinate beyond the last actor that starts in the lane ahead of the ego, or of the ego's front."""
    rear = EGO_FRONT_M
    for track in stage.tracks:
        s, d = stage.plan.line.project(track.x_m[:1], track.y_m[:1])
        if abs(d[0] - offset_m) < 2.0 and s[0] > -2.0:
            rear = max(rear, float(s[0]) + track.half_length_m)
    return rear


def _ahead(stage: SceneBuilder, kind: str, i: int) -> Track:
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
    motion = ActorMotion(s0 + way, np.full(stage.steps, d), stage.nominal_v_mps.copy())
    track = stage.track(kind, motion, line=line, variant=variant)
    slowing = np.gradient(stage.nominal_v_mps, stage.dt_s) if stage.steps > 1 else np.zeros(1)
    track.braking = (slowing < -0.8) | (stage.nominal_v_mps < 0.2)
    return track


def _beside(stage: SceneBuilder, kind: str, i: int, side: int) -> Track:
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


def _oncoming(stage: SceneBuilder, kind: str, i: int) -> Track:
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


def _parked(stage: SceneBuilder, kind: str, i: int) -> Track:
    """Parked beside the road where the ego passes late or not at all."""
    both = stage.plan.section.parking_left_m > 0 and stage.plan.section.backward > 0
    side = 1 if both and i % 2 else -1
    rank = i // 2 if both else i
    s = max(0.7 * stage.nominal_s_m[-1], 4.0) + 9.0 + rank * (LONG_M[kind] + 1.6) + stage.uniform(0.0, 1.0)
    s = clear_place_m(stage, s, side, LONG_M[kind])
    return park(stage, kind, s, side, variant="box_truck" if kind == "truck" else None)


def clear_place_m(stage: SceneBuilder, s_m: float, side: int, length_m: float) -> float:
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


def _through(stage: SceneBuilder, kind: str, i: int) -> Track:
    """On the cross road of the junction, passing before the ego gets there."""
    junction = stage.plan.junction
    way = 1 if (i + int(stage.rng.integers(2))) % 2 else -1
    offset = junction.section.forward_offset_m(0) if way > 0 else junction.section.backward_offset_m(0)
    speed = stage.uniform(5.0, 8.5)
    pass_s = stage.uniform(0.3, 0.6) * stage.duration_s + (i // 2) * ((LONG_M[kind] + 6.0) / speed)
    s = way * speed * (stage.times_s - pass_s)
    return stage.track(kind, ActorMotion(s, np.full(stage.steps, offset), np.full(stage.steps, speed), way), line=junction.line,
                       variant="box_truck" if kind == "truck" else None)  # fmt: skip


def _pulling_out(stage: SceneBuilder, kind: str, i: int) -> Track:
    """From behind a parked van into the ego's lane, well ahead."""
    start = stage.uniform(0.1, 0.35) * stage.duration_s
    t = np.maximum(stage.times_s - start, 0.0)
    v = np.minimum(1.8 * t, max(4.0, 0.7 * stage.ego.speed_mps))
    way = way_of(v, stage.dt_s, 0.0)
    s0 = clear_place_m(stage, stage.nominal_s_m[-1] + 10.0 + 9.0 * i, -1, LONG_M[kind] + 7.0)
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


VEHICLE_PLACES: dict[str, Callable[[SceneBuilder, str, int], Track | None]] = {
    "ahead": _ahead, "left": lambda s, k, i: _beside(s, k, i, 1), "right": lambda s, k, i: _beside(s, k, i, -1),
    "oncoming": _oncoming, "parked": _parked, "crossing": _through, "from_behind_parked": _pulling_out,
}  # fmt: skip

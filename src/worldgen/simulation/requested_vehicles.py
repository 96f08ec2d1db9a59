"""Requested vehicles: placed on the road where the request says, within the camera's view."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgen.core.scenario import AgentRequest
from worldgen.simulation.actors import EGO_FRONT_M, Track, compact_variant
from worldgen.simulation.events.base import drive_along
from worldgen.simulation.kinematics import positions_from_speed
from worldgen.simulation.scene_builder import ActorMotion, SceneBuilder
from worldgen.simulation.street.furnishing import park

LONG_M = {"truck": 9.0, "bus": 12.0, "van": 5.4, "car": 4.7, "motorcycle": 2.2}
"""Typical lengths by kind, to space vehicles before their size is drawn."""


def place_vehicle(builder: SceneBuilder, request: AgentRequest, i: int) -> Track | None:
    """The ``i``-th vehicle of a request."""
    place = request.place
    if place == "anywhere":
        options = ["ahead", "oncoming", "ahead", "parked", "left", "right"]
        place = (
            options[(i + int(builder.rng.integers(len(options)))) % len(options)]
            if i
            else str(builder.rng.choice(["ahead", "ahead", "oncoming", "parked"]))
        )
        if request.kind in ("motorcycle", "truck") and place == "parked":
            place = "ahead"
    if place == "right" and builder.plan.ego_lane + 1 >= builder.plan.section.forward:
        place = "parked"
    if place == "left" and builder.plan.ego_lane == 0 and builder.plan.section.backward:
        place = "oncoming"
    if place == "crossing" and builder.plan.junction is None:
        place = "from_behind_parked"
    return VEHICLE_PLACES[place](builder, request.kind, i)


def _taken_ahead(builder: SceneBuilder, offset_m: float) -> float:
    """Road coordinate (m) of the front of the last actor in the lane ahead of the ego, or of the ego's front."""
    rear = EGO_FRONT_M
    for track in builder.tracks:
        s, d = builder.plan.line.project(track.x_m[:1], track.y_m[:1])
        if abs(d[0] - offset_m) < 2.0 and s[0] > -2.0:
            rear = max(rear, float(s[0]) + track.half_length_m)
    return rear


def _ahead(builder: SceneBuilder, kind: str, i: int) -> Track:
    """Ahead of the ego in its lane, with the ego's own manoeuvre."""
    half = LONG_M[kind] / 2
    beside = builder.plan.ego_lane + (-1 if builder.plan.ego_lane > 0 else 1)
    closed = (
        builder.plan.closure is not None
        and abs(builder.plan.section.forward_offset_m(beside) - builder.plan.closure.offset_m) < 1.0
    )
    if (
        i % 2
        and beside < builder.plan.section.forward
        and not closed
        and not builder.ego.manoeuvre.startswith(("turn", "lane"))
    ):
        return _beside(
            builder, kind, i, builder.plan.ego_lane - beside
        )  # one behind the other they would occlude each other
    taken = _taken_ahead(builder, builder.plan.ego_offset_m)
    if taken > EGO_FRONT_M + 0.1:
        s0 = taken + half + 2.0 + builder.uniform(0.45, 0.7) * builder.ego.speed_mps
    else:
        s0 = EGO_FRONT_M + half + float(np.clip(3.0 + builder.uniform(0.9, 1.3) * builder.ego.speed_mps, 6.0, 30.0))
    travelled_m = builder.nominal_s_m - builder.nominal_s_m[0]
    line = (
        builder.ego.path
        if builder.ego.manoeuvre.startswith(("turn", "lane")) or builder.ego.fixed is not None
        else builder.plan.line
    )
    d = (0.0 if line is builder.ego.path else builder.plan.ego_offset_m) + (0.0, 0.4, -0.4)[i % 3]
    if builder.ego.manoeuvre.startswith("turn"):
        # It turns as well; a constant time gap keeps it slow enough for the bend.
        lead = (s0 - EGO_FRONT_M) / max(builder.ego.speed_mps, 3.0)
        later = np.interp(builder.times_s + lead, builder.times_s, builder.nominal_s_m)
        beyond = np.maximum(builder.times_s + lead - builder.duration_s, 0.0) * builder.nominal_v_mps[-1]
        travelled_m = later + beyond
        travelled_m, s0 = travelled_m - travelled_m[0], travelled_m[0] + half + EGO_FRONT_M
    variant = compact_variant(kind)
    motion = ActorMotion(s0 + travelled_m, np.full(builder.steps, d), builder.nominal_v_mps.copy())
    track = builder.track(kind, motion, line=line, variant=variant)
    slowing = np.gradient(builder.nominal_v_mps, builder.dt_s) if builder.steps > 1 else np.zeros(1)
    track.braking = (slowing < -0.8) | (builder.nominal_v_mps < 0.2)
    return track


def _beside(builder: SceneBuilder, kind: str, i: int, side: int) -> Track:
    """In the adjacent lane of the same direction, ahead of the ego and at nearly its speed."""
    section = builder.plan.section
    lane = builder.plan.ego_lane - side
    if not 0 <= lane < section.forward:
        return _ahead(builder, kind, i)
    offset = section.forward_offset_m(lane)
    half = LONG_M[kind] / 2
    speed = np.maximum(builder.nominal_v_mps + builder.uniform(-0.8, 0.8), 0.0)
    taken = _taken_ahead(builder, offset)
    s0 = (
        taken + half + (builder.uniform(5.0, 12.0) if taken <= EGO_FRONT_M + 0.1 else 6.0 + 0.5 * builder.ego.speed_mps)
    )
    return drive_along(
        builder,
        kind,
        positions_from_speed(speed, builder.dt_s, s0),
        offset,
        speed,
        variant=compact_variant(kind),
    )


def _oncoming(builder: SceneBuilder, kind: str, i: int) -> Track:
    """In the opposite lane, passing late in the clip."""
    section = builder.plan.section
    if not section.backward:
        return _ahead(builder, kind, i)
    half = LONG_M[kind] / 2
    speed = max(builder.ego.speed_mps * builder.uniform(0.75, 1.05), 5.0)
    lane = i % section.backward
    offset = section.backward_offset_m(lane)
    end = (
        builder.nominal_s_m[-1]
        + EGO_FRONT_M
        + builder.uniform(3.0, 9.0)
        + half
        + (i // section.backward) * (10.0 + 2 * half + 0.6 * speed)
    )
    s = end + speed * (builder.duration_s - builder.times_s)
    return drive_along(
        builder,
        kind,
        s,
        offset,
        np.full(builder.steps, speed),
        direction=-1,
        variant=compact_variant(kind),
    )


def _parked(builder: SceneBuilder, kind: str, i: int) -> Track:
    """Parked beside the road where the ego passes late or not at all."""
    both = builder.plan.section.parking_left_m > 0 and builder.plan.section.backward > 0
    side = 1 if both and i % 2 else -1
    rank = i // 2 if both else i
    s = max(0.7 * builder.nominal_s_m[-1], 4.0) + 9.0 + rank * (LONG_M[kind] + 1.6) + builder.uniform(0.0, 1.0)
    s = clear_place_m(builder, s, side, LONG_M[kind])
    return park(builder, kind, s, side, variant=compact_variant(kind))


def clear_place_m(builder: SceneBuilder, s_m: float, side: int, length_m: float) -> float:
    """The place, moved on until it is clear of what stands on that side, of junction and crossing."""
    plan = builder.plan
    for _ in range(8):
        moved = s_m
        if plan.junction is not None and abs(s_m - plan.junction.s_m) < plan.junction.stop_m + length_m / 2:
            moved = plan.junction.s_m + plan.junction.stop_m + length_m / 2 + 1.0
        if plan.crossing_s_m is not None and abs(s_m - plan.crossing_s_m) < 3.0 + length_m / 2:
            moved = plan.crossing_s_m + 3.2 + length_m / 2
        for track in builder.tracks:
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


def _through(builder: SceneBuilder, kind: str, i: int) -> Track:
    """On the cross road of the junction, passing before the ego gets there."""
    junction = builder.plan.present_junction
    direction = 1 if (i + int(builder.rng.integers(2))) % 2 else -1
    offset = junction.section.forward_offset_m(0) if direction > 0 else junction.section.backward_offset_m(0)
    speed = builder.uniform(5.0, 8.5)
    pass_s = builder.uniform(0.3, 0.6) * builder.duration_s + (i // 2) * ((LONG_M[kind] + 6.0) / speed)
    s = direction * speed * (builder.times_s - pass_s)
    return builder.track(
        kind,
        ActorMotion(s, np.full(builder.steps, offset), np.full(builder.steps, speed), direction),
        line=junction.line,
        variant=compact_variant(kind),
    )


def _pulling_out(builder: SceneBuilder, kind: str, i: int) -> Track:
    """From behind a parked van into the ego's lane, well ahead."""
    start = builder.uniform(0.1, 0.35) * builder.duration_s
    t = np.maximum(builder.times_s - start, 0.0)
    v = np.minimum(1.8 * t, max(4.0, 0.7 * builder.ego.speed_mps))
    travelled_m = positions_from_speed(v, builder.dt_s, 0.0)
    s0 = clear_place_m(builder, builder.nominal_s_m[-1] + 10.0 + 9.0 * i, -1, LONG_M[kind] + 7.0)
    parked = park(builder, kind, s0, -1, variant=compact_variant(kind))
    d0 = float(builder.plan.line.project(parked.x_m[:1], parked.y_m[:1])[1][0])
    builder.tracks.remove(parked)
    if builder.allowed("van") and not i:
        hide = park(builder, "van", s0 - LONG_M[kind] / 2 - 4.2, -1)
        hide.is_obstacle = False
    phase = np.clip(travelled_m / 10.0, 0.0, 1.0)
    d = d0 + (builder.plan.ego_offset_m - d0) * (phase - np.sin(2 * math.pi * phase) / (2 * math.pi))
    track = drive_along(builder, kind, s0 + travelled_m, d, v, variant=compact_variant(kind))
    track.indicator = np.ones(builder.steps, int)
    return track


VEHICLE_PLACES: dict[str, Callable[[SceneBuilder, str, int], Track | None]] = {
    "ahead": _ahead, "left": lambda s, k, i: _beside(s, k, i, 1), "right": lambda s, k, i: _beside(s, k, i, -1),
    "oncoming": _oncoming, "parked": _parked, "crossing": _through, "from_behind_parked": _pulling_out,
}  # fmt: skip

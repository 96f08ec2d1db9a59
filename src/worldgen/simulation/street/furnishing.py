"""Furnishes a street with what belongs to its place: signals, cones, parked cars, cross traffic, queues."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, SIZE_M, Track
from worldgen.simulation.road.road_plan import Closure, Junction
from worldgen.simulation.scene_builder import ActorMotion, SceneBuilder
from worldgen.simulation.street.pedestrians import bystanders, cross

GREEN, RED = 1, 3
"""Indices into ``core.scene.SIGNAL_STATES``."""
SIGNAL_HEIGHT_M = 2.4
"""Height of the lower edge of a traffic light."""


def furnish_street(builder: SceneBuilder) -> None:
    """Adds the background actors of the street, in addition to events and requests."""
    if builder.plan.junction is not None:
        builder.main_stops = builder.main_stops or (builder.ego.manoeuvre == "stop" and builder.plan.junction.signals)
        _cross_traffic(builder, builder.plan.junction)
        if builder.plan.junction.signals and builder.allowed("traffic_light"):
            junction_signals(builder, builder.plan.junction)
    elif (
        builder.ego.manoeuvre == "stop"
        and builder.ego.fixed is None
        and not builder.scenario.events
        and builder.rng.random() < 0.6
    ):
        queue_ahead(
            builder,
            float(builder.nominal_s_m[-1]) + EGO_FRONT_M + builder.uniform(2.2, 3.5),
            int(builder.rng.integers(1, 4)),
        )
    if builder.plan.closure is not None and builder.allowed("traffic_cone"):
        closure_cones(builder, builder.plan.closure)
    parked_row(builder)
    _zebra_walkers(builder)
    bystanders(builder)


def junction_signals(builder: SceneBuilder, junction: Junction) -> None:
    """Traffic lights for both directions of the main road and of the cross road."""
    state = RED if builder.main_stops else GREEN
    opposite = RED if builder.ego.manoeuvre == "turn_left" else state
    section = builder.plan.section
    signal(builder, junction.s_m - junction.stop_m - 0.2, section.right_edge_m - 0.55, math.pi, state)
    signal(builder, junction.s_m + junction.stop_m + 0.2, section.left_edge_m + 0.55, 0.0, opposite)
    half = builder.plan.section.left_edge_m + junction.corner_m + 3.0
    cross_state = GREEN if builder.main_stops else RED
    section = junction.section
    signal(builder, -half, section.right_edge_m - 0.55, math.pi, cross_state, cross=True)
    signal(builder, half, section.left_edge_m + 0.55, 0.0, cross_state, cross=True)


def signal(builder: SceneBuilder, s_m: float, d_m: float, turn_rad: float, state: int, *, cross: bool = False) -> None:
    """One traffic light on its pole, facing the traffic that approaches it."""
    line = builder.plan.junction.line if cross and builder.plan.junction else None
    track = builder.standing("traffic_light", s_m, d_m, yaw_rad=turn_rad, line=line)
    track.signal_state = np.full(builder.steps, state)
    track.lift_m, track.is_obstacle, track.lights_on = SIGNAL_HEIGHT_M, False, True


def closure_cones(builder: SceneBuilder, closure: Closure) -> None:
    """Cones along the taper and the closed lane, at most 24."""
    for s, d in cone_places(builder, closure)[:24]:
        track = builder.standing("traffic_cone", s, d)
        track.is_obstacle = builder.plan.closure_blocks_ego


def cone_places(builder: SceneBuilder, closure: Closure) -> list[tuple[float, float]]:
    """Where cones stand: dense on the taper, then along the edge of the closed lane."""
    plan = builder.plan
    half = plan.section.lane_width_m / 2 if closure.offset_m > plan.section.right_lane_edge_m else 0.4
    outer = -half if closure.from_right else half
    taper = np.linspace(closure.taper_start_m, closure.closed_m, 9)
    places = [
        (float(s), float(closure.offset_m + outer - 2 * outer * 0.93 * f))
        for s, f in zip(taper, np.linspace(0.05, 1, 9), strict=True)
    ]
    edge = closure.offset_m - outer * 0.86
    return places + [
        (float(s), float(edge))
        for s in np.arange(closure.closed_m + 5.0, min(closure.end_m, closure.closed_m + 80.0), 6.0)
    ]


def parking_places(builder: SceneBuilder, side: int) -> list[float]:
    """Centres (m along the road) of free parking bays on a side, clear of junction, crossing, driveways and works."""
    plan = builder.plan
    width = plan.section.parking_left_m if side > 0 else plan.section.parking_right_m
    if not width:
        return []
    s = np.arange(-10.0, min(builder.nominal_s_m[-1] + 75.0, plan.end_m - 10.0), 6.2) + builder.rng.uniform(0.0, 6.0)
    keep = np.ones(len(s), bool)
    if plan.junction is not None:
        keep &= np.abs(s - plan.junction.s_m) > plan.junction.stop_m + 6.0
    if plan.crossing_s_m is not None:
        keep &= np.abs(s - plan.crossing_s_m) > 7.5
    for at, driveway_side in plan.driveways:
        keep &= (np.abs(s - at) > 6.0) | (driveway_side != side)
    if plan.closure is not None and side < 0 and plan.closure.from_right:
        keep &= s < plan.closure.taper_start_m - 6.0
    for track in builder.tracks:
        ts, td = plan.line.project(track.x_m, track.y_m)
        bay = plan.section.left_lane_edge_m if side > 0 else plan.section.right_lane_edge_m - width
        near = (td > bay - 1.0) & (td < bay + width + 0.3)
        if near.any():
            keep &= (s + 3.4 < ts[near].min() - track.half_length_m) | (s - 3.4 > ts[near].max() + track.half_length_m)
    return [float(v) for v in s[keep]]


def bay_offset_m(builder: SceneBuilder, side: int, half_width_m: float = 0.9) -> float:
    """Offset of a parked vehicle: in its bay, near the kerb; without bays beside the road."""
    section = builder.plan.section
    width = section.parking_left_m if side > 0 else section.parking_right_m
    edge = section.left_lane_edge_m if side > 0 else section.right_lane_edge_m
    if width:
        return edge + side * max(width - half_width_m - 0.12, half_width_m - 0.1)
    return edge + side * max(half_width_m + 0.25, section.shoulder_m - half_width_m)


def park(
    builder: SceneBuilder, kind: str, s_m: float, side: int, *, part: str = "", variant: str | None = None
) -> Track:
    """A vehicle parked on a side, facing the way traffic goes there."""
    track = builder.standing(kind, s_m, 0.0, part=part, variant=variant)
    offset = bay_offset_m(builder, side, track.half_width_m)
    x, y, heading = builder.plan.line.world(np.array([s_m]), offset)
    track.x_m[:], track.y_m[:] = x[0], y[0]
    against = side > 0 and builder.plan.section.backward > 0 and not builder.plan.section.median_m
    track.yaw_rad[:] = heading[0] + (math.pi if against else 0.0) + builder.rng.normal(0.0, 0.015)
    track.lights_on = False
    return track


def parked_row(builder: SceneBuilder) -> None:
    """Parked cars and vans in the bays, some bays empty."""
    fill = builder.rng.uniform(0.35, 0.9)
    for side in (-1, 1):
        for s in parking_places(builder, side):
            kind = "van" if builder.rng.random() < 0.14 else "car"
            if builder.rng.random() < fill and builder.allowed(kind):
                park(builder, kind, s + builder.rng.uniform(-0.4, 0.4), side)


def _zebra_walkers(builder: SceneBuilder) -> None:
    """Adds a pedestrian on the zebra crossing ahead of the ego's last position."""
    at = builder.plan.crossing_s_m
    if at is None or builder.role or at < builder.nominal_s_m[-1] + 7.0 or not builder.allowed("pedestrian"):
        return
    section = builder.plan.section
    if builder.rng.random() < 0.6:
        ends = [section.right_walk_m, section.left_walk_m]
        builder.rng.shuffle(ends)
        cross(
            builder,
            "pedestrian",
            at,
            ends[0],
            ends[1],
            start_s=builder.uniform(-2.0, 1.5),
            speed_mps=builder.uniform(1.1, 1.6),
        )


def _cross_traffic(builder: SceneBuilder, junction: Junction) -> None:
    """Vehicles of the cross road: they wait at their stop line, or drive while the main road has red."""
    section, rng = junction.section, builder.rng
    stop = (
        builder.plan.section.left_edge_m
        + junction.corner_m
        + 5.2
        + abs(builder.plan.section.right_edge_m + builder.plan.section.left_edge_m)
    )
    for direction in (1, -1):
        offset = section.forward_offset_m(0) if direction > 0 else section.backward_offset_m(0)
        kind = "car" if rng.random() < 0.85 else "van"
        if not builder.allowed(kind) or rng.random() < 0.45:
            continue
        half = SIZE_M["suv"][0] / 2
        if builder.main_stops:
            speed = rng.uniform(6.0, 10.0)
            s = -direction * rng.uniform(8.0, 30.0) + direction * speed * builder.times_s
            builder.track(
                kind,
                ActorMotion(s, np.full(builder.steps, offset), np.full(builder.steps, speed), direction),
                line=junction.line,
            )
        else:
            track = builder.track(
                kind,
                ActorMotion(
                    np.full(builder.steps, -direction * (stop + half)),
                    np.full(builder.steps, offset),
                    np.zeros(builder.steps),
                    direction,
                ),
                line=junction.line,
            )
            track.braking = np.ones(builder.steps, bool)


def queue_ahead(builder: SceneBuilder, s_m: float, count: int) -> None:
    """Standing vehicles one behind the other in the ego's lane from ``s_m`` (rear of the last)."""
    at = s_m
    for _ in range(count if builder.allowed("car") else 0):
        track = builder.standing("car", at + 2.3, builder.plan.ego_offset_m)
        track.braking = np.ones(builder.steps, bool)
        at += track.size_m[0] + builder.uniform(1.6, 3.0)

"""Events with people on foot and animals."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import Track
from worldgen.simulation.events.base import (
    NIGHTS,
    NOT_TURNING,
    Event,
    PlayedEvent,
    cross_in_front,
    end_time_s,
    meeting_time,
    notice_time_s,
    side_edges,
    step_at,
)
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.street.furnishing import park
from worldgen.simulation.street.pedestrians import RUN_MPS, WALK_MPS, cross, walk_along


def _side(builder: SceneBuilder) -> int:
    return int(builder.rng.choice((-1, 1)))


def jaywalker(builder: SceneBuilder) -> PlayedEvent:
    """Someone crosses the road in front of the ego, away from any crossing."""
    meet = meeting_time(builder, 0.6, 0.95)
    fast = builder.rng.random() < 0.4
    speed = builder.uniform(*(RUN_MPS if fast else WALK_MPS)["pedestrian"])
    track = cross_in_front(
        builder,
        "pedestrian",
        side=_side(builder),
        speed_mps=speed,
        meet_s=meet,
        late_s=builder.uniform(-0.5, 0.4),
        part="pedestrian",
    )
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


def child_from_between_parked_cars(builder: SceneBuilder) -> PlayedEvent:
    """A child runs out between two parked vehicles, seen late."""
    meet, side = meeting_time(builder, 0.6, 0.9), -1 if builder.rng.random() < 0.8 else 1
    child = cross_in_front(
        builder,
        "child",
        side=side,
        speed_mps=builder.uniform(*RUN_MPS["child"]),
        meet_s=meet,
        late_s=builder.uniform(-0.8, 0.1),
        to_d_m=builder.plan.ego_offset_m - side * builder.uniform(0.5, 3.0),
        part="child",
    )
    s, _ = builder.plan.line.project(child.x_m[:1], child.y_m[:1])
    for ahead in (-1, 1):
        kind = "van" if ahead < 0 and builder.rng.random() < 0.5 and builder.allowed("van") else "car"
        parked = park(builder, kind, float(s[0]), side, part="parked")
        shift_m = ahead * (parked.half_length_m + builder.uniform(0.75, 1.1))
        _slide(builder, parked, float(s[0]) + shift_m)
    _, edge = side_edges(builder, side)
    out = abs(edge - side * builder.plan.section.parking_right_m)
    _, d = builder.plan.line.project(child.x_m, child.y_m)
    child.noticed_from_step = int(np.argmax(np.abs(d) < out + 0.3)) if (np.abs(d) < out + 0.3).any() else builder.steps
    return PlayedEvent((child,), max(0.0, meet - 1.5), end_time_s(builder, meet))


def _slide(builder: SceneBuilder, track: Track, s_m: float) -> None:
    """Moves a parked vehicle along the road."""
    _, d = builder.plan.line.project(track.x_m[:1], track.y_m[:1])
    x, y, _ = builder.plan.line.world(np.array([s_m]), d)
    track.x_m[:], track.y_m[:] = x[0], y[0]


def pedestrian_at_night_without_reflectors(builder: SceneBuilder) -> PlayedEvent:
    """In the dark someone in dark clothes walks on the edge of the ego's lane or crosses it slowly."""
    if builder.rng.random() < 0.5 or builder.ego.manoeuvre == "stop":
        meet = meeting_time(builder, 0.6, 0.9)
        track = cross_in_front(
            builder,
            "pedestrian",
            side=_side(builder),
            speed_mps=builder.uniform(0.9, 1.4),
            meet_s=meet,
            late_s=builder.uniform(-0.3, 0.3),
            part="pedestrian",
        )
    else:
        track, meet = _walks_on_edge(builder)
    track.reflective = False
    # In low beams a dark figure becomes visible at about 25 to 40 m.
    track.noticed_from_step = max(track.noticed_from_step, step_at(builder, max(0.0, meet - builder.uniform(2.0, 2.8))))
    return PlayedEvent((track,), max(0.0, meet - 2.5), end_time_s(builder, meet))


def _walks_on_edge(builder: SceneBuilder) -> tuple[Track, float]:
    """Someone on the right edge of the ego's lane; the ego alone would reach them at the returned time."""
    meet = meeting_time(builder, 0.7, 1.05)
    direction, speed = int(builder.rng.choice((-1, 1))), builder.uniform(*WALK_MPS["pedestrian"])
    d = builder.ego_offset_at(meet) - builder.plan.section.lane_width_m / 2 + builder.uniform(0.25, 0.55)
    track = walk_along(
        builder,
        "pedestrian",
        builder.road_s_at(meet) + 0.4 - direction * speed * meet,
        d,
        direction=direction,
        speed_mps=speed,
        part="pedestrian",
    )
    return track, meet


def pedestrian_walking_along_road(builder: SceneBuilder) -> PlayedEvent:
    """Someone walks along the edge of the ego's lane where there is too little room to pass."""
    track, meet = _walks_on_edge(builder)
    return PlayedEvent((track,), 0.0, end_time_s(builder, meet))


def pedestrian_on_crossing(builder: SceneBuilder) -> PlayedEvent:
    """Someone steps onto a zebra crossing right in front of the ego."""
    plan = builder.plan
    side = _side(builder)
    speed = builder.uniform(*WALK_MPS["pedestrian"])
    s = (
        plan.crossing_s_m
        if plan.crossing_s_m is not None
        else plan.present_junction.s_m - plan.present_junction.crossing_m
    )
    meet = builder.reaches_at(s)
    walk, _ = side_edges(builder, side)
    far, _ = side_edges(builder, -side)
    start = (
        meet
        + builder.uniform(-0.7, 0.4)
        - 0.25 * meet * (builder.ego.manoeuvre == "stop")
        - abs(builder.plan.ego_offset_m - walk) / speed
        - 0.25
    )
    track = cross(
        builder,
        "pedestrian",
        s + builder.uniform(-0.6, 0.6),
        walk,
        far,
        start_s=start,
        speed_mps=speed,
        part="pedestrian",
    )
    track.noticed_from_step = step_at(builder, notice_time_s(builder, start, meet))
    return PlayedEvent((track,), max(0.0, meet - 2.5), end_time_s(builder, meet))


def pedestrian_stumbles(builder: SceneBuilder) -> PlayedEvent:
    """Someone crossing in front of the ego trips, falls in its lane and stays down."""
    meet, side = meeting_time(builder, 0.7, 0.98), _side(builder)
    speed = builder.uniform(1.3, 2.2)
    fall_d = builder.ego_offset_at(meet) + side * builder.uniform(-0.5, 0.5)
    track = cross_in_front(
        builder,
        "pedestrian",
        side=side,
        speed_mps=speed,
        meet_s=meet,
        late_s=builder.uniform(-1.2, -0.7),
        to_d_m=fall_d,
        part="pedestrian",
    )
    down = np.argmax(track.speed_mps < 0.05) if (track.speed_mps[1:] < 0.05).any() else builder.steps
    moving = np.flatnonzero(track.speed_mps > 0.05)
    down = int(moving[-1]) if len(moving) else down
    track.lean_rad = (
        0.5 * math.pi * np.clip((builder.times_s - builder.times_s[min(down, builder.steps - 1)] + 0.5) / 0.6, 0.0, 1.0)
    )
    return PlayedEvent((track,), max(0.0, meet - 2.5), end_time_s(builder, meet))


def group_crossing(builder: SceneBuilder) -> PlayedEvent:
    """Three to six people cross together in front of the ego."""
    meet, side = meeting_time(builder, 0.65, 0.95), _side(builder)
    speed = builder.uniform(1.1, 1.5)
    count = int(builder.rng.integers(3, 7))
    tracks = []
    walk, _ = side_edges(builder, side)
    for i in range(count):
        kind = "child" if i > 1 and builder.rng.random() < 0.25 else "pedestrian"
        track = cross_in_front(
            builder,
            kind,
            side=side,
            speed_mps=speed,
            meet_s=meet,
            late_s=builder.uniform(-0.4, 0.2),
            from_d_m=walk + side * 0.75 * (i % 3),
            part=f"pedestrian{i + 1}",
        )
        # Rows of three, a step apart along the road, so that nobody overlaps another.
        moved = 0.85 * (i // 3) + 0.1 * (i % 3)
        track.x_m += moved * math.cos(float(builder.plan.line.heading_rad[0]))
        track.y_m += moved * math.sin(float(builder.plan.line.heading_rad[0]))
        tracks.append(track)
    # All walk as the first does.
    lead = tracks[0]
    for i, track in enumerate(tracks[1:], 1):
        offset = (side * 0.75 * (i % 3), 0.85 * (i // 3) + 0.1 * (i % 3))
        ls, ld = builder.plan.line.project(lead.x_m, lead.y_m)
        x, y, _ = builder.plan.line.world(ls + offset[1], ld + offset[0])
        track.x_m, track.y_m, track.yaw_rad, track.speed_mps = x, y, lead.yaw_rad.copy(), lead.speed_mps.copy()
        track.noticed_from_step = lead.noticed_from_step
    return PlayedEvent(tuple(tracks), max(0.0, meet - 2.5), end_time_s(builder, meet))


def pedestrian_from_behind_bus(builder: SceneBuilder) -> PlayedEvent:
    """Someone walks out in front of a standing bus, hidden by it until the last moment."""
    meet = meeting_time(builder, 0.65, 0.95)
    track = cross_in_front(
        builder,
        "pedestrian",
        side=-1,
        speed_mps=builder.uniform(1.4, 2.4),
        meet_s=meet,
        late_s=builder.uniform(-1.3, -0.5),
        part="pedestrian",
    )
    s, d = builder.plan.line.project(track.x_m, track.y_m)
    bus = park(builder, "bus", float(s[0]), -1, part="bus")
    _slide(builder, bus, float(s[0]) - bus.half_length_m - builder.uniform(0.8, 1.3))
    bus.indicator = np.full(builder.steps, 2)
    bus.is_obstacle = False
    inner = builder.plan.section.right_lane_edge_m - 0.3
    track.noticed_from_step = int(np.argmax(d > inner)) if (d > inner).any() else builder.steps
    return PlayedEvent((track,), max(0.0, meet - 1.5), end_time_s(builder, meet))


def animal_crossing(builder: SceneBuilder) -> PlayedEvent:
    """A deer leaps across the road in front of the ego."""
    meet = meeting_time(builder, 0.6, 0.95)
    track = cross_in_front(
        builder,
        "animal",
        side=_side(builder),
        speed_mps=builder.uniform(3.0, 6.0),
        meet_s=meet,
        late_s=builder.uniform(-0.3, 0.3),
        part="deer",
        variant="deer",
    )
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


def dog_runs_out(builder: SceneBuilder) -> PlayedEvent:
    """A dog runs into the road right in front of the ego."""
    meet = meeting_time(builder, 0.6, 0.9)
    track = cross_in_front(
        builder,
        "animal",
        side=_side(builder),
        speed_mps=builder.uniform(2.8, 5.0),
        meet_s=meet,
        late_s=builder.uniform(-0.2, 0.4),
        to_d_m=builder.ego_offset_at(meet) + builder.uniform(-0.8, 0.8),
        part="dog",
        variant="dog",
    )
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


def lane_closure_worker(builder: SceneBuilder) -> PlayedEvent:
    """A road worker steps from the closed lane into the edge of the ego's."""
    closure = builder.plan.present_closure
    meet = meeting_time(builder, 0.7, 0.98)
    side = -1 if closure.from_right else 1
    d0 = closure.offset_m + side * 0.2
    d1 = builder.plan.ego_offset_m + side * builder.uniform(0.3, 0.9)
    track = cross_in_front(
        builder,
        "pedestrian",
        side=side,
        speed_mps=builder.uniform(0.9, 1.5),
        meet_s=meet,
        late_s=builder.uniform(-1.0, -0.2),
        from_d_m=d0,
        to_d_m=d1,
        part="worker",
    )
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


TOWN = ("urban", "suburban", "intersection", "construction")
EVENTS = (
    Event("jaywalker", "A pedestrian crosses in front of the ego away from any crossing.", (0.3, 3.5), jaywalker,
          roads=(*TOWN, "rural"), manoeuvres=NOT_TURNING, road_features=frozenset({"far_junction"}),
          needs_kinds=("pedestrian",)),
    Event("child_from_between_parked_cars", "A child runs out between parked cars.", (0.2, 2.5),
          child_from_between_parked_cars, roads=("suburban", "urban", "intersection", "construction"),
          road_features=frozenset({"parking", "single_lane", "far_junction"}), speed_mps=(6.5, 10.0),
          manoeuvres=("keep", "accelerate", "brake"), needs_kinds=("child", "car")),
    Event("pedestrian_at_night_without_reflectors",
          "A pedestrian in dark clothes walks on or crosses the lane at night.", (0.3, 4.0),
          pedestrian_at_night_without_reflectors,
          roads=("rural", "suburban", "urban", "intersection", "construction"), lights=NIGHTS,
          road_features=frozenset({"far_junction", "single_lane"}), needs_kinds=("pedestrian",),
          speed_mps=(8.0, 14.0)),
    Event("pedestrian_on_crossing", "A pedestrian steps onto a crossing in front of the ego.", (0.3, 3.5),
          pedestrian_on_crossing, roads=("urban", "suburban", "intersection", "construction"),
          road_features=frozenset({"crossing"}), needs_kinds=("pedestrian",)),
    Event("pedestrian_walking_along_road", "A pedestrian walks along the edge of the ego's lane.", (0.5, 4.5),
          pedestrian_walking_along_road, roads=("rural", "suburban", "construction"),
          manoeuvres=("keep", "accelerate", "brake"), needs_kinds=("pedestrian",),
          road_features=frozenset({"single_lane"}), speed_mps=(8.0, 14.0)),
    Event("pedestrian_stumbles", "A crossing pedestrian trips and falls in the ego's lane.", (0.3, 3.5),
          pedestrian_stumbles, roads=(*TOWN, "rural"), road_features=frozenset({"far_junction"}),
          needs_kinds=("pedestrian",), speed_mps=(7.0, 12.0)),
    Event("group_crossing", "Three to six people cross together in front of the ego.", (0.3, 3.5), group_crossing,
          roads=TOWN, road_features=frozenset({"far_junction"}), needs_kinds=("pedestrian",),
          speed_mps=(7.0, 12.0)),
    Event("pedestrian_from_behind_bus", "A pedestrian walks out from behind a standing bus.", (0.2, 2.5),
          pedestrian_from_behind_bus, roads=("urban", "suburban", "intersection"),
          road_features=frozenset({"parking", "single_lane", "far_junction"}),
          manoeuvres=("keep", "accelerate", "brake"), needs_kinds=("pedestrian", "bus"), speed_mps=(6.5, 10.5)),
    Event("animal_crossing", "A deer leaps across the road in front of the ego.", (0.3, 3.5), animal_crossing,
          roads=("rural", "highway", "suburban"), needs_kinds=("animal",), speed_mps=(9.0, 17.0)),
    Event("dog_runs_out", "A dog runs into the road right in front of the ego.", (0.3, 3.0), dog_runs_out,
          roads=("suburban", "urban", "rural", "intersection"), road_features=frozenset({"far_junction"}),
          needs_kinds=("animal",), speed_mps=(6.5, 10.5)),
    Event("lane_closure_worker", "A road worker steps from the closed lane to the edge of the ego's.", (0.3, 4.0),
          lane_closure_worker, roads=("construction",), needs_kinds=("pedestrian",),
          road_features=frozenset({"early_closure"})),
)  # fmt: skip

"""Events with bicycles and motorcycles."""

from __future__ import annotations

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M
from worldgen.simulation.events.base import (
    NIGHTS,
    NOT_TURNING,
    Event,
    PlayedEvent,
    cross_in_front,
    drive_along,
    ego_front,
    end_time_s,
    meeting_time,
    step_at,
)
from worldgen.simulation.kinematics import brake_profile, positions_from_speed, smooth_change
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.street.furnishing import park


def _beside_lane(builder: SceneBuilder, inset_m: float) -> float:
    """An offset at the right edge of the ego's lane, ``inset_m`` inside it."""
    return builder.plan.ego_offset_m - builder.plan.section.lane_width_m / 2 + inset_m


def cyclist_swerving(builder: SceneBuilder) -> PlayedEvent:
    """A cyclist riding at the kerb swings out into the ego's way."""
    meet = meeting_time(builder, 0.75, 1.1)
    speed = min(builder.uniform(3.8, 5.5), 0.7 * float(builder.nominal_v_mps[-1]))
    s = builder.road_s_at(meet) + 1.2 + speed * (builder.times_s - meet)
    out = builder.uniform(0.8, 1.5)
    start = meet - builder.uniform(1.3, 2.2)
    d = _beside_lane(builder, 0.1) + out * smooth_change(builder.times_s, start, builder.uniform(0.9, 1.4))
    track = drive_along(builder, "cyclist", s, d, np.full(builder.steps, speed), part="cyclist")
    track.noticed_from_step = step_at(builder, start + 0.3)
    return PlayedEvent((track,), max(0.0, start), end_time_s(builder, meet))


def cyclist_crossing(builder: SceneBuilder) -> PlayedEvent:
    """A cyclist crosses the road at right angles in front of the ego."""
    meet = meeting_time(builder, 0.6, 0.95)
    track = cross_in_front(
        builder,
        "cyclist",
        side=int(builder.rng.choice((-1, 1))),
        speed_mps=builder.uniform(3.0, 5.0),
        meet_s=meet,
        late_s=builder.uniform(-0.4, 0.4),
        part="cyclist",
    )
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


def cyclist_wrong_way(builder: SceneBuilder) -> PlayedEvent:
    """A cyclist comes towards the ego on the ego's side of the road."""
    meet = meeting_time(builder, 0.85, 1.2)
    speed = builder.uniform(3.0, 5.0)
    s = builder.road_s_at(meet) + 1.0 - speed * (builder.times_s - meet)
    dodge = builder.uniform(0.0, 0.5) * smooth_change(builder.times_s, meet - 1.4, 1.2)
    d = _beside_lane(builder, builder.uniform(0.2, 0.55)) - dodge
    track = drive_along(builder, "cyclist", s, d, np.full(builder.steps, speed), direction=-1, part="cyclist")
    return PlayedEvent((track,), 0.0, end_time_s(builder, meet))


def cyclist_at_night_without_light(builder: SceneBuilder) -> PlayedEvent:
    """At night a cyclist without lights rides ahead in the ego's lane."""
    meet = meeting_time(builder, 0.8, 1.15)
    speed = min(builder.uniform(3.5, 5.0), 0.7 * float(builder.nominal_v_mps[-1]))
    s = builder.road_s_at(meet) + 1.2 + speed * (builder.times_s - meet)
    track = drive_along(
        builder,
        "cyclist",
        s,
        _beside_lane(builder, builder.uniform(0.3, 0.8)),
        np.full(builder.steps, speed),
        part="cyclist",
    )
    track.lights_on, track.reflective = False, False
    track.noticed_from_step = step_at(builder, max(0.0, meet - builder.uniform(2.2, 2.8)))
    return PlayedEvent((track,), 0.0, end_time_s(builder, meet))


def dooring(builder: SceneBuilder) -> PlayedEvent:
    """The door of a parked car opens into the ego's way."""
    meet = meeting_time(builder, 0.7, 0.98)
    s = builder.road_s_at(meet) + builder.uniform(2.4, 3.6)
    car = park(builder, "car", s, -1, part="car")
    start = meet - builder.uniform(1.4, 2.1)
    car.door_open = smooth_change(builder.times_s, start, 0.8)
    car.noticed_from_step = step_at(builder, start + 0.2)
    return PlayedEvent((car,), max(0.0, start), end_time_s(builder, meet))


def motorcycle_lane_splitting(builder: SceneBuilder) -> PlayedEvent:
    """A motorcycle passes between the lanes and squeezes in before the ego."""
    side = 1 if builder.plan.ego_lane > 0 else -1
    d0 = builder.plan.ego_offset_m + side * builder.uniform(2.0, 2.25)
    pass_s = builder.uniform(0.12, 0.3) * builder.duration_s
    front = ego_front(builder)
    faster = builder.uniform(3.0, 4.5)
    cut = pass_s + builder.uniform(0.7, 1.0)
    v_ego = builder.nominal_v_mps
    # Level with the front bumper at pass_s; after cutting in it brakes for its own leader.
    relative = np.where(
        builder.times_s < cut, faster, np.maximum(faster - 6.0 * (builder.times_s - cut), -builder.uniform(3.0, 4.5))
    )
    gap = positions_from_speed(relative, builder.dt_s, 0.0)
    gap += 1.1 - np.interp(pass_s, builder.times_s, gap)
    d = d0 + (builder.plan.ego_offset_m - side * 0.1 - d0) * smooth_change(builder.times_s, cut - 0.2, 1.3)
    track = drive_along(builder, "motorcycle", front + gap, d, np.maximum(v_ego + relative, 0.0), part="motorcycle")
    track.indicator = np.where((builder.times_s > cut - 0.6) & (builder.times_s < cut + 1.0), -side, 0)
    track.noticed_from_step = step_at(builder, cut + 0.7)
    return PlayedEvent((track,), pass_s, min(builder.duration_s, cut + 2.0))


def emergency_stop_of_motorcycle(builder: SceneBuilder) -> PlayedEvent:
    """A motorcycle ahead of the ego brakes as hard as it can."""
    speed = builder.ego.speed_mps
    start = builder.uniform(0.1, 0.3) * builder.duration_s
    v = brake_profile(builder.times_s, speed, start, builder.uniform(6.0, 8.0))
    s = positions_from_speed(v, builder.dt_s, EGO_FRONT_M + 1.1 + speed * builder.uniform(0.9, 1.4) + 2.0)
    track = drive_along(
        builder, "motorcycle", s, builder.plan.ego_offset_m + builder.uniform(-0.4, 0.4), v, part="motorcycle"
    )
    return PlayedEvent((track,), start, min(builder.duration_s, start + 3.0))


EVENTS = (
    Event("cyclist_swerving", "A cyclist at the kerb swings out into the ego's way.", (0.4, 4.0), cyclist_swerving,
          roads=("urban", "suburban", "rural", "intersection"),
          road_features=frozenset({"single_lane", "far_junction"}), needs_kinds=("cyclist",),
          manoeuvres=("keep", "accelerate", "brake"), speed_mps=(8.0, 12.5)),
    Event("cyclist_crossing", "A cyclist crosses at right angles in front of the ego.", (0.3, 3.5),
          cyclist_crossing, roads=("urban", "suburban", "intersection", "rural", "construction"),
          manoeuvres=NOT_TURNING, road_features=frozenset({"far_junction"}), needs_kinds=("cyclist",),
          speed_mps=(7.5, 12.0)),
    Event("cyclist_wrong_way", "A cyclist comes towards the ego on the ego's side.", (0.3, 4.0), cyclist_wrong_way,
          roads=("urban", "suburban", "rural", "intersection"),
          road_features=frozenset({"single_lane", "far_junction"}), needs_kinds=("cyclist",),
          speed_mps=(6.5, 10.0)),
    Event("cyclist_at_night_without_light", "An unlit cyclist rides ahead in the ego's lane at night.", (0.5, 4.5),
          cyclist_at_night_without_light, roads=("rural", "suburban", "urban", "intersection"), lights=NIGHTS,
          road_features=frozenset({"single_lane", "far_junction"}), needs_kinds=("cyclist",),
          manoeuvres=("keep", "accelerate", "brake"), speed_mps=(9.0, 14.0)),
    Event("dooring", "The door of a parked car opens into the ego's way.", (0.2, 3.0), dooring,
          roads=("urban", "suburban", "intersection"),
          road_features=frozenset({"parking", "single_lane", "far_junction"}), needs_kinds=("car",),
          manoeuvres=("keep", "accelerate", "brake"), speed_mps=(6.5, 11.0)),
    Event("motorcycle_lane_splitting", "A motorcycle passes between the lanes and squeezes in before the ego.",
          (0.4, 8.0), motorcycle_lane_splitting, roads=("highway", "urban"), road_features=frozenset({"left_lane"}),
          needs_kinds=("motorcycle",), manoeuvres=("keep", "accelerate")),
    Event("emergency_stop_of_motorcycle", "A motorcycle ahead brakes as hard as it can.", (0.4, 4.0),
          emergency_stop_of_motorcycle,
          roads=("urban", "suburban", "rural", "highway", "intersection", "construction"),
          road_features=frozenset({"far_junction"}), needs_kinds=("motorcycle",),
          manoeuvres=("keep", "accelerate", "brake")),
)  # fmt: skip

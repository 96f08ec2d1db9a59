"""Events with bicycles and motorcycles."""

from __future__ import annotations

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M
from worldgen.simulation.events.base import (
    NIGHTS,
    NOT_TURNING,
    Event,
    Played,
    ego_front,
    meeting_time,
    rides,
    runs_across,
    shift,
    step_at,
)
from worldgen.simulation.stage import SceneBuilder
from worldgen.simulation.street.street import brake_profile, park, way_of


def _beside_lane(stage: SceneBuilder, inset_m: float) -> float:
    """An offset at the right edge of the ego's lane, ``inset_m`` inside it."""
    return stage.plan.ego_offset_m - stage.plan.section.lane_width_m / 2 + inset_m


def _until(stage: SceneBuilder, meet_s: float) -> float:
    return min(stage.duration_s, meet_s + 1.0)


def cyclist_swerving(stage: SceneBuilder) -> Played:
    """A cyclist riding at the kerb swings out into the ego's way."""
    meet = meeting_time(stage, 0.75, 1.1)
    speed = min(stage.uniform(3.8, 5.5), 0.7 * float(stage.nominal_v_mps[-1]))
    s = stage.road_s_at(meet) + 1.2 + speed * (stage.times_s - meet)
    out = stage.uniform(0.8, 1.5)
    start = meet - stage.uniform(1.3, 2.2)
    d = _beside_lane(stage, 0.1) + out * shift(stage.times_s, start, stage.uniform(0.9, 1.4))
    track = rides(stage, "cyclist", s, d, np.full(stage.steps, speed), part="cyclist")
    track.seen_from = step_at(stage, start + 0.3)
    return Played((track,), max(0.0, start), _until(stage, meet))


def cyclist_crossing(stage: SceneBuilder) -> Played:
    """A cyclist crosses the road at right angles in front of the ego."""
    meet = meeting_time(stage, 0.6, 0.95)
    track = runs_across(stage, "cyclist", side=int(stage.rng.choice((-1, 1))), speed_mps=stage.uniform(3.0, 5.0), meet_s=meet,
                        late_s=stage.uniform(-0.4, 0.4), part="cyclist")  # fmt: skip
    return Played((track,), max(0.0, meet - 2.0), _until(stage, meet))


def cyclist_wrong_way(stage: SceneBuilder) -> Played:
    """A cyclist comes towards the ego on the ego's side of the road."""
    meet = meeting_time(stage, 0.85, 1.2)
    speed = stage.uniform(3.0, 5.0)
    s = stage.road_s_at(meet) + 1.0 - speed * (stage.times_s - meet)
    dodge = stage.uniform(0.0, 0.5) * shift(stage.times_s, meet - 1.4, 1.2)
    d = _beside_lane(stage, stage.uniform(0.2, 0.55)) - dodge
    track = rides(stage, "cyclist", s, d, np.full(stage.steps, speed), way=-1, part="cyclist")
    return Played((track,), 0.0, _until(stage, meet))


def cyclist_at_night_without_light(stage: SceneBuilder) -> Played:
    """At night a cyclist without lights rides ahead in the ego's lane."""
    meet = meeting_time(stage, 0.8, 1.15)
    speed = min(stage.uniform(3.5, 5.0), 0.7 * float(stage.nominal_v_mps[-1]))
    s = stage.road_s_at(meet) + 1.2 + speed * (stage.times_s - meet)
    track = rides(
        stage, "cyclist", s, _beside_lane(stage, stage.uniform(0.3, 0.8)), np.full(stage.steps, speed), part="cyclist"
    )
    track.lights_on, track.reflective = False, False
    track.seen_from = step_at(stage, max(0.0, meet - stage.uniform(2.2, 2.8)))
    return Played((track,), 0.0, _until(stage, meet))


def dooring(stage: SceneBuilder) -> Played:
    """The door of a parked car opens into the ego's way."""
    meet = meeting_time(stage, 0.7, 0.98)
    s = stage.road_s_at(meet) + stage.uniform(2.4, 3.6)
    car = park(stage, "car", s, -1, part="car")
    start = meet - stage.uniform(1.4, 2.1)
    car.door_open = shift(stage.times_s, start, 0.8)
    car.seen_from = step_at(stage, start + 0.2)
    return Played((car,), max(0.0, start), _until(stage, meet))


def motorcycle_lane_splitting(stage: SceneBuilder) -> Played:
    """A motorcycle passes between the lanes and squeezes in before the ego."""
    side = 1 if stage.plan.ego_lane > 0 else -1
    d0 = stage.plan.ego_offset_m + side * stage.uniform(2.0, 2.25)
    pass_s = stage.uniform(0.12, 0.3) * stage.duration_s
    front = ego_front(stage)
    faster = stage.uniform(3.0, 4.5)
    cut = pass_s + stage.uniform(0.7, 1.0)
    v_ego = stage.nominal_v_mps
    # Level with the front bumper at pass_s; after cutting in it brakes for its own leader.
    relative = np.where(
        stage.times_s < cut, faster, np.maximum(faster - 6.0 * (stage.times_s - cut), -stage.uniform(3.0, 4.5))
    )
    gap = way_of(relative, stage.dt_s, 0.0)
    gap += 1.1 - np.interp(pass_s, stage.times_s, gap)
    d = d0 + (stage.plan.ego_offset_m - side * 0.1 - d0) * shift(stage.times_s, cut - 0.2, 1.3)
    track = rides(stage, "motorcycle", front + gap, d, np.maximum(v_ego + relative, 0.0), part="motorcycle")
    track.indicator = np.where((stage.times_s > cut - 0.6) & (stage.times_s < cut + 1.0), -side, 0)
    track.seen_from = step_at(stage, cut + 0.7)
    return Played((track,), pass_s, min(stage.duration_s, cut + 2.0))


def emergency_stop_of_motorcycle(stage: SceneBuilder) -> Played:
    """A motorcycle ahead of the ego brakes as hard as it can."""
    speed = stage.ego.speed_mps
    start = stage.uniform(0.1, 0.3) * stage.duration_s
    v = brake_profile(stage.times_s, speed, start, stage.uniform(6.0, 8.0))
    s = way_of(v, stage.dt_s, EGO_FRONT_M + 1.1 + speed * stage.uniform(0.9, 1.4) + 2.0)
    track = rides(stage, "motorcycle", s, stage.plan.ego_offset_m + stage.uniform(-0.4, 0.4), v, part="motorcycle")
    return Played((track,), start, min(stage.duration_s, start + 3.0))


EVENTS = (
    Event("cyclist_swerving", "A cyclist at the kerb swings out into the ego's way.", (0.4, 4.0), cyclist_swerving,
          roads=("urban", "suburban", "rural", "intersection"), wants=frozenset({"single_lane", "far_junction"}), needs_kinds=("cyclist",), manoeuvres=("keep", "accelerate", "brake"), speed_mps=(8.0, 12.5)),
    Event("cyclist_crossing", "A cyclist crosses at right angles in front of the ego.", (0.3, 3.5), cyclist_crossing,
          roads=("urban", "suburban", "intersection", "rural", "construction"), manoeuvres=NOT_TURNING, wants=frozenset({"far_junction"}), needs_kinds=("cyclist",), speed_mps=(7.5, 12.0)),
    Event("cyclist_wrong_way", "A cyclist comes towards the ego on the ego's side.", (0.3, 4.0), cyclist_wrong_way,
          roads=("urban", "suburban", "rural", "intersection"), wants=frozenset({"single_lane", "far_junction"}), needs_kinds=("cyclist",), speed_mps=(6.5, 10.0)),
    Event("cyclist_at_night_without_light", "An unlit cyclist rides ahead in the ego's lane at night.", (0.5, 4.5), cyclist_at_night_without_light,
          roads=("rural", "suburban", "urban", "intersection"), lights=NIGHTS, wants=frozenset({"single_lane", "far_junction"}), needs_kinds=("cyclist",), manoeuvres=("keep", "accelerate", "brake"), speed_mps=(9.0, 14.0)),
    Event("dooring", "The door of a parked car opens into the ego's way.", (0.2, 3.0), dooring,
          roads=("urban", "suburban", "intersection"), wants=frozenset({"parking", "single_lane", "far_junction"}), needs_kinds=("car",), manoeuvres=("keep", "accelerate", "brake"), speed_mps=(6.5, 11.0)),
    Event("motorcycle_lane_splitting", "A motorcycle passes between the lanes and squeezes in before the ego.", (0.4, 8.0), motorcycle_lane_splitting,
          roads=("highway", "urban"), wants=frozenset({"left_lane"}), needs_kinds=("motorcycle",), manoeuvres=("keep", "accelerate")),
    Event("emergency_stop_of_motorcycle", "A motorcycle ahead brakes as hard as it can.", (0.4, 4.0), emergency_stop_of_motorcycle,
          roads=("urban", "suburban", "rural", "highway", "intersection", "construction"), wants=frozenset({"far_junction"}), needs_kinds=("motorcycle",), manoeuvres=("keep", "accelerate", "brake")),
)  # fmt: skip

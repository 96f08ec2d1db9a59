"""Events with vehicles that enter the ego's path at a junction."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import Track
from worldgen.simulation.events.base import (
    Event,
    PlayedEvent,
    end_time_s,
    step_at,
)
from worldgen.simulation.kinematics import positions_from_speed
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.scene_builder import ActorMotion, SceneBuilder


def _crosses_junction(
    builder: SceneBuilder, kind: str, part: str, speed_mps: float, late_s: float
) -> tuple[Track, float]:
    """A vehicle that crosses the junction on the cross road, and the time at which it is on the ego's path."""
    junction = builder.plan.present_junction
    direction = int(builder.rng.choice((-1, 1)))
    offset = junction.section.forward_offset_m(0) if direction > 0 else junction.section.backward_offset_m(0)
    lane_x = junction.s_m - offset  # offsets are to the left of the cross road, towards smaller s
    meet = builder.reaches_at(lane_x - 1.0) + late_s
    s_ego = float(
        junction.line.project(*builder.plan.line.world(np.array([junction.s_m]), builder.plan.ego_offset_m)[:2])[0][0]
    )
    s = s_ego + direction * speed_mps * (builder.times_s - meet)
    track = builder.track(
        kind,
        ActorMotion(s, np.full(builder.steps, offset), np.full(builder.steps, speed_mps), direction),
        line=junction.line,
        part=part,
    )
    return track, meet


def red_light_runner(builder: SceneBuilder) -> PlayedEvent:
    """A car crosses on red right in front of the ego, which has green."""
    # A car much faster than the ego would stay outside the picture until the last moment.
    track, meet = _crosses_junction(
        builder,
        "car",
        "car",
        max(4.5, min(builder.uniform(5.5, 9.0), 1.1 * builder.half_view_tan * builder.ego.speed_mps)),
        builder.uniform(-0.6, 0.2),
    )
    builder.main_stops = False
    track.noticed_from_step = step_at(builder, max(0.0, meet - builder.uniform(1.6, 2.2)))
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


def left_turn_across_path(builder: SceneBuilder) -> PlayedEvent:
    """An oncoming vehicle turns left across the ego's way."""
    junction, section = builder.plan.present_junction, builder.plan.section
    lane_d = section.backward_offset_m(0)
    radius = builder.uniform(6.0, 7.5)
    exit_s = junction.s_m - junction.section.backward_offset_m(junction.section.backward - 1)
    angle = np.linspace(0, math.pi / 2, 12)
    s = np.concatenate([[exit_s + radius + 60.0], exit_s + radius - radius * np.sin(angle), [exit_s]])
    d = np.concatenate([[lane_d], lane_d - radius + radius * np.cos(angle), [lane_d - radius - 40.0]])
    x, y, _ = builder.plan.line.world(s, d)
    path = Curve.from_points(np.stack([x, y], 1))
    own = np.interp(builder.plan.ego_offset_m, d[::-1], s[::-1])
    meet = builder.reaches_at(float(own) - 1.0) + builder.uniform(-1.8, -0.9)
    at = float(path.project(*builder.plan.line.world(np.array([own]), builder.plan.ego_offset_m)[:2])[0][0])
    speed = builder.uniform(4.0, 6.0)
    track = builder.track(
        "car",
        ActorMotion(at + speed * (builder.times_s - meet), np.zeros(builder.steps), np.full(builder.steps, speed)),
        line=path,
        part="car",
    )
    track.indicator = np.ones(builder.steps, int)
    track.noticed_from_step = step_at(builder, max(0.0, meet - builder.uniform(1.9, 2.5)))
    builder.reserve(-10.0, junction.s_m + 45.0, lane_d - 1.5, lane_d + 1.5)
    return PlayedEvent((track,), max(0.0, meet - 2.0), end_time_s(builder, meet))


def failure_to_yield_from_side_road(builder: SceneBuilder) -> PlayedEvent:
    """A vehicle from the side road on the right turns into the ego's lane without yielding."""
    junction = builder.plan.present_junction
    lane = junction.section.forward_offset_m(junction.section.forward - 1)
    enter_s, radius = junction.s_m - lane, builder.uniform(6.5, 8.0)
    own = builder.plan.ego_offset_m
    angle = np.linspace(0, math.pi / 2, 12)
    s = np.concatenate([[enter_s], enter_s + radius * (1 - np.cos(angle)), [enter_s + radius + 90.0]])
    d = np.concatenate([[own - radius - 40.0], own - radius + radius * np.sin(angle), [own]])
    x, y, _ = builder.plan.line.world(s, d)
    path = Curve.from_points(np.stack([x, y], 1))
    meet = builder.reaches_at(enter_s) + builder.uniform(-1.1, -0.3)
    at = float(path.project(*builder.plan.line.world(np.array([enter_s + 0.4 * radius]), own - 0.9)[:2])[0][0])
    speed = builder.uniform(3.5, 5.0)
    kind = "van" if builder.rng.random() < 0.2 and builder.allowed("van") else "car"
    v = np.minimum(speed + np.maximum(builder.times_s - meet, 0.0) * 1.2, speed + 3.0)
    travelled_m = positions_from_speed(v, builder.dt_s, 0.0)
    track = builder.track(
        kind,
        ActorMotion(at + travelled_m - np.interp(meet, builder.times_s, travelled_m), np.zeros(builder.steps), v),
        line=path,
        part="car",
    )
    track.indicator = np.where(builder.times_s < meet + 1.0, -1, 0)
    track.noticed_from_step = step_at(builder, max(0.0, meet - builder.uniform(0.8, 1.4)))
    return PlayedEvent((track,), max(0.0, meet - 2.0), min(builder.duration_s, meet + 2.0))


CROSSROADS = ("intersection", "urban", "suburban")

EVENTS = (
    Event("red_light_runner", "A car crosses on red right in front of the ego.", (0.3, 3.5), red_light_runner,
          roads=CROSSROADS, road_features=frozenset({"junction", "signals", "through", "single_lane"}),
          needs_kinds=("car",), speed_mps=(7.5, 11.5), manoeuvres=("keep", "accelerate", "brake")),
    Event("left_turn_across_path", "An oncoming car turns left across the ego's way.", (0.3, 3.5),
          left_turn_across_path, roads=CROSSROADS, road_features=frozenset({"junction", "through", "single_lane"}),
          needs_kinds=("car",), speed_mps=(7.5, 11.5), manoeuvres=("keep", "accelerate", "brake")),
    Event("failure_to_yield_from_side_road", "A car turns from a side road into the ego's lane without yielding.",
          (0.3, 4.0), failure_to_yield_from_side_road, roads=("rural", "suburban", "urban", "intersection"),
          road_features=frozenset({"junction", "through", "single_lane", "no_signals"}), needs_kinds=("car",),
          speed_mps=(7.5, 12.0), manoeuvres=("keep", "accelerate", "brake")),
)  # fmt: skip

"""Events with things that block the way, and with conflicts at junctions."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, Track
from worldgen.simulation.events.base import STRAIGHT_ON, Event, Played, meeting_time, rides, step_at
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.stage import ActorMotion, SceneBuilder
from worldgen.simulation.street.street import cone_places, way_of


def _until(stage: SceneBuilder, meet_s: float) -> float:
    return min(stage.duration_s, meet_s + 1.0)


def lost_cargo(stage: SceneBuilder) -> Played:
    """A truck ahead loses a piece of its load, which slides to a stop in the ego's lane."""
    speed = stage.ego.speed_mps
    kind = "truck" if stage.allowed("truck") else "van"
    variant = "box_truck" if kind == "truck" else None
    rear = EGO_FRONT_M + 3.0 + speed * stage.uniform(1.0, 1.5)
    truck = rides(
        stage,
        kind,
        way_of(np.full(stage.steps, speed), stage.dt_s, rear + 3.9),
        stage.plan.ego_offset_m,
        np.full(stage.steps, speed),
        part="truck",
        variant=variant,
    )
    drop = stage.uniform(0.05, 0.25) * stage.duration_s
    after = np.maximum(stage.times_s - drop, 0.0)
    v = np.where(after > 0, np.maximum(speed - stage.uniform(5.5, 7.0) * after, 0.0), speed)
    s = way_of(v, stage.dt_s, rear - 0.15)
    d = stage.plan.ego_offset_m + stage.uniform(-0.5, 0.5) * np.clip(after / 1.5, 0, 1)
    cargo = rides(stage, "cargo", s, d, v, part="cargo")
    truck.size_m = (7.6, *truck.size_m[1:]) if kind == "truck" else truck.size_m
    bed = 0.9
    cargo.lift_m = np.where(after > 0, np.maximum(bed - 4.9 * after**2, 0.0), bed)
    # Behind the tail lift from the start, so that bodies never meet.
    cargo_rear = rear - cargo.half_length_m - 0.1
    moved = cargo_rear - (rear - 0.15)
    x, y, _ = stage.plan.line.world(s + moved, d)
    cargo.x_m, cargo.y_m = x, y
    cargo.yaw_rad = cargo.yaw_rad[0] + stage.uniform(-1.2, 1.2) * np.clip(after / 1.2, 0.0, 1.0)
    cargo.seen_from = step_at(stage, drop + 0.1)
    return Played((cargo,), drop, min(stage.duration_s, drop + 3.0))


def _stalled(stage: SceneBuilder, kind: str, part: str, variant: str | None = None) -> Played:
    meet = meeting_time(stage, 0.75, 1.15)
    at = stage.road_s_at(meet)
    track = stage.standing(
        kind,
        at,
        stage.plan.ego_offset_m + stage.uniform(-0.5, 0.3),
        yaw_rad=stage.uniform(-0.06, 0.06),
        part=part,
        variant=variant,
    )
    x, y, _ = stage.plan.line.world(np.array([at + track.half_length_m + 0.1]), stage.plan.ego_offset_m)
    track.x_m[:], track.y_m[:] = x[0], y[0]
    track.indicator = np.full(stage.steps, 2)
    stage.reserve(at - 5.0, at + 60.0, stage.plan.ego_offset_m - 1.5, stage.plan.ego_offset_m + 1.5)
    return Played((track,), 0.0, _until(stage, meet))


def stalled_truck_in_fog(stage: SceneBuilder) -> Played:
    """A truck stands in the ego's lane in fog."""
    return _stalled(stage, "truck", "truck")


def stalled_car_on_lane(stage: SceneBuilder) -> Played:
    """A broken-down car stands in the ego's lane with its hazard lights on."""
    return _stalled(stage, "car", "car")


def construction_taper_with_cones(stage: SceneBuilder) -> Played:
    """A line of cones closes the ego's lane ahead."""
    cones = []
    for i, (s, d) in enumerate(cone_places(stage, stage.plan.closure)[:18]):
        cones.append(stage.standing("traffic_cone", s, d, part=f"cone{i + 1}"))
    offsets = [abs(float(stage.ego.path.project(c.x_m[:1], c.y_m[:1])[1][0])) for c in cones]
    near = next(
        (c for c, d in zip(cones, offsets, strict=True) if d < EGO_HALF_WIDTH_M + 0.6), cones[int(np.argmin(offsets))]
    )
    return Played((near, *[c for c in cones[:9] if c is not near]), 0.0, stage.duration_s)


def queue_end_behind_crest(stage: SceneBuilder) -> Played:
    """A standing queue hides behind the top of a hill."""
    meet = meeting_time(stage, 0.85, 1.15)
    at = stage.road_s_at(meet)
    tracks: list[Track] = []
    for i in range(int(stage.rng.integers(2, 4))):
        kind = (
            "truck"
            if i == 2 and stage.allowed("truck")
            else ("van" if i == 1 and stage.allowed("van") and stage.rng.random() < 0.4 else "car")
        )
        track = stage.standing(kind, at, stage.plan.ego_offset_m, part="tail" if i == 0 else f"queue{i}")
        x, y, _ = stage.plan.line.world(np.array([at + track.half_length_m]), stage.plan.ego_offset_m)
        track.x_m[:], track.y_m[:] = x[0], y[0]
        track.braking = np.ones(stage.steps, bool)
        tracks.append(track)
        at += track.size_m[0] + stage.uniform(1.6, 2.6)
    tracks[0].seen_from = step_at(stage, max(0.0, meet - stage.uniform(2.0, 2.6)))
    for track in tracks[1:]:
        track.seen_from = tracks[0].seen_from
    stage.reserve(20.0, at + 40.0, stage.plan.ego_offset_m - 1.5, stage.plan.ego_offset_m + 1.5)
    return Played((tracks[0],), 0.0, _until(stage, meet))


def _crosses_junction(stage: SceneBuilder, kind: str, part: str, speed_mps: float, late_s: float) -> tuple[Track, float]:
    """A vehicle straight through on the cross road that meets the ego's line."""
    junction = stage.plan.junction
    way = int(stage.rng.choice((-1, 1)))
    offset = junction.section.forward_offset_m(0) if way > 0 else junction.section.backward_offset_m(0)
    lane_x = junction.s_m - offset  # offsets are to the left of the cross road, towards smaller s
    meet = stage.reaches_at(lane_x - 1.0) + late_s
    s_ego = float(
        junction.line.project(*stage.plan.line.world(np.array([junction.s_m]), stage.plan.ego_offset_m)[:2])[0][0]
    )
    s = s_ego + way * speed_mps * (stage.times_s - meet)
    track = stage.track(
        kind,
        ActorMotion(s, np.full(stage.steps, offset), np.full(stage.steps, speed_mps), way),
        line=junction.line,
        part=part,
    )
    return track, meet


def red_light_runner(stage: SceneBuilder) -> Played:
    """A car crosses on red right in front of the ego, which has green."""
    # Much faster than the ego and it would come from outside the picture until the last moment.
    track, meet = _crosses_junction(
        stage,
        "car",
        "car",
        max(4.5, min(stage.uniform(5.5, 9.0), 1.1 * stage.half_view * stage.ego.speed_mps)),
        stage.uniform(-0.6, 0.2),
    )
    stage.main_stops = False
    track.seen_from = step_at(stage, max(0.0, meet - stage.uniform(1.6, 2.2)))
    return Played((track,), max(0.0, meet - 2.0), _until(stage, meet))


def left_turn_across_path(stage: SceneBuilder) -> Played:
    """An oncoming vehicle turns left across the ego's way."""
    junction, section = stage.plan.junction, stage.plan.section
    lane_d = section.backward_offset_m(0)
    radius = stage.uniform(6.0, 7.5)
    exit_s = junction.s_m - junction.section.backward_offset_m(junction.section.backward - 1)
    angle = np.linspace(0, math.pi / 2, 12)
    s = np.concatenate([[exit_s + radius + 60.0], exit_s + radius - radius * np.sin(angle), [exit_s]])
    d = np.concatenate([[lane_d], lane_d - radius + radius * np.cos(angle), [lane_d - radius - 40.0]])
    x, y, _ = stage.plan.line.world(s, d)
    path = Curve.from_points(np.stack([x, y], 1))
    own = np.interp(stage.plan.ego_offset_m, d[::-1], s[::-1])
    meet = stage.reaches_at(float(own) - 1.0) + stage.uniform(-1.8, -0.9)
    at = float(path.project(*stage.plan.line.world(np.array([own]), stage.plan.ego_offset_m)[:2])[0][0])
    speed = stage.uniform(4.0, 6.0)
    track = stage.track(
        "car",
        ActorMotion(at + speed * (stage.times_s - meet), np.zeros(stage.steps), np.full(stage.steps, speed)),
        line=path,
        part="car",
    )
    track.indicator = np.ones(stage.steps, int)
    track.seen_from = step_at(stage, max(0.0, meet - stage.uniform(1.9, 2.5)))
    stage.reserve(-10.0, junction.s_m + 45.0, lane_d - 1.5, lane_d + 1.5)
    return Played((track,), max(0.0, meet - 2.0), _until(stage, meet))


def failure_to_yield_from_side_road(stage: SceneBuilder) -> Played:
    """A vehicle from the side road on the right turns into the ego's lane without yielding."""
    junction = stage.plan.junction
    lane = junction.section.forward_offset_m(junction.section.forward - 1)
    enter_s, radius = junction.s_m - lane, stage.uniform(6.5, 8.0)
    own = stage.plan.ego_offset_m
    angle = np.linspace(0, math.pi / 2, 12)
    s = np.concatenate([[enter_s], enter_s + radius * (1 - np.cos(angle)), [enter_s + radius + 90.0]])
    d = np.concatenate([[own - radius - 40.0], own - radius + radius * np.sin(angle), [own]])
    x, y, _ = stage.plan.line.world(s, d)
    path = Curve.from_points(np.stack([x, y], 1))
    meet = stage.reaches_at(enter_s) + stage.uniform(-1.1, -0.3)
    at = float(path.project(*stage.plan.line.world(np.array([enter_s + 0.4 * radius]), own - 0.9)[:2])[0][0])
    speed = stage.uniform(3.5, 5.0)
    kind = "van" if stage.rng.random() < 0.2 and stage.allowed("van") else "car"
    v = np.minimum(speed + np.maximum(stage.times_s - meet, 0.0) * 1.2, speed + 3.0)
    way = way_of(v, stage.dt_s, 0.0)
    track = stage.track(
        kind, ActorMotion(at + way - np.interp(meet, stage.times_s, way), np.zeros(stage.steps), v), line=path, part="car"
    )
    track.indicator = np.where(stage.times_s < meet + 1.0, -1, 0)
    track.seen_from = step_at(stage, max(0.0, meet - stage.uniform(0.8, 1.4)))
    return Played((track,), max(0.0, meet - 2.0), min(stage.duration_s, meet + 2.0))


CROSSROADS = ("intersection", "urban", "suburban")
EVENTS = (
    Event("red_light_runner", "A car crosses on red right in front of the ego.", (0.3, 3.5), red_light_runner, roads=CROSSROADS,
          wants=frozenset({"junction", "signals", "through", "single_lane"}), needs_kinds=("car",), speed_mps=(7.5, 11.5), manoeuvres=("keep", "accelerate", "brake")),
    Event("left_turn_across_path", "An oncoming car turns left across the ego's way.", (0.3, 3.5), left_turn_across_path, roads=CROSSROADS,
          wants=frozenset({"junction", "through", "single_lane"}), needs_kinds=("car",), speed_mps=(7.5, 11.5), manoeuvres=("keep", "accelerate", "brake")),
    Event("failure_to_yield_from_side_road", "A car turns from a side road into the ego's lane without yielding.", (0.3, 4.0),
          failure_to_yield_from_side_road, roads=("rural", "suburban", "urban", "intersection"),
          wants=frozenset({"junction", "through", "single_lane", "no_signals"}), needs_kinds=("car",), speed_mps=(7.5, 12.0), manoeuvres=("keep", "accelerate", "brake")),
    Event("lost_cargo", "A truck ahead loses a piece of its load.", (0.3, 4.0), lost_cargo, roads=("highway", "rural", "urban", "construction", "suburban"),
          needs_kinds=("cargo",), speed_mps=(9.0, 17.0), manoeuvres=("keep", "accelerate", "brake")),
    Event("stalled_truck_in_fog", "A truck stands in the ego's lane in fog.", (0.4, 4.0), stalled_truck_in_fog, roads=("highway", "rural", "urban", "suburban"),
          weathers=("fog",), needs_kinds=("truck",), speed_mps=(8.0, 13.0), manoeuvres=STRAIGHT_ON),
    Event("stalled_car_on_lane", "A broken-down car stands in the ego's lane.", (0.4, 4.0), stalled_car_on_lane,
          roads=("highway", "rural", "urban", "suburban"), needs_kinds=("car",), speed_mps=(8.0, 13.0), manoeuvres=STRAIGHT_ON),
    Event("construction_taper_with_cones", "A line of cones closes the ego's lane.", (0.4, 5.0), construction_taper_with_cones, roads=("construction",),
          wants=frozenset({"ego_lane_closed"}), needs_kinds=("traffic_cone",), speed_mps=(8.0, 12.0), manoeuvres=("keep", "brake", "stop", "lane_left", "lane_right")),
    Event("queue_end_behind_crest", "A standing queue hides behind the top of a hill.", (0.4, 4.0), queue_end_behind_crest, roads=("rural", "highway"),
          wants=frozenset({"crest", "straight"}), needs_kinds=("car",), speed_mps=(10.0, 14.0), manoeuvres=("keep", "brake")),
)  # fmt: skip

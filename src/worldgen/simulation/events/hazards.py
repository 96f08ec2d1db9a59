"""Events with things that block the way, and with conflicts at junctions."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, Track
from worldgen.simulation.events.base import STRAIGHT_ON, Event, PlayedEvent, drive_along, meeting_time, step_at
from worldgen.simulation.kinematics import positions_from_speed
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.scene_builder import ActorMotion, SceneBuilder
from worldgen.simulation.street.furnishing import cone_places


def _until(builder: SceneBuilder, meet_s: float) -> float:
    return min(builder.duration_s, meet_s + 1.0)


def lost_cargo(builder: SceneBuilder) -> PlayedEvent:
    """A truck ahead loses a piece of its load, which slides to a stop in the ego's lane."""
    speed = builder.ego.speed_mps
    kind = "truck" if builder.allowed("truck") else "van"
    variant = "box_truck" if kind == "truck" else None
    rear = EGO_FRONT_M + 3.0 + speed * builder.uniform(1.0, 1.5)
    truck = drive_along(
        builder,
        kind,
        positions_from_speed(np.full(builder.steps, speed), builder.dt_s, rear + 3.9),
        builder.plan.ego_offset_m,
        np.full(builder.steps, speed),
        part="truck",
        variant=variant,
    )
    drop = builder.uniform(0.05, 0.25) * builder.duration_s
    after = np.maximum(builder.times_s - drop, 0.0)
    v = np.where(after > 0, np.maximum(speed - builder.uniform(5.5, 7.0) * after, 0.0), speed)
    s = positions_from_speed(v, builder.dt_s, rear - 0.15)
    d = builder.plan.ego_offset_m + builder.uniform(-0.5, 0.5) * np.clip(after / 1.5, 0, 1)
    cargo = drive_along(builder, "cargo", s, d, v, part="cargo")
    truck.size_m = (7.6, *truck.size_m[1:]) if kind == "truck" else truck.size_m
    bed = 0.9
    cargo.lift_m = np.where(after > 0, np.maximum(bed - 4.9 * after**2, 0.0), bed)
    # Behind the tail lift from the start, so that bodies never meet.
    cargo_rear = rear - cargo.half_length_m - 0.1
    moved = cargo_rear - (rear - 0.15)
    x, y, _ = builder.plan.line.world(s + moved, d)
    cargo.x_m, cargo.y_m = x, y
    cargo.yaw_rad = cargo.yaw_rad[0] + builder.uniform(-1.2, 1.2) * np.clip(after / 1.2, 0.0, 1.0)
    cargo.noticed_from_step = step_at(builder, drop + 0.1)
    return PlayedEvent((cargo,), drop, min(builder.duration_s, drop + 3.0))


def _stalled(builder: SceneBuilder, kind: str, part: str, variant: str | None = None) -> PlayedEvent:
    meet = meeting_time(builder, 0.75, 1.15)
    at = builder.road_s_at(meet)
    track = builder.standing(
        kind,
        at,
        builder.plan.ego_offset_m + builder.uniform(-0.5, 0.3),
        yaw_rad=builder.uniform(-0.06, 0.06),
        part=part,
        variant=variant,
    )
    x, y, _ = builder.plan.line.world(np.array([at + track.half_length_m + 0.1]), builder.plan.ego_offset_m)
    track.x_m[:], track.y_m[:] = x[0], y[0]
    track.indicator = np.full(builder.steps, 2)
    builder.reserve(at - 5.0, at + 60.0, builder.plan.ego_offset_m - 1.5, builder.plan.ego_offset_m + 1.5)
    return PlayedEvent((track,), 0.0, _until(builder, meet))


def stalled_truck_in_fog(builder: SceneBuilder) -> PlayedEvent:
    """A truck stands in the ego's lane in fog."""
    return _stalled(builder, "truck", "truck")


def stalled_car_on_lane(builder: SceneBuilder) -> PlayedEvent:
    """A broken-down car stands in the ego's lane with its hazard lights on."""
    return _stalled(builder, "car", "car")


def construction_taper_with_cones(builder: SceneBuilder) -> PlayedEvent:
    """A line of cones closes the ego's lane ahead."""
    cones = []
    for i, (s, d) in enumerate(cone_places(builder, builder.plan.present_closure)[:18]):
        cones.append(builder.standing("traffic_cone", s, d, part=f"cone{i + 1}"))
    offsets = [abs(float(builder.ego.path.project(c.x_m[:1], c.y_m[:1])[1][0])) for c in cones]
    near = next(
        (c for c, d in zip(cones, offsets, strict=True) if d < EGO_HALF_WIDTH_M + 0.6), cones[int(np.argmin(offsets))]
    )
    return PlayedEvent((near, *[c for c in cones[:9] if c is not near]), 0.0, builder.duration_s)


def queue_end_behind_crest(builder: SceneBuilder) -> PlayedEvent:
    """A standing queue hides behind the top of a hill."""
    meet = meeting_time(builder, 0.85, 1.15)
    at = builder.road_s_at(meet)
    tracks: list[Track] = []
    for i in range(int(builder.rng.integers(2, 4))):
        kind = (
            "truck"
            if i == 2 and builder.allowed("truck")
            else ("van" if i == 1 and builder.allowed("van") and builder.rng.random() < 0.4 else "car")
        )
        track = builder.standing(kind, at, builder.plan.ego_offset_m, part="tail" if i == 0 else f"queue{i}")
        x, y, _ = builder.plan.line.world(np.array([at + track.half_length_m]), builder.plan.ego_offset_m)
        track.x_m[:], track.y_m[:] = x[0], y[0]
        track.braking = np.ones(builder.steps, bool)
        tracks.append(track)
        at += track.size_m[0] + builder.uniform(1.6, 2.6)
    tracks[0].noticed_from_step = step_at(builder, max(0.0, meet - builder.uniform(2.0, 2.6)))
    for track in tracks[1:]:
        track.noticed_from_step = tracks[0].noticed_from_step
    builder.reserve(20.0, at + 40.0, builder.plan.ego_offset_m - 1.5, builder.plan.ego_offset_m + 1.5)
    return PlayedEvent((tracks[0],), 0.0, _until(builder, meet))


def _crosses_junction(
    builder: SceneBuilder, kind: str, part: str, speed_mps: float, late_s: float
) -> tuple[Track, float]:
    """A vehicle straight through on the cross road that meets the ego's line."""
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
    # Much faster than the ego and it would come from outside the picture until the last moment.
    track, meet = _crosses_junction(
        builder,
        "car",
        "car",
        max(4.5, min(builder.uniform(5.5, 9.0), 1.1 * builder.half_view_tan * builder.ego.speed_mps)),
        builder.uniform(-0.6, 0.2),
    )
    builder.main_stops = False
    track.noticed_from_step = step_at(builder, max(0.0, meet - builder.uniform(1.6, 2.2)))
    return PlayedEvent((track,), max(0.0, meet - 2.0), _until(builder, meet))


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
    return PlayedEvent((track,), max(0.0, meet - 2.0), _until(builder, meet))


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
    Event("red_light_runner", "A car crosses on red right in front of the ego.", (0.3, 3.5), red_light_runner, roads=CROSSROADS,
          road_features=frozenset({"junction", "signals", "through", "single_lane"}), needs_kinds=("car",), speed_mps=(7.5, 11.5), manoeuvres=("keep", "accelerate", "brake")),
    Event("left_turn_across_path", "An oncoming car turns left across the ego's way.", (0.3, 3.5), left_turn_across_path, roads=CROSSROADS,
          road_features=frozenset({"junction", "through", "single_lane"}), needs_kinds=("car",), speed_mps=(7.5, 11.5), manoeuvres=("keep", "accelerate", "brake")),
    Event("failure_to_yield_from_side_road", "A car turns from a side road into the ego's lane without yielding.", (0.3, 4.0),
          failure_to_yield_from_side_road, roads=("rural", "suburban", "urban", "intersection"),
          road_features=frozenset({"junction", "through", "single_lane", "no_signals"}), needs_kinds=("car",), speed_mps=(7.5, 12.0), manoeuvres=("keep", "accelerate", "brake")),
    Event("lost_cargo", "A truck ahead loses a piece of its load.", (0.3, 4.0), lost_cargo, roads=("highway", "rural", "urban", "construction", "suburban"),
          needs_kinds=("cargo",), speed_mps=(9.0, 17.0), manoeuvres=("keep", "accelerate", "brake")),
    Event("stalled_truck_in_fog", "A truck stands in the ego's lane in fog.", (0.4, 4.0), stalled_truck_in_fog, roads=("highway", "rural", "urban", "suburban"),
          weathers=("fog",), needs_kinds=("truck",), speed_mps=(8.0, 13.0), manoeuvres=STRAIGHT_ON),
    Event("stalled_car_on_lane", "A broken-down car stands in the ego's lane.", (0.4, 4.0), stalled_car_on_lane,
          roads=("highway", "rural", "urban", "suburban"), needs_kinds=("car",), speed_mps=(8.0, 13.0), manoeuvres=STRAIGHT_ON),
    Event("construction_taper_with_cones", "A line of cones closes the ego's lane.", (0.4, 5.0), construction_taper_with_cones, roads=("construction",),
          road_features=frozenset({"ego_lane_closed"}), needs_kinds=("traffic_cone",), speed_mps=(8.0, 12.0), manoeuvres=("keep", "brake", "stop", "lane_left", "lane_right")),
    Event("queue_end_behind_crest", "A standing queue hides behind the top of a hill.", (0.4, 4.0), queue_end_behind_crest, roads=("rural", "highway"),
          road_features=frozenset({"crest", "straight"}), needs_kinds=("car",), speed_mps=(10.0, 14.0), manoeuvres=("keep", "brake")),
)  # fmt: skip

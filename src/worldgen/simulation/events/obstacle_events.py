"""Events with obstacles on the ego's lane: cargo, stalled vehicles, cones, the end of a queue."""

from __future__ import annotations

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, Track, compact_variant
from worldgen.simulation.events.base import (
    STRAIGHT_ON,
    Event,
    PlayedEvent,
    drive_along,
    end_time_s,
    meeting_time,
    step_at,
)
from worldgen.simulation.kinematics import positions_from_speed
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.street.furnishing import cone_places


def lost_cargo(builder: SceneBuilder) -> PlayedEvent:
    """A truck ahead loses a piece of its load, which slides to a stop in the ego's lane."""
    speed = builder.ego.speed_mps
    kind = "truck" if builder.allowed("truck") else "van"
    variant = compact_variant(kind)
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
    # The cargo starts behind the truck's rear, so that the bodies never overlap.
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
    return PlayedEvent((track,), 0.0, end_time_s(builder, meet))


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
    return PlayedEvent((tracks[0],), 0.0, end_time_s(builder, meet))


EVENTS = (
    Event("lost_cargo", "A truck ahead loses a piece of its load.", (0.3, 4.0), lost_cargo,
          roads=("highway", "rural", "urban", "construction", "suburban"), needs_kinds=("cargo",),
          speed_mps=(9.0, 17.0), manoeuvres=("keep", "accelerate", "brake")),
    Event("stalled_truck_in_fog", "A truck stands in the ego's lane in fog.", (0.4, 4.0), stalled_truck_in_fog,
          roads=("highway", "rural", "urban", "suburban"), weathers=("fog",), needs_kinds=("truck",),
          speed_mps=(8.0, 13.0), manoeuvres=STRAIGHT_ON),
    Event("stalled_car_on_lane", "A broken-down car stands in the ego's lane.", (0.4, 4.0), stalled_car_on_lane,
          roads=("highway", "rural", "urban", "suburban"), needs_kinds=("car",), speed_mps=(8.0, 13.0),
          manoeuvres=STRAIGHT_ON),
    Event("construction_taper_with_cones", "A line of cones closes the ego's lane.", (0.4, 5.0),
          construction_taper_with_cones, roads=("construction",), road_features=frozenset({"ego_lane_closed"}),
          needs_kinds=("traffic_cone",), speed_mps=(8.0, 12.0),
          manoeuvres=("keep", "brake", "stop", "lane_left", "lane_right")),
    Event("queue_end_behind_crest", "A standing queue hides behind the top of a hill.", (0.4, 4.0),
          queue_end_behind_crest, roads=("rural", "highway"), road_features=frozenset({"crest", "straight"}),
          needs_kinds=("car",), speed_mps=(10.0, 14.0), manoeuvres=("keep", "brake")),
)  # fmt: skip

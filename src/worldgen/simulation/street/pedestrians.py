"""Pedestrians, cyclists and animals: walking along the road and crossing it."""

from __future__ import annotations

import math

import numpy as np

from worldgen.simulation.actors import Track
from worldgen.simulation.kinematics import distance_from_speed, ramped
from worldgen.simulation.scene_builder import ActorMotion, SceneBuilder

WALK_MPS = {
    "pedestrian": (1.1, 1.6),
    "child": (1.0, 1.5),
    "animal": (1.0, 2.0),
    "cyclist": (3.8, 6.2),
    "bicycle": (3.5, 6.0),
}
"""Walking and riding speeds: adults walk at about 1.3 m/s; city cyclists ride at about 5 m/s."""
RUN_MPS = {"pedestrian": (2.2, 3.4), "child": (2.2, 3.2), "animal": (3.5, 6.5), "cyclist": (3.5, 6.0)}
"""Running speeds of people and animals, and sprinting speeds of cyclists."""


def walk_along(
    builder: SceneBuilder, kind: str, s_m: float, d_m: float, *, direction: int, speed_mps: float, part: str = ""
) -> Track:
    """Adds a pedestrian who walks along the road at a constant speed, with a slight lateral sway."""
    sway = 0.12 * np.sin(0.7 * builder.times_s + builder.rng.uniform(0, 6.28))
    speed = np.full(builder.steps, speed_mps)
    return builder.track(
        kind, ActorMotion(s_m + direction * speed_mps * builder.times_s, d_m + sway, speed, direction), part=part
    )


def cross(
    builder: SceneBuilder,
    kind: str,
    s_m: float,
    from_d_m: float,
    to_d_m: float,
    *,
    start_s: float,
    speed_mps: float,
    part: str = "",
    variant: str | None = None,
) -> Track:
    """Adds an actor that waits at offset ``from_d_m``, crosses at right angles and stops at ``to_d_m``.

    With a negative ``start_s`` the actor is already crossing when the clip begins.
    """
    distance = abs(to_d_m - from_d_m)
    lead = max(0.0, -start_s)
    times = np.concatenate([np.arange(-np.ceil(lead / builder.dt_s), 0) * builder.dt_s, builder.times_s])
    end = start_s + distance / speed_mps + 0.5
    speed = ramped(times, start_s, end, speed_mps)
    travelled_m = np.minimum(distance_from_speed(speed, builder.dt_s), distance)
    keep = slice(len(times) - builder.steps, None)
    d = from_d_m + np.sign(to_d_m - from_d_m) * travelled_m
    moving = np.where(travelled_m < distance, speed, 0.0)[keep]
    line = builder.plan.line
    x, y, heading = line.world(np.full(builder.steps, s_m), d[keep])
    yaw = heading + math.copysign(math.pi / 2, to_d_m - from_d_m)
    return builder.add(kind, (x, y, yaw), moving, part=part, variant=variant)


def bystanders(builder: SceneBuilder) -> None:
    """Adds pedestrians and children on the sidewalks."""
    plan, rng = builder.plan, builder.rng
    if plan.section.sidewalk_m <= 0:
        return
    mean = {"urban": 6.0, "intersection": 6.0, "suburban": 2.5, "construction": 3.0}.get(plan.kind, 2.0)
    if builder.night:
        mean *= 0.5
    far = min(builder.nominal_s_m[-1] + 45.0, 95.0)
    for _ in range(int(rng.poisson(mean))):
        kind = "child" if rng.random() < 0.08 else "pedestrian"
        side = rng.choice((-1, 1))
        walk = plan.section.left_walk_m if side > 0 else plan.section.right_walk_m
        s = rng.uniform(6.0, far)
        d = walk + rng.uniform(-0.3, 0.3) * plan.section.sidewalk_m
        direction = int(rng.choice((-1, 1)))
        speed = rng.uniform(*WALK_MPS[kind]) if rng.random() < 0.85 else 0.0
        if not builder.allowed(kind) or not _clear_of_street(builder, s, direction * speed):
            continue
        walk_along(builder, kind, s, d, direction=direction, speed_mps=speed)


def _clear_of_street(builder: SceneBuilder, s_m: float, velocity_mps: float) -> bool:
    """Whether a walk along the sidewalk stays off the cross road."""
    junction = builder.plan.junction
    if junction is None:
        return True
    ends = sorted((s_m, s_m + velocity_mps * builder.duration_s))
    reach = junction.half_m + junction.corner_m
    return ends[1] < junction.s_m - reach - 0.5 or ends[0] > junction.s_m + reach + 0.5

"""The type of an event, and motions that several events share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS
from worldgen.simulation.actors import EGO_FRONT_M, Track
from worldgen.simulation.scene_builder import ActorMotion, SceneBuilder
from worldgen.simulation.street.pedestrians import cross

NIGHTS = ("night_unlit", "night_lit")
STRAIGHT_ON = ("keep", "accelerate", "brake", "stop")
NOT_TURNING = (*STRAIGHT_ON, "lane_left", "lane_right")
REACTION_S = 0.25
"""Time between the first movement of an actor and the driver noticing it."""


@dataclass(frozen=True)
class PlayedEvent:
    """The outcome of an event: main_tracks are in conflict with the ego; start_s and end_s are clip times."""

    main_tracks: tuple[Track, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Event:
    """A rare event: a function that adds its actors to a scene, and the conditions that it needs.

    ttc_range_s: allowed range of its least time to collision; passing within half a metre counts as a collision.
    roads, weathers, lights, manoeuvres: allowed values, the usual one first. road_features: see ``RoadNeeds``.
    speed_mps: range of the ego's entry speed, instead of that of the road. needs_kinds: agent kinds that it adds.
    """

    name: str
    definition: str
    ttc_range_s: tuple[float, float]
    play: Callable[[SceneBuilder], PlayedEvent]
    roads: tuple[str, ...] = ROADS
    weathers: tuple[str, ...] = WEATHERS
    lights: tuple[str, ...] = LIGHTS
    manoeuvres: tuple[str, ...] = STRAIGHT_ON
    road_features: frozenset[str] = field(default=frozenset())
    speed_mps: tuple[float, float] | None = None
    needs_kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert set(self.roads) <= set(ROADS) and set(self.weathers) <= set(WEATHERS), self.name
        assert set(self.lights) <= set(LIGHTS) and set(self.manoeuvres) <= set(MANOEUVRES), self.name


def meeting_time(builder: SceneBuilder, low: float = 0.55, high: float = 0.95, cap_s: float = 3.6) -> float:
    """Time (s) at which the ego on an empty road would reach the place of the event."""
    duration = min(builder.duration_s, cap_s / 0.8)
    return builder.uniform(low, high) * duration


def end_time_s(builder: SceneBuilder, start_s: float, length_s: float = 1.0) -> float:
    """``length_s`` after ``start_s``, or the end of the clip if that is earlier."""
    return min(builder.duration_s, start_s + length_s)


def side_edges(builder: SceneBuilder, side: int) -> tuple[float, float]:
    """Lateral offsets of the centre of the sidewalk and of the carriageway's edge on a side (+1 left)."""
    section = builder.plan.section
    return (section.left_walk_m, section.left_edge_m) if side > 0 else (section.right_walk_m, section.right_edge_m)


def step_at(builder: SceneBuilder, time_s: float) -> int:
    """The simulation step nearest to a time."""
    return int(np.clip(round(time_s / builder.dt_s), 0, builder.steps))


def cross_in_front(
    builder: SceneBuilder,
    kind: str,
    *,
    side: int,
    speed_mps: float,
    meet_s: float,
    late_s: float = 0.0,
    from_d_m: float | None = None,
    to_d_m: float | None = None,
    part: str = "",
    variant: str | None = None,
) -> Track:
    """Adds an actor that crosses the road and is on the ego's path ``late_s`` after ``meet_s``.

    meet_s: when the ego on an empty road would get there. from_d_m, to_d_m: lateral offsets, by default the sidewalks.
    The driver notices the actor once it moves towards the road.
    """
    s = builder.road_s_at(meet_s) + 0.4
    ego_d = builder.ego_offset_at(meet_s)
    walk, _ = side_edges(builder, side)
    start_d = walk if from_d_m is None else from_d_m
    far, _ = side_edges(builder, -side)
    end_d = far if to_d_m is None else to_d_m
    start = meet_s + late_s - abs(ego_d - start_d) / speed_mps - 0.25
    track = cross(builder, kind, s, start_d, end_d, start_s=start, speed_mps=speed_mps, part=part, variant=variant)
    track.noticed_from_step = step_at(builder, notice_time_s(builder, start, meet_s))
    return track


def notice_time_s(builder: SceneBuilder, start_s: float, meet_s: float) -> float:
    """Time (s) at which the driver notices an actor that sets off at ``start_s``, at most 2.6 s before ``meet_s``."""
    return max(start_s + REACTION_S, meet_s - builder.uniform(1.8, 2.6))


def drive_along(
    builder: SceneBuilder,
    kind: str,
    s_m: np.ndarray,
    d_m: np.ndarray | float,
    speed_mps: np.ndarray,
    *,
    direction: int = 1,
    part: str = "",
    variant: str | None = None,
) -> Track:
    """Adds a vehicle or rider at given positions along and across the road; brake lights follow its deceleration."""
    d = np.broadcast_to(np.asarray(d_m, float), (builder.steps,)).copy()
    v = np.broadcast_to(np.asarray(speed_mps, float), (builder.steps,)).copy()
    track = builder.track(kind, ActorMotion(np.asarray(s_m, float), d, v, direction), part=part, variant=variant)
    slowing = np.gradient(v, builder.dt_s) if builder.steps > 1 else np.zeros(1)
    track.braking = (slowing < -0.8) | (np.abs(v) < 0.2)
    return track


def ego_front(builder: SceneBuilder) -> np.ndarray:
    """Road coordinate s (m) ``(N,)`` of the ego's front bumper on an empty road."""
    x, y, _ = builder.ego.path.world(builder.nominal_s_m + EGO_FRONT_M)
    return builder.plan.line.project(x, y)[0]


def adjacent_lane_offset(builder: SceneBuilder, wanted_side: int = 0) -> tuple[float, int]:
    """Lateral offset of a lane beside the ego's in the same direction, and its side (+1 left)."""
    section, lane = builder.plan.section, builder.plan.ego_lane
    sides = [side for side, k in ((1, lane - 1), (-1, lane + 1)) if 0 <= k < section.forward]
    closure = builder.plan.closure
    if closure is not None:
        sides = [s for s in sides if abs(builder.plan.ego_offset_m + s * section.lane_width_m - closure.offset_m) > 1.0]
    sides = [s for s in sides if s == wanted_side] or sides
    assert sides, f"no lane beside lane {lane} of {section.forward}"
    side = sides[int(builder.rng.integers(len(sides)))]
    return builder.plan.ego_offset_m + side * section.lane_width_m, side

"""A scene under construction, to which events, requests and the street add their actors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from worldgen.core.scenario import Scenario
from worldgen.simulation.actors import EGO_FRONT_M, LABELS, Track, draw_size, draw_variant
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.traffic.ego_path import EgoPlan, nominal_run


@dataclass(eq=False)
class ActorMotion:
    """Motion of a road user over N steps in Frenet coordinates of a line: s_m, d_m, speed_mps ``(N,)``.

    direction: 1 along increasing s, -1 against it.
    """

    s_m: np.ndarray
    d_m: np.ndarray
    speed_mps: np.ndarray
    direction: int = 1


@dataclass(eq=False)
class SceneBuilder:
    """A scene under construction: scenario, road, ego path and the actors added so far.

    times_s: ``(N,)`` simulation steps, dt_s apart. nominal_s_m, nominal_v_mps: ``(N,)`` nominal motion, of the ego on
    an empty road. clear_zones: circles (x, y, radius) free of static objects. reserved: boxes (s0, s1, d0, d1) of road
    where no background vehicle starts. requested_kinds: kinds and classes that the background must not add.
    half_view_tan: tangent of half the camera's horizontal field of view. main_stops: traffic on the main road has red.
    role: name of the event that adds actors at present. group_motion: speed and direction or place that the members
    of a group share, by kind and place.
    """

    scenario: Scenario
    rng: np.random.Generator
    plan: RoadPlan
    ego: EgoPlan
    steps: int
    dt_s: float
    night: bool
    requested_kinds: frozenset[str]
    half_view_tan: float
    tracks: list[Track] = field(default_factory=list)
    clear_zones: list[tuple[float, float, float]] = field(default_factory=list)
    reserved: list[tuple[float, float, float, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    role: str = ""
    main_stops: bool = False
    group_motion: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.times_s = np.arange(self.steps) * self.dt_s
        if self.ego.fixed is not None:
            self.nominal_s_m, self.nominal_v_mps = self.ego.fixed
        else:
            self.nominal_s_m, self.nominal_v_mps = nominal_run(self.ego, self.steps, self.dt_s)

    @property
    def duration_s(self) -> float:
        return (self.steps - 1) * self.dt_s

    def allowed(self, kind: str) -> bool:
        """Whether the background may hold this kind: the scenario requests no exact number of its class."""
        return kind not in self.requested_kinds and LABELS[kind] not in self.requested_kinds

    def ego_at(self, time_s: float) -> float:
        """Position (m) along its path of the ego on an empty road at a time; after the clip at its last speed."""
        beyond = max(0.0, time_s - self.duration_s)
        return float(np.interp(time_s, self.times_s, self.nominal_s_m) + beyond * self.nominal_v_mps[-1])

    def ego_offset_at(self, time_s: float) -> float:
        """Road coordinate d (m) of the ego on an empty road at a time."""
        x, y, _ = self.ego.path.world(np.array([self.ego_at(time_s)]))
        return float(self.plan.line.project(x, y)[1][0])

    def road_s_at(self, time_s: float) -> float:
        """Road coordinate s (m) of the ego's front bumper on an empty road at a time."""
        return float(np.interp(time_s, *self._front))

    def reaches_at(self, s_m: float) -> float:
        """When (s) the front bumper of the ego, on an empty road, gets to a road coordinate s."""
        times, front = self._front
        return float(np.interp(s_m, np.maximum.accumulate(front), times))

    @cached_property
    def _front(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (s) up to twice the clip, and the road coordinate of the front bumper at them."""
        times = np.linspace(0.0, 2.0 * max(self.duration_s, 1.0), 97)
        beyond = np.maximum(0.0, times - self.duration_s) * self.nominal_v_mps[-1]
        travelled_m = np.interp(times, self.times_s, self.nominal_s_m) + beyond
        x, y, _ = self.ego.path.world(travelled_m + EGO_FRONT_M)
        return times, self.plan.line.project(x, y)[0]

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def track(
        self, kind: str, motion: ActorMotion, *, line: Curve | None = None, part: str = "", variant: str | None = None
    ) -> Track:
        """Adds a track along a line, by default the road; its yaw follows its motion."""
        line = line or self.plan.line
        x, y, heading = line.world(motion.s_m, motion.d_m)
        return self.add(kind, (x, y, _facing(x, y, heading, motion)), motion.speed_mps, part=part, variant=variant)

    def add(
        self, kind: str, pose: tuple, speed_mps: np.ndarray, *, part: str = "", variant: str | None = None
    ) -> Track:
        """Adds a track with world x, y, yaw, each ``(N,)`` or a number for a track that stands still."""
        variant = variant or draw_variant(self.rng, kind)
        x, y, yaw = (np.broadcast_to(np.asarray(p, float), (self.steps,)).copy() for p in pose)
        track = Track(
            kind,
            variant,
            draw_size(self.rng, kind, variant),
            x,
            y,
            yaw,
            np.broadcast_to(np.asarray(speed_mps, float), (self.steps,)).copy(),
            style=int(self.rng.integers(1 << 31)),
            role=f"{self.role}:{part}" if self.role else "",
            essential=bool(self.role),
        )
        self.tracks.append(track)
        return track

    def standing(
        self,
        kind: str,
        s_m: float,
        d_m: float,
        *,
        yaw_rad: float = 0.0,
        part: str = "",
        variant: str | None = None,
        line: Curve | None = None,
    ) -> Track:
        """Adds a track that stands at (s, d), turned by ``yaw_rad`` from the heading of the line."""
        x, y, heading = (line or self.plan.line).world(np.array([s_m]), d_m)
        return self.add(kind, (x[0], y[0], heading[0] + yaw_rad), np.zeros(1), part=part, variant=variant)

    def reserve(self, s0_m: float, s1_m: float, d0_m: float, d1_m: float) -> None:
        """Keeps background vehicles from starting in a box of road."""
        self.reserved.append((min(s0_m, s1_m), max(s0_m, s1_m), min(d0_m, d1_m), max(d0_m, d1_m)))


def exit_road_builder(builder: SceneBuilder) -> SceneBuilder:
    """The scene in coordinates of the road into which the ego turns, where the camera looks when the clip ends.

    Tracks are shared. The exit road is the main one, with the junction behind the ego.
    """
    plan, junction = builder.plan, builder.plan.present_junction
    left = builder.ego.manoeuvre == "turn_left"
    cross_line, main_line = (
        (junction.line, plan.line.reversed_at(junction.s_m))
        if left
        else (junction.line.reversed_at(0.0), plan.line.shifted(junction.s_m))
    )
    back = replace(junction, s_m=0.0, line=main_line, section=plan.section)
    lane = 0 if left else junction.section.forward - 1
    exit_plan = RoadPlan(
        plan.kind, plan.base, cross_line, junction.section, lane, float(cross_line.s_m[-1]), junction=back
    )
    keep = replace(builder.ego, manoeuvre="keep", fixed=(builder.nominal_s_m, builder.nominal_v_mps))
    view = replace(builder, plan=exit_plan, ego=keep)
    x, y, _ = builder.ego.path.world(builder.nominal_s_m[-1:])
    view.nominal_s_m = builder.nominal_s_m - builder.nominal_s_m[-1] + max(float(cross_line.project(x, y)[0][0]), 6.0)
    return view


def _facing(x: np.ndarray, y: np.ndarray, heading: np.ndarray, motion: ActorMotion) -> np.ndarray:
    """Yaw along the motion; while standing, the yaw of the nearest moving step, or the line's heading."""
    if len(x) < 2:
        return heading + (math.pi if motion.direction < 0 else 0.0)
    dx, dy = np.gradient(x), np.gradient(y)
    moving = np.hypot(dx, dy) > 1e-3
    default = heading + (math.pi if motion.direction < 0 else 0.0)
    if not moving.any():
        return default
    index = np.where(moving, np.arange(len(x)), -1)
    last = np.maximum.accumulate(index)
    last = np.where(last < 0, np.argmax(moving), last)
    return np.unwrap(np.arctan2(dy, dx)[last])

"""Stage: a scene under construction, to which requests and events add their actors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from worldgen.core.scenario import Scenario
from worldgen.simulation.actors import EGO_FRONT_M, LABELS, Track, draw_size, draw_variant
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.traffic.ego_path import EgoPlan, nominal_run


@dataclass(eq=False)
class ActorMotion:
    """Way of a road user over the N steps in coordinates of a line: s_m, d_m, speed_mps ``(N,)``; way -1: against s."""

    s_m: np.ndarray
    d_m: np.ndarray
    speed_mps: np.ndarray
    direction: int = 1


@dataclass(eq=False)
class SceneBuilder:
    """What is known so far: the scenario, the road, the ego's line and empty-road motion, and the actors added.

    times_s: ``(N,)`` simulation steps, dt_s apart. nominal_s_m, nominal_v_mps: ``(N,)`` the ego on an empty road.
    clear_zones: circles (x, y, radius) kept free of things beside the road. reserved: (s0, s1, d0, d1) boxes of road
    where no background vehicle starts. quiet_kinds: kinds and classes the background must not add.
    half_view: tangent of half the camera's horizontal field of view. pace: what members of a group share.
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
        """Whether the background may hold this kind (nobody asked for an exact number of its class)."""
        return kind not in self.requested_kinds and LABELS[kind] not in self.requested_kinds

    def ego_at(self, time_s: float) -> float:
        """Road coordinate s (m) of the ego on an empty road at a time; beyond the clip at its last speed."""
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
        """Times (s) up to twice the clip, and the front bumper's road coordinate then."""
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
        """A track along a line (the road unless given); it faces where it goes."""
        line = line or self.plan.line
        x, y, heading = line.world(motion.s_m, motion.d_m)
        return self.add(kind, (x, y, _facing(x, y, heading, motion)), motion.speed_mps, part=part, variant=variant)

    def add(
        self, kind: str, pose: tuple, speed_mps: np.ndarray, *, part: str = "", variant: str | None = None
    ) -> Track:
        """A track from world x, y, yaw arrays (or numbers, for what stands still)."""
        variant = variant or draw_variant(self.rng, kind)
        x, y, yaw = (np.broadcast_to(np.asarray(p, float), (self.steps,)).copy() for p in pose)
        track = Track(
            kind, variant, draw_size(self.rng, kind, variant), x, y, yaw,
            np.broadcast_to(np.asarray(speed_mps, float), (self.steps,)).copy(),
            style=int(self.rng.integers(1 << 31)), role=f"{self.role}:{part}" if self.role else "", essential=bool(self.role),
        )  # fmt: skip
        self.tracks.append(track)
        return track

    def standing(self, kind: str, s_m: float, d_m: float, *, yaw_rad: float = 0.0, part: str = "", variant: str | None = None,
                 line: Curve | None = None) -> Track:  # fmt: skip
        """A track that stands at (s, d), turned by ``yaw_rad`` from the line's heading."""
        x, y, heading = (line or self.plan.line).world(np.array([s_m]), d_m)
        return self.add(kind, (x[0], y[0], heading[0] + yaw_rad), np.zeros(1), part=part, variant=variant)

    def reserve(self, s0_m: float, s1_m: float, d0_m: float, d1_m: float) -> None:
        """Keeps background vehicles from starting in a box of road."""
        self.reserved.append((min(s0_m, s1_m), max(s0_m, s1_m), min(d0_m, d1_m), max(d0_m, d1_m)))


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

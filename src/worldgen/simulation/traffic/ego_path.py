"""The ego car: its path, its intended speed, and its driver, who turns both into motion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.simulation.road.curve import Curve
from worldgen.simulation.road.junctions import TURN_RADIUS_M, turn_extent_m
from worldgen.simulation.road.road_plan import AHEAD_M, BEHIND_M, RoadPlan
from worldgen.simulation.traffic.given_course import Course

COMFORT_JERK_MPS3 = 3.8
URGENT_JERK_MPS3 = 9.8
URGENT_BRAKING_MPS2 = 3.0
"""From this deceleration on, the jerk limit is ``URGENT_JERK_MPS3``."""
MAX_LATERAL_MPS2 = 2.5
"""Lateral acceleration that limits the speed in bends."""
ACCELERATE_MPS2 = 1.9
BRAKE_MPS2 = 2.5
CAP_BRAKING_MPS2 = 1.6
"""Deceleration before bends."""


@dataclass(eq=False)
class EgoPlan:
    """Path and intention of the ego.

    path: s = 0 at the start. cap_mps: largest speed at ``path.s_m``. speed_mps: entry speed. stop_mps2: deceleration
    of the manoeuvre "stop". grip: friction coefficient. fixed: None, or (s_m, speed_mps), each ``(N,)``, of a given
    motion along the path, which is followed without reactions.
    """

    manoeuvre: str
    path: Curve
    cap_mps: np.ndarray
    speed_mps: float
    stop_mps2: float
    grip: float
    fixed: tuple[np.ndarray, np.ndarray] | None = None

    def desired_mps2(self, s_m: float, v: float) -> float:
        """Acceleration (m/s2) that the driver chooses on an empty road at position ``s_m`` and speed ``v``."""
        name = self.manoeuvre
        if name == "stop":
            desired = -self.stop_mps2 if v > 0 else 0.0
        elif name == "brake":
            # The deceleration fades so that half the entry speed is reached without undershoot.
            over = v - 0.5 * self.speed_mps
            desired = -min(BRAKE_MPS2, math.sqrt(max(0.0, 2 * 0.5 * COMFORT_JERK_MPS3 * over)))
        elif name == "accelerate":
            desired = ACCELERATE_MPS2 if v < 45.0 else 0.0
        else:
            desired = min(max((self.speed_mps - v) / 1.2, -1.0), 1.0)
        step = float(self.path.s_m[1] - self.path.s_m[0])
        ahead = s_m + 0.45 * v - self.path.s_m[0]
        cap = self.cap_mps[min(max(int(ahead / step), 0), len(self.cap_mps) - 1)]
        return min(desired, max((cap - v) / 0.6, -3.0))


class EgoDriver:
    """Turns the desired acceleration of the ego into motion, limited in jerk, by grip and at standstill."""

    def __init__(self, plan: EgoPlan, dt_s: float):
        self.plan, self.dt_s = plan, dt_s
        self.s_m, self.v, self.a = 0.0, plan.speed_mps, 0.0
        self.step_index = 0
        self.urgent = False
        if plan.fixed is not None:
            self.s_m, self.v = float(plan.fixed[0][0]), float(plan.fixed[1][0])

    def step(self, obstacle_mps2: float = math.inf) -> None:
        """Advances by one step. obstacle_mps2: largest acceleration that obstacles ahead allow."""
        self.step_index += 1
        if self.plan.fixed is not None:
            self.s_m, speed = float(self.plan.fixed[0][self.step_index]), float(self.plan.fixed[1][self.step_index])
            self.a, self.v = (speed - self.v) / self.dt_s, speed
            return
        desired = min(self.plan.desired_mps2(self.s_m, self.v), obstacle_mps2)
        desired = max(desired, -0.92 * 9.81 * self.plan.grip)
        self.urgent = obstacle_mps2 < -URGENT_BRAKING_MPS2 or (self.urgent and self.a < -1.0)
        jerk = URGENT_JERK_MPS3 if self.urgent else COMFORT_JERK_MPS3
        if desired < 0:
            # With constant jerk J the brake can be released in time to stand still only while a^2 <= 2 J v.
            desired = max(desired, -math.sqrt(2 * 0.75 * jerk * max(self.v, 0.0)))
        change = jerk * self.dt_s
        a = min(max(desired, self.a - change), self.a + change)
        v = max(0.0, self.v + a * self.dt_s)
        self.a = (v - self.v) / self.dt_s
        self.s_m += 0.5 * (self.v + v) * self.dt_s
        self.v = v


def nominal_run(plan: EgoPlan, steps: int, dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Nominal motion: position (m) and speed (m/s) ``(steps,)`` on an empty road."""
    driver = EgoDriver(plan, dt_s)
    s, v = np.empty(steps), np.empty(steps)
    s[0], v[0] = driver.s_m, driver.v
    for k in range(1, steps):
        driver.step()
        s[k], v[k] = driver.s_m, driver.v
    return s, v


def stop_braking_mps2(speed_mps: float, duration_s: float) -> float:
    """Deceleration that brings the car to rest at about 80 % of the clip, ramped at the comfortable jerk."""
    available = 0.8 * duration_s
    jerk = 0.75 * COMFORT_JERK_MPS3
    root = available**2 - 4 * speed_mps / jerk
    return float(np.clip((available - math.sqrt(root)) * jerk / 2 if root > 0 else 5.0, 0.8, 5.0))


def free_plan(manoeuvre: str, speed_mps: float, duration_s: float, grip: float) -> EgoPlan:
    """The manoeuvre on an endless straight road, which gives the distance that it needs."""
    s = np.arange(-BEHIND_M, 10.0)
    line = Curve.from_curvature(s, np.zeros_like(s))
    cap = np.full(len(s), 4.8 if manoeuvre.startswith("turn") else np.inf)
    return EgoPlan(manoeuvre, line, cap, speed_mps, stop_braking_mps2(speed_mps, duration_s), grip)


def plan_ego(manoeuvre: str, plan: RoadPlan, speed_mps: float, duration_s: float, grip: float) -> EgoPlan:
    """Path and speed limits of a manoeuvre on a planned road."""
    if manoeuvre.startswith("turn"):
        path = _turn_path(manoeuvre, plan)
    else:
        s = np.arange(-BEHIND_M, plan.end_m, 0.5)
        offset = np.full(len(s), plan.ego_offset_m)
        if manoeuvre.startswith("lane"):
            length = max(speed_mps, 3.0) * float(np.clip(0.9 * duration_s, 3.3, 4.2))
            phase = np.clip((s - 0.5) / length, 0.0, 1.0)
            shift = plan.section.lane_width_m * (1.0 if manoeuvre == "lane_left" else -1.0)
            offset = offset + shift * (phase - np.sin(2 * math.pi * phase) / (2 * math.pi))
        points = plan.line.points(s, offset)[:, :2]
        path = Curve.from_points(points)
        along, _ = path.project(np.zeros(1), np.zeros(1))
        path = Curve(path.s_m - along[0], path.xy_m, path.heading_rad, path.z_m)
    return EgoPlan(manoeuvre, path, speed_caps(path), speed_mps, stop_braking_mps2(speed_mps, duration_s), grip)


def plan_given(course: Course, grip: float) -> EgoPlan:
    """Path of a given motion, which the ego follows without reactions."""
    caps = np.full(len(course.path.s_m), np.inf)
    speed = max(float(course.speed_mps[0]), 0.0)
    return EgoPlan(course.manoeuvre, course.path, caps, speed, 0.0, grip, (course.travelled_m, course.speed_mps))


def _turn_path(manoeuvre: str, plan: RoadPlan) -> Curve:
    junction = plan.junction
    assert junction is not None, "a turn needs a junction"
    reach, _, curvature = turn_extent_m(TURN_RADIUS_M[manoeuvre])
    width = junction.section.lane_width_m
    if manoeuvre == "turn_left":
        start, sign = junction.s_m + width / 2 - reach, 1.0
    else:
        start, sign = junction.s_m - (junction.section.forward - 0.5) * width - reach, -1.0
    s = np.arange(-BEHIND_M, start + 0.25 * len(curvature) + AHEAD_M, 0.25)
    profile = np.interp(s - start, 0.25 * np.arange(len(curvature)), sign * curvature, left=0.0, right=0.0)
    return Curve.from_curvature(s, profile)


def speed_caps(path: Curve) -> np.ndarray:
    """Largest speed (m/s) ``(P,)`` at each point of a path: gentle braking suffices for every bend ahead."""
    cap_squared = MAX_LATERAL_MPS2 / np.maximum(np.abs(path.curvature), 1e-4)
    step = float(path.s_m[1] - path.s_m[0])
    # Running minimum of v^2 + 2 b s from the far end, for a deceleration b.
    slope = 2 * CAP_BRAKING_MPS2 * step * np.arange(len(cap_squared))
    return np.sqrt(np.minimum.accumulate((cap_squared + slope)[::-1])[::-1] - slope)

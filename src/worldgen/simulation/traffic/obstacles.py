"""Scripted actors as obstacles for drivers, and the braking that they make the ego driver do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M
from worldgen.simulation.road.curve import Curve
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.traffic.idm import desired_gap_m

REACTION_S = 0.35
"""Time between an actor becoming a threat and the ego braking for it."""


EGO_HEADWAY_S = 0.9
"""Time headway that the ego keeps to vehicles ahead."""


@dataclass(eq=False)
class Obstacles:
    """M scripted actors in coordinates of a line, ``(N, M)`` each: position, velocity and half extent along s and d.

    noticed_from_step: ``(M,)`` the step from which drivers react to an actor.
    """

    s_m: np.ndarray
    d_m: np.ndarray
    vs_mps: np.ndarray
    vd_mps: np.ndarray
    half_s_m: np.ndarray
    half_d_m: np.ndarray
    noticed_from_step: np.ndarray

    @classmethod
    def of(cls, builder: SceneBuilder, line: Curve) -> Obstacles:
        tracks = [t for t in builder.tracks if t.is_obstacle]
        if not tracks:
            empty = np.zeros((builder.steps, 0))
            return cls(empty, empty, empty, empty, empty, empty, np.zeros(0, int))
        x, y = np.stack([t.x_m for t in tracks], 1), np.stack([t.y_m for t in tracks], 1)
        yaw = np.stack([t.yaw_rad for t in tracks], 1)
        s, d = line.project(x, y)
        relative = yaw - np.interp(s, line.s_m, line.heading_rad)
        cos, sin = np.abs(np.cos(relative)), np.abs(np.sin(relative))
        length = np.array([t.half_length_m for t in tracks])
        width = np.stack([t.swept_half_width_m for t in tracks], 1)
        rate = lambda values: np.gradient(values, builder.dt_s, axis=0) if builder.steps > 1 else np.zeros_like(values)  # noqa: E731
        return cls(
            s,
            d,
            rate(s),
            rate(d),
            length * cos + width * sin,
            length * sin + width * cos,
            np.array([t.noticed_from_step for t in tracks]),
        )


class EgoPerception:
    """The ego driver's view of the scripted actors on its path: after a reaction time they limit its acceleration."""

    def __init__(self, builder: SceneBuilder):
        self.obstacles = Obstacles.of(builder, builder.ego.path)
        self.noticed_steps = np.zeros(self.obstacles.s_m.shape[1])
        self.reaction_steps = REACTION_S / builder.dt_s
        self.headway_s = EGO_HEADWAY_S

    def allowed_mps2(self, k: int, s_m: float, v: float) -> float:
        """Largest acceleration (m/s2) at step k, position ``s_m`` and speed ``v``; infinite without an obstacle."""
        o = self.obstacles
        if not o.s_m.shape[1]:
            return math.inf
        gap = o.s_m[k] - o.half_s_m[k] - s_m - EGO_FRONT_M
        closing = v - o.vs_mps[k]
        arrival = np.clip(gap / np.maximum(closing, 0.5), 0.0, 4.0)
        first, last = np.clip(arrival - 1.0, 0.0, 2.5), np.clip(arrival + 0.7, 0.0, 3.0)
        corridor = EGO_HALF_WIDTH_M + 0.3 + o.half_d_m[k]
        at_first, at_last = o.d_m[k] + o.vd_mps[k] * first, o.d_m[k] + o.vd_mps[k] * last
        crosses = (np.sign(at_first) != np.sign(at_last)) | (np.minimum(abs(at_first), abs(at_last)) < corridor)
        threat = (gap > -1.0) & ((np.abs(o.d_m[k]) < corridor) | crosses) & (gap < 120.0) & (k >= o.noticed_from_step)
        self.noticed_steps = np.where(threat, self.noticed_steps + 1, 0)
        active = threat & ((self.noticed_steps > self.reaction_steps) | (k < self.reaction_steps))
        if not active.any():
            return math.inf
        return brake_for(v, gap[active], closing[active], self.headway_s)


def brake_for(v: float, gap_m: np.ndarray, closing: np.ndarray, headway_s: float) -> float:
    """Acceleration (m/s2) behind leaders ``(L,)``: the interaction term of IDM, or the braking that avoids a collision
    where that is stronger."""
    gap = np.maximum(gap_m, 0.2)
    desired = desired_gap_m(np.float64(v), closing, headway_s, acceleration=1.5, braking=2.5)
    follow = 1.5 * (1 - (desired / gap) ** 2)
    needed = np.where(closing > 0, -1.1 * closing**2 / (2 * np.maximum(gap - 1.0, 0.2)), np.inf)
    return float(np.minimum(follow, needed).min())

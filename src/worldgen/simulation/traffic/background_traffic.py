"""Background vehicles: which kinds a road carries and where they start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_REAR_M, Track, draw_size, draw_variant
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.scene_builder import SceneBuilder

SPACING_M = {
    "highway": (26.0, 70.0), "urban": (14.0, 55.0), "suburban": (25.0, 90.0), "rural": (40.0, 140.0),
    "intersection": (14.0, 50.0), "construction": (16.0, 60.0),
}  # fmt: skip
"""Range of the mean distance between vehicles of a lane, by kind of road."""


KIND_SHARE = {
    "highway": (("car", 0.68), ("van", 0.1), ("truck", 0.17), ("motorcycle", 0.05)),
    "urban": (("car", 0.72), ("van", 0.12), ("truck", 0.05), ("bus", 0.05), ("motorcycle", 0.06)),
    "rural": (("car", 0.76), ("van", 0.1), ("truck", 0.09), ("motorcycle", 0.05)),
}  # fmt: skip
"""Kind of street -> (vehicle kind, share of the traffic)."""


@dataclass(eq=False)
class BackgroundTraffic:
    """V background vehicles: state, body, driver model and tracks. Arrays are ``(V,)``.

    s_m, d_m, v_mps: position along and across the road, and speed. direction: 1 with the ego, -1 oncoming. lane_m:
    offset of the lane that a vehicle is in or changes to. desired_mps, headway_s: parameters of the driver model.
    """

    s_m: np.ndarray
    d_m: np.ndarray
    v_mps: np.ndarray
    direction: np.ndarray
    lane_m: np.ndarray
    half_length_m: np.ndarray
    half_width_m: np.ndarray
    desired_mps: np.ndarray
    headway_s: np.ndarray
    tracks: list[Track]

    @classmethod
    def of(cls, rows: list[tuple[float, ...]], tracks: list[Track]) -> BackgroundTraffic:
        """rows: for each vehicle the fields in their order, without tracks."""
        s, d, v, direction, lane, half_length, half_width, desired, headway = (
            column.copy() for column in np.array(rows, float).reshape(-1, 9).T
        )
        return cls(s, d, v, direction, lane, half_length, half_width, desired, headway, tracks)


def draw_kind(builder: SceneBuilder, base: str) -> str | None:
    """A vehicle kind, drawn by its share on this road; None when the background may hold no kind."""
    shares = [(k, w) for k, w in KIND_SHARE.get(base, KIND_SHARE["urban"]) if builder.allowed(k)]
    if not shares:
        return None
    weights = np.cumsum([w for _, w in shares])
    return shares[int(np.searchsorted(weights, builder.rng.random() * weights[-1]).clip(0, len(shares) - 1))][0]


def populate(builder: SceneBuilder) -> BackgroundTraffic:
    """Draws background vehicles lane by lane, at places where nothing else starts."""
    plan, rng = builder.plan, builder.rng
    rows: list[tuple[float, ...]] = []
    tracks: list[Track] = []
    bodies = np.array([(t.x_m[0], t.y_m[0], t.half_length_m, t.half_width_m) for t in builder.tracks]).reshape(-1, 4).T
    starts = np.stack([*plan.line.project(bodies[0], bodies[1]), bodies[2], bodies[3]])
    low, high = SPACING_M[plan.kind]
    spacing = rng.uniform(low, high)
    far = min(builder.nominal_s_m[-1] + 110.0, plan.end_m - 25.0)
    for offset, direction in plan.section.lanes:
        lane_spacing = spacing * rng.uniform(0.7, 1.5)
        own = direction > 0 and abs(offset - plan.ego_offset_m) < 0.5
        s = _first_place(builder, own, direction, lane_spacing)
        while s < far and len(rows) < 22:
            kind = draw_kind(builder, plan.base)
            if kind is None:
                break
            variant = draw_variant(rng, kind)
            size = draw_size(rng, kind, variant)
            s += size[0] / 2
            speed = _start_speed(builder, offset, direction, own)
            if _is_free(builder, starts, s, offset, half_length=size[0] / 2, direction=direction):
                rows.append(
                    (
                        s,
                        offset,
                        speed,
                        direction,
                        offset,
                        size[0] / 2,
                        size[1] / 2,
                        speed * rng.uniform(1.0, 1.15),
                        rng.uniform(0.9, 1.5),
                    )
                )
                tracks.append(Track(kind, variant, size, *(np.zeros(0),) * 4, style=int(rng.integers(1 << 31))))
            s += size[0] / 2 + max(rng.gamma(3.0, lane_spacing / 3.0), 4.0 + 0.8 * speed)
    return BackgroundTraffic.of(rows, tracks)


def no_traffic() -> BackgroundTraffic:
    """An empty road."""
    return BackgroundTraffic.of([], [])


def _first_place(builder: SceneBuilder, own: bool, direction: int, spacing_m: float) -> float:
    rng = builder.rng
    if not own:
        return float(rng.uniform(-35.0, -35.0 + spacing_m) if direction > 0 else rng.uniform(0.0, spacing_m))
    clear = 6.0 + 1.1 * builder.ego.speed_mps
    if builder.ego.manoeuvre == "accelerate":
        clear += 35.0
    if builder.ego.manoeuvre == "stop":
        clear = max(clear, float(builder.nominal_s_m[-1]) + 8.0)
    return EGO_FRONT_M + clear + float(rng.exponential(0.5 * spacing_m))


def _start_speed(builder: SceneBuilder, offset: float, direction: int, own: bool) -> float:
    rng, speed = builder.rng, max(builder.ego.speed_mps, 4.0)
    if own:
        slow = builder.ego.manoeuvre in ("brake", "stop")
        return float(speed * (rng.uniform(0.7, 0.95) if slow else rng.uniform(1.0, 1.12)))
    factor = rng.uniform(0.85, 1.15)
    if direction > 0 and builder.plan.section.forward > 1:
        factor += 0.06 * np.sign(offset - builder.plan.ego_offset_m)
    return float(speed * factor)


def _is_free(
    builder: SceneBuilder, starts: np.ndarray, s: float, d: float, *, half_length: float, direction: int
) -> bool:
    """Whether a vehicle may start here: no actor, ego, reserved box, road works or junction is in the way."""
    ts, td, reach, wide = starts
    if ((np.abs(td - d) < 2.0 + wide) & (np.abs(ts - s) < half_length + reach + 7.0)).any():
        return False
    if any(s0 - half_length < s < s1 + half_length and d0 - 0.5 < d < d1 + 0.5 for s0, s1, d0, d1 in builder.reserved):
        return False
    return not (
        _near_ego(builder, s, d, half_length)
        or _off_limits(
            builder.plan, s, d, half_length=half_length, direction=direction, manoeuvre=builder.ego.manoeuvre
        )
    )


def _near_ego(builder: SceneBuilder, s: float, d: float, half_length: float) -> bool:
    """Whether the ego stands there, or needs the place for its lane change."""
    plan = builder.plan
    if abs(d - plan.ego_offset_m) < 2.2 and -EGO_REAR_M - 8.0 - half_length < s < EGO_FRONT_M + 4.0 + half_length:
        return True
    shift = {"lane_left": 1.0, "lane_right": -1.0}.get(builder.ego.manoeuvre, 0.0) * plan.section.lane_width_m
    return bool(shift) and abs(d - plan.ego_offset_m - shift) < 1.0 and -35.0 < s < 22.0 + 0.8 * builder.ego.speed_mps


def _off_limits(plan: RoadPlan, s: float, d: float, *, half_length: float, direction: int, manoeuvre: str) -> bool:
    """Whether a place lies in the road works or in the junction, or would block the ego's left turn."""
    closure, junction = plan.closure, plan.junction
    if closure is not None and direction > 0 and abs(d - closure.offset_m) < 2.6 and s > closure.taper_start_m - 25.0:
        return True
    if junction is None:
        return False
    if abs(s - junction.s_m) < junction.stop_m + half_length + 1.0:
        return True
    return manoeuvre == "turn_left" and direction < 0 and s < junction.s_m + junction.stop_m + 16.0

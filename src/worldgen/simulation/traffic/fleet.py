"""Background traffic: who is on the road, and the drive in which ego and traffic react to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, EGO_REAR_M, Track, draw_size, draw_variant
from worldgen.simulation.road.road_plan import RoadPlan
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.traffic.ego_path import EgoDriver
from worldgen.simulation.traffic.idm import FREE_GAP_M, desired_gap_m, idm_acceleration, mobil_gain

SPACING_M = {
    "highway": (26.0, 70.0), "urban": (14.0, 55.0), "suburban": (25.0, 90.0), "rural": (40.0, 140.0),
    "intersection": (14.0, 50.0), "construction": (16.0, 60.0),
}  # fmt: skip
LANE_CHANGE_S = 3.2
REACTION_S = 0.35
EGO_HEADWAY_S = 0.9


@dataclass(eq=False)
class BackgroundTraffic:
    """Background vehicles as columns ``(V,)``: state, destination lane offset, body, driver, and their tracks."""

    s_m: np.ndarray
    d_m: np.ndarray
    v_mps: np.ndarray
    way: np.ndarray
    lane_m: np.ndarray
    half_length_m: np.ndarray
    half_width_m: np.ndarray
    desired_mps: np.ndarray
    headway_s: np.ndarray
    tracks: list[Track]


@dataclass(eq=False)
class TrafficRun:
    """What came out: ego way, speed and acceleration ``(N,)``; fleet s, d, speed, acceleration ``(N, V)``."""

    ego_s_m: np.ndarray
    ego_v_mps: np.ndarray
    ego_a_mps2: np.ndarray
    s_m: np.ndarray
    d_m: np.ndarray
    v_mps: np.ndarray
    a_mps2: np.ndarray


KIND_SHARE = {
    "highway": (("car", 0.68), ("van", 0.1), ("truck", 0.17), ("motorcycle", 0.05)),
    "urban": (("car", 0.72), ("van", 0.12), ("truck", 0.05), ("bus", 0.05), ("motorcycle", 0.06)),
    "rural": (("car", 0.76), ("van", 0.1), ("truck", 0.09), ("motorcycle", 0.05)),
}  # fmt: skip


def draw_kind(builder: SceneBuilder, base: str) -> str | None:
    """A kind of vehicle by its share on this road, among those the background may hold."""
    shares = [(k, w) for k, w in KIND_SHARE.get(base, KIND_SHARE["urban"]) if builder.allowed(k)]
    if not shares:
        return None
    weights = np.cumsum([w for _, w in shares])
    return shares[int(np.searchsorted(weights, builder.rng.random() * weights[-1]).clip(0, len(shares) - 1))][0]


def populate(builder: SceneBuilder) -> BackgroundTraffic:
    """Draws the background vehicles, lane by lane, where nothing else starts."""
    plan, rng = builder.plan, builder.rng
    rows, tracks = [], []
    bodies = np.array([(t.x_m[0], t.y_m[0], t.half_length_m, t.half_width_m) for t in builder.tracks]).reshape(-1, 4).T
    starts = np.stack([*plan.line.project(bodies[0], bodies[1]), bodies[2], bodies[3]])
    low, high = SPACING_M[plan.kind]
    spacing = rng.uniform(low, high)
    far = min(builder.nominal_s_m[-1] + 110.0, plan.end_m - 25.0)
    for offset, way in plan.section.lanes:
        lane_spacing = spacing * rng.uniform(0.7, 1.5)
        own = way > 0 and abs(offset - plan.ego_offset_m) < 0.5
        s = _first_place(builder, own, way, lane_spacing)
        while s < far and len(rows) < 22:
            kind = draw_kind(builder, plan.base)
            if kind is None:
                break
            variant = draw_variant(rng, kind)
            size = draw_size(rng, kind, variant)
            s += size[0] / 2
            speed = _start_speed(builder, offset, way, own)
            if _is_free(builder, starts, s, offset, half_length=size[0] / 2, way=way):
                rows.append(
                    (
                        s,
                        offset,
                        speed,
                        way,
                        offset,
                        size[0] / 2,
                        size[1] / 2,
                        speed * rng.uniform(1.0, 1.15),
                        rng.uniform(0.9, 1.5),
                    )
                )
                tracks.append(Track(kind, variant, size, *(np.zeros(0),) * 4, style=int(rng.integers(1 << 31))))
            s += size[0] / 2 + max(rng.gamma(3.0, lane_spacing / 3.0), 4.0 + 0.8 * speed)
    columns = np.array(rows, float).reshape(-1, 9).T
    return BackgroundTraffic(*(c.copy() for c in columns), tracks)


def no_traffic() -> BackgroundTraffic:
    """An empty road."""
    return BackgroundTraffic(*(np.zeros(0) for _ in range(9)), [])


def _first_place(builder: SceneBuilder, own: bool, way: int, spacing_m: float) -> float:
    rng = builder.rng
    if not own:
        return float(rng.uniform(-35.0, -35.0 + spacing_m) if way > 0 else rng.uniform(0.0, spacing_m))
    clear = 6.0 + 1.1 * builder.ego.speed_mps
    if builder.ego.manoeuvre == "accelerate":
        clear += 35.0
    if builder.ego.manoeuvre == "stop":
        clear = max(clear, float(builder.nominal_s_m[-1]) + 8.0)
    return EGO_FRONT_M + clear + float(rng.exponential(0.5 * spacing_m))


def _start_speed(builder: SceneBuilder, offset: float, way: int, own: bool) -> float:
    rng, speed = builder.rng, max(builder.ego.speed_mps, 4.0)
    if own:
        slow = builder.ego.manoeuvre in ("brake", "stop")
        return float(speed * (rng.uniform(0.7, 0.95) if slow else rng.uniform(1.0, 1.12)))
    factor = rng.uniform(0.85, 1.15)
    if way > 0 and builder.plan.section.forward > 1:
        factor += 0.06 * np.sign(offset - builder.plan.ego_offset_m)
    return float(speed * factor)


def _is_free(builder: SceneBuilder, starts: np.ndarray, s: float, d: float, *, half_length: float, way: int) -> bool:
    """Whether a vehicle may start here: no actor, ego, reserved box, works or junction in the way."""
    ts, td, reach, wide = starts
    if ((np.abs(td - d) < 2.0 + wide) & (np.abs(ts - s) < half_length + reach + 7.0)).any():
        return False
    if any(s0 - half_length < s < s1 + half_length and d0 - 0.5 < d < d1 + 0.5 for s0, s1, d0, d1 in builder.reserved):
        return False
    return not (
        _near_ego(builder, s, d, half_length)
        or _off_limits(builder.plan, s, d, half_length=half_length, way=way, manoeuvre=builder.ego.manoeuvre)
    )


def _near_ego(builder: SceneBuilder, s: float, d: float, half_length: float) -> bool:
    """Whether a place is taken by the ego, or needed by it for its lane change."""
    plan = builder.plan
    if abs(d - plan.ego_offset_m) < 2.2 and -EGO_REAR_M - 8.0 - half_length < s < EGO_FRONT_M + 4.0 + half_length:
        return True
    shift = {"lane_left": 1.0, "lane_right": -1.0}.get(builder.ego.manoeuvre, 0.0) * plan.section.lane_width_m
    return bool(shift) and abs(d - plan.ego_offset_m - shift) < 1.0 and -35.0 < s < 22.0 + 0.8 * builder.ego.speed_mps


def _off_limits(plan: RoadPlan, s: float, d: float, *, half_length: float, way: int, manoeuvre: str) -> bool:
    """Whether a place lies in the works or in the junction, or in the way of a left turn."""
    closure, junction = plan.closure, plan.junction
    if closure is not None and way > 0 and abs(d - closure.offset_m) < 2.6 and s > closure.taper_start_m - 25.0:
        return True
    if junction is None:
        return False
    if abs(s - junction.s_m) < junction.stop_m + half_length + 1.0:
        return True
    return manoeuvre == "turn_left" and way < 0 and s < junction.s_m + junction.stop_m + 16.0


@dataclass(eq=False)
class Obstacles:
    """Scripted actors as seen along a line: s, d, their rates, half extents, all ``(N, M)``; when they are seen."""

    s_m: np.ndarray
    d_m: np.ndarray
    vs_mps: np.ndarray
    vd_mps: np.ndarray
    half_s_m: np.ndarray
    half_d_m: np.ndarray
    noticed_from_step: np.ndarray

    @classmethod
    def of(cls, builder: SceneBuilder, line) -> Obstacles:
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
        return cls(s, d, rate(s), rate(d), length * cos + width * sin, length * sin + width * cos,
                   np.array([t.noticed_from_step for t in tracks]))  # fmt: skip


class EgoPerception:
    """What the ego driver sees ahead on its line, with a reaction time, as the acceleration that it allows."""

    def __init__(self, builder: SceneBuilder):
        self.obstacles = Obstacles.of(builder, builder.ego.path)
        self.counts = np.zeros(self.obstacles.s_m.shape[1])
        self.reaction_steps = REACTION_S / builder.dt_s
        self.headway_s = EGO_HEADWAY_S

    def allowed_mps2(self, k: int, s_m: float, v: float) -> float:
        """Acceleration allowed at step k, at way ``s_m`` and speed ``v``; infinite when nothing is in the way."""
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
        self.counts = np.where(threat, self.counts + 1, 0)
        active = threat & ((self.counts > self.reaction_steps) | (k < self.reaction_steps))
        if not active.any():
            return math.inf
        return brake_for(v, gap[active], closing[active], self.headway_s)


def brake_for(v: float, gap_m: np.ndarray, closing: np.ndarray, headway_s: float) -> float:
    """Acceleration that leaders allow: IDM's interaction term, or the braking that just stops in time if stronger."""
    gap = np.maximum(gap_m, 0.2)
    wanted = desired_gap_m(np.float64(v), closing, headway_s, acceleration=1.5, braking=2.5)
    follow = 1.5 * (1 - (wanted / gap) ** 2)
    needed = np.where(closing > 0, -1.1 * closing**2 / (2 * np.maximum(gap - 1.0, 0.2)), np.inf)
    return float(np.minimum(follow, needed).min())


def drive(builder: SceneBuilder, fleet: BackgroundTraffic) -> TrafficRun:
    """Steps ego and fleet through the clip together; scripted actors move as written."""
    steps, dt, count = builder.steps, builder.dt_s, len(fleet.tracks)
    driver, watch = EgoDriver(builder.ego, dt), EgoPerception(builder)
    road = Obstacles.of(builder, builder.plan.line)
    path_s = builder.ego.path.s_m
    ego_road = np.stack(builder.plan.line.project(builder.ego.path.xy_m[:, 0], builder.ego.path.xy_m[:, 1]), 1)
    per_m = 1.0 / (path_s[1] - path_s[0])
    out = TrafficRun(*(np.zeros(steps) for _ in range(3)), *(np.zeros((steps, count)) for _ in range(4)))
    acceleration = np.zeros(count)
    lane_start = fleet.d_m.copy()
    lane_phase = np.ones(count)
    for k in range(steps):
        index = min(max(int((driver.s_m - path_s[0]) * per_m), 0), len(path_s) - 1)
        ego_s, ego_d = ego_road[index, 0] + (driver.s_m - path_s[index]), ego_road[index, 1]
        out.ego_s_m[k], out.ego_v_mps[k], out.ego_a_mps2[k] = driver.s_m, driver.v, driver.a
        out.s_m[k], out.d_m[k], out.v_mps[k], out.a_mps2[k] = fleet.s_m, fleet.d_m, fleet.v_mps, acceleration
        if k + 1 == steps:
            break
        allowed = watch.allowed_mps2(k, driver.s_m, driver.v)
        if count:
            allowed = min(allowed, _behind_traffic(fleet, ego_s, ego_d, driver.v))
            others = _others(fleet, road, k, (ego_s, ego_d, driver.v))
            if k % max(int(0.5 / dt), 1) == 0 and builder.plan.section.forward > 1:
                _change_lanes(builder, fleet, others, lane_phase, lane_start)
            acceleration = np.clip(_follow(fleet, others, builder, k), -7.0, 2.5)
            v = np.maximum(fleet.v_mps + acceleration * dt, 0.0)
            fleet.s_m = fleet.s_m + fleet.way * 0.5 * (fleet.v_mps + v) * dt
            fleet.v_mps = v
            moved = np.clip(v / 8.0, 0.0, 1.0)  # slow vehicles cannot move sideways fast
            lane_phase = np.minimum(lane_phase + moved * dt / LANE_CHANGE_S, 1.0)
            blend = lane_phase - np.sin(2 * math.pi * lane_phase) / (2 * math.pi)
            fleet.d_m = lane_start + (fleet.lane_m - lane_start) * blend
        driver.step(allowed)
    return out


@dataclass(eq=False)
class ObstacleColumns:
    """Everything a fleet vehicle can run into, as columns: fleet first, then ego, then scripted actors."""

    s_m: np.ndarray
    d_m: np.ndarray
    vs_mps: np.ndarray
    half_s_m: np.ndarray
    half_d_m: np.ndarray


def _others(fleet: BackgroundTraffic, road: Obstacles, k: int, ego: tuple[float, float, float]) -> ObstacleColumns:
    ego_s, ego_d, ego_v = ego
    middle = ego_s + 0.5 * (EGO_FRONT_M - EGO_REAR_M)
    return ObstacleColumns(
        np.concatenate([fleet.s_m, [middle], road.s_m[k]]),
        np.concatenate([fleet.d_m, [ego_d], road.d_m[k]]),
        np.concatenate([fleet.way * fleet.v_mps, [ego_v], road.vs_mps[k]]),
        np.concatenate([fleet.half_length_m, [0.5 * (EGO_FRONT_M + EGO_REAR_M)], road.half_s_m[k]]),
        np.concatenate([fleet.half_width_m, [EGO_HALF_WIDTH_M], road.half_d_m[k]]),
    )


def _gaps(fleet: BackgroundTraffic, others: ObstacleColumns, lane_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gap and closing speed ``(V, W)`` to everything ahead that overlaps each vehicle's lane offset."""
    ahead = fleet.way[:, None] * (others.s_m[None] - fleet.s_m[:, None])
    near = np.abs(others.d_m[None] - lane_m[:, None]) < fleet.half_width_m[:, None] + others.half_d_m[None] + 0.35
    gap = ahead - fleet.half_length_m[:, None] - others.half_s_m[None]
    gap = np.where(near & (ahead > 1e-6), np.maximum(gap, 0.1), FREE_GAP_M)
    return gap, fleet.v_mps[:, None] - fleet.way[:, None] * others.vs_mps[None]


def _follow(fleet: BackgroundTraffic, others: ObstacleColumns, builder: SceneBuilder, k: int) -> np.ndarray:
    rows = np.arange(len(fleet.s_m))
    out = None
    changing = np.abs(fleet.lane_m - fleet.d_m).max() > 0.05
    for lane in (fleet.d_m, fleet.lane_m)[: 1 + changing]:
        gap, closing = _gaps(fleet, others, lane)
        leader = gap.argmin(1)
        a = idm_acceleration(
            fleet.v_mps, fleet.desired_mps, gap[rows, leader], closing[rows, leader], headway_s=fleet.headway_s
        )
        out = a if out is None else np.minimum(out, a)
    # A protected left turn: who comes towards the ego waits at the line.
    waits = np.full(len(rows), builder.main_stops) | ((fleet.way < 0) & (builder.ego.manoeuvre == "turn_left"))
    if waits.any() and builder.plan.junction is not None:
        junction = builder.plan.junction
        to_line = fleet.way * (junction.s_m - fleet.way * junction.stop_m - fleet.s_m) - fleet.half_length_m
        gap = np.where(waits & (to_line > 0), to_line + 1.0, FREE_GAP_M)
        out = np.minimum(out, idm_acceleration(fleet.v_mps, fleet.desired_mps, gap, fleet.v_mps, headway_s=0.6))
    return out


def _behind_traffic(fleet: BackgroundTraffic, ego_s: float, ego_d: float, v: float) -> float:
    gap = fleet.s_m - fleet.half_length_m - ego_s - EGO_FRONT_M
    near = (np.abs(fleet.d_m - ego_d) < fleet.half_width_m + EGO_HALF_WIDTH_M + 0.3) & (gap > -2.0) & (gap < 120.0)
    return brake_for(v, gap[near], v - (fleet.way * fleet.v_mps)[near], EGO_HEADWAY_S) if near.any() else math.inf


def _change_lanes(
    builder: SceneBuilder, fleet: BackgroundTraffic, others: ObstacleColumns, phase: np.ndarray, start: np.ndarray
) -> None:
    """Lets vehicles with the ego's direction change lanes where MOBIL says it pays and is safe; in place."""
    section = builder.plan.section
    rows = np.arange(len(fleet.s_m))
    gap, closing = _gaps(fleet, others, fleet.d_m)
    leader = gap.argmin(1)
    own_now = idm_acceleration(
        fleet.v_mps, fleet.desired_mps, gap[rows, leader], closing[rows, leader], headway_s=fleet.headway_s
    )
    for side in (1.0, -1.0):
        target = fleet.lane_m + side * section.lane_width_m
        on_road = (
            (fleet.way > 0) & (target < 0) & (target > section.right_lane_edge_m) & (phase >= 1.0) & (fleet.v_mps > 5.0)
        )
        if builder.plan.closure is not None:
            on_road &= np.abs(target - builder.plan.closure.offset_m) > 1.0
        if not on_road.any():
            continue
        gap, closing = _gaps(fleet, others, target)
        leader = gap.argmin(1)
        own_then = idm_acceleration(
            fleet.v_mps, fleet.desired_mps, gap[rows, leader], closing[rows, leader], headway_s=fleet.headway_s
        )
        follower_now, follower_then, blocked = _new_follower(fleet, others, target)
        gain = mobil_gain(own_now, own_then, follower_now, follower_then)
        change = on_road & ~blocked & (gain > 0)
        start[change], phase[change] = fleet.d_m[change], 0.0
        fleet.lane_m = np.where(change, target, fleet.lane_m)


def _new_follower(
    fleet: BackgroundTraffic, others: ObstacleColumns, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Acceleration of whoever would follow in the target lane, now and then; and whether someone is alongside."""
    behind = fleet.s_m[:, None] - others.s_m[None]
    near = np.abs(others.d_m[None] - target[:, None]) < fleet.half_width_m[:, None] + others.half_d_m[None] + 0.2
    gap = behind - fleet.half_length_m[:, None] - others.half_s_m[None]
    blocked = (near & (np.abs(behind) < fleet.half_length_m[:, None] + others.half_s_m[None] + 2.0)).any(1)
    gap = np.where(near & (behind > 0), np.maximum(gap, 0.1), FREE_GAP_M)
    rows = np.arange(len(fleet.s_m))
    follower = gap.argmin(1)
    speed = np.maximum(others.vs_mps[follower], 0.0)
    now = idm_acceleration(speed, np.maximum(speed, 1.0), np.full(len(rows), FREE_GAP_M), np.zeros(len(rows)))
    then = idm_acceleration(speed, np.maximum(speed, 1.0), gap[rows, follower], speed - fleet.v_mps)
    return now, then, blocked


def traffic_tracks(builder: SceneBuilder, fleet: BackgroundTraffic, result: TrafficRun) -> list[Track]:
    """The background vehicles as tracks, with brake lights and indicators."""
    if not fleet.tracks:
        return []
    x, y, heading = builder.plan.line.world(result.s_m, result.d_m)
    rate = np.gradient(result.d_m, builder.dt_s, axis=0) if builder.steps > 1 else np.zeros_like(result.d_m)
    slip = np.arctan2(rate * fleet.way, np.maximum(result.v_mps, 1.0))
    yaw = heading + np.where(fleet.way < 0, math.pi, 0.0) + slip
    braking = (result.a_mps2 < -0.8) | (result.v_mps < 0.2)
    indicator = np.where(np.abs(rate) > 0.15, np.sign(rate * fleet.way), 0).astype(int)
    for i, track in enumerate(fleet.tracks):
        track.x_m, track.y_m, track.yaw_rad, track.speed_mps = x[:, i], y[:, i], yaw[:, i], result.v_mps[:, i]
        track.braking, track.indicator = braking[:, i], indicator[:, i]
    return fleet.tracks

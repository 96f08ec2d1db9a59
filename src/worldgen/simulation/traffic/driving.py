"""The drive through the clip: ego and background vehicles react to each other and to the scripted actors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, EGO_REAR_M, Track
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.traffic.background_traffic import BackgroundTraffic
from worldgen.simulation.traffic.ego_path import EgoDriver
from worldgen.simulation.traffic.idm import FREE_GAP_M, idm_acceleration, mobil_gain
from worldgen.simulation.traffic.obstacles import EGO_HEADWAY_S, EgoPerception, Obstacles, brake_for

LANE_CHANGE_S = 3.2
"""Duration of a lane change at 8 m/s and above."""


@dataclass(eq=False)
class TrafficRun:
    """Result of a drive over N steps with V background vehicles.

    ego_s_m, ego_v_mps, ego_a_mps2: ``(N,)`` of the ego along its path. s_m, d_m, v_mps, a_mps2: ``(N, V)`` of the
    background vehicles along the road.
    """

    ego_s_m: np.ndarray
    ego_v_mps: np.ndarray
    ego_a_mps2: np.ndarray
    s_m: np.ndarray
    d_m: np.ndarray
    v_mps: np.ndarray
    a_mps2: np.ndarray


@dataclass(eq=False)
class ObstacleColumns:
    """Everything that a background vehicle can run into, ``(W,)`` each: background vehicles, the ego, scripted actors.

    vs_mps: velocity along the road, negative against its direction.
    """

    s_m: np.ndarray
    d_m: np.ndarray
    vs_mps: np.ndarray
    half_s_m: np.ndarray
    half_d_m: np.ndarray


def drive(builder: SceneBuilder, traffic: BackgroundTraffic) -> TrafficRun:
    """Simulates ego and background traffic step by step; scripted actors keep their motion. Changes ``traffic``."""
    steps, dt, count = builder.steps, builder.dt_s, len(traffic.tracks)
    driver, perception = EgoDriver(builder.ego, dt), EgoPerception(builder)
    road = Obstacles.of(builder, builder.plan.line)
    path_s = builder.ego.path.s_m
    ego_road = np.stack(builder.plan.line.project(builder.ego.path.xy_m[:, 0], builder.ego.path.xy_m[:, 1]), 1)
    per_m = 1.0 / (path_s[1] - path_s[0])
    out = TrafficRun(*(np.zeros(steps) for _ in range(3)), *(np.zeros((steps, count)) for _ in range(4)))
    acceleration = np.zeros(count)
    lane_start = traffic.d_m.copy()
    lane_phase = np.ones(count)
    for k in range(steps):
        index = min(max(int((driver.s_m - path_s[0]) * per_m), 0), len(path_s) - 1)
        ego_s, ego_d = ego_road[index, 0] + (driver.s_m - path_s[index]), ego_road[index, 1]
        out.ego_s_m[k], out.ego_v_mps[k], out.ego_a_mps2[k] = driver.s_m, driver.v, driver.a
        out.s_m[k], out.d_m[k], out.v_mps[k], out.a_mps2[k] = traffic.s_m, traffic.d_m, traffic.v_mps, acceleration
        if k + 1 == steps:
            break
        allowed = perception.allowed_mps2(k, driver.s_m, driver.v)
        if count:
            allowed = min(allowed, _behind_traffic(traffic, ego_s, ego_d, driver.v))
            others = _others(traffic, road, k, (ego_s, ego_d, driver.v))
            if k % max(int(0.5 / dt), 1) == 0 and builder.plan.section.forward > 1:
                _change_lanes(builder, traffic, others, lane_phase, lane_start)
            acceleration = np.clip(_follow(traffic, others, builder, k), -7.0, 2.5)
            v = np.maximum(traffic.v_mps + acceleration * dt, 0.0)
            traffic.s_m = traffic.s_m + traffic.direction * 0.5 * (traffic.v_mps + v) * dt
            traffic.v_mps = v
            moved = np.clip(v / 8.0, 0.0, 1.0)  # slow vehicles cannot move sideways fast
            lane_phase = np.minimum(lane_phase + moved * dt / LANE_CHANGE_S, 1.0)
            blend = lane_phase - np.sin(2 * math.pi * lane_phase) / (2 * math.pi)
            traffic.d_m = lane_start + (traffic.lane_m - lane_start) * blend
        driver.step(allowed)
    return out


def _others(traffic: BackgroundTraffic, road: Obstacles, k: int, ego: tuple[float, float, float]) -> ObstacleColumns:
    ego_s, ego_d, ego_v = ego
    middle = ego_s + 0.5 * (EGO_FRONT_M - EGO_REAR_M)
    return ObstacleColumns(
        np.concatenate([traffic.s_m, [middle], road.s_m[k]]),
        np.concatenate([traffic.d_m, [ego_d], road.d_m[k]]),
        np.concatenate([traffic.direction * traffic.v_mps, [ego_v], road.vs_mps[k]]),
        np.concatenate([traffic.half_length_m, [0.5 * (EGO_FRONT_M + EGO_REAR_M)], road.half_s_m[k]]),
        np.concatenate([traffic.half_width_m, [EGO_HALF_WIDTH_M], road.half_d_m[k]]),
    )


def _gaps(traffic: BackgroundTraffic, others: ObstacleColumns, lane_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gap and closing speed ``(V, W)`` to everything ahead in the lane at each vehicle's offset ``lane_m``."""
    ahead = traffic.direction[:, None] * (others.s_m[None] - traffic.s_m[:, None])
    near = np.abs(others.d_m[None] - lane_m[:, None]) < traffic.half_width_m[:, None] + others.half_d_m[None] + 0.35
    gap = ahead - traffic.half_length_m[:, None] - others.half_s_m[None]
    gap = np.where(near & (ahead > 1e-6), np.maximum(gap, 0.1), FREE_GAP_M)
    return gap, traffic.v_mps[:, None] - traffic.direction[:, None] * others.vs_mps[None]


def _follow(traffic: BackgroundTraffic, others: ObstacleColumns, builder: SceneBuilder, k: int) -> np.ndarray:
    """Acceleration (m/s2) ``(V,)``: IDM behind the nearest leader in the present and the target lane."""
    rows = np.arange(len(traffic.s_m))
    out = np.full(len(rows), np.inf)
    changing = np.abs(traffic.lane_m - traffic.d_m).max() > 0.05
    for lane in (traffic.d_m, traffic.lane_m)[: 1 + changing]:
        gap, closing = _gaps(traffic, others, lane)
        leader = gap.argmin(1)
        a = idm_acceleration(
            traffic.v_mps, traffic.desired_mps, gap[rows, leader], closing[rows, leader], headway_s=traffic.headway_s
        )
        out = np.minimum(out, a)
    # While the ego turns left, oncoming vehicles wait at the stop line.
    waits = np.full(len(rows), builder.main_stops) | ((traffic.direction < 0) & (builder.ego.manoeuvre == "turn_left"))
    if waits.any() and builder.plan.junction is not None:
        junction = builder.plan.junction
        to_line = (
            traffic.direction * (junction.s_m - traffic.direction * junction.stop_m - traffic.s_m)
            - traffic.half_length_m
        )
        gap = np.where(waits & (to_line > 0), to_line + 1.0, FREE_GAP_M)
        out = np.minimum(out, idm_acceleration(traffic.v_mps, traffic.desired_mps, gap, traffic.v_mps, headway_s=0.6))
    return out


def _behind_traffic(traffic: BackgroundTraffic, ego_s: float, ego_d: float, v: float) -> float:
    gap = traffic.s_m - traffic.half_length_m - ego_s - EGO_FRONT_M
    near = (np.abs(traffic.d_m - ego_d) < traffic.half_width_m + EGO_HALF_WIDTH_M + 0.3) & (gap > -2.0) & (gap < 120.0)
    return (
        brake_for(v, gap[near], v - (traffic.direction * traffic.v_mps)[near], EGO_HEADWAY_S)
        if near.any()
        else math.inf
    )


def _change_lanes(
    builder: SceneBuilder, traffic: BackgroundTraffic, others: ObstacleColumns, phase: np.ndarray, start: np.ndarray
) -> None:
    """Starts lane changes of vehicles in the ego's direction where MOBIL finds an incentive and no danger; in place."""
    section = builder.plan.section
    rows = np.arange(len(traffic.s_m))
    gap, closing = _gaps(traffic, others, traffic.d_m)
    leader = gap.argmin(1)
    own_now = idm_acceleration(
        traffic.v_mps, traffic.desired_mps, gap[rows, leader], closing[rows, leader], headway_s=traffic.headway_s
    )
    for side in (1.0, -1.0):
        target = traffic.lane_m + side * section.lane_width_m
        on_road = (
            (traffic.direction > 0)
            & (target < 0)
            & (target > section.right_lane_edge_m)
            & (phase >= 1.0)
            & (traffic.v_mps > 5.0)
        )
        if builder.plan.closure is not None:
            on_road &= np.abs(target - builder.plan.closure.offset_m) > 1.0
        if not on_road.any():
            continue
        gap, closing = _gaps(traffic, others, target)
        leader = gap.argmin(1)
        own_then = idm_acceleration(
            traffic.v_mps, traffic.desired_mps, gap[rows, leader], closing[rows, leader], headway_s=traffic.headway_s
        )
        follower_now, follower_then, blocked = _new_follower(traffic, others, target)
        gain = mobil_gain(own_now, own_then, follower_now, follower_then)
        change = on_road & ~blocked & (gain > 0)
        start[change], phase[change] = traffic.d_m[change], 0.0
        traffic.lane_m = np.where(change, target, traffic.lane_m)


def _new_follower(
    traffic: BackgroundTraffic, others: ObstacleColumns, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The new follower's acceleration ``(V,)`` before and after the lane change, and whether a vehicle is alongside."""
    behind = traffic.s_m[:, None] - others.s_m[None]
    near = np.abs(others.d_m[None] - target[:, None]) < traffic.half_width_m[:, None] + others.half_d_m[None] + 0.2
    gap = behind - traffic.half_length_m[:, None] - others.half_s_m[None]
    blocked = (near & (np.abs(behind) < traffic.half_length_m[:, None] + others.half_s_m[None] + 2.0)).any(1)
    gap = np.where(near & (behind > 0), np.maximum(gap, 0.1), FREE_GAP_M)
    rows = np.arange(len(traffic.s_m))
    follower = gap.argmin(1)
    speed = np.maximum(others.vs_mps[follower], 0.0)
    now = idm_acceleration(speed, np.maximum(speed, 1.0), np.full(len(rows), FREE_GAP_M), np.zeros(len(rows)))
    then = idm_acceleration(speed, np.maximum(speed, 1.0), gap[rows, follower], speed - traffic.v_mps)
    return now, then, blocked


def traffic_tracks(builder: SceneBuilder, traffic: BackgroundTraffic, result: TrafficRun) -> list[Track]:
    """The background vehicles as tracks, with brake lights and indicators."""
    if not traffic.tracks:
        return []
    x, y, heading = builder.plan.line.world(result.s_m, result.d_m)
    rate = np.gradient(result.d_m, builder.dt_s, axis=0) if builder.steps > 1 else np.zeros_like(result.d_m)
    slip = np.arctan2(rate * traffic.direction, np.maximum(result.v_mps, 1.0))
    yaw = heading + np.where(traffic.direction < 0, math.pi, 0.0) + slip
    braking = (result.a_mps2 < -0.8) | (result.v_mps < 0.2)
    indicator = np.where(np.abs(rate) > 0.15, np.sign(rate * traffic.direction), 0).astype(int)
    for i, track in enumerate(traffic.tracks):
        track.x_m, track.y_m, track.yaw_rad, track.speed_mps = x[:, i], y[:, i], yaw[:, i], result.v_mps[:, i]
        track.braking, track.indicator = braking[:, i], indicator[:, i]
    return traffic.tracks

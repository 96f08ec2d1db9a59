"""Traffic: following, lane changes, conflicts, and the drive that brings them together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.simulation.actors import KIND_VARIANTS, LABELS, SIZE_M, gait
from worldgen.simulation.checks.collisions import boxes_overlap, overlapping_pairs, time_to_collision
from worldgen.simulation.simulate import simulate
from worldgen.simulation.traffic.idm import FREE_GAP_M, desired_gap_m, idm_acceleration, mobil_gain


def test_idm_rests_at_its_equilibrium_gap():
    """Treiber et al. 2000, equation 6: at s_e(v) = (s0 + v T) / sqrt(1 - (v / v0)^4) nobody accelerates."""
    v, v0, headway = np.array([3.0, 10.0, 20.0]), np.full(3, 30.0), 1.5
    gap = (2.0 + v * headway) / np.sqrt(1 - (v / v0) ** 4)
    assert idm_acceleration(v, v0, gap, np.zeros(3), headway_s=headway) == pytest.approx(0.0, abs=1e-12)


def test_idm_limits():
    assert idm_acceleration(np.zeros(1), np.full(1, 20.0), np.full(1, FREE_GAP_M), np.zeros(1))[0] == pytest.approx(
        1.4, abs=1e-6
    )
    at_speed = idm_acceleration(np.full(1, 20.0), np.full(1, 20.0), np.full(1, FREE_GAP_M), np.zeros(1))
    assert at_speed[0] == pytest.approx(0.0, abs=1e-4)
    assert desired_gap_m(np.float64(10.0), np.float64(10.0), 1.0, acceleration=1.0, braking=1.0) == pytest.approx(
        2 + 10 + 50
    )


def test_idm_follower_never_hits_a_stopping_leader():
    v, s, leader, lv, dt = 25.0, 0.0, 45.0, 25.0, 0.1
    for _ in range(600):
        lv = max(0.0, lv - 6.0 * dt)
        leader += lv * dt
        a = float(idm_acceleration(np.array(v), np.array(30.0), np.array(leader - s), np.array(v - lv)))
        s, v = s + v * dt, max(0.0, v + a * dt)
        assert leader - s > 0.0
    assert v < 0.1 and leader - s < 6.0


def test_mobil_weighs_own_gain_against_the_follower():
    gain = mobil_gain(np.array([-1.0, 0.0, -1.0]), np.array([0.5, 0.0, 0.5]), np.zeros(3), np.array([-0.5, 0.0, -4.0]))
    assert gain[0] > 0 and gain[1] < 0 and gain[2] == -math.inf


def test_boxes_overlap_agrees_with_sampled_points(rng):
    a = np.concatenate([rng.uniform(-3, 3, (400, 2)), rng.uniform(-4, 4, (400, 1)), rng.uniform(0.4, 3, (400, 2))], 1)
    b = np.concatenate([rng.uniform(-3, 3, (400, 2)), rng.uniform(-4, 4, (400, 1)), rng.uniform(0.4, 3, (400, 2))], 1)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 41)), -1).reshape(-1, 2)
    for first, second, hit in zip(a, b, boxes_overlap(a, b), strict=True):
        c, s = math.cos(first[2]), math.sin(first[2])
        points = first[:2] + (grid * first[3:]) @ np.array([[c, s], [-s, c]])
        relative = points - second[:2]
        c, s = math.cos(second[2]), math.sin(second[2])
        inside = (np.abs(relative @ np.array([c, s])) < second[3]) & (np.abs(relative @ np.array([-s, c])) < second[4])
        if inside.any():
            assert hit
        # A miss of the samples may still be a sliver; grown boxes must agree.
        elif hit:
            grown = first.copy()
            grown[3:] += 0.25
            assert boxes_overlap(grown, second)
    pairs = overlapping_pairs(np.stack([a[:3], b[:3]])[:, :, :])
    assert pairs.shape[1] == 2


def test_time_to_collision_known_answers():
    ego = np.array([0.0, 0.0, 0.0, 2.0, 1.0])
    ahead = np.array([24.0, 0.0, 0.0, 2.0, 1.0])
    v = np.array([10.0, 0.0])
    assert time_to_collision(ego, ahead, v, np.zeros(2)) == pytest.approx(2.0)
    assert time_to_collision(ego, ahead, v, v) == math.inf
    aside = np.array([24.0, 2.3, 0.0, 2.0, 1.0])
    assert time_to_collision(ego, aside, v, np.zeros(2)) == math.inf
    assert time_to_collision(ego, aside, v, np.zeros(2), margin_m=0.5) == pytest.approx(2.0)
    walker = np.array([22.0, 6.0, -math.pi / 2, 0.0, 0.0])
    assert time_to_collision(ego, walker, v, np.array([0.0, -2.5])) == pytest.approx(2.0)
    assert time_to_collision(ego, walker, v, np.array([0.0, -1.0])) == math.inf
    assert time_to_collision(ego, np.array([1.0, 0.0, 0.0, 1.0, 1.0]), v, v) == 0.0


def test_gait_turns_once_per_stride():
    speed = np.full(17, 1.45)
    phase = gait("adult", speed, 1 / 16, 0.5)
    assert phase[-1] - phase[0] == pytest.approx(2 * math.pi)
    assert gait("sedan", speed, 0.1, 0.0).max() == 0.0


def test_cast_tables_are_complete():
    assert set(KIND_VARIANTS) == set(LABELS)
    assert all(v in SIZE_M for shares in KIND_VARIANTS.values() for v, _ in shares)


def test_traffic_keeps_its_distance_and_its_lane():
    for seed in range(12):
        scene = simulate(Scenario(road="highway"), seed)
        cars = [a for a in scene.agents if a.label in ("car", "truck", "motorcycle")]
        assert cars
        for agent in cars:
            step = np.hypot(*np.diff(agent.poses[:, :2], axis=0).T) * scene.fps
            # Speeds are along the road's reference line; lanes inside and outside of a bend differ a little.
            assert step == pytest.approx(0.5 * (agent.speed_mps[1:] + agent.speed_mps[:-1]), rel=0.05, abs=0.3)
            assert np.abs(np.diff(agent.speed_mps) * scene.fps).max() < 8.0


def test_lane_changes_happen_smoothly():
    changed = 0
    for seed in range(40):
        scene = simulate(Scenario(road="highway", duration_s=8.0), seed)
        for agent in scene.agents:
            if (agent.indicator != 0).any():
                changed += 1
                assert np.abs(np.diff(np.unwrap(agent.poses[:, 3]))).max() * scene.fps < 0.35
    assert changed > 0


def test_requested_leader_is_followed_without_contact():
    scene = simulate(Scenario(road="rural", manoeuvre="brake", agents=(AgentRequest("truck", 1, "ahead"),)), 4)
    truck = next(a for a in scene.agents if a.kind == "truck")
    gap = truck.poses[:, 0] - truck.size_m[0] / 2 - scene.ego_poses[:, 0] - 1.9
    assert gap.min() > 1.0 and gap.max() < 45.0

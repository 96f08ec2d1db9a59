"""Control measure: known answers, and a control that fails."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.ego import EgoMotion
from worldgen.core.manoeuvres import MANOEUVRES, manoeuvre_motion
from worldgen.evaluation.measures.motion_control import MotionPair, control_rows, slices, sweep_rows


def motions(count: int = 24, frames: int = 25, seed: int = 0) -> list[EgoMotion]:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, frames)
    return [
        EgoMotion(rng.uniform(2, 20) * (1 - rng.uniform(0, 0.8) * ramp), rng.uniform(-0.4, 0.4) * np.sin(3 * ramp), 8.0)
        for _ in range(count)
    ]


def scaled(ego: EgoMotion, speed: float, turn: float) -> EgoMotion:
    return EgoMotion(ego.speed_mps * speed, ego.yaw_rate_radps * turn, ego.fps)


def test_a_perfect_clip_is_perfect_and_the_control_fails():
    rows = control_rows([MotionPair(m, m, 2) for m in motions()])
    for name in ("speed_spearman", "yaw_rate_spearman", "yaw_rate_spearman_turning", "speed_ratio", "yaw_rate_ratio"):
        assert rows[name].value == pytest.approx(1.0)
    assert rows["position_error_2s_m"].value == pytest.approx(0) and rows[
        "heading_error_2s_rad"
    ].value == pytest.approx(0)
    assert abs(rows["shuffled_speed_spearman"].value) < 0.2 and abs(rows["shuffled_yaw_rate_spearman"].value) < 0.2
    assert rows["shuffled_position_error_2s_m"].value > 3


def test_ratios_are_of_magnitude_and_keep_ranks():
    rows = control_rows([MotionPair(m, scaled(m, 0.8, 0.5)) for m in motions()])
    assert rows["speed_ratio"].value == pytest.approx(0.8) and rows["yaw_rate_ratio"].value == pytest.approx(0.5)
    assert rows["speed_spearman"].value == pytest.approx(1.0)


def test_turning_the_wrong_way_is_a_negative_ratio():
    rows = control_rows([MotionPair(m, scaled(m, 1.0, -1.0)) for m in motions()])
    assert rows["yaw_rate_ratio"].value == pytest.approx(-1.0) and rows["yaw_rate_spearman"].value < -0.9


def test_a_model_that_ignores_commands_is_seen():
    told, done = motions(seed=1), motions(seed=2)
    rows = control_rows([MotionPair(a, b) for a, b in zip(told, done, strict=True)])
    assert abs(rows["speed_spearman"].value) < 0.5 and rows["position_error_2s_m"].value > 3


def test_errors_count_from_the_last_given_frame():
    told = EgoMotion(np.full(25, 10.0), np.zeros(25), 8.0)
    slow = np.full(25, 10.0)
    slow[2:] = 9.0
    done = EgoMotion(slow, np.zeros(25), 8.0)
    assert MotionPair(told, done, 2).errors()[0] == pytest.approx(2.0)  # 1 m/s for 2 s
    slow[:2] = 0.0  # what given frames show is not the model's doing
    assert MotionPair(told, EgoMotion(slow, np.zeros(25), 8.0), 2).errors()[0] == pytest.approx(2.0)
    assert np.isnan(MotionPair(told[:10], done[:10], 2).errors()[0])


def test_heading_error_is_the_angle():
    told = EgoMotion(np.full(25, 5.0), np.full(25, 0.2), 8.0)
    done = EgoMotion(np.full(25, 5.0), np.full(25, 0.1), 8.0)
    assert MotionPair(told, done).errors()[1] == pytest.approx(0.2)


def test_few_or_still_clips_have_no_made_up_numbers():
    still = EgoMotion(np.zeros(25), np.zeros(25), 8.0)
    rows = control_rows([MotionPair(still, still), MotionPair(still, still)])
    assert np.isnan(rows["speed_spearman"].value) and np.isnan(rows["yaw_rate_ratio"].value)
    assert not any(name.startswith("shuffled") for name in rows)


def test_noise_on_straight_drives_costs_no_rank(rng):
    told = [EgoMotion(np.full(25, 9.0 + k), np.full(25, 0.2 if k % 4 == 0 else 0.0), 8.0) for k in range(16)]
    done = [EgoMotion(m.speed_mps, m.yaw_rate_radps + rng.normal(0, 0.004, 25), 8.0) for m in told]
    rows = control_rows([MotionPair(a, b) for a, b in zip(told, done, strict=True)])
    assert rows["yaw_rate_spearman"].value > 0.95


def test_slices_hold_their_own_clips():
    drives = [MotionPair(m, scaled(m, 0.5 if k % 2 else 1.0, 1.0)) for k, m in enumerate(motions(8))]
    parts = slices(drives, ["fog" if k % 2 else "clear" for k in range(8)])
    assert parts["fog"]["speed_ratio"].value == pytest.approx(0.5)
    assert parts["clear"]["speed_ratio"].value == pytest.approx(1.0)


def test_a_sweep_recognises_manoeuvres():
    drives = [MotionPair(m, m) for m in (manoeuvre_motion(n, 33, 8.0, speed_mps=8.0) for n in MANOEUVRES)]
    rows = sweep_rows(list(MANOEUVRES), drives)
    assert [r["classified"] for r in rows] == list(MANOEUVRES)
    assert rows[4]["commanded"] == rows[4]["recovered"] and rows[4]["recovered"]["yaw_rad"] > 0.5

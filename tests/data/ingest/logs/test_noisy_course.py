from __future__ import annotations

import numpy as np
import pytest

from worldgen.data.ingest.logs.noisy_course import MAX_BASELINE_S, course_poses
from worldgen.data.ingest.logs.trajectory import course_yaw, pose_rates

TIMES_S = np.arange(0, 60, 0.1)


def drive(times_s, speed=15.0):
    """A straight, a turn of 90 degrees to the left in 6 s at half speed, a straight. Positions, speed, yaw rate."""
    fine = np.arange(0, times_s[-1] + 0.01, 0.005)
    turn = np.clip((fine - 25) / 6, 0, 1)
    slow = 1 - 0.5 * np.exp(-(((fine - 28) / 6) ** 4))
    yaw = np.pi / 2 * (turn - np.sin(2 * np.pi * turn) / (2 * np.pi))
    x, y = (np.concatenate([[0], np.cumsum((speed * slow * f(yaw))[:-1] * 0.005)]) for f in (np.cos, np.sin))
    at = [np.interp(times_s, fine, values) for values in (x, y, speed * slow, np.gradient(yaw, fine))]
    return np.stack(at[:2], 1), at[2], at[3]


def errors(times_s, poses, speed, yaw_rate):
    """rms of speed and yaw rate against the truth, in the middle of each step."""
    got = pose_rates(times_s, poses)
    return [
        float(np.sqrt(((g - (t[1:] + t[:-1]) / 2) ** 2).mean())) for g, t in zip(got, (speed, yaw_rate), strict=True)
    ]


@pytest.mark.parametrize("noise_m", [0.006, 0.03, 0.3])
def test_white_noise_leaves_a_tenth_of_the_error_of_neighbouring_rows(rng, noise_m):
    position, speed, yaw_rate = drive(TIMES_S)
    noisy = position + rng.normal(scale=noise_m, size=position.shape)
    course = course_poses(TIMES_S, noisy)
    speed_error, rate_error = errors(TIMES_S, course.poses, speed, yaw_rate)
    rows_alone = np.concatenate([noisy, course_yaw(noisy)[:, None]], 1)
    assert rate_error < 0.1 * errors(TIMES_S, rows_alone, speed, yaw_rate)[1] + 0.004
    assert rate_error < {0.006: 0.012, 0.03: 0.018, 0.3: 0.06}[noise_m]
    assert speed_error < {0.006: 0.1, 0.03: 0.25, 0.3: 0.6}[noise_m]
    assert 0 < course.baseline_s <= MAX_BASELINE_S + 1e-9
    assert course.yaw_rate_noise_radps < {0.006: 0.006, 0.03: 0.006, 0.3: 0.05}[noise_m]


def test_errors_that_wander_are_noise_too(rng):
    """GPS errors are no white noise; the baseline measured on neighbours alone would be too short."""
    position, speed, yaw_rate = drive(TIMES_S, speed=17.0)
    wander = np.cumsum(rng.normal(scale=0.02, size=position.shape), 0)
    wander -= np.stack([np.convolve(np.pad(w, 15, "edge"), np.ones(31) / 31, "valid") for w in wander.T], 1)
    rate_error = errors(TIMES_S, course_poses(TIMES_S, position + wander).poses, speed, yaw_rate)[1]
    rows_alone = np.concatenate([position + wander, course_yaw(position + wander)[:, None]], 1)
    assert rate_error < 0.025 < 0.05 < errors(TIMES_S, rows_alone, speed, yaw_rate)[1]


def test_jitter_of_time_stamps_does_not_become_speed(rng):
    position, speed, yaw_rate = drive(TIMES_S)
    stamps = np.sort(TIMES_S + rng.uniform(-0.03, 0.03, len(TIMES_S)))
    stamps += 1e-6 * np.arange(len(stamps))
    noisy = position + rng.normal(scale=0.01, size=position.shape)
    speed_error, rate_error = errors(stamps, course_poses(stamps, noisy).poses, speed, yaw_rate)
    assert speed_error < 0.5 and rate_error < 0.03  # rows alone: 4 m/s


def test_exact_positions_are_left_exact():
    yaw = 0.3 * TIMES_S
    position = np.stack([20 * np.sin(yaw), 20 * (1 - np.cos(yaw))], 1)
    course = course_poses(TIMES_S, position)
    assert course.baseline_s == 0
    speed, rate = pose_rates(TIMES_S, course.poses)
    np.testing.assert_allclose(speed, 6.0, rtol=1e-9)
    np.testing.assert_allclose(rate, 0.3, rtol=1e-6)


def test_rows_far_apart_are_left_alone_and_standstill_has_no_turn(rng):
    times_s = np.arange(0, 60, 1.0)
    position, *_ = drive(times_s)
    assert course_poses(times_s, position).baseline_s == 0
    still = course_poses(TIMES_S, rng.normal(scale=0.02, size=(len(TIMES_S), 2)))
    assert np.ptp(still.poses[:, 2]) == 0
    assert len(course_poses(times_s[:3], position[:3]).poses) == 3


def test_noise_that_no_baseline_mends_is_told(rng):
    position, *_ = drive(TIMES_S, speed=3.0)
    course = course_poses(TIMES_S, position + rng.normal(scale=2.0, size=position.shape))
    assert course.yaw_rate_noise_radps > 0.1

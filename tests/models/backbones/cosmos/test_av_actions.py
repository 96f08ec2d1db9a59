"""Ego motion as actions of Cosmos 3: known answers, and there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError
from worldgen.models.backbones.cosmos.av_actions import TRANSLATION_SCALE, action_rows, camera_axes, ego_from_actions


def motion(speed_mps: float, yaw_rate_radps: float, frames: int = 4, fps: float = 10.0) -> EgoMotion:
    return EgoMotion(np.full(frames, speed_mps), np.full(frames, yaw_rate_radps), fps)


def test_straight_ahead_moves_along_the_optical_axis():
    rows = action_rows(motion(11.9, 0.0), scale=1.0)
    assert rows.shape == (3, 9)
    expected = [0, 0, 1.19, 1, 0, 0, 0, 1, 0]  # as the published av_traj files: z in metres per tenth of a second
    np.testing.assert_allclose(rows, np.tile(expected, (3, 1)), atol=1e-12)


def test_translation_is_scaled_and_rotation_is_not():
    assert TRANSLATION_SCALE == 1.35
    plain, scaled = action_rows(motion(10.0, 0.3), scale=1.0), action_rows(motion(10.0, 0.3))
    np.testing.assert_allclose(scaled[:, :3], 1.35 * plain[:, :3])
    np.testing.assert_array_equal(scaled[:, 3:], plain[:, 3:])


def test_a_left_turn_moves_left_and_turns_about_the_axis_that_points_down():
    turn = 0.05  # rad in a tenth of a second at 0.5 rad/s
    row = action_rows(motion(8.0, 0.5), scale=1.0)[0]
    chord = 0.8 * np.sinc(turn / (2 * np.pi))
    np.testing.assert_allclose(row[:3], [-chord * math.sin(turn / 2), 0, chord * math.cos(turn / 2)], atol=1e-12)
    # Columns: where the next camera's x (right) and y (down) point in this camera. To the left is about -y.
    np.testing.assert_allclose(row[3:6], [math.cos(turn), 0, math.sin(turn)], atol=1e-12)
    np.testing.assert_allclose(row[6:9], [0, 1, 0], atol=1e-12)


def test_rows_follow_the_motion_that_arrives_at_each_frame():
    ego = EgoMotion(np.array([99.0, 5.0, 10.0]), np.zeros(3), 10.0)
    np.testing.assert_allclose(action_rows(ego, scale=1.0)[:, 2], [0.5, 1.0])


def test_a_camera_that_looks_down_sees_forward_motion_as_up_and_forward():
    pitch = 0.1
    row = action_rows(motion(10.0, 0.0), pitch_rad=pitch, scale=1.0)[0]
    np.testing.assert_allclose(row[:3], [0, -math.sin(pitch), math.cos(pitch)], atol=1e-12)
    np.testing.assert_allclose(row[3:], [1, 0, 0, 0, 1, 0], atol=1e-12)
    axes = camera_axes(pitch)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)


@pytest.mark.parametrize("pitch", [0.0, 0.15])
def test_there_and_back(rng, pitch):
    ego = EgoMotion(rng.uniform(-3, 30, 21), rng.uniform(-0.6, 0.6, 21), 10.0)
    again = ego_from_actions(action_rows(ego, pitch_rad=pitch), pitch_rad=pitch)
    np.testing.assert_allclose(again.speed_mps[1:], ego.speed_mps[1:], atol=1e-9)
    np.testing.assert_allclose(again.yaw_rate_radps[1:], ego.yaw_rate_radps[1:], atol=1e-9)
    assert again.speed_mps[0] == again.speed_mps[1] and len(again) == len(ego)
    np.testing.assert_allclose(planar_poses(again), planar_poses(ego), atol=1e-8)


def test_rotations_of_a_network_are_made_orthonormal():
    ego = motion(9.0, 0.4)
    rows = action_rows(ego)
    rows[:, 3:6] *= 1.7
    rows[:, 6:9] = 0.6 * rows[:, 6:9] + 0.2 * rows[:, 3:6]
    np.testing.assert_allclose(ego_from_actions(rows).yaw_rate_radps, 0.4, atol=1e-9)


def test_motion_that_is_none_is_cut_to_the_limits():
    rows = action_rows(motion(20.0, 0.0))
    rows[:, :3] *= 100
    rows[:, 3:] = [0, 0, 1, 0, 1, 0]  # a quarter turn in a tenth of a second
    read = ego_from_actions(rows)
    assert np.abs(read.speed_mps).max() <= 100 and (read.yaw_rate_radps == 4.0).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 7)), r"actions: received shape \(3, 7\); expected \(N, 9\)"),
        (np.zeros((0, 9)), r"shape \(0, 9\)"),
        (np.zeros((3, 9)), "zero or parallel columns"),
        (np.full((3, 9), np.nan), "finite numbers"),
    ],
)
def test_refusals_of_actions(rows, message):
    with pytest.raises(InputError, match=message):
        ego_from_actions(rows)


def test_refusals_of_motion():
    with pytest.raises(InputError, match=r"frames per second with ego motion: received 16.0; expected 10"):
        action_rows(motion(1.0, 0.0, fps=16.0))
    with pytest.raises(InputError, match="at least 2"):
        action_rows(motion(1.0, 0.0, frames=1))

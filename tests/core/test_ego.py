from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.ego import (
    EgoMotion,
    ego_from_planar_poses,
    ego_from_pose_rows,
    ego_from_se3,
    ego_from_waypoint_text,
    planar_poses,
    pose_rows,
    se3_poses,
    waypoint_text,
    wrap_angle,
)
from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES, manoeuvre_motion


def _random_motion(rng, frames=60, fps=10.0, *, reverse=False):
    """Smooth driving with turns both ways; with ``reverse`` also backwards and through standstill."""
    time_s = np.arange(frames) / fps
    speed = 8 + 5 * np.sin(time_s + rng.uniform(0, 6)) + rng.normal(0, 0.1, frames)
    if reverse:
        speed = speed - 9
    return EgoMotion(speed, 0.6 * np.sin(1.7 * time_s + rng.uniform(0, 6)) + rng.normal(0, 0.02, frames), fps)


def _assert_equal(a, b, tolerance=1e-9):
    np.testing.assert_allclose(a.speed_mps, b.speed_mps, atol=tolerance)
    np.testing.assert_allclose(a.yaw_rate_radps, b.yaw_rate_radps, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("fps", [2.0, 9.64, 29.97])
def test_every_form_and_back_is_the_same_motion(rng, fps, reverse):
    ego = _random_motion(rng, fps=fps, reverse=reverse)
    first = (ego.speed_mps[0], ego.yaw_rate_radps[0])
    _assert_equal(ego_from_planar_poses(planar_poses(ego), fps, first=first), ego)
    _assert_equal(ego_from_se3(se3_poses(ego), fps, first=first), ego)
    _assert_equal(ego_from_pose_rows(pose_rows(ego), fps), ego)
    _assert_equal(EgoMotion.from_array(ego.to_array(), fps), ego, 2e-6)


def test_a_circle_closes():
    speed, rate, fps = 6.0, 0.3, 7.0
    frames = round(2 * math.pi / rate * fps) + 1
    rate = 2 * math.pi * fps / (frames - 1)  # a whole number of frames a lap
    poses = planar_poses(EgoMotion(np.full(frames, speed), np.full(frames, rate), fps))
    radius = speed / rate
    np.testing.assert_allclose(poses[-1], [0, 0, 2 * math.pi], atol=1e-9)
    np.testing.assert_allclose(np.hypot(poses[:, 0], poses[:, 1] - radius), radius, atol=1e-9)  # turns to the left


def test_straight_and_standstill():
    np.testing.assert_array_equal(planar_poses(EgoMotion(np.full(3, 5.0), np.zeros(3), 10.0))[-1], [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(planar_poses(EgoMotion(np.zeros(4), np.zeros(4), 10.0)), np.zeros((4, 3)))


def test_row_zero_is_not_part_of_the_path():
    """Row i arrives at frame i, so what arrived at frame 0 moves nothing in the clip."""
    ego = EgoMotion(np.array([99.0, 1.0, 2.0]), np.array([3.0, 0.0, 0.0]), 1.0)
    np.testing.assert_allclose(planar_poses(ego)[:, 0], [0, 1, 3])


def test_motion_does_not_depend_on_where_the_poses_lie(rng):
    ego = _random_motion(rng)
    angle, shift = 2.5, np.array([1e3, -2e3])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    poses = planar_poses(ego)
    moved = np.concatenate([poses[:, :2] @ turn.T + shift, poses[:, 2:] + angle], 1)
    first = (ego.speed_mps[0], ego.yaw_rate_radps[0])
    _assert_equal(ego_from_planar_poses(moved, ego.fps, first=first), ego, 1e-8)
    moved[:, 2] = wrap_angle(moved[:, 2])  # logs give wrapped headings
    _assert_equal(ego_from_planar_poses(moved, ego.fps, first=first), ego, 1e-8)


def test_a_slope_does_not_shorten_the_motion():
    """Driving up a ramp at constant speed: the same motion as on the flat."""
    ego = EgoMotion(np.full(20, 12.0), np.zeros(20), 10.0)
    pitch = math.radians(12)
    ramp = np.eye(4)
    ramp[:3, :3] = [[math.cos(pitch), 0, -math.sin(pitch)], [0, 1, 0], [math.sin(pitch), 0, math.cos(pitch)]]
    _assert_equal(ego_from_se3(ramp @ se3_poses(ego), 10.0), ego)


def test_pose_rows_are_rigid_steps(rng):
    ego = _random_motion(rng)
    rows = pose_rows(ego)
    np.testing.assert_allclose(np.linalg.norm(rows[:, 3:6], axis=1), 1)
    np.testing.assert_allclose((rows[:, 3:6] * rows[:, 6:9]).sum(1), 0, atol=1e-12)
    pose = np.eye(4)
    for row in rows[1:]:
        step = np.eye(4)
        step[:3, 3], step[:3, 0], step[:3, 1] = row[:3], row[3:6], row[6:9]
        pose = pose @ step
    np.testing.assert_allclose(pose, se3_poses(ego)[-1], atol=1e-9)
    scaled = rows.copy()
    scaled[:, 3:] *= 1.3  # a network's rows are not orthonormal
    _assert_equal(ego_from_pose_rows(scaled, ego.fps), ego)


@pytest.mark.parametrize("fps", [5.0, 30.0])
@pytest.mark.parametrize("name", MANOEUVRES)
def test_waypoint_text_and_back(name, fps):
    ego = manoeuvre_motion(name, int(4 * fps), fps, speed_mps=10.0)
    exact = ego_from_waypoint_text(waypoint_text(ego, decimals=9), fps)
    np.testing.assert_allclose(exact.speed_mps[1:], ego.speed_mps[1:], atol=1e-4)
    np.testing.assert_allclose(exact.yaw_rate_radps[1:], ego.yaw_rate_radps[1:], atol=1e-4)
    read = ego_from_waypoint_text(waypoint_text(ego), fps)  # millimetres, as people and language models write them
    np.testing.assert_allclose(planar_poses(read)[:, :2], planar_poses(ego)[:, :2], atol=5e-3)
    np.testing.assert_allclose(read.speed_mps[1:], ego.speed_mps[1:], atol=0.05)
    assert np.sqrt(np.mean((read.yaw_rate_radps - ego.yaw_rate_radps)[1:] ** 2)) < 0.05


def test_waypoint_text_has_the_documented_form():
    ego = EgoMotion(np.full(3, 10.0), np.zeros(3), 10.0)
    assert waypoint_text(ego, decimals=1) == "(1.0, 0.0), (2.0, 0.0)"
    backwards = EgoMotion(np.full(3, -2.0), np.zeros(3), 1.0)
    assert waypoint_text(backwards) == "(-2.000, 0.000), (-4.000, 0.000)"
    _assert_equal(ego_from_waypoint_text(waypoint_text(backwards), 1.0), backwards, 1e-6)


@pytest.mark.parametrize(
    ("text", "end_m"),
    [
        ("(10, 0)", (10, 0)),
        ("(10, 3)", (10, 3)),
        ("(5, 1), (10, 2), (15, 3)", (15, 3)),
        ("(5,0),(10,0.5),(14,3),(15,8)", (15, 8)),
        ("(-5, 0)", (-5, 0)),
        ("(5, 0), (5, 0), (5, 0)", (5, 0)),
    ],
)
def test_typed_waypoints_become_a_drivable_path(text, end_m):
    """A few round numbers: the car arrives within 20 cm, without zigzag and without rolling back."""
    ego = ego_from_waypoint_text(text, 10.0, 24)
    assert len(ego) == 24
    np.testing.assert_allclose(planar_poses(ego)[-1, :2], end_m, atol=0.2)
    assert np.abs(np.diff(ego.yaw_rate_radps)).max() < 0.3  # rad/s from one frame to the next
    sign = 1 if end_m[0] > 0 else -1
    assert (sign * ego.speed_mps > -0.05).all()


def test_one_lane_over_is_smooth():
    ego = ego_from_waypoint_text("(10, 0), (20, 1.75), (30, 3.5), (40, 3.5)", 10.0, 41)
    yaw = planar_poses(ego)[:, 2]
    assert 0.05 < yaw.max() < 0.35 and abs(yaw[-1]) < 0.05 and ego.speed_mps.min() > 8


@pytest.mark.parametrize("text", ["", "straight on", "(1, 2", "(1, 2) then (3, 4)", "(a, 2)", "(1, nan)", "(1 2)"])
def test_waypoints_that_cannot_be_read_are_refused(text):
    with pytest.raises(InputError, match="waypoints"):
        ego_from_waypoint_text(text, 10.0)


def test_impossible_waypoints_are_refused():
    with pytest.raises(InputError, match="speed_mps"):
        ego_from_waypoint_text("(1000, 0), (2000, 0)", 10.0)


@pytest.mark.parametrize(
    ("speed", "rate", "fps", "named"),
    [
        ([], [], 10, "shape"),
        ([[1.0]], [[0.0]], 10, "shape"),
        ([1.0, 2.0], [0.0], 10, "rows"),
        ([np.nan], [0.0], 10, "non-finite"),
        ([1.0], [np.inf], 10, "non-finite"),
        ([360.0], [0.0], 10, "at most 100"),
        ([1.0], [10.0], 10, "at most 4"),
        ([1.0], [0.0], 0, "fps"),
        ([1.0], [0.0], np.nan, "fps"),
    ],
)
def test_impossible_motion_is_refused(speed, rate, fps, named):
    with pytest.raises(InputError, match=named):
        EgoMotion(np.array(speed), np.array(rate), fps)


def test_motion_is_frozen_and_leaves_its_source_alone():
    speed = np.ones(3)
    ego = EgoMotion(speed, np.zeros(3), 10.0)
    speed[0] = 7.0  # the caller's array stays writable, and is not the motion's
    assert ego.speed_mps[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        ego.speed_mps[0] = 2.0


def test_parts_and_extension():
    ego = EgoMotion(np.arange(5.0), np.zeros(5), 10.0)
    assert ego[1:3].speed_mps.tolist() == [1, 2]
    assert ego.extended(7).speed_mps.tolist() == [0, 1, 2, 3, 4, 4, 4] and len(ego.extended(2)) == 2


@pytest.mark.parametrize("bad", [np.zeros((1, 3)), np.zeros((4, 2)), np.full((3, 3), np.nan)])
def test_bad_planar_poses(bad):
    with pytest.raises(InputError, match="planar poses"):
        ego_from_planar_poses(bad, 10.0)


def test_bad_rows_and_transforms():
    with pytest.raises(InputError, match="pose rows"):
        ego_from_pose_rows(np.zeros((3, 8)), 10.0)
    with pytest.raises(InputError, match="zero rotation"):
        ego_from_pose_rows(np.zeros((3, 9)), 10.0)
    with pytest.raises(InputError, match="SE"):
        ego_from_se3(np.zeros((3, 3, 4)), 10.0)
    with pytest.raises(InputError, match=r"\(T, 2\)"):
        EgoMotion.from_array(np.zeros(3), 10.0)


def test_angles_fold():
    np.testing.assert_allclose(wrap_angle(np.array([0, 3 * np.pi, -3.5 * np.pi])), [0, -np.pi, 0.5 * np.pi])

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldgen.core.ego import EgoMotion, planar_poses, se3_from_planar
from worldgen.data.ingest.logs.trajectory import (
    arc_at,
    course_yaw,
    gps_plane,
    integral_at,
    planar_from_se3,
    quaternion_poses,
    vehicle_poses_from_camera,
)


def circle(times_s, speed=8.0, rate=0.4):
    yaw = rate * times_s
    return np.stack([speed / rate * np.sin(yaw), speed / rate * (1 - np.cos(yaw)), yaw], 1)


def test_a_circle_stays_a_circle_between_uneven_rows(rng):
    times_s = np.cumsum(rng.uniform(0.05, 1.0, 40))
    query_s = rng.uniform(times_s[0], times_s[-1], 200)
    np.testing.assert_allclose(arc_at(times_s, circle(times_s), query_s), circle(query_s), atol=1e-9)


def test_arcs_pass_through_rows_and_across_the_turn_of_the_angle():
    times_s = np.array([0.0, 1.0, 2.0])
    poses = np.array([[0, 0, 3.1], [-1, 0, -3.1], [-2, 0, 3.1]])
    np.testing.assert_allclose(arc_at(times_s, poses, times_s)[:, :2], poses[:, :2], atol=1e-12)
    half = arc_at(times_s, poses, np.array([0.5]))[0]
    assert abs(abs(half[2]) - np.pi) < 1e-9  # through pi, not through zero


def test_integral_of_a_line_is_exact(rng):
    times_s = np.array([0.0, 0.3, 1.0, 2.5])
    query_s = np.sort(rng.uniform(0, 2.5, 50))
    np.testing.assert_allclose(
        integral_at(times_s, 3 + 2 * times_s, query_s), 3 * query_s + query_s**2, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(integral_at(times_s, np.ones(4), times_s), times_s, atol=1e-12)


def test_rolled_out_poses_equal_the_planar_ones_and_ignore_slope(rng):
    ego = EgoMotion(rng.uniform(0, 20, 30), rng.uniform(-0.5, 0.5, 30), 5.0)
    flat = planar_poses(ego)
    np.testing.assert_allclose(planar_from_se3(se3_from_planar(flat)), flat, atol=1e-9)
    slope = np.eye(4)
    slope[:3, :3] = Rotation.from_euler("y", -0.1).as_matrix()
    np.testing.assert_allclose(planar_from_se3(slope @ se3_from_planar(flat)), flat, atol=1e-9)


def test_camera_axes_turn_into_vehicle_axes():
    # A camera that moves 2 m along its z (forward) and 1 m along its x (right), turned right by 0.2 about its y (down).
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("y", 0.2).as_matrix()
    pose[:3, 3] = [1, 0, 2]
    vehicle = vehicle_poses_from_camera(np.stack([np.eye(4), pose]))[1]
    np.testing.assert_allclose(vehicle[:3, 3], [2, -1, 0], atol=1e-12)
    assert np.arctan2(vehicle[1, 0], vehicle[0, 0]) == pytest.approx(-0.2)


def test_quaternions_agree_with_scipy(rng):
    rotation = Rotation.random(20, random_state=7)
    xyzw = rotation.as_quat()
    poses = quaternion_poses(rng.normal(size=(20, 3)), xyzw[:, [3, 0, 1, 2]])
    np.testing.assert_allclose(poses[:, :3, :3], rotation.as_matrix(), atol=1e-12)


def test_gps_distances():
    # One arc minute of latitude at 45 degrees is 1852.24 m on WGS 84, of longitude 1314.15 m (tables of the ellipsoid).
    east_north = gps_plane(np.array([45.0, 45 + 1 / 60, 45.0]), np.array([7.0, 7.0, 7 + 1 / 60]))
    assert east_north[1] == pytest.approx([0, 1852.2], abs=0.5)
    assert east_north[2] == pytest.approx([1314.2, 0], abs=0.5)
    across = gps_plane(np.array([10.0, 10.0]), np.array([179.9999, -179.9999]))
    assert 0 < across[1, 0] < 25  # over the date line, not round the world


def test_course_of_a_circle_and_of_a_standing_car(rng):
    times_s = np.arange(0, 10, 0.2)
    poses = circle(times_s)
    np.testing.assert_allclose(course_yaw(poses[:, :2]), poses[:, 2], atol=1e-6)
    assert (course_yaw(rng.normal(scale=0.05, size=(30, 2))) == 0).all()
    standing = np.concatenate([poses[:, :2], np.repeat(poses[-1:, :2], 20, 0)])
    np.testing.assert_allclose(course_yaw(standing)[-1], poses[-1, 2], atol=1e-6)

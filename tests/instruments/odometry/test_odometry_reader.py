"""Speed and yaw rate of rendered drives, whose motion is known, and of frames that show none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.scenario import Scenario
from worldgen.instruments.odometry.odometry_reader import read_odometry
from worldgen.instruments.odometry.point_tracks import PointTracks
from worldgen.instruments.odometry.speed_path import SPEEDS_MPS, smoothed_rates, smoothed_speeds
from worldgen.instruments.odometry.still_parts import MIN_FRAMES, still_parts, without_still_parts
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

CAMERA = Camera.from_fov(384, 216, 65.0, height_m=1.5, pitch_rad=math.radians(3))
FPS, FRAMES = 10.0, 36
TIMES_S = np.arange(FRAMES) / FPS


@pytest.fixture(scope="module")
def drive():
    """A drive that slows down and turns left, then right."""
    ego = EgoMotion(11 - 1.2 * TIMES_S, 0.25 * np.sin(TIMES_S * 1.8), FPS)
    scenario = Scenario(road="urban", weather="overcast", duration_s=(FRAMES - 1) / FPS)
    scene = simulate(scenario, 11, fps=FPS, num_frames=FRAMES, camera=CAMERA, ego=ego)
    return render_scene(scene).clip.frames, ego


def test_speed_and_yaw_rate_of_a_rendered_drive_and_how_sure_they_are(drive):
    frames, ego = drive
    motion = read_odometry(zip(TIMES_S, frames, strict=True), CAMERA, camera_given=True)
    assert not motion.unknown and motion.scale_sigma < 0.15
    np.testing.assert_allclose(motion.times_s, (TIMES_S[1:] + TIMES_S[:-1]) / 2)
    speed_error, yaw_error = motion.speed_mps - ego.speed_mps[1:], motion.yaw_rate_radps - ego.yaw_rate_radps[1:]
    assert np.corrcoef(motion.yaw_rate_radps, ego.yaw_rate_radps[1:])[0, 1] > 0.98
    assert np.median(np.abs(speed_error)) < 1.1 and np.median(np.abs(yaw_error)) < 0.02
    assert (np.abs(speed_error) < 2 * motion.speed_sigma_mps).mean() > 0.8
    assert not motion.uncertain(0.4, 0.05).all()


def test_speeds_scale_with_the_height_of_the_camera_and_turns_do_not(drive):
    frames, _ = drive
    low, high = (
        read_odometry(
            zip(TIMES_S, frames, strict=True), Camera.from_fov(384, 216, 65.0, height_m=height), camera_given=True
        )
        for height in (1.0, 1.5)
    )
    assert np.median(high.speed_mps / low.speed_mps) == pytest.approx(1.5, rel=0.05)
    np.testing.assert_allclose(low.yaw_rate_radps, high.yaw_rate_radps, atol=0.02)


def test_a_camera_that_nobody_states_makes_speeds_less_sure(drive):
    frames, _ = drive
    guessed = read_odometry(zip(TIMES_S, frames, strict=True), Camera.from_fov(384, 216), camera_given=False)
    assert guessed.scale_sigma > 0.2
    assert guessed.camera.pitch_rad == pytest.approx(CAMERA.pitch_rad, abs=0.05)
    assert any("state camera" in note for note in guessed.notes)


def test_frames_that_show_no_motion_say_why():
    dark = ((k / 10, np.full((54, 96, 3), 2, np.uint8)) for k in range(20))
    assert "too few points" in read_odometry(dark, Camera.from_fov(96, 54), camera_given=True).unknown
    texture = np.random.default_rng(0).integers(0, 256, (54, 96, 3), np.uint8)
    still = ((k / 10, texture) for k in range(20))
    assert "stands still" in read_odometry(still, Camera.from_fov(96, 54), camera_given=True).unknown
    assert "fewer than two" in read_odometry([(0.0, texture)], Camera.from_fov(96, 54), camera_given=True).unknown


def test_a_bonnet_is_found_and_the_passing_world_is_not():
    rng = np.random.default_rng(3)
    texture = rng.integers(0, 256, (200, 60), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [texture[300 - 12 * k : 300 - 12 * k + 120, :192].copy() for k in range(20)]
    for frame in frames:
        frame[96:] = 30
        frame[98:100] = 220
    still = still_parts(frames)
    assert still[100:].all() and still[:85].mean() < 0.05
    points = np.array([[50.0, 40.0], [50.0, 110.0]])
    assert len(without_still_parts(PointTracks(points, points, (192, 120)), still).before) == 1
    assert not still_parts(frames[: MIN_FRAMES - 1]).any()


def test_speeds_are_joined_over_pairs_that_show_nothing_or_another_car():
    truth = 8 + np.linspace(0, 3, 31)
    said = -0.5 * ((SPEEDS_MPS - truth[:, None]) / 0.3) ** 2
    said[10:14] = 0.0  # nothing
    said[20] = -0.5 * ((SPEEDS_MPS - 1.0) / 0.3) ** 2  # a car ahead
    mean, sigma = smoothed_speeds(said, np.full(31, 0.1))
    np.testing.assert_allclose(mean, truth, atol=0.55)
    assert sigma[12] > 1.05 * sigma[5]
    _, wide = smoothed_speeds(np.zeros((5, len(SPEEDS_MPS))), np.full(5, 0.1))
    assert wide.min() > 10.0


def test_the_smoother_of_rates_is_that_of_a_random_walk():
    """Against the closed form: the posterior of a Gaussian chain solved as one linear system."""
    rng = np.random.default_rng(5)
    rates, sigmas, change = rng.normal(0, 0.1, 12), np.full(12, 0.05), 0.5
    rates[4] = np.nan
    seconds = np.full(12, 0.1)
    known = np.isfinite(rates)
    precision = np.diag(known / sigmas**2)
    precision[0, 0] += 1.0
    step = 1 / (change * 0.1) ** 2
    for k in range(1, 12):
        precision[k - 1 : k + 1, k - 1 : k + 1] += step * np.array([[1, -1], [-1, 1]])
    covariance = np.linalg.inv(precision)
    mean, sigma = smoothed_rates(rates, sigmas, seconds, change)
    np.testing.assert_allclose(mean, covariance @ np.where(known, np.nan_to_num(rates) / sigmas**2, 0.0), atol=1e-9)
    np.testing.assert_allclose(sigma, np.sqrt(np.diag(covariance)), atol=1e-9)

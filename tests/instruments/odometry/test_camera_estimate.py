"""Cameras found in point tracks and in rendered clips, against the ones that made them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.instruments.odometry.camera_estimate import (
    FOCAL_SPREAD,
    HORIZON_SPREAD,
    USUAL_FOV_DEG,
    camera_of_pairs,
    estimate_camera,
)
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

from .still_world import seen_pairs

SIZE = (384, 216)
TURNS = EgoMotion(np.full(60, 8.0), 0.45 * np.sin(np.arange(60) / 10), 10.0)
STRAIGHT = EgoMotion(np.full(40, 12.0), np.zeros(40), 10.0)


@pytest.mark.parametrize(("fov_deg", "pitch_deg"), [(47.0, 0.0), (60.0, 6.0), (80.0, -3.0)])
def test_horizon_pitch_and_field_of_view_of_a_drive_with_turns(fov_deg, pitch_deg, rng):
    camera = Camera.from_fov(*SIZE, fov_deg, height_m=1.6, pitch_rad=math.radians(pitch_deg))
    found = camera_of_pairs(seen_pairs(camera, TURNS, rng, lever_m=1.5), SIZE, height_m=1.6)
    assert found.known and found.pairs >= 50
    assert found.camera.height_m == 1.6
    assert found.horizon_sigma_px < 3.0 and found.fov_sigma_deg < 14.0
    assert abs(found.camera.horizon_px - camera.horizon_px) < 2.5 * found.horizon_sigma_px
    assert abs(found.camera.fov_deg - fov_deg) < 2.5 * found.fov_sigma_deg
    assert abs(found.camera.pitch_rad - camera.pitch_rad) < 2.5 * found.pitch_sigma_rad
    assert abs(found.heading_px - 192.0) < 3 * found.heading_sigma_px


def test_a_straight_drive_shows_the_horizon_and_leaves_the_field_of_view_open(rng):
    camera = Camera.from_fov(*SIZE, 50.0, pitch_rad=0.05)
    found = camera_of_pairs(seen_pairs(camera, STRAIGHT, rng), SIZE)
    assert found.camera.horizon_px == pytest.approx(camera.horizon_px, abs=2.0)
    assert found.camera.fov_deg == pytest.approx(USUAL_FOV_DEG, abs=5.0)
    assert found.fov_sigma_deg > 10.0  # as wide as the expectation


def test_a_given_field_of_view_is_kept(rng):
    camera = Camera.from_fov(*SIZE, 95.0, pitch_rad=0.05)
    found = camera_of_pairs(seen_pairs(camera, STRAIGHT, rng), SIZE, fov_deg=95.0)
    assert found.camera.fov_deg == pytest.approx(95.0) and found.fov_sigma_deg < 3.0
    assert found.camera.pitch_rad == pytest.approx(0.05, abs=3 * found.pitch_sigma_rad)
    assert found.pitch_sigma_rad < 0.02


@pytest.mark.slow
def test_a_rendered_drive_shows_its_camera():
    camera = Camera.from_fov(*SIZE, 62.0, height_m=1.5, pitch_rad=math.radians(4))
    ego = EgoMotion(np.full(30, 9.0), 0.3 * np.sin(np.arange(30) / 6), 10.0)
    scenario = Scenario(road="urban", duration_s=2.9)
    frames = render_scene(simulate(scenario, 3, fps=10.0, num_frames=30, camera=camera, ego=ego)).clip.frames
    found = estimate_camera(frames, height_m=1.5)
    assert found.known
    assert abs(found.camera.horizon_px - camera.horizon_px) < 2.5 * found.horizon_sigma_px < 15
    assert abs(found.camera.fov_deg - 62.0) < 2.5 * found.fov_sigma_deg
    # At another size, the same camera.
    small = estimate_camera(frames[:, ::2, ::2].copy(), height_m=1.5)
    assert small.camera.width_px == 192
    assert 2 * small.camera.horizon_px == pytest.approx(found.camera.horizon_px, abs=6.0)


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        (np.full((9, 54, 96, 3), 3, np.uint8), "too few points"),
        (np.random.default_rng(1).integers(0, 256, (1, 54, 96, 1), np.uint8).repeat(9, 0).repeat(3, 3), "stands still"),
        (np.random.default_rng(2).integers(0, 256, (1, 54, 96, 3), np.uint8), "too few points"),
    ],
)
def test_frames_that_show_no_camera_say_why_and_how_little_is_known(frames, why):
    found = estimate_camera(frames)
    assert not found.known and why in found.unknown
    assert found.camera == Camera.from_fov(96, 54, USUAL_FOV_DEG)
    assert found.horizon_sigma_px == pytest.approx(HORIZON_SPREAD * 54)
    assert found.fov_sigma_deg == pytest.approx(FOCAL_SPREAD * 54, rel=0.2)  # d fov / d ln f = sin(fov) = 54 degrees


def test_arrays_that_are_no_frames_are_refused():
    with pytest.raises(InputError, match="frames to estimate a camera from"):
        estimate_camera(np.zeros((4, 9, 9, 2), np.uint8))
    with pytest.raises(InputError, match="at least one"):
        estimate_camera(np.zeros((0, 9, 9, 3), np.uint8))

"""Turns and headings of a pair of frames against a world whose motion is known."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.instruments.odometry.pair_geometry import Heading, solve_pair
from worldgen.instruments.odometry.point_tracks import MAX_WIDTH_PX, PointTracks, follow_points, grey_frame

from .still_world import seen_pairs

CAMERA = Camera.from_fov(384, 216, 65.0, pitch_rad=0.03)
HEADING = Heading(192.0, CAMERA.horizon_px, 5.0)


@pytest.mark.parametrize("yaw_rate", [0.4, -0.15, 0.0])
def test_the_turn_of_a_pair_is_found_with_its_sign(yaw_rate, rng):
    ego = EgoMotion(np.full(4, 9.0), np.full(4, yaw_rate), 10.0)
    solved = [solve_pair(pair, CAMERA.fx_px, HEADING) for pair in seen_pairs(CAMERA, ego, rng, gap=1)]
    # Turning left is negative about the axis that points down.
    turns = np.array([s.turn_rad for s in solved])
    np.testing.assert_allclose(-turns[:, 1], yaw_rate / 10 * np.cos(CAMERA.pitch_rad), atol=1.2e-3)
    np.testing.assert_allclose(turns[:, 0], 0.0, atol=1.2e-3)
    errors = (-turns[:, 1] - yaw_rate / 10 * np.cos(CAMERA.pitch_rad)) / [s.sigma[1] for s in solved]
    assert np.abs(errors).max() < 4.5


def test_points_that_move_by_themselves_lose_their_weight(rng):
    pair = seen_pairs(CAMERA, EgoMotion(np.full(2, 9.0), np.full(2, 0.2), 10.0), rng, gap=1)[0]
    moved = pair.after.copy()
    others = np.arange(len(moved)) < 60
    moved[others] += [6.0, 4.0]
    solved = solve_pair(PointTracks(pair.before, moved, pair.size_px), CAMERA.fx_px, HEADING)
    assert solved.turn_rad[1] == pytest.approx(-0.02, abs=1.5e-3)
    assert np.median(solved.weights[others]) < 0.2 < 0.6 < np.median(solved.weights[~others])


def test_followed_points_step_as_the_picture_does(rng):
    texture = rng.integers(0, 256, (60, 100), np.uint8).repeat(4, 0).repeat(4, 1)
    before, after = texture[20:164, 20:244], texture[17:161, 24:248]
    tracks = follow_points(before, after)
    assert len(tracks.before) > 150
    np.testing.assert_allclose(np.median(tracks.after - tracks.before, 0), [-4.0, 3.0], atol=0.02)
    assert len(tracks.where(tracks.flow_px > 4).before) > 140


def test_nothing_is_followed_where_there_is_no_texture():
    flat = np.full((64, 96), 90, np.uint8)
    assert follow_points(flat, flat).before.shape == (0, 2)


def test_large_frames_are_shrunk_and_grey_ones_are_taken_as_they_are(rng):
    frame = rng.integers(0, 256, (540, 960, 3), np.uint8)
    assert grey_frame(frame).shape == (270, MAX_WIDTH_PX)
    grey = Clip(frame[None], 1.0).frames[0, :100, :200, 0]
    assert grey_frame(grey) is grey

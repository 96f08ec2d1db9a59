from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import LANE_WIDTH_M, MANOEUVRES, MAX_LATERAL_MPS2, classify_manoeuvre, manoeuvre_motion


@pytest.mark.parametrize("fps", [5.0, 10.0, 12.5, 29.97])
@pytest.mark.parametrize("speed_mps", [5.0, 8.0, 12.0, 15.0])
@pytest.mark.parametrize("name", MANOEUVRES)
def test_a_made_manoeuvre_is_recognised(name, speed_mps, fps):
    assert classify_manoeuvre(manoeuvre_motion(name, round(4 * fps), fps, speed_mps=speed_mps)) == name


@pytest.mark.parametrize("name", ["keep", "accelerate", "brake", "stop"])
@pytest.mark.parametrize("speed_mps", [3.0, 20.0, 30.0])
def test_straight_manoeuvres_are_recognised_at_any_speed(name, speed_mps):
    assert classify_manoeuvre(manoeuvre_motion(name, 80, 10.0, speed_mps=speed_mps)) == name


@pytest.mark.parametrize("name", MANOEUVRES)
@pytest.mark.parametrize("frames", [1, 2, 8, 240])
def test_any_length_is_physical(name, frames):
    ego = manoeuvre_motion(name, frames, 10.0, speed_mps=10.0)
    assert len(ego) == frames and ego.speed_mps.min() >= 0
    if frames >= 40:  # shorter clips must hurry a lane change
        assert np.abs(ego.speed_mps * ego.yaw_rate_radps).max() <= MAX_LATERAL_MPS2 + 1e-6


def test_left_is_the_mirror_of_right():
    for name in ("turn", "lane"):
        left, right = (manoeuvre_motion(f"{name}_{side}", 40, 10.0) for side in ("left", "right"))
        np.testing.assert_array_equal(left.yaw_rate_radps, -right.yaw_rate_radps)
        np.testing.assert_array_equal(left.speed_mps, right.speed_mps)
        assert planar_poses(left)[-1, 1] > 1


def test_what_the_words_promise():
    turn = planar_poses(manoeuvre_motion("turn_left", 100, 10.0, speed_mps=7.0))
    assert turn[-1, 2] == pytest.approx(math.pi / 2, abs=0.05)
    lane = planar_poses(manoeuvre_motion("lane_right", 40, 10.0, speed_mps=10.0))
    assert lane[-1, 1] == pytest.approx(-LANE_WIDTH_M, abs=0.1) and abs(lane[-1, 2]) < 0.02
    brake = manoeuvre_motion("brake", 80, 10.0, speed_mps=12.0)
    assert brake.speed_mps[-1] == 6.0 and (np.diff(brake.speed_mps) <= 0).all()
    assert manoeuvre_motion("stop", 80, 10.0, speed_mps=12.0).speed_mps[-1] == 0.0


def test_a_bend_in_the_road_is_not_a_lane_change():
    ego = EgoMotion(np.full(40, 10.0), np.full(40, 0.05), 10.0)  # 11 degrees over 4 s, heading kept at the end
    assert classify_manoeuvre(ego) == "keep"


def test_unknown_words_name_the_nearest():
    with pytest.raises(InputError, match=r"did you mean turn_left\?"):
        manoeuvre_motion("turn-left", 10, 10.0)
    with pytest.raises(InputError, match="one of keep"):
        manoeuvre_motion("xyz", 10, 10.0)

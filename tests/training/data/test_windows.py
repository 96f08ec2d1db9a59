"""Windows: what is cut, and that a mirrored window is the mirror image in every respect."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError
from worldgen.training.data.windows import (
    ClipRecord,
    cut_window,
    mirror_camera,
    mirror_text,
    names_a_side,
    window_at,
    window_ego,
)
from worldgen.training.train_config import DataConfig


def ego(frames=20):
    t = np.arange(frames)
    return EgoMotion(5 + 0.1 * t, 0.2 * np.sin(t / 3), 10.0)


def record(frames=20, caption="turn_left at the light"):
    return ClipRecord("clip", caption, 10.0, frames, ego(frames), Camera(64, 32, 50, 50, 30, 16))


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("turn left, cars on the right", "turn right, cars on the left"),
        ("Left lane; turn_right", "Right lane; turn_left"),
        ("a bright leftover", "a bright leftover"),
        ("the rightmost left-hand lane", "the leftmost right-hand lane"),
        ("copyright upright", "copyright upright"),
        ("RIGHT", "LEFT"),
    ],
)
def test_captions_swap_sides_and_back(text, mirrored):
    assert mirror_text(text) == mirrored
    assert mirror_text(mirrored) == text


def test_mirrored_window_turns_the_other_way_and_keeps_its_speed():
    plain = window_at(record(), DataConfig(num_frames=8), start=3)
    mirrored = window_at(record(), DataConfig(num_frames=8), start=3, mirrored=True)
    assert np.array_equal(plain.ego.speed_mps, mirrored.ego.speed_mps)
    a, b = planar_poses(plain.ego), planar_poses(mirrored.ego)
    assert np.allclose(a * [1, -1, -1], b)
    assert mirrored.caption == "turn_right at the light"


def test_mirrored_camera_sees_the_mirror_image():
    camera = Camera(64, 32, 50, 50, 30, 16, pitch_rad=0.1)
    points = np.array([[10.0, 2.0, 0.5], [20.0, -3.0, 0.0]])
    u = camera.project(points)[0]
    v = mirror_camera(camera).project(points * [1, -1, 1])[0]
    assert np.allclose(v, np.stack([64 - u[:, 0], u[:, 1]], 1))


def test_a_strided_window_turns_by_the_same_angle_in_the_same_time():
    whole = ego(21)
    strided = window_ego(whole, 0, 4, 6)
    assert strided.fps == 2.5
    fine, coarse = planar_poses(whole), planar_poses(strided)
    assert np.allclose(fine[::4, 2], coarse[:, 2])
    assert np.abs(fine[::4, :2] - coarse[:, :2]).max() < 0.02  # metres over 12 m


def test_windows_stay_inside_the_clip_and_reach_both_ends(rng):
    config = DataConfig(num_frames=5, strides=(1, 3, 9))
    seen = set()
    for _ in range(300):
        window = cut_window(record(14), config, rng)
        frames = range(14)[window.frames]
        assert len(frames) == 5 == len(window.ego)
        seen.add((frames[0], frames[-1], window.stride))
    assert {(0, 4, 1), (9, 13, 1), (0, 12, 3), (1, 13, 3)} <= seen
    assert {stride for *_, stride in seen} == {1, 3}


def test_flips_are_skipped_where_the_caption_names_a_side(rng):
    config = DataConfig(num_frames=5, flip=1.0, flip_text="skip")
    assert not cut_window(record(), config, rng).mirrored
    assert cut_window(record(caption="bright day"), config, rng).mirrored
    assert names_a_side("to the right") and not names_a_side("brightly")


def test_too_short_a_clip_is_refused(rng):
    with pytest.raises(InputError, match="frames of clip clip: received 4; expected at least 5"):
        cut_window(record(4), DataConfig(num_frames=5), rng)

"""Flow on the geometry of the camera: known motion over a known plane."""

from __future__ import annotations

import numpy as np
import pytest

from tests.instruments.worlds import plane_clip, steady
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.instruments.motion.motion_features import CHANNELS, COLUMNS, ROWS, mirrored, pair_features

CAMERAS = [
    Camera.from_fov(224, 128, 70.0, height_m=1.4, pitch_rad=0.03),
    Camera.from_fov(224, 128, 55.0, height_m=2.2, pitch_rad=0.0),
    Camera.from_fov(448, 256, 70.0, height_m=1.4, pitch_rad=0.05),
]


def channel(features: np.ndarray, name: str) -> np.ndarray:
    return features[:, CHANNELS.index(name)]


@pytest.mark.parametrize("camera", CAMERAS, ids=["usual", "high and narrow", "large picture"])
@pytest.mark.parametrize("speed_mps", [2.0, 5.0])
def test_ground_cells_tell_the_speed(camera, speed_mps):
    features = pair_features(plane_clip(steady(speed_mps, 0.0), camera), camera)
    assert features.shape == (3, len(CHANNELS), ROWS, COLUMNS)
    slope = channel(features, "ground_slope")
    near = (slope > 0.12) & (slope < 0.3)
    seen = 10 * np.sinh(channel(features, "speed_if_ground")[near])
    assert np.median(seen) == pytest.approx(speed_mps, rel=0.15)


@pytest.mark.parametrize("yaw_rate", [-0.3, 0.1])
def test_far_cells_tell_the_yaw_rate_with_its_sign(yaw_rate):
    camera = CAMERAS[0]
    features = pair_features(plane_clip(steady(0.0, yaw_rate), camera), camera)
    far = channel(features, "ground_slope") < -0.05
    assert np.median(channel(features, "yaw_rate_if_far")[far]) == pytest.approx(yaw_rate, rel=0.1, abs=0.01)


def test_mirroring_the_features_is_mirroring_the_clip():
    camera = CAMERAS[0]
    clip = plane_clip(steady(4.0, 0.2), camera)
    flipped = Clip(clip.frames[:, :, ::-1].copy(), clip.fps)
    given, wanted = mirrored(pair_features(clip, camera)), pair_features(flipped, camera)
    exact = [CHANNELS.index(n) for n in ("ray_right", "ground_slope", "texture", "brightness")]
    assert np.allclose(given[:, exact], wanted[:, exact], atol=0.02)  # texture is a root of a small difference
    turn = CHANNELS.index("yaw_rate_if_far")
    assert np.median(np.abs(given[:, turn] - wanted[:, turn])) < 0.01  # the search for flow has a direction


def test_a_still_scene_has_no_flow_and_no_mismatch():
    frames = plane_clip(steady(0.0, 0.0), CAMERAS[0])
    features = pair_features(frames, CAMERAS[0])
    for name in ("flow_right", "flow_down", "mismatch"):
        assert np.abs(channel(features, name)).max() < 1e-3
    assert pair_features(frames[:1], CAMERAS[0]).shape == (0, len(CHANNELS), ROWS, COLUMNS)

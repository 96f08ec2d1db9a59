"""A right turn at 10 m/s, logged in every kind of axes, is a right turn at 10 m/s."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.axes import AXES
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log
from worldgen.data.ingest.logs.motion_from_log import motion_from_log
from worldgen.files.config_files import load_config

TIMES_S = np.arange(0, 8.05, 0.1)
SPEED, RATE = 10.0, -0.2  # to the right
YAW = RATE * TIMES_S
PATH_M = np.stack([SPEED / RATE * np.sin(YAW), SPEED / RATE * (1 - np.cos(YAW)), 0 * YAW], 1)


def write(path, **columns):
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(f"{v:.9g}" for v in row) for row in rows)]))
    return path


def motion(path, config):
    frames_s = np.arange(0, 8, 0.125)
    ego = motion_from_log(read_ego_log(path, config), config, frames_s).ego(frames_s[8:60], 8.0, before_s=frames_s[7])
    return ego.speed_mps, ego.yaw_rate_radps


@pytest.mark.parametrize("name", AXES)
def test_quaternion_poses_turn_right_in_their_axes(tmp_path, name):
    """Poses are moved into the axes by mirroring the world and the vehicle alike, with matrices, not quaternions."""
    change = AXES[name].to_vehicle
    position = PATH_M @ change  # p = M^T p'
    rotation = change.T @ Rotation.from_euler("z", YAW[:, None]).as_matrix() @ change
    x, y, z, w = Rotation.from_matrix(rotation).as_quat().T
    path = write(
        tmp_path / "a.csv",
        time_s=TIMES_S,
        x_m=position[:, 0],
        y_m=position[:, 1],
        z_m=position[:, 2],
        qw=w,
        qx=x,
        qy=y,
        qz=z,
    )
    speed, yaw_rate = motion(path, EgoLogConfig(axes=name))
    np.testing.assert_allclose(speed, SPEED, rtol=1e-5)
    np.testing.assert_allclose(yaw_rate, RATE, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "side", "yaw_sign"),
    [("vehicle", 1, 1), ("ros", 1, 1), ("nuscenes", 1, 1), ("kitti", 1, 1), ("forward_right_down", -1, -1),
     ("forward_right_up", -1, -1), ("airsim", -1, -1), ("carla", -1, -1), ("comma", -1, -1)],
)  # fmt: skip
def test_planar_poses_and_yaw_rates_follow_the_same_setting(tmp_path, name, side, yaw_sign):
    path = write(tmp_path / "a.csv", time_s=TIMES_S, x_m=PATH_M[:, 0], y_m=side * PATH_M[:, 1], yaw_rad=yaw_sign * YAW)
    speed, yaw_rate = motion(path, EgoLogConfig(axes=name))
    np.testing.assert_allclose(speed, SPEED, rtol=1e-6)
    np.testing.assert_allclose(yaw_rate, RATE, rtol=1e-6)
    path = write(
        tmp_path / "b.csv", time_s=TIMES_S, speed_mps=0 * YAW + SPEED, yaw_rate_radps=0 * YAW + yaw_sign * RATE
    )
    np.testing.assert_allclose(motion(path, EgoLogConfig(axes=name))[1], RATE)
    path = write(tmp_path / "c.csv", time_s=TIMES_S, x_m=PATH_M[:, 0], y_m=side * PATH_M[:, 1])
    np.testing.assert_allclose(motion(path, EgoLogConfig(axes=name))[1], RATE, rtol=1e-3)  # the course of positions


def test_camera_axes_have_their_ground_plane_in_x_and_z(tmp_path):
    path = write(tmp_path / "a.csv", time_s=TIMES_S, x_m=-PATH_M[:, 1], z_m=PATH_M[:, 0], yaw_rad=-YAW)
    speed, yaw_rate = motion(path, EgoLogConfig(axes="camera"))
    np.testing.assert_allclose(speed, SPEED, rtol=1e-6)
    np.testing.assert_allclose(yaw_rate, RATE, rtol=1e-6)
    flat = write(tmp_path / "b.csv", time_s=TIMES_S, x_m=PATH_M[:, 0], y_m=PATH_M[:, 1])
    with pytest.raises(InputError, match="x and y without z in camera axes"):
        read_ego_log(flat, EgoLogConfig(axes="camera"))


@pytest.mark.parametrize(("axes", "sign"), [("airsim", -1), ("carla", -1), ("comma", 1), ("ros", 1), ("vehicle", 1)])
def test_steering_follows_the_source(tmp_path, axes, sign):
    path = write(tmp_path / "a.csv", time_s=TIMES_S, speed_mps=0 * YAW + 5, steering_rad=0 * YAW + 0.1)
    expected = sign * 5 * np.tan(0.1) / 2.7
    np.testing.assert_allclose(motion(path, EgoLogConfig(axes=axes, wheelbase_m=2.7))[1], expected)
    stated = EgoLogConfig(axes=axes, wheelbase_m=2.7, steering_positive="right")
    np.testing.assert_allclose(motion(path, stated)[1], -5 * np.tan(0.1) / 2.7)


def test_a_stated_side_of_yaw_wins_over_the_axes(tmp_path):
    path = write(tmp_path / "a.csv", time_s=TIMES_S, speed_mps=0 * YAW + 5, yaw_rate_radps=0 * YAW + 0.1)
    np.testing.assert_allclose(motion(path, EgoLogConfig(axes="comma", yaw_positive="left"))[1], 0.1)


def test_the_axes_that_were_taken_are_said_unless_they_are_stated(tmp_path):
    path = write(tmp_path / "a.csv", time_s=TIMES_S, x_m=PATH_M[:, 0], y_m=PATH_M[:, 1], yaw_rad=YAW)
    assert "poses taken in axes x forward, y left" in " ".join(read_ego_log(path).notes)
    assert not read_ego_log(path, EgoLogConfig(axes="vehicle")).notes


def test_the_old_name_of_the_setting_is_answered_with_the_new_one():
    with pytest.raises(InputError, match=r"'pose_axes'; expected axes"):
        load_config(EgoLogConfig, [], ["pose_axes=camera"])
    assert load_config(EgoLogConfig, [], ["axes=carla", "steering_positive=left"]).steering_sign == 1

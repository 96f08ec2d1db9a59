"""Columns that contradict each other are named, with the setting that makes them agree; those that agree are silent."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log
from worldgen.data.ingest.logs.motion_from_log import motion_from_log

TIMES_S = np.arange(0, 40.05, 0.1)
RATE = 0.25 * np.sin(TIMES_S / 3)  # to both sides
YAW = np.concatenate([[0], np.cumsum((RATE[1:] + RATE[:-1]) / 2 * 0.1)])
SPEED = 9 + 3 * np.cos(TIMES_S / 5)
X, Y = (
    np.concatenate([[0], np.cumsum(((SPEED * f(YAW))[1:] + (SPEED * f(YAW))[:-1]) / 2 * 0.1)]) for f in (np.cos, np.sin)
)
STATED = {"axes": "vehicle"}


def notes_of(path, config=None, **columns):
    rows = zip(TIMES_S, *columns.values(), strict=True)
    path.write_text("\n".join([",".join(["time_s", *columns]), *(",".join(f"{v:.9g}" for v in row) for row in rows)]))
    config = EgoLogConfig(**(STATED | (config or {})))
    log = read_ego_log(path, config)
    return " / ".join([*log.notes, *motion_from_log(log, config, TIMES_S).notes])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.csv"


POSES = {"x_m": X, "y_m": Y, "yaw_rad": YAW}


def test_columns_that_agree_are_silent(path, rng):
    every = {**POSES, "speed_mps": SPEED * 1.03, "yaw_rate_radps": RATE + rng.normal(scale=0.01, size=len(RATE))}
    assert notes_of(path, {"wheelbase_m": 2.7}, **every, steering_rad=np.arctan(2.7 * RATE / SPEED)) == ""
    still = {name: 0 * values for name, values in every.items()}
    assert notes_of(path, **still) == ""


@pytest.mark.parametrize(
    ("factor", "column", "words"),
    [
        (2.0, "speed_mps", r"column speed_mps is 2 times the speed of x_m and y_m: .*\{speed_mps: ignore\}"),
        (3.6, "speed_mps", r"it would agree in kmh, ego\.columns: \{speed_mps: speed_kmh\}"),
        (2.23694, "speed_mps", r"it would agree in mph, ego\.columns: \{speed_mps: speed_mph\}"),
        (3.6 * 1.609344, "speed_kmh", r"it would agree in mph"[:0] + r"column speed_kmh is 1\.61 times"),
        (1.0, "speed_kmh", r"it would agree in mps, ego\.columns: \{speed_kmh: speed_mps\}"),
    ],
)
def test_a_speed_that_is_not_that_of_the_positions(path, factor, column, words):
    assert_match(words, notes_of(path, **POSES, **{column: SPEED * factor}))


def assert_match(words, text):
    import re

    assert re.search(words, text), text


def test_a_speed_against_gps_positions(path):
    lat, lon = 48 + Y / 111_200, 11 + X / (111_320 * np.cos(np.radians(48)))
    assert "column speed_mps is 2 times the speed of lat_deg and lon_deg" in notes_of(
        path, lat_deg=lat, lon_deg=lon, speed_mps=2 * SPEED, yaw_rate_radps=RATE
    )


@pytest.mark.parametrize(
    ("columns", "config", "words"),
    [
        ({**POSES, "yaw_rad": -YAW}, {}, r"positions x_m and y_m and column yaw_rad turn opposite.*ego\.axes.*right"),
        ({**POSES, "y_m": -Y, "yaw_rad": -YAW}, {"yaw_positive": "right"}, r"turn opposite ways.*forward_right_up"),
        ({"speed_mps": SPEED, "x_m": X, "y_m": Y, "yaw_rate_radps": -RATE}, {}, r"column yaw_rate_radps and "
         r"positions .*turn opposite ways.*ego\.yaw_positive: right"),
        ({"speed_mps": SPEED, "yaw_rate_radps": RATE, "heading_rad": YAW + 1}, {}, "yaw_rate_radps and column "
         "heading_rad turn opposite ways"),
        ({"speed_mps": SPEED, "yaw_rate_radps": RATE, "steering_rad": -RATE / SPEED}, {}, r"column steering_rad turn "
         r"opposite ways \(correlation -1\.00\).*ego\.steering_positive: right"),
        ({**POSES, "steering_unit": -RATE / SPEED}, {}, r"steering_unit turn opposite ways.*used as a check only"),
        ({**POSES, "yaw_rate_radps": RATE * 3}, {}, r"column yaw_rate_radps turns 3\.?\d* times as fast as positions"),
        ({**POSES, "yaw_rate_degps": RATE}, {}, "yaw_rate_degps turns 0.017.*would agree in radps"),
    ],
)  # fmt: skip
def test_columns_that_turn_differently(path, columns, config, words):
    assert_match(words, notes_of(path, config, **columns))


@pytest.mark.parametrize("degrees", [90, 180, -60])
def test_a_yaw_that_counts_from_another_axis(path, degrees):
    said = notes_of(path, **{**POSES, "yaw_rad": YAW + np.radians(degrees)}, speed_mps=SPEED)
    assert f"column yaw_rad points {'+' if degrees > 0 else ''}{degrees}".replace("+180", "") in said.replace(
        "-180", "+180"
    )
    assert "ego.columns: {yaw_rad: ignore}" in said


QUATERNION = {"qw": np.cos(YAW / 2), "qx": 0 * YAW, "qy": 0 * YAW, "qz": np.sin(YAW / 2)}
PLACES = {"x_m": X, "y_m": Y, "z_m": 0 * X}


def test_quaternions_along_the_travel_are_silent(path):
    assert notes_of(path, **PLACES, **QUATERNION) == ""


def test_the_order_of_a_quaternion_is_checked(path):
    xyzw = dict(zip(("q0", "q1", "q2", "q3"), (QUATERNION[k] for k in ("qx", "qy", "qz", "qw")), strict=True))
    wxyz = dict(zip(("q0", "q1", "q2", "q3"), QUATERNION.values(), strict=True))
    with pytest.raises(InputError, match=r"column q0: received a quaternion whose order is not stated; expected ego"):
        notes_of(path, **PLACES, **xyzw)
    assert notes_of(path, {"quaternion_order": "xyzw"}, **PLACES, **xyzw) == ""
    assert notes_of(path, {"quaternion_order": "wxyz"}, **PLACES, **wxyz) == ""
    with pytest.raises(
        InputError, match=r"away from the direction of travel.*the real part last.*quaternion_order: xyzw"
    ):
        notes_of(path, {"quaternion_order": "wxyz"}, **PLACES, **xyzw)
    with pytest.raises(
        InputError, match=r"away from the direction of travel.*the real part first.*quaternion_order: wxyz"
    ):
        notes_of(path, {"quaternion_order": "xyzw"}, **PLACES, **wxyz)


def test_camera_poses_in_the_axes_of_a_vehicle_are_refused(path):
    from scipy.spatial.transform import Rotation

    from worldgen.data.ingest.logs.axes import CAMERA

    turned = CAMERA.T @ Rotation.from_euler("z", YAW[:, None]).as_matrix() @ CAMERA
    x, y, z, w = Rotation.from_matrix(turned).as_quat().T
    place = np.stack([X, Y, 0 * X], 1) @ CAMERA
    columns = {"x_m": place[:, 0], "y_m": place[:, 1], "z_m": place[:, 2], "qw": w, "qx": x, "qy": y, "qz": z}
    with pytest.raises(InputError, match=r"away from the direction of travel.*ego\.axes: camera"):
        notes_of(path, **columns)
    assert notes_of(path, {"axes": "camera"}, **columns) == ""

"""Axes and handedness of poses and angles in logs, and their conversion to x forward, y left, z up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

AxesName = Literal[
    "vehicle",
    "camera",
    "forward_right_down",
    "forward_right_up",
    "airsim",
    "carla",
    "comma",
    "ros",
    "nuscenes",
    "kitti",
]
Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class Axes:
    """Axes of a log. to_vehicle: ``(3, 3)`` orthogonal; rows are x forward, y left, z up in the axes of the log; its
    determinant is -1 for left-handed axes. steering_positive: side of positive steering angles."""

    to_vehicle: np.ndarray
    steering_positive: Side = "left"

    @property
    def yaw_sign(self) -> float:
        """1 where positive yaw turns left, -1 where it turns right.

        Positive yaw turns x towards y (camera axes: z towards x), as the formulas of rotations do whatever the hand.
        """
        up = self.to_vehicle[2]
        vertical = int(np.abs(up).argmax())
        return float(np.linalg.det(self.to_vehicle) * up[vertical])


VEHICLE = np.eye(3)
CAMERA = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
FORWARD_RIGHT_DOWN = np.diag([1.0, -1, -1])
FORWARD_RIGHT_UP = np.diag([1.0, -1, 1])

AXES: dict[str, Axes] = {
    "vehicle": Axes(VEHICLE),
    "camera": Axes(CAMERA),
    "forward_right_down": Axes(FORWARD_RIGHT_DOWN),
    "forward_right_up": Axes(FORWARD_RIGHT_UP),
    "airsim": Axes(FORWARD_RIGHT_DOWN, "right"),
    "carla": Axes(FORWARD_RIGHT_UP, "right"),
    "comma": Axes(FORWARD_RIGHT_DOWN),
    "ros": Axes(VEHICLE),
    "nuscenes": Axes(VEHICLE),
    "kitti": Axes(VEHICLE),
}
"""``ego.axes`` -> its axes. World axes have the hand of those of the vehicle (NED with forward right down).

- ``vehicle``: x forward, y left, z up, yaw positive to the left.
- ``camera``: x right, y down, z forward (OpenCV, TUM, KITTI odometry), yaw about y, positive to the right.
- ``forward_right_down``: aircraft axes, right-handed, with NED or ECEF worlds; yaw positive to the right.
- ``forward_right_up``: Unreal Engine, left-handed; yaw positive to the right.
- ``airsim``: NED (https://microsoft.github.io/AirSim/apis/#coordinate-system); steering positive to the right.
- ``carla``: left-handed (https://carla.readthedocs.io/en/latest/python_api/#carla.Location); steering to the right.
- ``comma``: device frame, forward right down (openpilot, common/transformations); steering positive to the left.
- ``ros``: REP 103 (https://www.ros.org/reps/rep-0103.html). ``nuscenes``: ego poses. ``kitti``: OXTS of the raw data.
"""


def positions_in_vehicle_axes(position_m: np.ndarray, axes: Axes) -> np.ndarray:
    """Positions ``(M, 3)`` in metres in axes of x forward, y left, z up."""
    return position_m @ axes.to_vehicle.T


def quaternions_in_vehicle_axes(wxyz: np.ndarray, axes: Axes) -> np.ndarray:
    """Rotations ``(M, 4)`` w x y z from vehicle to world, both in axes of x forward, y left, z up.

    A change of axes by an orthogonal M turns the vector part v into ``det(M) M v``: axes of rotation are pseudovectors.
    """
    sign = np.sign(np.linalg.det(axes.to_vehicle))
    return np.concatenate([wxyz[:, :1], sign * wxyz[:, 1:] @ axes.to_vehicle.T], 1)

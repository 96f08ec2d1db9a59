"""Ego motion as the actions of Cosmos 3's domain "av", and back.

An action is the pose of the next frame's camera in the camera of the frame before, ``T_i^-1 T_{i+1}``: translation in
metres and the first two columns of the rotation, in OpenCV axes (x right, y down, z forward), ten times a second.
Source: NVIDIA/cosmos, cookbooks/cosmos3/generator/action; cosmos-framework, pose_abs_to_rel "backward_framewise" and
the column form of the 6-D rotation of Zhou et al. 2019 (arXiv:1812.07035).
"""

from __future__ import annotations

import math

import numpy as np

from worldgen.core.ego import MAX_SPEED_MPS, MAX_YAW_RATE_RADPS, EgoMotion, pose_rows
from worldgen.core.errors import InputError, Received

ACTION_FPS = 10.0
"""Actions per second that the domain was trained with."""
TRANSLATION_SCALE = 1.35
"""Factor on the metres of a trajectory before the network reads them (the ``translation_scale`` of the cookbook)."""
ROW_WIDTH = 9


def camera_axes(pitch_rad: float = 0.0) -> np.ndarray:
    """``(3, 3)`` matrix from camera axes (x right, y down, z forward) to ego axes (x forward, y left, z up).

    pitch_rad: angle of the camera below the horizon.
    """
    cos, sin = math.cos(pitch_rad), math.sin(pitch_rad)
    return np.array([[0.0, -sin, cos], [-1.0, 0.0, 0.0], [0.0, -cos, -sin]])


def action_rows(ego: EgoMotion, *, pitch_rad: float = 0.0, scale: float = TRANSLATION_SCALE) -> np.ndarray:
    """Actions ``(T - 1, 9)`` float64 between the T frames of an ego motion at 10 frames per second.

    The camera stands above the origin of the ego frame, so its height changes nothing on flat ground.

    Raises: InputError for another rate, and for fewer than two frames.
    """
    check_action_rate(ego.fps)
    if len(ego) < 2:
        raise InputError("ego motion rows", len(ego), "at least 2, because actions lie between frames")
    rows = pose_rows(ego)[1:]  # row 0 is the motion before the clip
    axes = camera_axes(pitch_rad)
    first, second = rows[:, 3:6], rows[:, 6:9]
    rotation = np.stack([first, second, np.cross(first, second)], axis=2)
    seen = axes.T @ rotation @ axes
    return np.concatenate([scale * rows[:, :3] @ axes, seen[:, :, 0], seen[:, :, 1]], axis=1)


def ego_from_actions(rows: np.ndarray, *, pitch_rad: float = 0.0, scale: float = TRANSLATION_SCALE) -> EgoMotion:
    """The planar ego motion of actions ``(T - 1, 9)``: T rows at 10 frames per second, the inverse of
    :func:`action_rows`. Row 0, which actions do not say, is that of row 1.

    Rotations that a network wrote are made orthonormal first (Gram-Schmidt, as for the 6-D form). Motion that no ego
    motion can hold is cut to its limits: a network may read anything from a clip that is no drive.

    Raises: InputError for another shape, for numbers that are not finite, and for columns that span no plane.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != ROW_WIDTH or not len(rows) or not np.isfinite(rows).all():
        raise InputError("actions", Received(f"shape {rows.shape}"), "(N, 9) finite numbers: translation, 6-D rotation")
    first = _unit(rows[:, 3:6])
    second = _unit(rows[:, 6:9] - (rows[:, 6:9] * first).sum(1, keepdims=True) * first)
    axes = camera_axes(pitch_rad)
    rotation = axes @ np.stack([first, second, np.cross(first, second)], axis=2) @ axes.T
    moves = rows[:, :3] @ axes.T / scale
    turn = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    chord_m = moves[:, 0] * np.cos(turn / 2) + moves[:, 1] * np.sin(turn / 2)
    speed = np.clip(chord_m * ACTION_FPS / np.sinc(turn / (2 * np.pi)), -MAX_SPEED_MPS, MAX_SPEED_MPS)
    yaw_rate = np.clip(turn * ACTION_FPS, -MAX_YAW_RATE_RADPS, MAX_YAW_RATE_RADPS)
    return EgoMotion(np.append(speed[:1], speed), np.append(yaw_rate[:1], yaw_rate), ACTION_FPS)


def check_action_rate(fps: float) -> None:
    """Raises InputError unless the rate is the one of the actions: the network reads steps, not speeds."""
    if abs(fps - ACTION_FPS) > 1e-6:
        raise InputError(
            "frames per second with ego motion", fps, f"{ACTION_FPS:g}, the rate of Cosmos 3's driving actions"
        )


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (length < 1e-6).any():
        raise InputError("actions", Received("a rotation of zero or parallel columns"), "two independent columns")
    return vectors / length

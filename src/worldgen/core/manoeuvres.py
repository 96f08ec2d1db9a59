"""Manoeuvres: a small vocabulary of driving, converted to ego motion and back."""

from __future__ import annotations

import difflib
import math

import numpy as np

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError

MANOEUVRES = ("keep", "accelerate", "brake", "stop", "turn_left", "turn_right", "lane_left", "lane_right")

LANE_WIDTH_M = 3.5
COMFORT_ACCELERATION_MPS2 = 1.5
COMFORT_BRAKING_MPS2 = 2.5
FIRM_BRAKING_MPS2 = 5.0
MAX_LATERAL_MPS2 = 2.5
"""Comfort limits of acceleration. Source: ISO 15622 (adaptive cruise control) and common settings of planners."""


def manoeuvre_motion(name: str, num_frames: int, fps: float, *, speed_mps: float = 10.0) -> EgoMotion:
    """The ego motion of a manoeuvre.

    ``keep`` holds the speed. ``accelerate`` gains 1.5 m/s each second up to 40 m/s. ``brake`` halves the speed at
    2.5 m/s2. ``stop`` brakes at 5 m/s2 to standstill. A turn slows down to at most 7 m/s and follows a quarter circle
    at the lateral comfort limit. A lane change moves sideways by one lane within the clip, or within its first 4 s.

    Args:
        name: one of ``MANOEUVRES``.
        num_frames: rows of the result, T.
        fps: frames per second.
        speed_mps: speed at frame 0.

    Raises:
        InputError: for an unknown name, with the nearest one, and a speed that :class:`EgoMotion` refuses.
    """
    if name not in MANOEUVRES:
        near = difflib.get_close_matches(name, MANOEUVRES, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError("ego manoeuvre", name, "one of " + ", ".join(MANOEUVRES) + hint)
    time_s = np.arange(num_frames) / fps
    zero = np.zeros(num_frames)
    if name == "keep":
        return EgoMotion(zero + speed_mps, zero, fps)
    if name == "accelerate":
        return EgoMotion(np.minimum(speed_mps + COMFORT_ACCELERATION_MPS2 * time_s, 40.0), zero, fps)
    if name == "brake":
        return EgoMotion(np.maximum(speed_mps - COMFORT_BRAKING_MPS2 * time_s, speed_mps / 2), zero, fps)
    if name == "stop":
        return EgoMotion(np.maximum(speed_mps - FIRM_BRAKING_MPS2 * time_s, 0.0), zero, fps)
    sign = 1.0 if name.endswith("left") else -1.0
    if name.startswith("turn"):
        return _turn(sign, time_s, fps, speed_mps)
    return _lane_change(sign, time_s, fps, speed_mps)


def _turn(sign: float, time_s: np.ndarray, fps: float, speed_mps: float) -> EgoMotion:
    turning_mps = min(speed_mps, 7.0)
    speed = np.maximum(speed_mps - COMFORT_BRAKING_MPS2 * time_s, turning_mps)
    rate = sign * min(0.5, MAX_LATERAL_MPS2 / max(turning_mps, 1.0))
    # The yaw rate rises over half a second and is held until a quarter circle is complete.
    yaw_rate = rate * np.minimum(time_s / 0.5, 1.0) * np.minimum(1.0, turning_mps / np.maximum(speed, 1e-6)) ** 2
    done = np.abs(np.cumsum(yaw_rate) / fps) > math.pi / 2
    return EgoMotion(speed, np.where(done, 0.0, yaw_rate), fps)


def _lane_change(sign: float, time_s: np.ndarray, fps: float, speed_mps: float) -> EgoMotion:
    length_s = min(4.0, max(len(time_s) - 1, 1) / fps)
    speed = max(speed_mps, 0.5)
    phase = np.clip(time_s / length_s, 0.0, 1.0)
    # Lateral offset w(phase - sin(2 pi phase) / 2 pi): smooth start and end; the heading is lateral speed / speed.
    heading = np.arctan(LANE_WIDTH_M / length_s * (1 - np.cos(2 * np.pi * phase)) / speed)
    heading = np.minimum(heading, 0.5)
    yaw_rate = sign * np.diff(heading, prepend=heading[0]) * fps
    return EgoMotion(np.full(len(time_s), speed_mps), np.clip(yaw_rate, -1.0, 1.0), fps)


def classify_manoeuvre(ego: EgoMotion) -> str:
    """The word of ``MANOEUVRES`` that fits an ego motion best, by turn angle, lateral shift and change of speed."""
    poses = planar_poses(ego)
    yaw, first, last = poses[-1, 2], float(ego.speed_mps[0]), float(ego.speed_mps[-1])
    if abs(yaw) > math.radians(15):
        return "turn_left" if yaw > 0 else "turn_right"
    peak_yaw = poses[np.abs(poses[:, 2]).argmax(), 2]
    lateral_m = poses[-1, 1]
    if abs(lateral_m) > 0.5 * LANE_WIDTH_M and abs(yaw) < 0.6 * abs(peak_yaw) and lateral_m * peak_yaw > 0:
        return "lane_left" if lateral_m > 0 else "lane_right"
    if last < 0.5 and first >= 1.0:
        return "stop"
    if last < first - max(1.0, 0.12 * first):
        return "brake"
    if last > first + max(1.0, 0.12 * first):
        return "accelerate"
    return "keep"

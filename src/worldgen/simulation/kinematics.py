"""Profiles over time: speeds that rise and fall, the distances covered at them, and smooth changes."""

from __future__ import annotations

import numpy as np


def distance_from_speed(speed_mps: np.ndarray, dt_s: float) -> np.ndarray:
    """Distance covered (m) ``(N,)`` at a speed ``(N,)``, 0 at the first step (trapezoidal rule)."""
    return np.concatenate([[0.0], np.cumsum(0.5 * (speed_mps[1:] + speed_mps[:-1]) * dt_s)])


def positions_from_speed(speed_mps: np.ndarray, dt_s: float, start_m: float) -> np.ndarray:
    """Positions (m) ``(N,)`` along a line at a speed ``(N,)``, from ``start_m``."""
    return start_m + distance_from_speed(speed_mps, dt_s)


def ramped(times_s: np.ndarray, start_s: float, end_s: float, speed_mps: float, ramp_s: float = 0.5) -> np.ndarray:
    """Speed ``(N,)`` that rises from 0 at ``start_s`` and falls to 0 at ``end_s``."""
    return speed_mps * np.clip(np.minimum((times_s - start_s) / ramp_s, (end_s - times_s) / ramp_s), 0.0, 1.0)


def brake_profile(
    times_s: np.ndarray,
    speed_mps: float,
    start_s: float,
    braking_mps2: float,
    *,
    final_mps: float = 0.0,
    jerk_mps3: float = 18.0,
) -> np.ndarray:
    """Speed ``(N,)`` of a vehicle that brakes from ``start_s`` to ``final_mps``, with a jerk-limited onset."""
    t = np.maximum(times_s - start_s, 0.0)
    ramp = braking_mps2 / jerk_mps3
    lost = np.where(t < ramp, 0.5 * jerk_mps3 * t**2, 0.5 * jerk_mps3 * ramp**2 + braking_mps2 * (t - ramp))
    return np.maximum(speed_mps - lost, final_mps)


def smooth_change(times_s: np.ndarray, start_s: float, length_s: float) -> np.ndarray:
    """A change from 0 to 1 that starts at ``start_s`` and takes ``length_s``; its rate is 0 at both ends (cycloid)."""
    phase = np.clip((times_s - start_s) / length_s, 0.0, 1.0)
    return phase - np.sin(2 * np.pi * phase) / (2 * np.pi)

"""Car following and lane changes: the Intelligent Driver Model (IDM) and MOBIL, for many vehicles at once.

Source: M. Treiber, A. Hennecke, D. Helbing, Congested traffic states in empirical observations and microscopic
simulations, Phys. Rev. E 62, 1805 (2000), equations 3 to 5; A. Kesting, M. Treiber, D. Helbing, General lane-changing
model MOBIL for car-following models, Transportation Research Record 1999, 86 (2007), equations 2 to 4.
"""

from __future__ import annotations

import numpy as np

FREE_GAP_M = 1e6
"""Gap to the leader of a vehicle without a leader."""


def desired_gap_m(
    speed: np.ndarray,
    closing: np.ndarray,
    headway_s: np.ndarray | float,
    *,
    jam_gap_m: float = 2.0,
    acceleration: np.ndarray | float = 1.4,
    braking: np.ndarray | float = 2.0,
) -> np.ndarray:
    """The desired gap s* (equation 4): ``s0 + v T + v dv / (2 sqrt(a b))``, dv > 0 when closing in."""
    return jam_gap_m + np.maximum(0.0, speed * headway_s + speed * closing / (2 * np.sqrt(acceleration * braking)))


def idm_acceleration(
    speed: np.ndarray,
    desired_speed: np.ndarray,
    gap_m: np.ndarray,
    closing: np.ndarray,
    *,
    headway_s: np.ndarray | float = 1.4,
    acceleration: np.ndarray | float = 1.4,
    braking: np.ndarray | float = 2.0,
) -> np.ndarray:
    """Acceleration (m/s2) of each driver (equation 3): ``a (1 - (v/v0)^4 - (s*/s)^2)``; any matching shapes."""
    desired_gap = desired_gap_m(speed, closing, headway_s, acceleration=acceleration, braking=braking)
    free = (speed / np.maximum(desired_speed, 0.1)) ** 4
    return acceleration * (1 - free - (desired_gap / np.maximum(gap_m, 0.1)) ** 2)


MOBIL_POLITENESS = 0.2
MOBIL_THRESHOLD_MPS2 = 0.25
MOBIL_SAFE_BRAKING_MPS2 = 3.0


def mobil_gain(
    own_now: np.ndarray, own_then: np.ndarray, follower_now: np.ndarray, follower_then: np.ndarray
) -> np.ndarray:
    """Incentive of a lane change (m/s2, above 0: change); minus infinity where the new follower must brake hard."""
    gain = own_then - own_now + MOBIL_POLITENESS * (follower_then - follower_now) - MOBIL_THRESHOLD_MPS2
    return np.where(follower_then < -MOBIL_SAFE_BRAKING_MPS2, -np.inf, gain)

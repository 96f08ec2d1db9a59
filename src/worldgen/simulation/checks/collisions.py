"""Overlap of rectangles and time to collision, computed from trajectories."""

from __future__ import annotations

import numpy as np

TTC_HORIZON_S = 10.0
"""Later collisions count as none."""


def boxes_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether rectangles overlap, by the separating axis theorem.

    a, b: ``(..., 5)`` x, y, yaw, half length, half width. Returns ``(...)`` bool.
    """
    dx, dy = b[..., 0] - a[..., 0], b[..., 1] - a[..., 1]
    turn = b[..., 2] - a[..., 2]
    cos, sin = np.abs(np.cos(turn)), np.abs(np.sin(turn))

    def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        c, s = np.cos(first[..., 2]), np.sin(first[..., 2])
        along, across = np.abs(dx * c + dy * s), np.abs(dy * c - dx * s)
        return (along > first[..., 3] + second[..., 3] * cos + second[..., 4] * sin) | (
            across > first[..., 4] + second[..., 3] * sin + second[..., 4] * cos
        )

    return ~(apart(a, b) | apart(b, a))


def overlapping_pairs(boxes: np.ndarray) -> np.ndarray:
    """Pairs ``(K, 2)`` of indices that overlap at any time. boxes: ``(T, A, 5)`` x, y, yaw, half length, half width."""
    count = boxes.shape[1]
    if count < 2:
        return np.zeros((0, 2), int)
    i, j = np.triu_indices(count, 1)
    radius = np.hypot(boxes[0, :, 3], boxes[0, :, 4])
    gap2 = ((boxes[:, i, :2] - boxes[:, j, :2]) ** 2).sum(-1)
    near = (gap2 < (radius[i] + radius[j]) ** 2).any(0)
    i, j = i[near], j[near]
    hit = boxes_overlap(boxes[:, i], boxes[:, j]).any(0)
    return np.stack([i[hit], j[hit]], 1)


def time_to_collision(
    ego: np.ndarray, other: np.ndarray, ego_velocity: np.ndarray, other_velocity: np.ndarray, *, margin_m: float = 0.0
) -> np.ndarray:
    """Seconds until two rectangles touch if both keep their velocity; infinite where they never do.

    ego, other: ``(..., 5)`` x, y, yaw, half length, half width; velocities ``(..., 2)`` m/s in the world. The other
    is bounded by a box along the ego's axes; ``margin_m`` widens the ego to both sides. 0 where they touch already.
    """
    cos, sin = np.cos(ego[..., 2]), np.sin(ego[..., 2])
    dx, dy = other[..., 0] - ego[..., 0], other[..., 1] - ego[..., 1]
    relative = other_velocity - ego_velocity
    turn = other[..., 2] - ego[..., 2]
    c, s = np.abs(np.cos(turn)), np.abs(np.sin(turn))
    enter, leave = np.zeros(dx.shape), np.full(dx.shape, np.inf)
    for position, velocity, reach in (
        (
            dx * cos + dy * sin,
            relative[..., 0] * cos + relative[..., 1] * sin,
            ego[..., 3] + other[..., 3] * c + other[..., 4] * s,
        ),
        (
            dy * cos - dx * sin,
            relative[..., 1] * cos - relative[..., 0] * sin,
            ego[..., 4] + margin_m + other[..., 3] * s + other[..., 4] * c,
        ),
    ):
        safe = np.where(np.abs(velocity) < 1e-9, 1e-9, velocity)
        first, second = (-reach - position) / safe, (reach - position) / safe
        low, high = np.minimum(first, second), np.maximum(first, second)
        still = np.abs(velocity) < 1e-9
        inside = np.abs(position) <= reach
        low = np.where(still, np.where(inside, -np.inf, np.inf), low)
        high = np.where(still, np.where(inside, np.inf, -np.inf), high)
        enter, leave = np.maximum(enter, low), np.minimum(leave, high)
    return np.where((enter <= leave) & (enter < TTC_HORIZON_S), enter, np.inf)

"""How the camera turned between two frames and where it was heading, from points and the epipolar constraint.

A camera turns by ``w`` (rotation vector in rad, about its axes x right, y down, z forward) and moves along ``(h_x, h_y,
1)`` half way of the turn. It sees a point of a still world, in units of the focal length, at a and then at b. Seen from
half way, with ``a`` turned on by w / 2 and ``b`` turned back by w / 2, the point steps along the line through the
heading. What the step has across that line is the residual that is minimised. Turns are exact, since a wrong second
order looks like another focal length. Their derivatives are those of the motion field (Longuet-Higgins and Prazdny
1980):

    (xy, 1 + y^2) for w_x,   (-(1 + x^2), -xy) for w_y,   (y, -x) for w_z
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.instruments.odometry.point_tracks import PointTracks

ITERATIONS, FIRST_ITERATIONS = 15, 4
NEAR_HEADING_PX = 8.0
"""Softens the weight of points near the heading, whose direction to it is uncertain."""
NOISE_PX, START_PX = 0.1, 1.0
"""Least scale of the residuals, and their scale while the first iterations look for the motion."""
ROLL_RAD = 0.02
"""Cars roll little from frame to frame; a weak prior, since roll and distant traffic are easily confused."""


@dataclass(frozen=True)
class Heading:
    """Where the camera is heading in the image. x_px, y_px: the point; sigma_px: its standard deviation before a pair
    of frames is seen. In pixels of the frames of the tracks."""

    x_px: float
    y_px: float
    sigma_px: float


@dataclass(frozen=True, eq=False)
class PairGeometry:
    """The motion between two frames.

    turn_rad: ``(3,)`` rotation vector of the camera about x (right), y (down) and z (forward). heading_px: ``(2,)``, as
    seen half way. sigma: ``(5,)`` of both, in the same units. weights: ``(N,)`` in [0, 1], about 0 for points that move
    by themselves. noise_px: robust scale of residual_px ``(N,)``. first_px, second_px: ``(N, 2)`` the points of both
    frames as seen half way, so that only the way of the camera is between them.
    """

    turn_rad: np.ndarray
    heading_px: np.ndarray
    sigma: np.ndarray
    weights: np.ndarray
    noise_px: float
    residual_px: np.ndarray
    first_px: np.ndarray
    second_px: np.ndarray


def solve_pair(tracks: PointTracks, focal_px: float, expected: Heading) -> PairGeometry:
    """The motion between two frames by robust least squares (Gauss-Newton, Geman-McClure weights).

    focal_px: in pixels of the tracks, square pixels, principal point in the middle. expected: prior of the heading.
    """
    centre = np.array(tracks.size_px) / 2
    a, b = (tracks.before - centre) / focal_px, (tracks.after - centre) / focal_px
    start = np.array([0, 0, 0, *((np.array([expected.x_px, expected.y_px]) - centre) / focal_px)])
    heading_sigma = expected.sigma_px / focal_px
    prior = np.array([np.inf, np.inf, ROLL_RAD, heading_sigma, heading_sigma])
    state = start.copy()
    for iteration in range(ITERATIONS):
        residual, jacobian = _residual(state, a, b, NEAR_HEADING_PX / focal_px)
        scale = max(1.4826 * float(np.median(np.abs(residual))), NOISE_PX / focal_px)
        if iteration < FIRST_ITERATIONS:
            scale = max(scale, START_PX / focal_px)
        weights = 1 / (1 + (residual / (2 * scale)) ** 2) ** 2
        pull = (scale / prior) ** 2
        normal = jacobian.T @ (weights[:, None] * jacobian) + np.diag(pull) + 1e-12 * np.eye(5)
        change = np.linalg.solve(normal, jacobian.T @ (weights * residual) + pull * (state - start))
        state = state - change
        if np.abs(change).max() < 1e-7:
            break
    residual, _ = _residual(state, a, b, NEAR_HEADING_PX / focal_px)
    sigma = np.sqrt(np.diag(np.linalg.inv(normal))) * scale
    sigma[3:] *= focal_px
    first, second = _from_half_way(state[:3], a, b)
    return PairGeometry(
        state[:3], state[3:] * focal_px + centre, sigma, weights, scale * focal_px, residual * focal_px,
        first * focal_px + centre, second * focal_px + centre,
    )  # fmt: skip


def half_turn(turn: np.ndarray) -> np.ndarray:
    """Rotation matrix ``(3, 3)`` of half of a rotation vector ``(3,)`` in rad."""
    x, y, z = turn / 2
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = float(np.linalg.norm(turn / 2))
    # Rodrigues' formula; sinc keeps it exact at 0.
    turned: np.ndarray = np.eye(3) + np.sinc(angle / np.pi) * cross
    return turned + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross


def _from_half_way(turn: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points ``(N, 2)`` of both frames as a camera sees them that has made half of the turn, in focal lengths."""
    half = half_turn(turn)
    first, second = (np.pad(points, ((0, 0), (0, 1)), constant_values=1.0) for points in (a, b))
    first, second = first @ half, second @ half.T  # rows: the inverse turn of a, the turn of b
    return first[:, :2] / first[:, 2:], second[:, :2] / second[:, 2:]


def _residual(state: np.ndarray, a: np.ndarray, b: np.ndarray, soft: float) -> tuple[np.ndarray, np.ndarray]:
    """Residuals ``(N,)`` across the lines to the heading, and their Jacobian ``(N, 5)``."""
    first, second = _from_half_way(state[:3], a, b)
    parallax, middle = second - first, (first + second) / 2
    x, y = middle.T
    field = (
        np.stack([x * y, 1 + y * y], 1), np.stack([-(1 + x * x), -x * y], 1), np.stack([y, -x], 1),
    )  # fmt: skip
    arm = middle - state[3:]
    length = np.hypot(*arm.T) + soft
    across = (arm[:, 0] * parallax[:, 1] - arm[:, 1] * parallax[:, 0]) / length
    turns = [-(arm[:, 0] * part[:, 1] - arm[:, 1] * part[:, 0]) / length for part in field]
    return across, np.stack([*turns, -parallax[:, 1] / length, parallax[:, 0] / length], 1)

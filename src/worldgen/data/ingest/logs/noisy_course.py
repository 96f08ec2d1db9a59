"""Heading and progress along noisy positions: fits over a baseline that is long enough for the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.data.ingest.logs.trajectory import course_yaw, planar_from_arcs

YAW_RATE_NOISE_RADPS = 0.005
"""Noise of a yaw rate that is wanted of a course. Gyroscopes on a straight road show 0.003 to 0.005 rad/s."""
SPEED_NOISE_MPS = 0.1
MAX_BASELINE_S = 4.0
"""A turn at a crossing takes about as long; a longer baseline would flatten it."""
MAX_SPREAD_S = 2.5
"""Noise is measured by sets of four rows that are spread over at most this time."""
NOISE_GROWTH = 2.5
MIN_POINTS = 5
STANDSTILL_MPS = 0.5
NODES_A_BASELINE = 4
MAD_TO_SIGMA = 1.4826
QUADRATIC_NOISE = 27.0
"""Standard deviation of the second derivative of a quadratic through N points of noise s over T seconds, in units of
s / (sqrt(N) T^2): the square root of 720."""
LINE_NOISE = 3.5
"""The same for the slope of a line, in units of s / (sqrt(N) T): the square root of 12."""


@dataclass(frozen=True, eq=False)
class CoursePoses:
    """Poses along positions. poses: ``(M, 3)`` x_m, y_m, yaw_rad. baseline_s: mean length of the fits, 0 where rows
    alone give the course. yaw_rate_noise_radps: standard deviation that the noise of the positions leaves."""

    poses: np.ndarray
    baseline_s: float
    yaw_rate_noise_radps: float


def course_poses(times_s: np.ndarray, position_m: np.ndarray) -> CoursePoses:
    """Poses of a car at positions ``(M, 2)`` in metres and times ``(M,)``; the heading is the direction of travel.

    The noise of the positions is measured by how far four neighbours are from a parabola. Where the course of
    neighbouring rows has a yaw rate noisier than ``YAW_RATE_NOISE_RADPS``, heading and progress are fits over a longer
    baseline, at most ``MAX_BASELINE_S``.
    """
    raw = np.concatenate([position_m, course_yaw(position_m)[:, None]], 1)
    if len(times_s) < 2 * MIN_POINTS:
        return CoursePoses(raw, 0.0, 0.0)
    step_s = float(np.median(np.diff(times_s)))
    step_m = np.hypot(*np.diff(position_m, axis=0).T)
    moving = step_m > STANDSTILL_MPS * np.diff(times_s)
    if moving.sum() < MIN_POINTS:
        return CoursePoses(raw, 0.0, 0.0)
    across_m = _noise_at_all_scales(position_m, moving, step_s)
    speed = np.maximum(windowed_speed(times_s, position_m), 1.0)
    # From noise to baseline: s * QUADRATIC_NOISE / (sqrt(T / step) * T^2 * v) = wanted noise, solved for T.
    scale = QUADRATIC_NOISE * across_m * np.sqrt(step_s) / speed
    baseline_s = np.clip((scale / YAW_RATE_NOISE_RADPS) ** 0.4, 0.0, MAX_BASELINE_S)
    if np.median(baseline_s[1:][moving]) < 3 * step_s:
        noise = 2.45 * across_m / (float(np.median(speed)) * step_s**2) / 2  # second difference, halved by course_yaw
        return CoursePoses(raw, 0.0, noise)
    heading = _headings(times_s, position_m, np.maximum(baseline_s, MIN_POINTS * step_s))
    mean = (heading[1:] + heading[:-1]) / 2
    step = np.diff(position_m, axis=0)
    progress = np.concatenate([[0.0], np.cumsum(step[:, 0] * np.cos(mean) + step[:, 1] * np.sin(mean))])
    progress = _smoothed_progress(times_s, progress, step_s)
    turn = np.diff(heading)
    typical = float(np.median(np.maximum(baseline_s, MIN_POINTS * step_s)[1:][moving]))
    noise = float(np.median(scale[1:][moving])) / typical**2.5
    return CoursePoses(planar_from_arcs(np.diff(progress), turn, float(heading[0])), typical, noise)


def windowed_speed(times_s: np.ndarray, position_m: np.ndarray) -> np.ndarray:
    """Speed ``(M,)`` in m/s over about a second around each row."""
    at = [np.stack([np.interp(times_s + d, times_s, position_m[:, i]) for i in (0, 1)], 1) for d in (-0.5, 0.5)]
    span = np.minimum(times_s + 0.5, times_s[-1]) - np.maximum(times_s - 0.5, times_s[0])
    return np.hypot(*(at[1] - at[0]).T) / np.maximum(span, 1e-6)


def _noise_across(position_m: np.ndarray, moving: np.ndarray) -> float:
    """Standard deviation in metres of positions across the direction of travel."""
    rows = np.flatnonzero(moving[:-2] & moving[1:-1] & moving[2:])
    if not len(rows):
        return 0.0
    points = np.stack([position_m[rows + k] for k in range(4)], 1)  # (N, 4, 2)
    along = points[:, 3] - points[:, 0]
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    relative = points - points[:, :1]
    across = relative[..., 1] * along[:, None, 0] - relative[..., 0] * along[:, None, 1]
    return _parabola_noise((relative * along[:, None]).sum(2), across)


def _noise_at_all_scales(position_m: np.ndarray, moving: np.ndarray, step_s: float) -> float:
    """The noise across the direction of travel, as the noise of independent rows that would disturb fits as much.

    Errors of GPS positions wander, so every second or fourth row is noisier than neighbours are. The part of the noise
    that k rows share is not averaged out by their number: it disturbs as k times its variance in every row. A noise
    that grows faster than ``NOISE_GROWTH`` from one k to its double is the motion of the car, which grows eightfold.
    """
    own = largest = last = _noise_across(position_m, moving)
    k = 2
    while 3 * k * step_s <= MAX_SPREAD_S and len(position_m) > 8 * k:
        parts = [position_m[start::k] for start in range(k)]
        noise = float(np.median([_noise_across(part, np.ones(len(part) - 1, bool)) for part in parts]))
        if noise > NOISE_GROWTH * last:
            break
        shared = max(noise**2 - own**2, 0.0)
        largest, last, k = max(largest, float(np.sqrt(own**2 + k * shared))), noise, 2 * k
    return largest


def _parabola_noise(at: np.ndarray, values: np.ndarray) -> float:
    """Standard deviation of values whose sets of four, ``(N, 4)`` at ``(N, 4)``, lie on parabolas up to noise.

    The weights that no parabola passes leave the noise alone; the median is not moved by single jumps.
    """
    gaps = at[:, :, None] - at[:, None, :]
    gaps[:, range(4), range(4)] = 1.0
    usable = np.abs(gaps).min((1, 2)) > 1e-3
    if not usable.any():
        return 0.0
    weights = 1 / gaps[usable].prod(2)
    residual = (weights * values[usable]).sum(1) / np.sqrt((weights**2).sum(1))
    return float(MAD_TO_SIGMA * np.median(np.abs(residual)))


def _fits(times_s: np.ndarray, values: np.ndarray, at_s: np.ndarray, window_s: np.ndarray, degree: int) -> np.ndarray:
    """Polynomial fits around ``at_s`` ``(Q,)`` over windows ``(Q,)``: coefficients ``(Q, degree + 1, K)`` in t - at.

    values: ``(M, K)``. The weights fall to zero at the ends of a window (Epanechnikov).
    """
    out = np.empty((len(at_s), degree + 1, values.shape[1]))
    powers = np.arange(degree + 1)
    for i, (t, window) in enumerate(zip(at_s, window_s, strict=True)):
        # At the ends the window keeps its length, so that the fit rests on as many rows.
        low = min(max(t - window / 2, times_s[0]), max(times_s[-1] - window, times_s[0]))
        a, b = np.searchsorted(times_s, [low, low + window], side="left")
        b = max(b, min(a + degree + 2, len(times_s)))
        a = max(0, min(a, b - degree - 2))
        since = times_s[a:b] - t
        reach = max(np.abs(since).max(), 1e-9) * 1.05
        weight = np.sqrt(1 - (since / reach) ** 2)
        basis = (since[:, None] / reach) ** powers * weight[:, None]
        try:  # the basis is scaled to [-1, 1], so its normal equations are well conditioned
            solved = np.linalg.solve(basis.T @ basis, basis.T @ (values[a:b] * weight[:, None]))
        except np.linalg.LinAlgError:  # rows at one time
            solved = np.linalg.lstsq(basis, values[a:b] * weight[:, None], rcond=None)[0]
        out[i] = solved / reach ** powers[:, None]
    return out


def _nodes(times_s: np.ndarray, window_s: np.ndarray) -> np.ndarray:
    """Times at which fits are made: all rows, or fewer where rows are much closer than the windows."""
    spacing = max(float(window_s.min()) / NODES_A_BASELINE, 1e-9)
    if np.median(np.diff(times_s)) >= spacing:
        return times_s
    count = int(np.ceil((times_s[-1] - times_s[0]) / spacing)) + 1
    return np.linspace(times_s[0], times_s[-1], count)


def _headings(times_s: np.ndarray, position_m: np.ndarray, baseline_s: np.ndarray) -> np.ndarray:
    """Headings ``(M,)`` rad, continuous, from quadratic fits; constant where the car stands."""
    at_s = _nodes(times_s, baseline_s)
    centred = position_m - position_m.mean(0)
    velocity = _fits(times_s, centred, at_s, np.interp(at_s, times_s, baseline_s), 2)[:, 1]
    moves = np.hypot(*velocity.T) > STANDSTILL_MPS
    if not moves.any():
        return np.zeros(len(times_s))
    heading = np.unwrap(np.arctan2(velocity[moves, 1], velocity[moves, 0]))
    return np.interp(times_s, at_s[moves], heading)


def _smoothed_progress(times_s: np.ndarray, progress_m: np.ndarray, step_s: float) -> np.ndarray:
    """Distance along the path ``(M,)`` without the noise of positions and time stamps along it."""
    rows = np.arange(len(times_s) - 3)
    times, values = (np.stack([a[rows + k] - a[rows] for k in range(4)], 1) for a in (times_s, progress_m))
    along_m = _parabola_noise(times, values)
    window_s = min((LINE_NOISE * along_m * np.sqrt(step_s) / SPEED_NOISE_MPS) ** (2 / 3), MAX_BASELINE_S / 2)
    if window_s < 3 * step_s:
        return progress_m
    at_s = _nodes(times_s, np.array([window_s]))
    fitted = _fits(times_s, progress_m[:, None], at_s, np.full(len(at_s), window_s), 2)[:, 0, 0]
    return np.interp(times_s, at_s, fitted)

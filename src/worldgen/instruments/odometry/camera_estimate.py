"""The camera of a clip from its frames: horizon, pitch and field of view, with their uncertainty.

While the car drives straight on, all points of a still world move away from one point of the image: where the car is
heading. On flat road its row is the horizon. While the car turns, points far from the middle move further than points
near it, by a factor that depends on the focal length. A straight drive says nothing about the focal length; then the
expectation for cameras in cars stays, with its own width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.instruments.odometry.pair_geometry import Heading, PairGeometry, solve_pair
from worldgen.instruments.odometry.point_tracks import PointTracks, follow_points, grey_frame

USUAL_FOV_DEG, FOCAL_SPREAD = 70.0, 0.3
"""Horizontal field of view expected of a camera in a car, and the standard deviation of the logarithm of its focal
length: two thirds of cameras have between 55 and 87 degrees."""
FOCAL_STEPS = np.exp(np.linspace(-1.0, 1.0, 21))
"""Focal lengths that are tried, times the expected one: 29 to 125 degrees."""
HORIZON_SPREAD = 0.15
"""Standard deviation of the horizon around the middle, as a share of the height, before a frame is seen."""
MAX_PAIRS, MAX_TURNS = 60, 24
"""Pairs of frames that are measured, and pairs of the sharpest turns that the focal length is taken from."""
MAX_GAP, WANTED_FLOW_PX = 6, 4.0
"""A pair is at most ``MAX_GAP`` frames apart, as few as move the points by ``WANTED_FLOW_PX`` in the median."""
MIN_POINTS, MIN_PAIRS = 30, 3
STRAIGHT_RAD = 0.01
"""Turn within a pair up to which the car heads where its wheels point."""
SLIP_SHARE = 0.08
"""A camera ahead of the rear axle moves sideways in a turn; standard deviation of its heading, in focal lengths."""
COST_SHARE = 0.03
"""Residuals of a pair share causes (distortion, traffic, edges along which points slide): a point counts as this share
of an independent one. With a share of 0.1, errors on rendered clips and on two simulator drives were 2 to 4 times the
deviation that was stated."""
SYSTEMATIC = (0.007, 0.05)
"""Errors that more frames do not reduce: of the horizon, as a share of the height, and of the logarithm of the focal
length."""


@dataclass(frozen=True)
class CameraEstimate:
    """The camera of a clip as its frames show it.

    camera: square pixels, principal point in the middle, height above the ground as it was given. horizon_sigma_px,
    fov_sigma_deg, pitch_sigma_rad: standard deviations. The pitch includes that of the focal length. heading_px,
    heading_sigma_px: image column in which the car drives when it drives straight on. pairs: pairs of frames used.
    unknown: why the frames show no camera, "" where they do; the camera is then the expected one, and the deviations
    are those of the expectation.
    """

    camera: Camera
    horizon_sigma_px: float
    fov_sigma_deg: float
    pitch_sigma_rad: float
    heading_px: float
    heading_sigma_px: float
    pairs: int
    unknown: str = ""

    @property
    def known(self) -> bool:
        """Whether the frames show the horizon."""
        return not self.unknown


def estimate_camera(
    frames: np.ndarray | Sequence[np.ndarray], *, fov_deg: float | None = None, height_m: float = 1.4
) -> CameraEstimate:
    """The camera that took these frames, in pixels of them.

    Args:
        frames: ``(T, H, W, 3)`` or ``(T, H, W)`` uint8 RGB or grey, consecutive, of one shot of a driving car. Tens of
            frames give a horizon, hundreds with turns a field of view.
        fov_deg: horizontal field of view where it is known.
        height_m: height of the camera above the ground, which pixels do not show.

    Raises:
        InputError: frames of another type or shape, or a camera out of range.
    """
    first = frames[0] if len(frames) else np.zeros(0)
    if first.ndim not in (2, 3) or first.dtype != np.uint8 or (first.ndim == 3 and first.shape[2] != 3):
        received = Received(f"{first.dtype} {first.shape}, {len(frames)} of them")
        raise InputError("frames to estimate a camera from", received, "uint8 (H, W, 3) or (H, W), at least one")
    pairs = _pairs(frames)
    return camera_of_pairs(pairs, (first.shape[1], first.shape[0]), fov_deg=fov_deg, height_m=height_m)


def camera_of_pairs(
    pairs: Sequence[PointTracks], size_px: tuple[int, int], *, fov_deg: float | None = None, height_m: float = 1.4
) -> CameraEstimate:
    """The camera of a clip of ``size_px`` (width, height) from the points of pairs of frames; see
    :func:`estimate_camera`."""
    width, height = size_px
    expected = Camera.from_fov(width, height, USUAL_FOV_DEG if fov_deg is None else fov_deg, height_m=height_m)
    focal_spread = FOCAL_SPREAD if fov_deg is None else 0.01
    usable = [pair for pair in pairs if len(pair.before) >= MIN_POINTS]
    if len(usable) < MIN_PAIRS:
        why = "too few points that can be followed: dark, blurred or without texture"
        return _unknown(expected, focal_spread, len(usable), why)
    moving = [pair for pair in usable if np.median(pair.flow_px) > 0.3]
    if len(moving) < MIN_PAIRS:
        return _unknown(expected, focal_spread, len(moving), "the picture stands still")
    scale = moving[0].size_px[0] / width  # pixels of the tracks in a pixel of the clip
    centre = np.array(moving[0].size_px) / 2
    focal_px = expected.fx_px * scale
    solved = [
        solve_pair(pair, focal_px, Heading(float(centre[0]), float(centre[1]), 0.3 * focal_px)) for pair in moving
    ]
    row, row_sigma = _robust_mean([(s.heading_px[1], s.sigma[4]) for s in solved])
    straight = [s for s in solved if abs(s.turn_rad[1]) < STRAIGHT_RAD] or solved
    column, column_sigma = _robust_mean([(s.heading_px[0], s.sigma[3]) for s in straight])
    if row_sigma > HORIZON_SPREAD * centre[1]:
        return _unknown(expected, focal_spread, len(solved), "points do not move away from one place")
    log_focal, log_sigma = 0.0, focal_spread
    if fov_deg is None:
        log_focal, log_sigma = _focal(moving, solved, (column, row), focal_px)
    row_sigma = math.hypot(row_sigma, SYSTEMATIC[0] * 2 * centre[1])
    camera = Camera.from_fov(width, height, _fov(width, expected.fx_px * math.exp(log_focal)), height_m=height_m)
    horizon_px, horizon_sigma_px = row / scale, row_sigma / scale
    tilt = (camera.cy_px - horizon_px) / camera.fy_px
    pitch_rad = math.atan(tilt)
    camera = Camera.from_fov(width, height, camera.fov_deg, height_m=height_m, pitch_rad=pitch_rad)
    return CameraEstimate(
        camera, horizon_sigma_px, _fov_sigma(camera, log_sigma),
        math.hypot(horizon_sigma_px / camera.fy_px, tilt * log_sigma), column / scale,
        math.hypot(column_sigma, SYSTEMATIC[0] * 2 * centre[1]) / scale, len(solved),
    )  # fmt: skip


def _pairs(frames: np.ndarray | Sequence[np.ndarray]) -> list[PointTracks]:
    """Points of at most ``MAX_PAIRS`` pairs of frames, spread over the clip."""
    last = len(frames) - 2
    if last < 0:
        return []
    starts: np.ndarray = np.unique(np.linspace(0, last, min(MAX_PAIRS, last + 1)).round().astype(int))
    found, gap = [], 1
    for start in starts:
        before, pair = grey_frame(frames[start]), None
        gap = max(1, gap - 1)  # the speed changes little between neighbouring pairs
        while start + gap < len(frames):
            pair = follow_points(before, grey_frame(frames[start + gap]))
            if gap == MAX_GAP or (len(pair.before) and np.median(pair.flow_px) >= WANTED_FLOW_PX):
                break
            gap += 1
        gap = min(gap, MAX_GAP)
        if pair is not None:
            found.append(pair)
    return found


def _robust_mean(rows: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean of (value, sigma) and its standard deviation, with little weight for values far from the others.

    Neighbouring pairs see the same slopes and the same traffic, so three count as one.
    """
    values, sigmas = np.array(rows).T
    centre = float(np.median(values))
    for _ in range(10):
        spread = 1.4826 * float(np.median(np.abs(values - centre))) + 1e-6
        weights = 1 / (1 + ((values - centre) / (3 * spread)) ** 2) ** 2 / (sigmas**2 + spread**2)
        centre = float((weights * values).sum() / weights.sum())
    effective = weights.sum() ** 2 / (weights**2).sum() / 3
    return centre, math.sqrt((spread**2 + float(np.median(sigmas)) ** 2) / max(effective, 1.0))


def _focal(
    pairs: list[PointTracks], solved: list[PairGeometry], heading: tuple[float, float], focal_px: float
) -> tuple[float, float]:
    """Logarithm of the focal length over ``focal_px``, and its standard deviation, from the sharpest turns.

    The posterior over ``FOCAL_STEPS`` is summed up by its mean and deviation.
    """
    sharpest = sorted(range(len(pairs)), key=lambda k: -abs(solved[k].turn_rad[1]))[:MAX_TURNS]
    logs = np.log(FOCAL_STEPS)
    cost = 0.5 * (logs / FOCAL_SPREAD) ** 2
    for k in sharpest:
        noise = max(solved[k].noise_px, 0.3)
        for number, factor in enumerate(FOCAL_STEPS):
            focal = focal_px * factor
            residual = solve_pair(pairs[k], focal, Heading(*heading, SLIP_SHARE * focal_px)).residual_px
            cost[number] += COST_SHARE * float(np.log1p((residual / (2 * noise)) ** 2).sum()) * 2
    share = np.exp(-(cost - cost.min()))
    share /= share.sum()
    mean = float((share * logs).sum())
    return mean, math.hypot(math.sqrt(float((share * (logs - mean) ** 2).sum())), SYSTEMATIC[1])


def _unknown(camera: Camera, focal_spread: float, pairs: int, why: str) -> CameraEstimate:
    """The expected camera, with the deviations of the expectation."""
    sigma_px = HORIZON_SPREAD * camera.height_px
    return CameraEstimate(
        camera, sigma_px, _fov_sigma(camera, focal_spread), sigma_px / camera.fy_px, camera.cx_px, sigma_px, pairs, why
    )


def _fov(width_px: int, focal_px: float) -> float:
    """Horizontal field of view in degrees."""
    return math.degrees(2 * math.atan(width_px / (2 * focal_px)))


def _fov_sigma(camera: Camera, log_sigma: float) -> float:
    """Standard deviation of the field of view in degrees, from that of the logarithm of the focal length."""
    return abs(_fov(camera.width_px, camera.fx_px * math.exp(log_sigma)) - camera.fov_deg)

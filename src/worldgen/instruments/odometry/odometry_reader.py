"""Speed and yaw rate of a clip from its frames, with calibrated uncertainty.

Geometry alone, nothing learned: points give the turn between two frames, the view of the road from above gives the
speed, and both are smoothed over the drive. The metre comes from the height of the camera above the road.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.camera import Camera
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion
from worldgen.instruments.odometry.camera_estimate import MAX_PAIRS, CameraEstimate, camera_of_pairs
from worldgen.instruments.odometry.ground_view import GroundView, expansion_likelihood, speed_likelihood
from worldgen.instruments.odometry.pair_geometry import Heading, solve_pair
from worldgen.instruments.odometry.point_tracks import PointTracks, follow_points, grey_frame
from worldgen.instruments.odometry.speed_path import SPEEDS_MPS, smoothed_rates, smoothed_speeds
from worldgen.instruments.odometry.still_parts import still_parts, without_still_parts

NAME = "odometry"
PAIR_S, LONGEST_PAIR_S = 0.1, 0.6
"""Wanted time between the frames of a pair, and the longest that is measured."""
CHUNK_FRAMES = 600
"""Frames that are held at a time: a minute."""
MIN_POINTS, STILL_PX, MOVING_SHARE, MAX_STILL_FRAMES = 12, 0.5, 0.25, 40
"""Points that a pair needs. A car moves while ``MOVING_SHARE`` of the points step by ``STILL_PX``."""
HEADING_SHARE = 0.04
"""Deviation of the heading of a pair in focal lengths: slip in turns, and lane changes."""
YAW_ACCELERATION_RADPS2 = 0.5
"""Standard deviation of the change of the yaw rate in a second."""
HEIGHT_SHARE, GIVEN_HEIGHT_SHARE = 0.15, 0.03
"""Relative deviation of the height of the camera: assumed for cars, and where it was given."""
GROUND_SLOPE = 0.2
"""Usual slope of the rays to the ground that decides the speed, 5 to 9 m ahead of a car."""
DISTANT_M = 25.0
"""Usual distance of the points that tell a turn from a step aside."""
SPEED_INFLATION, SPEED_SHARE, SPEED_FLOOR_MPS = 1.0, 0.06, 0.15
YAW_INFLATION, YAW_FLOOR_RADPS = 2.0, 0.002
"""What the stated deviations are short of by themselves: a factor, a share of the speed, and a floor. Set on rendered
clips and on the drives of ``benchmarks/odometry.py``, which measures what the intervals hold on them."""


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Grey frames ``(h, w)`` at times ``(F,)`` and the points of neighbouring ones."""

    times_s: np.ndarray
    frames: list[np.ndarray]
    pairs: list[PointTracks]


def read_odometry(frames: Iterable[tuple[float, np.ndarray]], camera: Camera, *, camera_given: bool) -> PixelMotion:
    """The motion of a clip; the promise is that of :class:`worldgen.data.ingest.pixels.pixel_motion.PixelMotionReader`.

    Pitch and the column of the heading come from the frames where they show them, since nobody states them to the tenth
    of a degree that a speed needs; the field of view comes from ``camera`` if it was given. About 25 ms of CPU time for
    every 0.1 s of driving, with frames of 480 pixels.
    """
    found: list[tuple[np.ndarray, ...]] = []
    estimate: CameraEstimate | None = None
    why = "fewer than two frames"
    for whole in _chunks(frames):
        still, mean = _still(whole)
        chunk = replace(whole, pairs=[without_still_parts(pair, still) for pair in whole.pairs])
        if estimate is None or not estimate.known:
            pick = np.unique(np.linspace(0, len(chunk.pairs) - 1, min(MAX_PAIRS, len(chunk.pairs))).round().astype(int))
            estimate = camera_of_pairs(
                [chunk.pairs[k] for k in pick], (camera.width_px, camera.height_px),
                fov_deg=camera.fov_deg if camera_given else None, height_m=camera.height_m,
            )  # fmt: skip
        if not estimate.known:
            why = estimate.unknown
            continue
        found.append(_measured(chunk, estimate, still, mean))
    if not found or estimate is None:
        empty = np.zeros(0)
        return PixelMotion(empty, empty, empty, empty, empty, math.inf, None, NAME, unknown=why)
    times_s, speed, yaw_rate, speed_sigma, yaw_sigma = (np.concatenate(parts) for parts in zip(*found, strict=True))
    scale = _scale_sigma(estimate, camera_given)
    focal = estimate.fov_sigma_deg * math.radians(1) / math.sin(math.radians(estimate.camera.fov_deg))
    sideways = estimate.heading_sigma_px / estimate.camera.fx_px / DISTANT_M
    speed_sigma = np.sqrt(
        (SPEED_INFLATION * speed_sigma) ** 2 + ((scale**2 + SPEED_SHARE**2) * speed**2) + SPEED_FLOOR_MPS**2
    )
    yaw_sigma = np.sqrt(
        (YAW_INFLATION * yaw_sigma) ** 2 + (focal * yaw_rate) ** 2 + (sideways * speed) ** 2 + YAW_FLOOR_RADPS**2
    )
    return PixelMotion(
        times_s, speed, yaw_rate, speed_sigma, yaw_sigma, scale, estimate.camera, NAME,
        notes=_notes(estimate, camera, camera_given, scale),
    )  # fmt: skip


def _chunks(frames: Iterable[tuple[float, np.ndarray]]) -> Iterator[_Chunk]:
    """Frames ``PAIR_S`` apart, at most ``CHUNK_FRAMES`` at a time; the last frame of a chunk begins the next."""
    times: list[float] = []
    held: list[np.ndarray] = []
    pairs: list[PointTracks] = []
    for time_s, frame in frames:
        if times and time_s - times[-1] < PAIR_S * 0.95:
            continue
        grey = grey_frame(frame)
        if held:
            pairs.append(follow_points(held[-1], grey))
        times.append(time_s)
        held.append(grey)
        if len(held) == CHUNK_FRAMES:
            yield _Chunk(np.array(times), held, pairs)
            times, held, pairs = times[-1:], held[-1:], []
    if pairs:
        yield _Chunk(np.array(times), held, pairs)


def _still(chunk: _Chunk) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that stay in place, and the mean frame ``(h, w)`` float32 of moments in which the car moves."""
    moving = [
        k for k, pair in enumerate(chunk.pairs)
        if len(pair.before) > MIN_POINTS and (pair.flow_px > STILL_PX).mean() > MOVING_SHARE
    ]  # fmt: skip
    if not moving:
        return np.zeros(chunk.frames[0].shape, bool), np.zeros(chunk.frames[0].shape, np.float32)
    pick = np.unique(np.linspace(0, len(moving) - 1, min(MAX_STILL_FRAMES, len(moving))).round().astype(int))
    chosen = [chunk.frames[moving[k]] for k in pick]
    mean = np.zeros(chosen[0].shape, np.float32)
    for frame in chosen:
        mean += frame.astype(np.float32) / len(chosen)
    return still_parts(chosen), mean


def _measured(
    chunk: _Chunk, estimate: CameraEstimate, still: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times of the middles of the pairs, speed, yaw rate, and the deviations that smoothing leaves, ``(P,)`` each."""
    width, height = chunk.pairs[0].size_px
    camera = estimate.camera.resized(width, height)
    heading_px = estimate.heading_px * width / estimate.camera.width_px
    hidden: np.ndarray = np.all(still, axis=1)
    bottom_px = height - int(np.argmax(~hidden[::-1])) if not hidden.all() else 0
    view = GroundView.above(camera, heading_px, float(bottom_px))
    expected = Heading(heading_px, camera.horizon_px, HEADING_SHARE * camera.fx_px)
    seconds = np.diff(chunk.times_s)
    likelihoods = np.zeros((len(seconds), len(SPEEDS_MPS)))
    rates, sigmas = np.full(len(seconds), np.nan), np.full(len(seconds), np.nan)
    levelled = [frame - mean for frame in chunk.frames]
    for k, pair in enumerate(chunk.pairs):
        if len(pair.before) < MIN_POINTS or seconds[k] > LONGEST_PAIR_S:
            continue
        solved = solve_pair(pair, camera.fx_px, expected)
        # Turns of a camera that looks down are turns about its tilted axis.
        upright = math.cos(camera.pitch_rad)
        rates[k], sigmas[k] = -solved.turn_rad[1] / upright / seconds[k], solved.sigma[1] / upright / seconds[k]
        likelihoods[k] = expansion_likelihood(solved, seconds[k])
        if view is not None:
            likelihoods[k] += speed_likelihood(view, levelled[k], levelled[k + 1], solved.turn_rad, seconds[k])
    middles = (chunk.times_s[1:] + chunk.times_s[:-1]) / 2
    between = np.diff(middles, prepend=middles[0])
    speed, speed_sigma = smoothed_speeds(likelihoods, between)
    yaw_rate, yaw_sigma = smoothed_rates(rates, np.maximum(sigmas, YAW_FLOOR_RADPS), between, YAW_ACCELERATION_RADPS2)
    return middles, speed, yaw_rate, speed_sigma, yaw_sigma


def _scale_sigma(estimate: CameraEstimate, camera_given: bool) -> float:
    """Relative deviation that all speeds share: height of the camera, horizon, and focal length.

    The way of a ground point is ``h (1 / s - 1 / s')``, so an error of the horizon counts twice over its slope.
    """
    camera = estimate.camera
    height = GIVEN_HEIGHT_SHARE if camera_given else HEIGHT_SHARE
    horizon = 2 * estimate.horizon_sigma_px / camera.fy_px / GROUND_SLOPE
    focal = estimate.fov_sigma_deg * math.radians(1) / math.sin(math.radians(camera.fov_deg))
    return math.hypot(height, horizon, focal)


def _notes(estimate: CameraEstimate, camera: Camera, camera_given: bool, scale: float) -> tuple[str, ...]:
    found = estimate.camera
    fov = f"{found.fov_deg:.0f}" if camera_given else f"{found.fov_deg:.0f} +- {estimate.fov_sigma_deg:.0f}"
    tilt = f"{math.degrees(found.pitch_rad):.1f} +- {math.degrees(estimate.pitch_sigma_rad):.1f}"
    notes = [
        f"motion from pixels: field of view {fov} degrees, looks {tilt} degrees down, camera {camera.height_m:.2f} m "
        f"above the road; all speeds share an uncertainty of {100 * scale:.0f} %"
    ]
    if not camera_given:
        notes.append(
            "speeds from pixels scale with the height of the camera, and turns with its field of view: state camera"
        )
    return tuple(notes)

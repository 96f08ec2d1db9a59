"""Points of a still world beside a road, as a moving camera sees them: what odometry must find is known exactly."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.instruments.odometry.point_tracks import PointTracks

NOISE_PX = 0.15


def seen_pairs(
    camera: Camera, ego: EgoMotion, rng: np.random.Generator, *, gap: int = 3, noise_px: float = NOISE_PX,
    lever_m: float = 0.0, num_points: int = 300,
) -> list[PointTracks]:  # fmt: skip
    """Tracks from frame i to frame i + gap for every i. lever_m: the camera is this far ahead of the point whose motion
    ``ego`` is."""
    poses = planar_poses(ego)
    return [_pair(camera, poses[i], poses[i + gap], rng, noise_px, lever_m, num_points) for i in range(len(ego) - gap)]


def _pair(camera, first, second, rng, noise_px, lever_m, num_points) -> PointTracks:
    ground = np.stack([rng.uniform(0, 200, 3000), rng.uniform(-12, 12, 3000), np.zeros(3000)], 1)
    side = rng.choice([-1, 1], 3000)
    walls = np.stack([rng.uniform(0, 200, 3000), side * rng.uniform(6, 30, 3000), rng.uniform(0, 12, 3000)], 1)
    far = np.stack([rng.uniform(0, 600, 3000), rng.normal(0, 150, 3000), rng.uniform(0, 30, 3000)], 1)
    world = _turned(np.concatenate([ground, walls, far]), first)
    pixels = [_seen(camera, world, pose, lever_m) for pose in (first, second)]
    chosen = rng.permutation(np.flatnonzero(pixels[0][1] & pixels[1][1]))[:num_points]
    noisy = [place[chosen] + rng.normal(0, noise_px, (len(chosen), 2)) for place, _ in pixels]
    return PointTracks(noisy[0], noisy[1], (camera.width_px, camera.height_px))


def _turned(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Points of the ego frame of a pose, in the fixed frame."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    x, y = pose[0] + cos * points[:, 0] - sin * points[:, 1], pose[1] + sin * points[:, 0] + cos * points[:, 1]
    return np.stack([x, y, points[:, 2]], 1)


def _seen(camera: Camera, world: np.ndarray, pose: np.ndarray, lever_m: float) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    x, y = world[:, 0] - pose[0] - lever_m * cos, world[:, 1] - pose[1] - lever_m * sin
    pixels, depth = camera.project(np.stack([cos * x + sin * y, -sin * x + cos * y, world[:, 2]], 1))
    inside = (pixels > 0).all(1) & (pixels < [camera.width_px, camera.height_px]).all(1)
    return pixels, inside & (depth > 1.5)

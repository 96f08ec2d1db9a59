"""Layout: the scene as maps a world model is conditioned on, at any resolution, from the geometry pass alone."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.core.layout import DEPTH_SCALE_M, LAYOUT_CHANNELS, MOTION_RANGE_MPS
from worldgen.core.scene import Scene
from worldgen.scenes.sketch.ground import SEM, SEMANTICS
from worldgen.scenes.sketch.raster import FAR_M, Stage

RASTER_ROWS = 256
"""Layouts are averages of a raster with about this many rows, so that small things leave a fraction in small cells."""


def inverse_depth_value(depth_m: np.ndarray) -> np.ndarray:
    """Depth in metres to the layout's inverse depth in [0, 1]: 10 / (10 + depth); 1 at the lens, 0.5 at 10 m, 0 for the sky."""
    depth_m = np.asarray(depth_m)
    return np.where(depth_m >= FAR_M, 0.0, DEPTH_SCALE_M / (DEPTH_SCALE_M + depth_m))


def depth_from_inverse(value: np.ndarray) -> np.ndarray:
    """The inverse of :func:`inverse_depth_value`; 0 becomes ``FAR_M``."""
    value = np.asarray(value)
    return np.minimum(DEPTH_SCALE_M / np.maximum(value, DEPTH_SCALE_M / (DEPTH_SCALE_M + FAR_M)) - DEPTH_SCALE_M, FAR_M)


def layout_maps(scene: Scene, height: int, width: int) -> np.ndarray:
    """Maps ``(T, K, height, width)`` float32 in [0, 1], channels as in ``LAYOUT_CHANNELS``.

    Raises:
        InputError: a size outside 1 to 2048.
    """
    if not all(isinstance(v, (int, np.integer)) and 1 <= v <= 2048 for v in (height, width)):
        raise InputError("layout size (height, width)", (height, width), "whole numbers from 1 to 2048")
    factor = max(1, round(RASTER_ROWS / height))
    camera = scene.camera.resized(int(width) * factor, int(height) * factor)
    stage = Stage(scene, camera)
    ray_x = ((np.arange(camera.width_px, dtype=np.float32) + 0.5 - camera.cx_px) / camera.fx_px)[None, :]
    ray_y = ((np.arange(camera.height_px, dtype=np.float32) + 0.5 - camera.cy_px) / camera.fy_px)[:, None]
    out = np.empty((scene.num_frames, len(LAYOUT_CHANNELS), height, width), np.float32)
    for frame in range(scene.num_frames):
        raster = stage.draw(frame)
        semantic = np.take(raster.semantic, raster.index)
        track = np.take(raster.track, raster.index)
        maps = _shares(semantic, (width, height))
        maps.append(_averaged(_inverse_depth(raster.inverse_depth(raster.index, ray_x, ray_y)), (width, height)))
        maps.append(_averaged(_edges(track), (width, height)))
        maps.extend(_averaged(image, (width, height)) for image in _motion(scene, frame, track))
        out[frame] = np.clip(np.stack(maps), 0.0, 1.0)
    return out


def _averaged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image.astype(np.float32, copy=False), size, interpolation=cv2.INTER_AREA)


def _shares(semantic: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Shares of cells: drivable, lane marks, crossing, then each class."""
    present = np.bincount(semantic.ravel(), minlength=len(SEMANTICS) + len(CLASSES)) > 0
    marks, crossing = semantic == SEM["lane_marks"], semantic == SEM["crossing"]
    maps = [
        _averaged((semantic == SEM["drivable"]) | marks | crossing, size),
        _averaged(marks, size),
        _averaged(crossing, size),
    ]
    for code in range(len(SEMANTICS), len(SEMANTICS) + len(CLASSES)):
        maps.append(_averaged(semantic == code, size) if present[code] else np.zeros(size[::-1], np.float32))
    return maps


def _inverse_depth(inverse_m: np.ndarray) -> np.ndarray:
    # 10 / (10 + d) with d = 1 / inverse; the sky has inverse 0 or 1 / FAR_M.
    value = DEPTH_SCALE_M * inverse_m / (DEPTH_SCALE_M * inverse_m + 1.0)
    return np.where(inverse_m <= 1.0 / FAR_M, 0.0, value).astype(np.float32)


def _edges(track: np.ndarray) -> np.ndarray:
    """Pixels of objects whose right or lower neighbour is something else, and those on the other side."""
    edge = np.zeros(track.shape, bool)
    across = track[:, 1:] != track[:, :-1]
    edge[:, 1:] |= across & (track[:, 1:] > 0)
    edge[:, :-1] |= across & (track[:, :-1] > 0)
    down = track[1:] != track[:-1]
    edge[1:] |= down & (track[1:] > 0)
    edge[:-1] |= down & (track[:-1] > 0)
    return edge


def _motion(scene: Scene, frame: int, track: np.ndarray) -> np.ndarray:
    """Velocity over the ground of what each pixel shows, ``(2, H, W)`` in [0, 1]: forward and left of the ego.

    From the poses of this frame and the one before, so that a point moved back by it was there then; frame 0 looks ahead.
    """
    yaw = scene.ego_poses[frame, 2]
    ahead, left = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    table = np.full((2, int(track.max(initial=0)) + 1), 0.5, np.float32)
    last = max(frame, min(1, scene.num_frames - 1))
    first = max(last - 1, 0)
    for agent in scene.agents:
        if agent.track_id < table.shape[1]:
            step_m = agent.poses[last, :2] - agent.poses[first, :2]
            velocity = np.array([step_m @ ahead, step_m @ left]) * scene.fps
            table[:, agent.track_id] = 0.5 + velocity / (2 * MOTION_RANGE_MPS)
    return np.clip(table, 0.0, 1.0)[:, np.maximum(track, 0)]

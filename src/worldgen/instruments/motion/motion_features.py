"""Input of the motion reader: optical flow between two frames, with the geometry of the known camera at each cell."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip

WIDTH_PX, HEIGHT_PX, CELL_PX = 224, 128, 4
ROWS, COLUMNS = HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX
CHANNELS = (
    "flow_right", "flow_down", "ray_right", "ground_slope", "speed_if_ground", "yaw_rate_if_far", "texture",
    "mismatch", "brightness",
)  # fmt: skip
"""Channels of each cell: flow in focal lengths per second; direction of its ray; the ego speed that the flow implies if
the cell is flat ground; the yaw rate that it implies if the cell is far away; texture to match; and error of the
match."""

NEAREST_SLOPE = 0.02
"""Rays flatter than this meet the ground tens of metres away, where a fraction of a pixel is many m/s."""
MAX_SPEED_MPS = 60.0


def pair_features(clip: Clip, camera: Camera) -> np.ndarray:
    """Features of each pair of neighbouring frames, ``(T - 1, len(CHANNELS), ROWS, COLUMNS)`` float32.

    The clip is brought to ``WIDTH_PX`` x ``HEIGHT_PX`` first, its camera with it. Flow is DIS (Kroeger et al. 2016,
    arXiv:1603.03590) as OpenCV has it.
    """
    camera = camera.resized(WIDTH_PX, HEIGHT_PX)
    grey = [_grey(frame) for frame in clip.frames]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]  # not in the stub
    rows = [_one(before, after, search.calc(before, after, None), camera, clip.fps) for before, after in pairwise(grey)]
    return np.stack(rows) if rows else np.zeros((0, len(CHANNELS), ROWS, COLUMNS), np.float32)


def mirrored(features: np.ndarray) -> np.ndarray:
    """The features of the mirrored clip, whose yaw rates have the other sign."""
    flipped = features[..., ::-1].copy()
    for name in ("flow_right", "ray_right", "yaw_rate_if_far"):
        flipped[..., CHANNELS.index(name), :, :] *= -1
    return flipped


def _grey(frame: np.ndarray) -> np.ndarray:
    if frame.shape[:2] != (HEIGHT_PX, WIDTH_PX):
        frame = cv2.resize(frame, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _one(before: np.ndarray, after: np.ndarray, flow: np.ndarray, camera: Camera, fps: float) -> np.ndarray:
    right, slope = _geometry(camera)
    u, v = np.meshgrid(np.arange(WIDTH_PX, dtype=np.float32), np.arange(HEIGHT_PX, dtype=np.float32))
    moved = cv2.remap(
        after, u + flow[..., 0], v + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)  # fmt: skip
    mismatch = np.abs(moved - before) / 32.0
    light = before.astype(np.float32) / 255.0
    texture = np.sqrt(np.maximum(_cells(light**2) - _cells(light) ** 2, 0)) * 10
    flow_right = _cells(flow[..., 0]) * (fps / camera.fx_px)
    flow_down = _cells(flow[..., 1]) * (fps / camera.fy_px)
    # Flat ground at slope s below the horizon lies h / s ahead; driving at v it sinks by s^2 v / h per second.
    ground = slope > NEAREST_SLOPE
    speed = np.where(ground, flow_down * camera.height_m / np.maximum(slope, NEAREST_SLOPE) ** 2, 0.0)
    yaw_rate = flow_right / (1 + right**2)
    speed = np.clip(speed, -MAX_SPEED_MPS, MAX_SPEED_MPS) / 10
    channels = (
        np.arcsinh(5 * flow_right), np.arcsinh(5 * flow_down), right, slope, np.arcsinh(speed), yaw_rate, texture,
        _cells(mismatch), _cells(light),
    )  # fmt: skip
    return np.stack([np.asarray(c, np.float32) for c in channels])


@lru_cache(maxsize=64)
def _geometry(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Of each cell's centre: tangent of its ray to the right, and slope below the horizon, ``(ROWS, COLUMNS)``."""
    rays = camera.rays()
    rays = rays.reshape(ROWS, CELL_PX, COLUMNS, CELL_PX, 3).mean((1, 3))
    return (-rays[..., 1] / rays[..., 0]).astype(np.float32), (-rays[..., 2] / rays[..., 0]).astype(np.float32)


def _cells(values: np.ndarray) -> np.ndarray:
    """Means over cells, ``(ROWS, COLUMNS)``."""
    return cv2.resize(values.astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)

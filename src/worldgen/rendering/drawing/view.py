"""One frame at picture size: which face each pixel shows, how far it is, and where in the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.rendering.drawing.raster import FAR_M, FrameRaster, RasterScene

SAMPLES = 2
"""Raster pixels per picture pixel along each side."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays of picture pixels. x: ``(1, W)`` and y: ``(H, 1)`` on the unit-depth plane; ego: ``(H, W, 3)``, all float32."""

    x: np.ndarray
    y: np.ndarray
    ego: np.ndarray

    @classmethod
    def of(cls, camera: Camera) -> Rays:
        x = ((np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.fx_px).astype(np.float32)[None, :]
        y = ((np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.fy_px).astype(np.float32)[:, None]
        return cls(x, y, camera.rays().astype(np.float32))


@dataclass(frozen=True, eq=False)
class View:
    """What the camera sees in one frame. index: ``(H, W)`` face numbers of ``fine``; depth, ahead, left, up: ``(H, W)``
    float32 m, the last three in the ego frame; east, north: ``(H, W)`` world x and y; rotation, place: of the camera.
    """

    frame: int
    fine: FrameRaster
    index: np.ndarray
    depth: np.ndarray
    ahead: np.ndarray
    left: np.ndarray
    up: np.ndarray
    east: np.ndarray
    north: np.ndarray
    rotation: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, stage: RasterScene, frame: int, rays: Rays) -> View:
        """The view of one frame; the stage's raster is ``SAMPLES`` times finer than the rays."""
        fine = stage.draw(frame)
        half = SAMPLES // 2
        index = np.ascontiguousarray(fine.index[half::SAMPLES, half::SAMPLES])
        depth = 1.0 / np.maximum(fine.inverse_depth(index, rays.x, rays.y), np.float32(1 / FAR_M))
        ahead, left = rays.ego[..., 0] * depth, rays.ego[..., 1] * depth
        up = rays.ego[..., 2] * depth + np.float32(stage.camera.height_m)
        rotation, place = stage.pose(frame)
        yaw = stage.scene.ego_poses[frame, 2]
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        east = c * ahead - s * left + np.float32(place[0])
        north = s * ahead + c * left + np.float32(place[1])
        return cls(frame, fine, index, depth, ahead, left, up, east, north, rotation, place)

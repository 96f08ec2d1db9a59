"""The geometry of one frame at image size: face number, depth and world position of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.rendering.drawing.raster import FAR_M, FrameRaster, RasterScene

SAMPLES = 2
"""Raster pixels per image pixel along each side (supersampling)."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays through the pixel centres of an image, float32.

    x: ``(1, W)`` and y: ``(H, 1)`` on the unit-depth plane. ego: ``(H, W, 3)`` of unit depth, in ego axes.
    """

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
    """The geometry seen in one frame.

    raster: the face buffer, ``SAMPLES`` times finer than the image. index: ``(H, W)`` int32 face numbers of ``raster``.
    depth: ``(H, W)`` float32 m along the optical axis. ahead, left, up: ``(H, W)`` float32 m in the ego frame. east,
    north: ``(H, W)`` float32 m, world x and y. rotation: ``(3, 3)`` world to camera. camera_position: ``(3,)`` world m.
    """

    frame: int
    raster: FrameRaster
    index: np.ndarray
    depth: np.ndarray
    ahead: np.ndarray
    left: np.ndarray
    up: np.ndarray
    east: np.ndarray
    north: np.ndarray
    rotation: np.ndarray
    camera_position: np.ndarray

    @classmethod
    def of(cls, raster_scene: RasterScene, frame: int, rays: Rays) -> View:
        """The view of one frame. raster_scene: at ``SAMPLES`` times the resolution of ``rays``."""
        raster = raster_scene.draw(frame)
        half = SAMPLES // 2
        index = np.ascontiguousarray(raster.index[half::SAMPLES, half::SAMPLES])
        depth = 1.0 / np.maximum(raster.inverse_depth(index, rays.x, rays.y), np.float32(1 / FAR_M))
        ahead, left = rays.ego[..., 0] * depth, rays.ego[..., 1] * depth
        up = rays.ego[..., 2] * depth + np.float32(raster_scene.camera.height_m)
        rotation, camera_position = raster_scene.pose(frame)
        yaw = raster_scene.scene.ego_poses[frame, 2]
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        east = c * ahead - s * left + np.float32(camera_position[0])
        north = s * ahead + c * left + np.float32(camera_position[1])
        return cls(frame, raster, index, depth, ahead, left, up, east, north, rotation, camera_position)

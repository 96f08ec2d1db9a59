"""Layouts: the raster a world model is conditioned on, at any resolution, rendered from the geometry alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.layout_channels import DEPTH_SCALE_M, GLOW_RANGE, LAYOUT_CHANNELS, MOTION_RANGE_MPS
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.ground import SEM, SEMANTICS
from worldgen.rendering.drawing.lamps import Lamps
from worldgen.rendering.drawing.material import Materials
from worldgen.rendering.drawing.palette import DARKNESS
from worldgen.rendering.drawing.precipitation import Precipitation
from worldgen.rendering.drawing.raster import FAR_M, RasterScene
from worldgen.rendering.drawing.view import SAMPLES, Rays, View

IMAGE_ROWS = 128
"""Layouts are averages of images with about this many rows, so that small objects leave a fraction in small cells."""


def layout_maps(scene: Scene, height: int, width: int, *, frames: Sequence[int] | None = None) -> np.ndarray:
    """The layout of a scene, ``(T, K, height, width)`` float16 in [0, 1], channels as in ``LAYOUT_CHANNELS``.

    frames: frame numbers, by default all of the scene. Each cell is the mean over the pixels of a finer raster.

    Raises:
        InputError: a size outside 1 to 2048.
    """
    if not all(isinstance(v, (int, np.integer)) and 1 <= v <= 2048 for v in (height, width)):
        raise InputError("layout size (height, width)", (height, width), "whole numbers from 1 to 2048")
    factor = max(1, round(IMAGE_ROWS / height))
    renderer = _LayoutRenderer(scene, scene.camera.resized(int(width) * factor, int(height) * factor))
    wanted = range(scene.num_frames) if frames is None else frames
    out = np.empty((len(wanted), len(LAYOUT_CHANNELS), height, width), np.float16)
    for row, frame in enumerate(wanted):
        # float32 until the last step: float16 cannot count the raster pixels of a large cell.
        out[row] = np.clip(np.stack(renderer.maps(frame, (width, height))), 0.0, 1.0)
    return out


class _LayoutRenderer:
    """Renders the layouts of one scene from a raster ``SAMPLES`` times finer than the image of ``camera``."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene = scene
        self.raster_scene = RasterScene(scene, camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES))
        self.rays, raster_camera = Rays.of(camera), self.raster_scene.camera
        self.raster_x = (
            (np.arange(raster_camera.width_px, dtype=np.float32) + 0.5 - raster_camera.cx_px) / raster_camera.fx_px
        )[None, :]
        self.raster_y = (
            (np.arange(raster_camera.height_px, dtype=np.float32) + 0.5 - raster_camera.cy_px) / raster_camera.fy_px
        )[:, None]
        self.materials = Materials(self.raster_scene, DARKNESS, camera, wetness=0.0, snow_cover=0.0)
        self.lamps = Lamps(self.raster_scene, DARKNESS.night)
        self.precipitation = Precipitation(scene)
        self.shape = (camera.height_px, camera.width_px)

    def maps(self, frame: int, size: tuple[int, int]) -> list[np.ndarray]:
        """The maps of one frame, each ``(height, width)`` float32; size is (width, height)."""
        view = View.of(self.raster_scene, frame, self.rays)
        raster = view.raster
        semantic, track = np.take(raster.semantic, raster.index), np.take(raster.track, raster.index)
        maps = _coverage(semantic, size)
        maps.append(_averaged(_inverse_depth(raster.inverse_depth(raster.index, self.raster_x, self.raster_y)), size))
        maps.append(_averaged(_edges(track), size))
        maps.extend(_motion(self.scene, frame, track, size))
        maps.extend(self._materials(view, size))
        return maps

    def _materials(self, view: View, size: tuple[int, int]) -> list[np.ndarray]:
        """Albedo, normals, emission and precipitation."""
        g_buffer = self.materials.g_buffer(view, self.lamps.emission(view.frame)[view.raster.faces])
        albedo = _averaged(np.sqrt(np.maximum(g_buffer.albedo, 0.0)), size)
        emission = _averaged(np.sqrt(np.maximum(g_buffer.emission, 0.0) / GLOW_RANGE), size)
        cover = self.precipitation.draw(view.frame, self.raster_scene, self.shape)
        falling = np.zeros(size[::-1], np.float32) if cover is None else _averaged(cover, size)
        return [*albedo.transpose(2, 0, 1), *self._normals(view, size), *emission.transpose(2, 0, 1), falling]

    def _normals(self, view: View, size: tuple[int, int]) -> np.ndarray:
        """Surface normals in ego axes (forward, left, up), ``(3, height, width)``; 0.5 stands for 0."""
        yaw_rad = self.scene.ego_poses[view.frame, 2]
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]], np.float32)
        normals = self.raster_scene.now["normals"][view.raster.faces] @ ego_from_world.T
        table = np.concatenate([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], normals]).astype(np.float32)
        return 0.5 + 0.5 * _averaged(np.take(table, view.raster.index, 0), size).transpose(2, 0, 1)


def _averaged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image.astype(np.float32, copy=False), size, interpolation=cv2.INTER_AREA)


def _coverage(semantic: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Share of each cell that is drivable, lane marks and crossing, then that each class covers."""
    present = np.bincount(semantic.ravel(), minlength=len(SEMANTICS) + len(LAYOUT_CLASSES)) > 0
    marks, crossing = semantic == SEM["lane_marks"], semantic == SEM["crossing"]
    maps = [_averaged(image, size) for image in ((semantic == SEM["drivable"]) | marks | crossing, marks, crossing)]
    for code in range(len(SEMANTICS), len(SEMANTICS) + len(LAYOUT_CLASSES)):
        maps.append(_averaged(semantic == code, size) if present[code] else np.zeros(size[::-1], np.float32))
    return maps


def _inverse_depth(inverse_m: np.ndarray) -> np.ndarray:
    # 10 / (10 + d) with d = 1 / inverse; the sky has inverse 0 or 1 / FAR_M.
    value = DEPTH_SCALE_M * inverse_m / (DEPTH_SCALE_M * inverse_m + 1.0)
    return np.where(inverse_m <= 1.0 / FAR_M, 0.0, value).astype(np.float32)


def _edges(track: np.ndarray) -> np.ndarray:
    """Pixels of objects that border on another object or on the background."""
    edge = np.zeros(track.shape, bool)
    across = track[:, 1:] != track[:, :-1]
    edge[:, 1:] |= across & (track[:, 1:] > 0)
    edge[:, :-1] |= across & (track[:, :-1] > 0)
    down = track[1:] != track[:-1]
    edge[1:] |= down & (track[1:] > 0)
    edge[:-1] |= down & (track[:-1] > 0)
    return edge


def _motion(scene: Scene, frame: int, track: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Ground velocity of the agents, two maps in [0, 1]: forward and left of the ego; 0.5 stands for 0.

    It is the difference of the poses of this frame and the previous one, so it maps a point back to where it was in the
    previous frame. Frame 0 uses frame 1.
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
    if (table == 0.5).all():
        return [np.full(size[::-1], 0.5, np.float32)] * 2
    return [_averaged(image, size) for image in np.clip(table, 0.0, 1.0)[:, np.maximum(track, 0)]]

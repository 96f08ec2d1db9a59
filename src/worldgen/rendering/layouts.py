"""Layout: the scene as maps a world model is conditioned on, at any resolution, from the geometry pass alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.core.layout_channels import DEPTH_SCALE_M, GLOW_RANGE, LAYOUT_CHANNELS, MOTION_RANGE_MPS
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.ground import SEM, SEMANTICS
from worldgen.rendering.drawing.lamps import Lamps
from worldgen.rendering.drawing.material import Materials
from worldgen.rendering.drawing.palette import DARKNESS
from worldgen.rendering.drawing.precipitation import Precipitation
from worldgen.rendering.drawing.raster import FAR_M, RasterScene
from worldgen.rendering.drawing.view import SAMPLES, Rays, View

PICTURE_ROWS = 128
"""Layouts are averages of pictures with about this many rows, so that small things leave a fraction in small cells."""


def inverse_depth_value(depth_m: np.ndarray) -> np.ndarray:
    """Depth in metres to the layout's inverse depth in [0, 1]: 10 / (10 + depth); 1 at the lens, 0.5 at 10 m, 0 for the sky."""
    depth_m = np.asarray(depth_m)
    return np.where(depth_m >= FAR_M, 0.0, DEPTH_SCALE_M / (DEPTH_SCALE_M + depth_m))


def depth_from_inverse(value: np.ndarray) -> np.ndarray:
    """The inverse of :func:`inverse_depth_value`; 0 becomes ``FAR_M``."""
    value = np.asarray(value)
    return np.minimum(DEPTH_SCALE_M / np.maximum(value, DEPTH_SCALE_M / (DEPTH_SCALE_M + FAR_M)) - DEPTH_SCALE_M, FAR_M)


def layout_maps(scene: Scene, height: int, width: int, *, frames: Sequence[int] | None = None) -> np.ndarray:
    """Maps ``(T, K, height, width)`` float16 in [0, 1], channels as in ``LAYOUT_CHANNELS``; of all frames, or of those named.

    Raises:
        InputError: a size outside 1 to 2048.
    """
    if not all(isinstance(v, (int, np.integer)) and 1 <= v <= 2048 for v in (height, width)):
        raise InputError("layout size (height, width)", (height, width), "whole numbers from 1 to 2048")
    factor = max(1, round(PICTURE_ROWS / height))
    drawer = _Drawer(scene, scene.camera.resized(int(width) * factor, int(height) * factor))
    frames = range(scene.num_frames) if frames is None else frames
    out = np.empty((len(frames), len(LAYOUT_CHANNELS), height, width), np.float16)
    for row, frame in enumerate(frames):
        # In single precision until the last step: halves cannot count the raster pixels of a large cell.
        out[row] = np.clip(np.stack(drawer.maps(frame, (width, height))), 0.0, 1.0)
    return out


class _Drawer:
    """Draws the layouts of one scene from a raster somewhat finer than ``camera``'s picture."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene = scene
        self.stage = RasterScene(scene, camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES))
        self.rays, fine = Rays.of(camera), self.stage.camera
        self.fine_x = ((np.arange(fine.width_px, dtype=np.float32) + 0.5 - fine.cx_px) / fine.fx_px)[None, :]
        self.fine_y = ((np.arange(fine.height_px, dtype=np.float32) + 0.5 - fine.cy_px) / fine.fy_px)[:, None]
        self.materials = Materials(self.stage, DARKNESS, camera, wetness=0.0, snow_cover=0.0)
        self.lamps = Lamps(self.stage, DARKNESS.night)
        self.precipitation = Precipitation(scene)
        self.shape = (camera.height_px, camera.width_px)

    def maps(self, frame: int, size: tuple[int, int]) -> list[np.ndarray]:
        """The maps of one frame, each ``(height, width)`` float32; size is (width, height)."""
        view = View.of(self.stage, frame, self.rays)
        raster = view.fine
        semantic, track = np.take(raster.semantic, raster.index), np.take(raster.track, raster.index)
        maps = _shares(semantic, size)
        maps.append(_averaged(_inverse_depth(raster.inverse_depth(raster.index, self.fine_x, self.fine_y)), size))
        maps.append(_averaged(_edges(track), size))
        maps.extend(_motion(self.scene, frame, track, size))
        maps.extend(self._materials(view, size))
        return maps

    def _materials(self, view: View, size: tuple[int, int]) -> list[np.ndarray]:
        """Base colour, normals, glow and what falls."""
        layers = self.materials.layers(view, self.lamps.emission(view.frame)[view.fine.faces])
        base = _averaged(np.sqrt(np.maximum(layers.albedo, 0.0)), size)
        glow = _averaged(np.sqrt(np.maximum(layers.glow, 0.0) / GLOW_RANGE), size)
        cover = self.precipitation.draw(view.frame, self.stage, self.shape)
        falling = np.zeros(size[::-1], np.float32) if cover is None else _averaged(cover, size)
        return [*base.transpose(2, 0, 1), *self._normals(view, size), *glow.transpose(2, 0, 1), falling]

    def _normals(self, view: View, size: tuple[int, int]) -> np.ndarray:
        """``(3, height, width)``: forward, left and up, around 0.5."""
        yaw_rad = self.scene.ego_poses[view.frame, 2]
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]], np.float32)
        normals = self.stage.now["normals"][view.fine.faces] @ ego_from_world.T
        table = np.concatenate([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], normals]).astype(np.float32)
        return 0.5 + 0.5 * _averaged(np.take(table, view.fine.index, 0), size).transpose(2, 0, 1)


def _averaged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image.astype(np.float32, copy=False), size, interpolation=cv2.INTER_AREA)


def _shares(semantic: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Shares of cells: drivable, lane marks, crossing, then each class."""
    present = np.bincount(semantic.ravel(), minlength=len(SEMANTICS) + len(CLASSES)) > 0
    marks, crossing = semantic == SEM["lane_marks"], semantic == SEM["crossing"]
    maps = [_averaged(image, size) for image in ((semantic == SEM["drivable"]) | marks | crossing, marks, crossing)]
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


def _motion(scene: Scene, frame: int, track: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Velocity over the ground of what each cell shows, two maps in [0, 1]: forward and left of the ego.

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
    if (table == 0.5).all():
        return [np.full(size[::-1], 0.5, np.float32)] * 2
    return [_averaged(image, size) for image in np.clip(table, 0.0, 1.0)[:, np.maximum(track, 0)]]

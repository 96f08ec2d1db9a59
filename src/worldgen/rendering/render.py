"""Rendered frames of a scene, with depth, instances and classes from the same geometry pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.frame_renderer import FrameRenderer

MAX_SIDE_PX = 4096


@dataclass(frozen=True, eq=False)
class Rendering:
    """The images of a scene with their per-pixel ground truth. All arrays come from one face buffer per frame.

    clip: T frames. depth: ``(T, H, W)`` float32 m along the optical axis, at most ``FAR_M`` (sky). instance:
    ``(T, H, W)`` int32 track ids, 0 for none, negative for a thing that the person of this track carries. semantic:
    ``(T, H, W)`` uint8, codes of ``drawing.ground.SEMANTICS``;
    from ``len(SEMANTICS)`` on the classes of ``core.labels.LAYOUT_CLASSES``.
    """

    clip: Clip
    depth: np.ndarray
    instance: np.ndarray
    semantic: np.ndarray


def image_camera(scene: Scene, size: tuple[int, int] | None) -> Camera:
    """The scene's camera at ``size`` (width, height in pixels), or its own.

    Raises:
        InputError: a size that is not two numbers from 8 to ``MAX_SIDE_PX``.
    """
    if size is None:
        size = (scene.camera.width_px, scene.camera.height_px)
    if len(size) != 2 or not all(isinstance(v, (int, np.integer)) and 8 <= v <= MAX_SIDE_PX for v in size):
        raise InputError("image size (width, height)", tuple(size), f"two whole numbers from 8 to {MAX_SIDE_PX}")
    return (
        scene.camera
        if size == (scene.camera.width_px, scene.camera.height_px)
        else scene.camera.resized(int(size[0]), int(size[1]))
    )


def frame_numbers(scene: Scene, frames: Iterable[int] | None) -> list[int]:
    """Frame numbers of a scene, all by default.

    Raises:
        InputError: a frame outside the scene, or none at all.
    """
    wanted = list(range(scene.num_frames)) if frames is None else [int(f) for f in frames]
    if not wanted or min(wanted) < 0 or max(wanted) >= scene.num_frames:
        raise InputError("frames to render", wanted, f"numbers from 0 to {scene.num_frames - 1}")
    return wanted


def render_scene(
    scene: Scene, *, frames: Iterable[int] | None = None, size: tuple[int, int] | None = None
) -> Rendering:
    """Render a scene.

    frames: frame numbers, default all. size: width and height in pixels, each 8 to ``MAX_SIDE_PX``, default the
    camera's. A frame depends on the scene and the size alone: the same scene gives the same bytes, whichever frames are
    rendered.

    Raises:
        InputError: a size out of range, a frame outside the scene, or no frame.
    """
    wanted = frame_numbers(scene, frames)
    renderer = FrameRenderer(scene, image_camera(scene, size))
    shape = (len(wanted), *renderer.shape)
    pixels, depth = np.empty((*shape, 3), np.uint8), np.empty(shape, np.float32)
    instance, semantic = np.empty(shape, np.int32), np.empty(shape, np.uint8)
    for row, frame in enumerate(wanted):
        pixels[row], view = renderer.render(frame)
        depth[row] = view.depth
        instance[row] = view.raster.instance[view.index]
        semantic[row] = view.raster.semantic[view.index]
    return Rendering(Clip(pixels, scene.fps), depth, instance, semantic)

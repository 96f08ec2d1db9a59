"""A scene as a drawn clip with its labels, by either renderer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.core.scene import Scene
from worldgen.rendering.labelling import LabelRows, boxes_of, labels_of
from worldgen.rendering.raycast.cast_labels import unoccluded
from worldgen.rendering.raycast.cast_renderer import CastRenderer, instances, semantics
from worldgen.rendering.render import Rendering, frame_numbers, image_camera, render_scene

Renderer = Literal["raycast", "sketch"]
"""``raycast``: smooth shapes, cast shadows and reflections. ``sketch``: flat faces, as the shipped model is given."""
RENDERERS: tuple[str, ...] = get_args(Renderer)
DEFAULT_RENDERER: Renderer = "raycast"


@dataclass(frozen=True, eq=False)
class DrawnFrame:
    """One frame of a scene, and what its labels are made of.

    pixels: ``(H, W, 3)`` uint8. depth: ``(H, W)`` float32, m along the optical axis. instance: ``(H, W)`` int32.
    semantic: ``(H, W)`` uint8. whole: index of each agent in the picture -> its number of pixels without other objects
    and its amodal box ``(4,)``.
    """

    frame: int
    pixels: np.ndarray
    depth: np.ndarray
    instance: np.ndarray
    semantic: np.ndarray
    whole: dict[int, tuple[int, np.ndarray]]


class SceneDrawing:
    """Draws the frames of one scene by ray casting, in any order and in any number of processes.

    scene: the scene. size: width and height in pixels, default the camera's.
    """

    def __init__(self, scene: Scene, size: tuple[int, int] | None = None):
        self.scene = scene
        self._caster = CastRenderer(scene, image_camera(scene, size))

    def frame(self, frame: int) -> DrawnFrame:
        """The frame of that number. Equal scenes, sizes and numbers give equal bytes."""
        caster = self._caster
        pixels, hits = caster.render(frame)
        distance, instance, semantic = (
            values.reshape(caster.shape)
            for values in (hits.distance, instances(caster.rays, hits), semantics(caster.rays, hits))
        )
        return DrawnFrame(frame, pixels, distance, instance, semantic, unoccluded(caster.grid, frame))

    def clip(self, frames: Iterable[DrawnFrame], num_frames: int) -> tuple[Rendering, Labels]:
        """``num_frames`` drawn frames, in the order in which they come, as one clip with its labels."""
        shape = (num_frames, *self._caster.shape)
        pixels, depth = np.empty((*shape, 3), np.uint8), np.empty(shape, np.float32)
        instance, semantic = np.empty(shape, np.int32), np.empty(shape, np.uint8)
        rows = LabelRows(self.scene, self._caster.camera)
        for number, drawn in enumerate(frames):
            pixels[number], depth[number] = drawn.pixels, drawn.depth
            instance[number], semantic[number] = drawn.instance, drawn.semantic
            visible = boxes_of(drawn.instance)
            for index, (inside, box) in drawn.whole.items():
                agent = self.scene.agents[index]
                if agent.label is not None:
                    measured = (visible.get(agent.track_id), inside, box)
                    rows.append(agent, when=(number, drawn.frame), measured=measured)
        return Rendering(Clip(pixels, self.scene.fps), depth, instance, semantic), rows.labels(num_frames)


class DrawFunction(Protocol):
    """What draws frames of a scene by ray casting, default all, and labels them: :func:`draw_scene` or its like."""

    def __call__(self, scene: Scene, *, frames: Iterable[int] | None = None) -> tuple[Rendering, Labels]: ...


def draw_scene(
    scene: Scene, *, frames: Iterable[int] | None = None, size: tuple[int, int] | None = None,
    renderer: Renderer = DEFAULT_RENDERER,
) -> tuple[Rendering, Labels]:  # fmt: skip
    """A scene drawn, with the labels of what was drawn.

    frames: frame numbers, default all. size: width and height in pixels, each 8 to 4096, default the camera's. The same
    scene and size give the same bytes, whichever frames are drawn.

    Raises:
        InputError: a size out of range, a frame outside the scene, no frame, or an unknown renderer.
    """
    if renderer not in RENDERERS:
        raise InputError("renderer", renderer, " or ".join(RENDERERS))
    if renderer == "sketch":
        rendering = render_scene(scene, frames=frames, size=size)
        return rendering, labels_of(scene, rendering, frames=frames)
    wanted = frame_numbers(scene, frames)
    drawing = SceneDrawing(scene, size)
    return drawing.clip((drawing.frame(frame) for frame in wanted), len(wanted))

"""A scene as a drawn clip with its labels, by either renderer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

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
    caster = CastRenderer(scene, image_camera(scene, size))
    shape = (len(wanted), *caster.shape)
    pixels, depth = np.empty((*shape, 3), np.uint8), np.empty(shape, np.float32)
    instance, semantic = np.empty(shape, np.int32), np.empty(shape, np.uint8)
    rows = LabelRows(scene, caster.camera)
    for number, frame in enumerate(wanted):
        pixels[number], hits = caster.render(frame)
        depth[number] = hits.distance.reshape(caster.shape)
        instance[number] = instances(caster.rays, hits).reshape(caster.shape)
        semantic[number] = semantics(caster.rays, hits).reshape(caster.shape)
        visible = boxes_of(instance[number])
        for index, (inside, box) in unoccluded(caster.grid, frame).items():
            agent = scene.agents[index]
            if agent.label is not None:
                rows.append(agent, when=(number, frame), measured=(visible.get(agent.track_id), inside, box))
    return Rendering(Clip(pixels, scene.fps), depth, instance, semantic), rows.labels(len(wanted))

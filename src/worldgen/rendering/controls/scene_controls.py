"""Controls of a scene: every picture from the geometry pass that drew the clip and measured its labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.scene import Scene
from worldgen.rendering.controls.blurred_pictures import blur_control
from worldgen.rendering.controls.box_pictures import flat_boxes, scene_flat_boxes, wire_frames
from worldgen.rendering.controls.control_table import ControlChoice, control_choices
from worldgen.rendering.controls.cuboids import scene_cuboids
from worldgen.rendering.controls.disparity_video import depth_control
from worldgen.rendering.controls.edge_pictures import canny_control, geometric_edges
from worldgen.rendering.controls.instance_colours import seg_control
from worldgen.rendering.controls.scenario_map import ScenarioMapPainter
from worldgen.rendering.render import Rendering, frame_numbers, image_camera


def scene_controls(
    scene: Scene, rendering: Rendering, names: Sequence[str], *, seed: int = 0, frames: Iterable[int] | None = None
) -> dict[str, np.ndarray]:
    """Control videos of a scene, name -> ``(T, H, W, 3)`` uint8 RGB at exactly the size of the rendering.

    Args:
        scene: the scene. rendering: of it, as ``draw_scene`` returns it: its depth and ids are those of the labels.
        names: controls, each alone or as ``NAME:VARIANT`` (``edge:geometry``, ``blur:down``, ``boxes:flat``).
        seed: of the random colours of ``seg``.
        frames: frame numbers that the rendering has, default all of the scene.

    Raises:
        InputError: an unknown control or variant, one named twice, or a rendering of other frames.
    """
    choices = control_choices(names)
    wanted = frame_numbers(scene, frames)
    if len(wanted) != len(rendering.clip):
        raise InputError("frames of the rendering", Received(f"{len(rendering.clip)}"), f"{len(wanted)}")
    made = {choice.name: _control(scene, rendering, choice, seed=seed, frames=wanted) for choice in choices}
    for name, video in made.items():
        assert video.dtype == np.uint8 and video.shape == rendering.clip.frames.shape, (name, video.shape)
    return made


def _control(
    scene: Scene, rendering: Rendering, choice: ControlChoice, *, seed: int, frames: list[int]
) -> np.ndarray:  # fmt: skip
    size_px = (rendering.clip.width_px, rendering.clip.height_px)
    pictures = rendering.clip.frames
    match choice.name:
        case "depth":
            video = depth_control(rendering.depth)
        case "seg":
            video = seg_control(rendering, [agent.track_id for agent in scene.agents], seed=seed)
        case "edge":
            is_geometric = choice.variant == "geometry"
            video = geometric_edges(rendering) if is_geometric else canny_control(pictures, choice.variant)
        case "blur":
            video = blur_control(pictures, choice.variant)
        case "boxes" if choice.variant == "flat":
            video = np.stack([flat_boxes(size_px, scene_flat_boxes(scene, rendering, k)) for k in range(len(frames))])
        case "boxes":
            camera = image_camera(scene, size_px)
            video = np.stack([wire_frames(camera, scene_cuboids(scene, frame)) for frame in frames])
        case "wsm":
            video = ScenarioMapPainter(image_camera(scene, size_px)).scene_frames(scene, frames)
        case _:
            video = pictures
    return video

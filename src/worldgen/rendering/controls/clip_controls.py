"""Controls of a recorded clip: from its pixels, from its 3-D labels, and from a model that estimates depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.samples import Sample
from worldgen.rendering.controls.blurred_pictures import blur_control
from worldgen.rendering.controls.box_pictures import flat_boxes, label_flat_boxes, wire_frames
from worldgen.rendering.controls.control_table import ControlChoice, control_choices
from worldgen.rendering.controls.cuboids import label_cuboids
from worldgen.rendering.controls.disparity_video import grey_video
from worldgen.rendering.controls.edge_pictures import canny_control
from worldgen.rendering.controls.scenario_map import ScenarioMapPainter

DepthModel = Callable[[np.ndarray], np.ndarray]
"""Takes frames ``(T, H, W, 3)`` uint8 RGB to relative inverse depth ``(T, H, W)`` float, larger for nearer."""


def clip_controls(
    sample: Sample, names: Sequence[str], *, seed: int = 0, depth: DepthModel | None = None
) -> dict[str, np.ndarray]:
    """Control videos of a recorded clip, name -> ``(T, H, W, 3)`` uint8 RGB at the size of the clip.

    ``edge`` and ``blur`` come from the pixels, ``depth`` from the model that is passed in, ``boxes`` and ``wsm`` from
    labels with 3-D boxes and the camera; a world scenario map of a recorded clip has objects but no lanes. ``seg``,
    ``sketch`` and ``edge:geometry`` need a scene.

    Args:
        sample: the clip with its labels. names: controls, alone or as ``NAME:VARIANT``.
        seed: as ``scene_controls`` takes it; none of these controls draws random numbers.
        depth: estimates depth.

    Raises:
        InputError: an unknown control, or one that this sample cannot give, with what it lacks.
    """
    choices = control_choices(names)
    made = {choice.name: _control(sample, choice, depth) for choice in choices}
    for name, video in made.items():
        assert video.dtype == np.uint8 and video.shape == sample.clip.frames.shape, (name, video.shape)
    return made


def _control(sample: Sample, choice: ControlChoice, depth: DepthModel | None) -> np.ndarray:
    frames = sample.clip.frames
    text = f"{choice.name}:{choice.variant}" if choice.variant in ("geometry", "flat") else choice.name
    match text:
        case "edge":
            return canny_control(frames, choice.variant)
        case "blur":
            return blur_control(frames, choice.variant)
        case "depth":
            if depth is None:
                raise _lacking(sample, text, "a model that estimates depth")
            inverse = np.asarray(depth(frames), np.float32)
            if inverse.shape != frames.shape[:3]:
                raise InputError("output of the depth model", Received(str(inverse.shape)), str(frames.shape[:3]))
            return grey_video(inverse, np.isfinite(inverse) & (inverse > 0))
        case "boxes:flat":
            labels = _labels(sample, text)
            size_px = (labels.width_px, labels.height_px)
            return np.stack([flat_boxes(size_px, label_flat_boxes(labels, k)) for k in range(labels.num_frames)])
        case "boxes":
            camera, labels = _placed_labels(sample, text)
            return np.stack([wire_frames(camera, label_cuboids(labels, k)) for k in range(labels.num_frames)])
        case "wsm":
            camera, labels = _placed_labels(sample, text)
            painter = ScenarioMapPainter(camera)
            out = np.zeros_like(frames)
            for frame, image in enumerate(out):
                painter.paint_cuboids(image, label_cuboids(labels, frame), [])
            return out
        case _:
            raise _lacking(sample, text, "a scene, which recorded clips do not have")


def _labels(sample: Sample, control: str) -> Labels:
    if sample.labels is None:
        raise _lacking(sample, control, "labels")
    return sample.labels


def _placed_labels(sample: Sample, control: str) -> tuple[Camera, Labels]:
    labels = _labels(sample, control)
    if sample.camera is None:
        raise _lacking(sample, control, "a camera")
    if len(labels) and not np.isfinite(labels.box3d).all(1).any():
        raise _lacking(sample, control, "labels with 3-D boxes")
    return sample.camera, labels


def _lacking(sample: Sample, control: str, needed: str) -> InputError:
    return InputError(f"control of the clip {sample.key}", control, f"a control that it can give: this needs {needed}")

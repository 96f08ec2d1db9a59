"""Controls of a training clip: what its shard, pixels, scene and labels give; what they do not give is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.data.video.framing import framing
from worldgen.rendering.controls.clip_controls import DepthModel, clip_controls
from worldgen.rendering.controls.control_table import control_choice
from worldgen.rendering.controls.scene_controls import scene_controls
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.simulation.remake import remake_scene

OF_PIXELS = ("edge", "blur")
"""Controls that the pixels of any clip give, except ``edge:geometry``."""


def framed_sample(sample: Sample, size_px: tuple[int, int]) -> Sample:
    """A clip at another size, cropped around its centre, with its camera and labels."""
    if (sample.clip.width_px, sample.clip.height_px) == size_px:
        return sample
    frame = framing((sample.clip.width_px, sample.clip.height_px), size_px)
    clip = Clip(np.stack([frame.frame(picture) for picture in sample.clip.frames]), sample.clip.fps)
    return dataclasses.replace(
        sample, clip=clip, camera=None if sample.camera is None else frame.camera(sample.camera),
        labels=None if sample.labels is None else frame.labels(sample.labels),
    )  # fmt: skip


def available_controls(
    raw: Sample, names: Sequence[str], size_px: tuple[int, int], *, stored: Mapping[str, np.ndarray],
    depth: DepthModel | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:  # fmt: skip
    """Control videos of a clip, and why the others are missing.

    Args:
        raw: the clip at its own size. names: controls, alone or as NAME:VARIANT. size_px: width and height of training.
        stored: controls that its shard holds, at the size of the clip.
        depth: estimates depth of recorded clips.

    Returns:
        name -> ``(T, H, W, 3)`` uint8 RGB at ``size_px``, and name -> reason.

    Raises: InputError for an unknown control.
    """
    choices = {name: control_choice(name) for name in names}
    sample = framed_sample(raw, size_px)
    made: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    from_scene = []
    for name, choice in choices.items():
        if name in stored:
            frame = framing((raw.clip.width_px, raw.clip.height_px), size_px)
            made[name] = np.stack([frame.frame(picture) for picture in stored[name]])
        elif choice.name in OF_PIXELS and choice.variant != "geometry":
            made |= {name: clip_controls(sample, [name])[choice.name]}
        elif raw.scenario is not None:
            from_scene.append(name)
        else:
            try:
                made |= {name: clip_controls(sample, [name], depth=depth)[choice.name]}
            except InputError as error:
                missing[name] = str(error).rsplit("needs ", 1)[-1]
    if from_scene:
        videos = _scene_videos(raw, sample, from_scene)
        made |= videos
        missing |= {name: "a scene that can be simulated again" for name in from_scene if name not in videos}
    return made, missing


def _scene_videos(raw: Sample, sample: Sample, names: list[str]) -> dict[str, np.ndarray]:
    scene = remake_scene(raw, instead="tune.controls of pixels only")
    if scene is None or sample.camera is None:
        return {}
    scene = dataclasses.replace(scene, camera=sample.camera)
    rendering, _ = draw_scene(scene, renderer=raw.provenance.get("renderer", "sketch"))
    videos = scene_controls(scene, rendering, names)
    return {name: videos[control_choice(name).name] for name in names}

"""What a world model is asked to obey, from a scene: ego motion, layout, words, and how the clip begins."""

from __future__ import annotations

from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.core.scene import Scene
from worldgen.core.start import DEFAULT_START, Start
from worldgen.rendering.layouts import layout_maps

SKETCH_FRAMES = 2
"""Frames the sketch renderer draws for a model to continue: two, so that the first step of motion is seen."""


def scene_conditions(
    scene: Scene, *, text: str, accepts: tuple[str, ...], seed: int, start: Start = DEFAULT_START
) -> Conditions:
    """Conditions of a whole scene, of those in ``accepts``.

    text: words for the model ("" for none). seed: of the sampling noise. start: "sketch" gives the first
    ``SKETCH_FRAMES`` frames as drawn by the sketch renderer, "noise" leaves every frame to the model.

    Raises InputError for "noise" where text is not accepted: nothing else says what light and weather look like, and what
    came out would be grey.
    """
    if start == "noise" and "text" not in accepts:
        raise InputError("start of a clip", start, "sketch, for a model that does not honour text")
    camera = scene.camera
    context = None
    if start == "sketch" and "context" in accepts and scene.num_frames > 1:
        from worldgen.rendering.render import render_scene

        context = render_scene(scene, frames=list(range(min(SKETCH_FRAMES, scene.num_frames - 1)))).clip
    layout = None
    if "layout" in accepts:
        layout = layout_maps(scene, camera.height_px, camera.width_px)
    return Conditions(
        scene.num_frames, scene.fps, text=(text or None) if "text" in accepts else None, context=context,
        ego=scene.ego if "ego" in accepts else None, camera=camera, layout=layout, seed=seed,
    )  # fmt: skip

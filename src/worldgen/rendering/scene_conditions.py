"""Conditions of a world model from a scene: ego motion, layout, text and context frames."""

from __future__ import annotations

from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.core.scene import Scene
from worldgen.core.start import DEFAULT_START, Start
from worldgen.rendering.layouts import layout_maps

SKETCH_FRAMES = 2
"""Rendered frames given as context: two, so that the context shows one step of motion."""


def scene_conditions(
    scene: Scene, *, text: str, accepts: tuple[str, ...], seed: int, start: Start = DEFAULT_START
) -> Conditions:
    """The conditions of a whole scene, limited to those a model accepts.

    text: prompt of the model ("" for none). accepts: names of conditions, of "text", "context", "ego" and "layout".
    seed: of the sampling noise. start: "sketch" gives the first ``SKETCH_FRAMES`` rendered frames as context; "noise"
    leaves every frame to the model. The layout is ``(T, K, H, W)`` at the size of the scene's camera.

    Raises:
        InputError: start "noise" for a model without text. Only text and context tell light and weather; without both
            the generated frames are grey.
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

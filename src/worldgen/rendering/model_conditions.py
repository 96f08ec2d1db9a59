"""What a world model gets of a scene, by what it promises: control videos, or layout and first frames; and the labels.

A model with controls gets them drawn by the ray-cast renderer, and the labels come from the same rays, so a label lies
exactly where the control shows its object. Other models get what :mod:`worldgen.rendering.scene_conditions` makes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.core.samples import Conditions
from worldgen.core.scene import Scene
from worldgen.core.start import Start
from worldgen.models.promise import ModelPromise
from worldgen.rendering.controls.control_table import control_choices
from worldgen.rendering.controls.scene_controls import scene_controls
from worldgen.rendering.drawn_clips import DrawFunction, draw_scene
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.scene_conditions import SKETCH_FRAMES, scene_conditions

NO_CONTROLS = "none"
"""Stands for a clip without controls where a model would have some of its own."""


@dataclass(frozen=True, eq=False)
class ModelRequest:
    """How a scene is asked of a model.

    text: prompt for the model ("" for none). seed: of the sampling noise. start: of the clip, None for the model's own.
    controls: control videos, each ``NAME`` or ``NAME:VARIANT``; () for the model's own, (``NO_CONTROLS``,) for none.
    negative_text: what the clip should not show, None for nothing. reference: picture ``(H, W, 3)`` uint8 of what it
    should look like.
    """

    text: str
    seed: int
    start: Start | None = None
    controls: tuple[str, ...] = ()
    negative_text: str | None = None
    reference: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SceneInputs:
    """Conditions of a model, and the labels of what they show; None where nothing tells the model where objects are."""

    conditions: Conditions
    labels: Labels | None


def wanted_controls(promise: ModelPromise, request: ModelRequest) -> tuple[str, ...]:
    """Names of the controls to make.

    A model that can also begin with rendered frames makes its clip without controls where a start is asked for.
    """
    if request.controls == (NO_CONTROLS,):
        return ()
    if request.controls:
        return request.controls
    return () if request.start is not None and promise.start == "sketch" else promise.default_controls


def scene_inputs(
    scene: Scene, request: ModelRequest, promise: ModelPromise, *, draw: DrawFunction = draw_scene
) -> SceneInputs:
    """Conditions and labels of a whole scene for a model. draw: how frames are drawn where controls are made of them.

    Raises: InputError for a start or control that the model does not have.
    """
    names = wanted_controls(promise, request)
    start = request.start or promise.start
    if names or (promise.family != "native" and start == "sketch"):
        return _drawn_inputs(scene, request, promise, names, draw)
    conditions = scene_conditions(scene, text=request.text, accepts=promise.conditions, seed=request.seed, start=start)
    # Labels are true only of pictures that are made from the scene: from its layout, or from its rendered beginning.
    shown = "layout" in promise.conditions or promise.start == "sketch"
    return SceneInputs(conditions, labels_of(scene) if shown else None)


def _drawn_inputs(
    scene: Scene, request: ModelRequest, promise: ModelPromise, names: tuple[str, ...], draw: DrawFunction
) -> SceneInputs:
    refused = [choice.name for choice in control_choices(names) if choice.name not in promise.controls]
    if refused:  # before they are drawn
        raise InputError(
            "controls this model does not honour", ", ".join(refused), ", ".join(promise.controls) or "none"
        )
    first = promise.context_frames.below(min(SKETCH_FRAMES, scene.num_frames - 1))
    rendering, labels = draw(scene, frames=None if names else range(first))
    context = None
    if request.start == "sketch" or not names:
        apart = names and ("context", "controls") in promise.apart
        if "context" not in promise.conditions or apart:
            raise InputError("start of a clip", request.start, f"noise, for the family {promise.family} with controls")
        context = Clip(rendering.clip.frames[:first], scene.fps)
    replaced = {name for pair in promise.apart if "controls" in pair for name in pair}  # the controls show the motion
    accepts = tuple(name for name in promise.conditions if not (names and name in replaced))
    conditions = Conditions(
        scene.num_frames, scene.fps, text=(request.text or None) if "text" in accepts else None, context=context,
        ego=scene.ego if "ego" in accepts else None, camera=scene.camera, seed=request.seed,
        controls=scene_controls(scene, rendering, names, seed=request.seed) if names else {},
        negative_text=request.negative_text,
        reference=request.reference,
    )  # fmt: skip
    return SceneInputs(conditions, labels if names else None)  # a beginning alone does not say what comes

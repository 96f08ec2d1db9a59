"""One scenario to a drawn scene and a labelled clip of it; no network is needed unless the clip shall be painted.

The room ``generation/rendered`` stands beside ``generation/sample``: both make clips from scenarios, here every frame
is drawn by the renderer and the labels are exact, there a world model predicts the frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

import worldgen
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng, stable_key
from worldgen.data.dataset.splits import SplitConfig, split_drives
from worldgen.generation.sample.candidates import best_candidate, request_scene
from worldgen.prompts import describe
from worldgen.rendering.controls.control_table import control_choices
from worldgen.rendering.controls.scene_controls import scene_controls
from worldgen.rendering.drawn_clips import DEFAULT_RENDERER, RENDERERS, Renderer, draw_scene
from worldgen.simulation.scene_request import draw_camera
from worldgen.simulation.simulate import simulate

DEFAULT_FRAMES, DEFAULT_FPS, DEFAULT_SIZE_PX = 25, 8.0, (224, 128)
MIN_SIDE_PX, MAX_SIDE_PX = 32, 4096
MAX_FRAMES = 2000
MAX_COUNT = 1_000_000
"""Clips of one data set at most. Seeds tried for one clip are this far apart, so that no two clips share a seed."""
TRIES = 3
"""Seeds that are tried for a clip of a data set: an event may not fit the road that one seed draws."""


@dataclass(frozen=True)
class ClipShape:
    """Shape of the clips: frames, frames per second, width and height in pixels, the renderer that draws them.

    controls: names of control videos that are made with each clip, with or without variants. painted: whether the
    painter of the shipped model makes the drawn frames look recorded.

    Raises: InputError for a number out of range, an odd width or height, which H.264 cannot store in yuv420p, or an
    unknown renderer or control.
    """

    frames: int = DEFAULT_FRAMES
    fps: float = DEFAULT_FPS
    width_px: int = DEFAULT_SIZE_PX[0]
    height_px: int = DEFAULT_SIZE_PX[1]
    renderer: Renderer = DEFAULT_RENDERER
    controls: tuple[str, ...] = ()
    painted: bool = False

    def __post_init__(self) -> None:
        size = (self.width_px, self.height_px)
        if not all(isinstance(side, int) and MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in size):
            raise InputError(
                "size of the pictures", size, f"width and height, each {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels"
            )
        if self.width_px % 2 or self.height_px % 2:
            raise InputError("size of the pictures", size, "even numbers, as video coding needs")
        if not 1 <= self.frames <= MAX_FRAMES:
            raise InputError("number of frames", self.frames, f"1 to {MAX_FRAMES}")
        if not (math.isfinite(self.fps) and 1 <= self.fps <= 60):
            raise InputError("frames per second", self.fps, "1 to 60")
        if self.renderer not in RENDERERS:
            raise InputError("renderer", self.renderer, " or ".join(RENDERERS))
        if self.painted and self.renderer != "raycast":
            raise InputError("renderer of painted clips", self.renderer, "raycast, whose drawings the painter knows")
        control_choices(self.controls)


def make_scene(scenario: Scenario, seed: int, shape: ClipShape) -> Scene:
    """The scene of a scenario, the one that ``worldgen sample`` of the same scenario, seed and shape starts from.

    Raises: InputError when an event fits no scene of this seed, or the clip is too short for it.
    """
    size_px = (shape.width_px, shape.height_px)
    return request_scene(scenario, seed, fps=shape.fps, num_frames=shape.frames, size_px=size_px)[0]


def _varied_scene(scenario: Scenario, seed: int, shape: ClipShape) -> Scene:
    """The scene of a scenario for a data set: field of view, height and pitch of the camera depend on the seed too.

    Of the scenes the seed can stand for, the first that shows what was asked for, as for single clips.
    """
    drawn = draw_camera(numpy_rng("camera", scenario.key, seed))
    camera = Camera.from_fov(
        shape.width_px, shape.height_px, drawn.fov_deg, height_m=drawn.height_m, pitch_rad=drawn.pitch_rad
    )

    def make(number: int) -> Scene:
        return simulate(scenario, number, fps=shape.fps, num_frames=shape.frames, camera=camera)

    return best_candidate(seed, make=make)[0]


def make_sample(scenario: Scenario, seed: int, shape: ClipShape) -> tuple[Sample, dict[str, np.ndarray]]:
    """A rendered scene as a sample of a data set, and its control videos by name.

    Each clip is a drive of its own and gets its split by its key.

    Raises: InputError when the scenario fits none of the ``TRIES`` seeds that are tried.
    """
    for attempt in range(TRIES):
        try:
            scene = _varied_scene(scenario, seed + attempt * MAX_COUNT, shape)
            break
        except InputError:
            # An event may not fit the road that one seed draws; another seed is another road.
            if attempt == TRIES - 1:
                raise
    rendering, labels = draw_scene(scene, renderer=shape.renderer)
    clip, painter = rendering.clip, dict[str, str]()
    if shape.painted:
        from worldgen.generation.rendered.shipped_painter import painted_clip

        clip, painter = painted_clip(clip, seed=scene.seed)
    size = (shape.width_px, shape.height_px)
    drawn = () if shape.renderer == "sketch" else (shape.renderer,)
    key = stable_key("scene clip", scenario.key, seed, shape.frames, shape.fps, *size, *drawn, prefix="scene_")
    sample = Sample(
        key=key, clip=clip, drive=key,
        caption=describe(scenario, numpy_rng("caption", scenario.key, seed), duration=False),
        split=split_drives([key], SplitConfig(fractions=(0.9, 0.05, 0.05)))[key], ego=scene.ego, camera=scene.camera,
        labels=labels, scenario=scenario,
        tags=(scenario.weather, scenario.light, scenario.road, *scenario.events), licence="CC0-1.0",
        provenance={
            "tool": "worldgen scenes render", "version": worldgen.__version__, "seed": scene.seed,
            "scenario": scenario.key, "renderer": shape.renderer, **painter,
        },
    )  # fmt: skip
    return sample, scene_controls(scene, rendering, shape.controls, seed=scene.seed)

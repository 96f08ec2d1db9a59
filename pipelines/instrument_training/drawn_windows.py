"""Short windows of drawn scenes for training instruments: both renderers, painted and not, at mixed sizes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng, stable_key
from worldgen.generation.rendered.scenario_grid import prompted_grid
from worldgen.rendering.drawn_clips import Renderer, draw_scene
from worldgen.simulation.scene_request import draw_camera
from worldgen.simulation.simulate import simulate

from .rendered_samples import WINDOWS_TOOL

WINDOW = 3
"""Neighbouring frames of a window: rain, snow and motion are read from them."""
FPS, FRAMES = 8.0, 25
TRIES = 3
SOURCES: tuple[tuple[tuple[str, ...], str, float], ...] = (
    (("weather", "light", "event"), "", 0.5),
    (("weather", "light", "road", "manoeuvre"), "", 0.25),
    (("weather", "light"), "pedestrians", 0.1),
    (("weather", "light"), "a cyclist ahead", 0.1),
    (("weather", "light"), "a motorcycle ahead", 0.05),
)
"""Axes of a grid, words, and the share of scenes from it. A balanced grid alone has few people and riders."""


@dataclass(frozen=True)
class Look:
    """How a scene is drawn: renderer, whether the painter of the shipped model paints it, width and height."""

    renderer: Renderer
    painted: bool
    size_px: tuple[int, int]


LOOKS: tuple[tuple[Look, float], ...] = (
    (Look("raycast", True, (448, 256)), 0.38),
    (Look("raycast", True, (224, 128)), 0.32),
    (Look("raycast", True, (832, 480)), 0.02),
    (Look("raycast", False, (448, 256)), 0.1),
    (Look("sketch", False, (224, 128)), 0.18),
)
"""Looks to train on and their shares. ``sample`` paints ray-cast pictures of 448x256; rollouts begin with a sketch."""
LOOKS_BY_NAME: dict[str, tuple[tuple[Look, float], ...]] = {
    "mixed": LOOKS, "shipped": ((LOOKS[0][0], 1.0),), "sketch": ((LOOKS[-1][0], 1.0),),
}  # fmt: skip
"""What a set is drawn in: a mixture to train on; the pictures of ``sample``; sketches."""


def scenarios(count: int, seed: int) -> list[Scenario]:
    """Scenarios of all sources in their shares, in an order drawn from the seed."""
    out: list[Scenario] = []
    for number, (axes, words, share) in enumerate(SOURCES):
        out += prompted_grid(axes, words, count=max(1, round(share * count)), seed=seed + number)
    order = numpy_rng("order of scenarios", seed).permutation(len(out))
    return [out[k] for k in order[:count]]


def window_sample(scenario: Scenario, seed: int, *, windows: int, looks: str = "mixed", split: str = "train") -> Sample:
    """A scene as a sample of ``windows`` windows of 3 neighbouring frames, one after the other.

    The frames of a window follow one another at 8 frames/s; between windows time passes. Look, camera and places of
    the windows depend on scenario and seed.

    Raises: InputError when the scenario fits none of the ``TRIES`` seeds that are tried.
    """
    rng = numpy_rng("drawn windows", scenario.key, seed)
    choices = LOOKS_BY_NAME[looks]
    look = choices[int(rng.choice(len(choices), p=[share for _, share in choices]))][0]
    scene = _scene(scenario, seed, look)
    edges = np.linspace(1, FRAMES - 1, windows + 1).astype(int)
    middles = [int(rng.integers(low, max(high, low + 1))) for low, high in pairwise(edges)]
    frames = [middle + step for middle in middles for step in (-1, 0, 1)]
    rendering, labels = draw_scene(scene, frames=frames, renderer=look.renderer)
    clip = rendering.clip
    if look.painted:
        from worldgen.generation.rendered.shipped_painter import painted_clip

        clip, _ = painted_clip(clip, seed=scene.seed)
    key = stable_key("drawn windows", scenario.key, seed, prefix="windows_")
    return Sample(
        key=key, clip=clip, drive=key, split=split, camera=scene.camera, labels=labels, scenario=scenario,
        ego=EgoMotion(scene.ego.speed_mps[frames], scene.ego.yaw_rate_radps[frames], FPS),
        tags=(scenario.weather, scenario.light, scenario.road, *scenario.events), licence="CC0-1.0",
        provenance={"tool": WINDOWS_TOOL, "seed": scene.seed, "renderer": look.renderer, "painted": look.painted},
    )  # fmt: skip


def _scene(scenario: Scenario, seed: int, look: Look) -> Scene:
    drawn = draw_camera(numpy_rng("camera", scenario.key, seed))
    camera = Camera.from_fov(*look.size_px, drawn.fov_deg, height_m=drawn.height_m, pitch_rad=drawn.pitch_rad)
    for attempt in range(TRIES):
        try:
            return simulate(scenario, seed + attempt * 1_000_000, fps=FPS, num_frames=FRAMES, camera=camera)
        except InputError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")

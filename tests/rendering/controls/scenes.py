"""A street with everything on it, drawn once for all tests of controls."""

from __future__ import annotations

from functools import lru_cache

from worldgen.core.camera import Camera
from worldgen.core.labels import Labels
from worldgen.core.scene import Scene
from worldgen.prompts import parse
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.rendering.render import Rendering
from worldgen.simulation.simulate import simulate

SIZE_PX = (160, 96)
FRAMES = (0, 4, 8)


@lru_cache
def street() -> tuple[Scene, Rendering, Labels]:
    """A scene at a crossing with traffic lights, its drawn frames ``FRAMES`` and their labels."""
    scenario = parse("intersection with traffic lights, pedestrians crossing, cars and a truck").scenario
    scene = simulate(scenario, 3, fps=8.0, num_frames=9, camera=Camera.from_fov(*SIZE_PX))
    return scene, *draw_scene(scene, frames=FRAMES)

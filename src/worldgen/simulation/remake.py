"""The scene of a rendered or generated clip, simulated again from the clip's record."""

from __future__ import annotations

import dataclasses

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Sample
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.simulation.actors import MOTOR_KINDS
from worldgen.simulation.atmosphere import draw_atmosphere
from worldgen.simulation.simulate import simulate

MOTION_TOLERANCE = 1e-4
"""Speeds (m/s) and yaw rates (rad/s) are stored as float32; a larger difference means another scene."""


def remake_scene(sample: Sample, *, instead: str = "") -> Scene | None:
    """The scene of a sample, simulated again; None for clips without one (real clips, and those with unknown motion).

    instead: what a user may do without the scene, named in the error.
    Raises: InputError when the simulated ego motion differs from that of the clip.
    """
    seed = sample.provenance.get("seed")
    if sample.scenario is None or sample.ego is None or sample.camera is None or not isinstance(seed, int):
        return None
    options = {} if sample.provenance.get("speed_mps") is None else {"speed_mps": sample.provenance["speed_mps"]}
    scene = simulate(
        sample.scenario, seed, fps=sample.clip.fps, num_frames=len(sample.clip), camera=sample.camera, **options
    )
    if not np.allclose(scene.ego.to_array(), sample.ego.to_array(), atol=MOTION_TOLERANCE):
        version = sample.provenance.get("version", "unknown")
        received = f"a scene that this version makes differently (made by version {version})"
        expected = "clips made by this version" + (f", or {instead}" if instead else "")
        raise InputError(f"clip {sample.key}", Received(received), expected)
    return scene


def restyled_scene(scene: Scene, *, weather: str | None, light: str | None, seed: int = 0) -> Scene:
    """The same road, traffic and motion under other weather or light; None keeps the present value.

    Headlights are switched where the new light needs it; motion stays equal. Raises: InputError for unknown words.
    """
    scenario = dataclasses.replace(
        scene.scenario, weather=weather or scene.scenario.weather, light=light or scene.scenario.light
    )
    atmosphere = draw_atmosphere(numpy_rng("restyle", scene.seed, scenario.weather, scenario.light, seed), scenario)
    switched = atmosphere.headlights_on != scene.atmosphere.headlights_on
    agents = tuple(
        dataclasses.replace(agent, lights_on=atmosphere.headlights_on or agent.kind == "motorcycle")
        if switched and agent.kind in MOTOR_KINDS and np.abs(agent.speed_mps).max() > 0
        else agent
        for agent in scene.agents
    )
    return dataclasses.replace(scene, scenario=scenario, atmosphere=atmosphere, agents=agents)

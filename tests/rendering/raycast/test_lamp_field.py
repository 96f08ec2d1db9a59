"""The ego's headlamps: who is lit by the low beam, and what comes back from dry and wet roads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgen.prompts import parse
from worldgen.rendering.raycast.geometry.scene_rays import SceneRays
from worldgen.rendering.raycast.lamp_field import UPRIGHT, WET_LOSS, LampField
from worldgen.simulation.simulate import simulate


@pytest.fixture(scope="module")
def lamps() -> LampField:
    scene = simulate(parse("a street at night, no traffic").scenario, 2, num_frames=3)
    return LampField(SceneRays(scene), 1.0)


def beam(lamps: LampField, ahead_m: float, left_m: float, up_m: float, normal: tuple[float, float, float]) -> float:
    """Irradiance at one place, in axes of the ego car in frame 0."""
    x, y, yaw = lamps.scene.ego_poses[0]
    c, s = np.cos(yaw), np.sin(yaw)
    z = float(lamps.scene.ego_z_m[0]) + up_m
    place = np.array([[x + c * ahead_m - s * left_m, y + s * ahead_m + c * left_m, z]], np.float32)
    facing = np.array([[c * normal[0] - s * normal[1], s * normal[0] + c * normal[1], normal[2]]], np.float32)
    return float(lamps.own_headlamps(0, place, facing)[0])


TOWARDS, UP = (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def test_the_low_beam_lights_the_chest_of_a_person_at_the_right_kerb_and_less_of_one_who_comes_from_the_left(lamps):
    right, left = (beam(lamps, 20.0, side, 1.3, TOWARDS) for side in (-3.5, 3.5))
    assert right > 4 * left and left > 0.1 * right  # stray light shows that somebody is there
    legs = [beam(lamps, 20.0, side, 0.4, TOWARDS) for side in (-3.5, 3.5)]
    assert min(legs) > 3 * left
    assert beam(lamps, 20.0, -3.5, 4.0, TOWARDS) < 0.3 * right  # the rise ends: signs and balconies stay dark


def test_an_upright_sends_back_twice_as_much_as_a_dry_road_and_a_wet_road_less(lamps):
    road, upright = beam(lamps, 15.0, 0.0, 0.0, UP), beam(lamps, 15.0, 0.0, 0.0, TOWARDS)
    wetness = lamps.scene.atmosphere.wetness
    dry = road / (1 - WET_LOSS * wetness)
    assert upright / dry == pytest.approx(UPRIGHT + 0.15, rel=0.01)
    soaked = replace(lamps.scene, atmosphere=replace(lamps.scene.atmosphere, wetness=1.0))
    wet = LampField(lamps.rays, 1.0)
    wet.scene = soaked
    assert beam(wet, 15.0, 0.0, 0.0, UP) == pytest.approx(dry * (1 - WET_LOSS), rel=0.01)
    assert beam(wet, 15.0, 0.0, 0.0, TOWARDS) == pytest.approx(upright, rel=0.01)
    # Above the cut-off, a wet road mirrors the beam's foreground up to the chest, and little of it above the head.
    dry_lamps = LampField(lamps.rays, 1.0)
    dry_lamps.scene = replace(lamps.scene, atmosphere=replace(lamps.scene.atmosphere, wetness=0.0))
    chest, above = (beam(wet, 20.0, 3.5, up, TOWARDS) / beam(dry_lamps, 20.0, 3.5, up, TOWARDS) for up in (1.3, 3.0))
    assert chest > 1.5 and 1.0 < above < 1.2

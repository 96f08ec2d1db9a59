"""The material channels of a layout show albedo, normals and emission, independent of weather and light."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.rendering.small_scenes import agent, plain_scene
from worldgen.core.layout_channels import BASE_CHANNELS, GLOW_RANGE
from worldgen.prompts import parse
from worldgen.rendering.drawing.lamps import RADIANCE
from worldgen.rendering.layouts import LAYOUT_CHANNELS, layout_maps
from worldgen.rendering.render import render_scene
from worldgen.simulation.remake import restyled_scene
from worldgen.simulation.simulate import simulate

HEIGHT, WIDTH = 128, 224
NORMALS = slice(LAYOUT_CHANNELS.index("normal_forward"), LAYOUT_CHANNELS.index("normal_up") + 1)
GLOWS = slice(LAYOUT_CHANNELS.index("glow_red"), LAYOUT_CHANNELS.index("glow_blue") + 1)
FALLING = LAYOUT_CHANNELS.index("falling")
MATERIALS = [*BASE_CHANNELS, *range(NORMALS.start, NORMALS.stop)]


@pytest.fixture(scope="module")
def street():
    return simulate(parse("clear day, urban street, a red car ahead").scenario, 4, fps=8.0, num_frames=3)


@pytest.mark.parametrize(("weather", "light"), [("fog", "day"), ("clear", "dusk"), ("snow", "day")])
def test_colours_and_slants_are_those_of_the_same_street_in_any_weather_and_light(street, weather, light):
    other = restyled_scene(street, weather=weather, light=light)
    assert not np.array_equal(render_scene(street).clip.frames, render_scene(other).clip.frames)
    one, two = (layout_maps(s, HEIGHT, WIDTH, frames=[1])[0] for s in (street, other))
    assert np.array_equal(one[MATERIALS], two[MATERIALS])


def test_only_what_falls_is_drawn_as_falling(street):
    assert not layout_maps(street, HEIGHT, WIDTH)[:, FALLING].any()
    for weather in ("heavy_rain", "snow"):
        maps = layout_maps(restyled_scene(street, weather=weather, light=None), HEIGHT, WIDTH)[:, FALLING]
        assert 0.002 < maps.astype(np.float32).mean() < 0.3 and not np.array_equal(maps[0], maps[1])


def test_normals_are_unit_vectors_along_the_ego_axes():
    maps = layout_maps(plain_scene(yaw_rate=0.4), HEIGHT, WIDTH).astype(np.float32)
    ground = 2 * maps[2, NORMALS, -5:] - 1
    np.testing.assert_allclose(ground[2], 1.0, atol=2e-3)
    np.testing.assert_allclose(ground[:2], 0.0, atol=2e-3)
    assert np.array_equal(maps[2, NORMALS, 0, 0], np.full(3, 0.5))  # the sky has none
    behind = plain_scene(agents=(agent(1, "truck", "box_truck", x=12.0),))
    seen = layout_maps(behind, HEIGHT, WIDTH)[0].astype(np.float32)
    wall = seen[LAYOUT_CHANNELS.index("truck")] > 0.99
    back = np.median((2 * seen[NORMALS] - 1)[:, wall], 1)
    np.testing.assert_allclose(back, (-1.0, 0.0, 0.0), atol=0.02)  # its back looks at the ego


def test_lamps_glow_by_day_as_they_would_at_night():
    """A braking car's lamps at noon: what is lit is the layout's to say, how bright it looks is not."""
    maps = {
        braking: layout_maps(plain_scene(agents=(agent(1, "car", "sedan", x=8.0, braking=braking),)), HEIGHT, WIDTH)[0]
        for braking in (False, True)
    }
    red, green = GLOWS.start, GLOWS.start + 1
    assert maps[False][red].max() < 0.05
    expected = np.sqrt(RADIANCE["brake"][0] / GLOW_RANGE)
    assert maps[True][red].max() == pytest.approx(expected, abs=0.02)
    assert maps[True][green].max() < 0.3 * expected


def test_some_frames_are_those_of_all(street):
    whole = layout_maps(street, 32, 56)
    assert np.array_equal(layout_maps(street, 32, 56, frames=range(1, 3)), whole[1:])


def test_a_car_of_another_colour_is_another_layout():
    red = plain_scene(agents=(agent(1, "car", "sedan", x=9.0),))
    other = dataclasses.replace(red, agents=(dataclasses.replace(red.agents[0], style=7),))
    one, two = (layout_maps(s, HEIGHT, WIDTH, frames=[0])[0] for s in (red, other))
    car = one[LAYOUT_CHANNELS.index("car")] > 0.99
    assert np.abs(one.astype(np.float32) - two)[list(BASE_CHANNELS)][:, car].max() > 0.1
    assert np.array_equal(one[: BASE_CHANNELS[0]][:, ~car], two[: BASE_CHANNELS[0]][:, ~car])

"""Pictures a layout holds: mirror images, lying snow, and where there is ground."""

import numpy as np
import pytest
import torch

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES
from worldgen.core.layout_channels import BASE_CHANNELS, GLOW_CHANNELS, LAYOUT_CHANNELS
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.models.native.conditions import camera_features
from worldgen.models.native.history.layout_pictures import (
    PICTURES,
    SNOW_WHITE,
    ground_of,
    lying_snow,
    mirror_images,
    picture_cells,
)
from worldgen.models.native.history.object_coverage import cover
from worldgen.rendering.layouts import layout_maps
from worldgen.simulation.simulate import simulate

HEIGHT, WIDTH, HORIZON = 128, 224, 64
UP = LAYOUT_CHANNELS.index("normal_up")


def street() -> torch.Tensor:
    """Layout maps ``(1, K, H, W)`` of grey ground below the horizon, a black sky and one wall that glows red at
    its top."""
    maps = torch.zeros(1, len(LAYOUT_CHANNELS), HEIGHT, WIDTH)
    maps[:, UP] = 0.5
    maps[:, UP, HORIZON:] = 1.0
    maps[:, BASE_CHANNELS[0] : BASE_CHANNELS[2] + 1, HORIZON:] = 0.3
    wall = np.s_[:, :, HORIZON - 30 : HORIZON + 10, 100:140]
    maps[wall] = 0.0
    maps[:, UP, HORIZON - 30 : HORIZON + 10, 100:140] = 0.5
    maps[:, GLOW_CHANNELS[0], HORIZON - 30 : HORIZON - 20, 100:140] = 1.0
    return maps


def camera() -> torch.Tensor:
    return torch.from_numpy(camera_features(Camera.from_fov(WIDTH, HEIGHT)))[None]


def parts(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Base, glow, the upward normal and the ground of layout maps ``(1, K, H, W)``."""
    up = maps[:, UP, None]
    return maps[:, list(BASE_CHANNELS)], maps[:, list(GLOW_CHANNELS)], up, ground_of(up, cover(maps))


def mirror(maps: torch.Tensor) -> torch.Tensor:
    base, glow, _, ground = parts(maps)
    return mirror_images(base, glow, ground, camera())


def test_a_lamp_is_mirrored_as_far_below_its_foot_as_it_stands_above():
    glow = mirror(street())[0, 3]  # red
    foot = HORIZON + 9  # the last row of the wall
    column = glow[:, 120]
    assert column[:foot].abs().max() == 0
    brightest = int(column.argmax())
    assert (
        abs(brightest - (2 * foot + 1 - (HORIZON - 25))) <= 6
    )  # the lamp's middle; ripples blur and Fresnel pulls outward
    assert glow[:, 40].abs().max() == 0, "beside the wall there is nothing to mirror"
    assert mirror(street())[0, 4:].abs().max() == 0, "red stays red"


def test_things_are_no_ground_and_mirror_nothing():
    maps = street()
    maps[:, LAYOUT_CHANNELS.index(CLASSES[0]), 100:110] = 1.0
    ground = parts(maps)[3][0, 0]
    assert ground[90, 0] and not ground[105, 0] and not ground[HORIZON - 1, 0]
    assert mirror(maps)[0, :, 100:110].abs().max() == 0


def test_snow_lies_on_what_looks_up_and_makes_it_equally_white():
    maps = street()
    base, _, up, ground = parts(maps)
    white = base + lying_snow(base, up)
    ground = ground.expand_as(white)
    torch.testing.assert_close(white[ground], torch.full_like(white[ground], SNOW_WHITE))
    assert lying_snow(base, up)[0, :, :HORIZON].abs().max() == 0


def test_cells_hold_all_pictures_of_all_frames():
    layout = torch.rand(2, len(LAYOUT_CHANNELS), 3, 16, 24, generator=torch.Generator().manual_seed(0))
    cells = picture_cells(layout, camera().repeat(2, 1), torch.float32)
    assert len(cells) == PICTURES
    assert all(c.shape == (6, 2, 3, 192) for c in cells)
    # Frame 1 of clip 1, the upper left cell, blue: rows of 8 pixels one after the other.
    torch.testing.assert_close(cells[0][4, 0, 0, 128:], 2 * layout[1, BASE_CHANNELS[2], 1, :8, :8].flatten() - 1)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_ground_of_a_scene_is_found(seed):
    """Below the horizon of a rendered scene's layout, what is ground agrees with the drivable map wherever there
    is road."""
    scene = simulate(Scenario(agents=(AgentRequest("car"),)), seed, fps=8.0, num_frames=2)
    maps = torch.from_numpy(layout_maps(scene, HEIGHT, WIDTH, frames=[0]).astype(np.float32))
    ground = parts(maps)[3][0, 0].numpy()
    road = maps[0, LAYOUT_CHANNELS.index("drivable")].numpy() > 0.99
    assert road.sum() > 500
    assert ground[road].mean() > 0.98
    assert ground[: int(scene.camera.resized(WIDTH, HEIGHT).horizon_px) - 2].mean() < 0.02, (
        "roofs and tops of trees at most"
    )

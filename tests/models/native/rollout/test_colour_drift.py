"""Colours are pulled back to where the clip began, surface by surface, and only where a layout says what is what."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.models.build import conditions
from worldgen.core.layout_channels import INVERSE_DEPTH_CHANNEL, LAYOUT_CHANNELS
from worldgen.models.native.rollout.colour_drift import PULL, ColourDriftCorrection

ROWS, COLUMNS = 8, 12
ROAD = LAYOUT_CHANNELS.index("drivable")
CAR = LAYOUT_CHANNELS.index("car")


def street(batch: int, frames: int):
    """The upper half is sky, the lower half road with a car on its first columns."""
    c = conditions(batch, frames, rows=ROWS, columns=COLUMNS)
    c.layout.zero_()
    c.layout[:, INVERSE_DEPTH_CHANNEL, :, 8 * ROWS // 2 :] = 0.5
    c.layout[:, ROAD, :, 8 * ROWS // 2 :] = 1.0
    c.layout[:, CAR, :, 8 * ROWS // 2 :, :16] = 1.0
    return c


def test_a_brighter_road_is_pulled_back_and_nothing_else_moves():
    c = street(1, 2)
    began = torch.randn(1, 3, 1, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    brighter = began.clone()
    brighter[:, 0, :, ROWS // 2 :, 2:] += 1.0
    held = ColourDriftCorrection.of(began, c.frames(0, 1)).hold(brighter, c.frames(1, 2))
    expected = brighter.clone()
    expected[:, 0, :, ROWS // 2 :, 2:] -= PULL
    torch.testing.assert_close(held, expected, atol=1e-5, rtol=1e-5)


def test_held_again_and_again_the_mean_comes_back_and_detail_stays():
    c = street(1, 1)
    began = torch.randn(1, 3, 1, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    anchor, picture = ColourDriftCorrection.of(began, c), began + 2.0
    for _ in range(40):
        picture = anchor.hold(picture, c)
    free = torch.ones(ROWS, COLUMNS, dtype=torch.bool)
    free[ROWS // 2 :, :2] = False
    torch.testing.assert_close(picture[..., free], began[..., free], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(picture[..., ~free], began[..., ~free] + 2.0)


def test_without_a_layout_the_halves_of_the_picture_are_held():
    c = street(2, 1)
    c.layout_known[1] = False
    began = torch.zeros(2, 3, 1, ROWS, COLUMNS)
    brighter = began.clone()
    brighter[:, :, :, ROWS // 2 :] = 1.0
    for blind in (c, c.without("layout"), replace(c, layout=None)):
        held = ColourDriftCorrection.of(began, blind).hold(brighter, blind)
        torch.testing.assert_close(
            held[1], (1 - PULL) * brighter[1]
        )  # no thing is known of: all of the lower half is road
    assert bool((ColourDriftCorrection.of(began, c).hold(brighter, c)[0, ..., ROWS // 2 :, :2] == 1.0).all())


def test_the_horizon_follows_the_pitch_of_the_camera():
    c = replace(street(1, 1), layout=None)
    began = torch.zeros(1, 3, 1, ROWS, COLUMNS)
    began[:, :, :, : ROWS // 2] = 1.0
    pitched = c.camera.clone()
    pitched[:, 5] = 0.3  # looking down: the horizon lies higher
    rows = [
        ColourDriftCorrection.of(began, replace(c, camera=camera)).means[0, 0, 0].item()
        for camera in (c.camera, pitched)
    ]
    assert rows[0] < rows[1]  # more of the upper rows counts as road

"""Colours are pulled back to where the clip began, surface by surface, and only where a layout says what is what."""

from __future__ import annotations

import torch

from tests.models.build import conditions
from worldgen.core.layout import INVERSE_DEPTH_CHANNEL, LAYOUT_CHANNELS
from worldgen.models.anchor import PULL, ColourAnchor

ROWS, COLUMNS = 8, 12
ROAD = LAYOUT_CHANNELS.index("drivable")
CAR = LAYOUT_CHANNELS.index("car")


def street(batch: int, frames: int):
    """The upper half is sky, the lower half road with a car on its first columns."""
    c = conditions(batch, frames, rows=ROWS, columns=COLUMNS)
    c.layout.zero_()
    c.layout[:, INVERSE_DEPTH_CHANNEL, :, 4 * ROWS // 2 :] = 0.5
    c.layout[:, ROAD, :, 4 * ROWS // 2 :] = 1.0
    c.layout[:, CAR, :, 4 * ROWS // 2 :, :8] = 1.0
    return c


def test_a_brighter_road_is_pulled_back_and_nothing_else_moves():
    c = street(1, 2)
    began = torch.randn(1, 3, 1, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    brighter = began.clone()
    brighter[:, 0, :, ROWS // 2 :, 2:] += 1.0
    held = ColourAnchor.of(began, c.frames(0, 1)).hold(brighter, c.frames(1, 2))
    expected = brighter.clone()
    expected[:, 0, :, ROWS // 2 :, 2:] -= PULL
    torch.testing.assert_close(held, expected, atol=1e-5, rtol=1e-5)


def test_held_again_and_again_the_mean_comes_back_and_detail_stays():
    c = street(1, 1)
    began = torch.randn(1, 3, 1, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    anchor, picture = ColourAnchor.of(began, c), began + 2.0
    for _ in range(40):
        picture = anchor.hold(picture, c)
    free = torch.ones(ROWS, COLUMNS, dtype=torch.bool)
    free[ROWS // 2 :, :2] = False
    torch.testing.assert_close(picture[..., free], began[..., free], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(picture[..., ~free], began[..., ~free] + 2.0)


def test_a_clip_without_a_layout_is_left_alone():
    c = street(2, 1)
    c.layout_known[1] = False
    began = torch.zeros(2, 3, 1, ROWS, COLUMNS)
    held = ColourAnchor.of(began, c).hold(began + 1.0, c)
    assert (held[0] < 1.0).any() and bool((held[1] == 1.0).all())
    assert ColourAnchor.of(began, street(2, 1).without("layout")) is not None  # unknown rows, but a layout tensor
    torch.testing.assert_close(
        ColourAnchor.of(began, c.without("layout")).hold(began + 1.0, c.without("layout")), began + 1.0
    )

"""Holes are filled from what was seen at their own depth, nothing else changes."""

from __future__ import annotations

import torch

from worldgen.models.native.history.fill import fill_hidden

ROWS, COLUMNS = 32, 56


def test_seen_pixels_stay_bit_for_bit_and_nothing_seen_changes_nothing():
    pictures = torch.randn(2, 3, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    depth = torch.full((2, ROWS, COLUMNS), 10.0)
    seen = torch.zeros(2, 1, ROWS, COLUMNS)
    seen[0, :, 5:20, 5:40] = 1.0
    out = fill_hidden(pictures, seen, depth)
    assert torch.equal(out[0][:, 5:20, 5:40], pictures[0][:, 5:20, 5:40])
    assert not torch.allclose(out[0], pictures[0])
    assert torch.equal(out[1], pictures[1])
    assert fill_hidden(pictures, torch.ones_like(seen), depth) is pictures


def test_a_hole_takes_the_colour_of_its_own_depth():
    """Left a near wall of 1, right a far one of -1; holes on either side get their own wall's colour, next to the
    border too."""
    depth = torch.full((1, ROWS, COLUMNS), 5.0)
    depth[..., COLUMNS // 2 :] = 100.0
    pictures = torch.where(depth < 50, 1.0, -1.0)[:, None].expand(1, 3, ROWS, COLUMNS).clone()
    seen = torch.ones(1, 1, ROWS, COLUMNS)
    seen[..., 10:20, 18:38] = 0.0  # across the border of the walls
    damaged = torch.where(seen > 0, pictures, torch.tensor(7.0))
    torch.testing.assert_close(
        fill_hidden(damaged, seen, depth)[..., [18, 22, 33, 37]], pictures[..., [18, 22, 33, 37]], atol=1e-4, rtol=1e-4
    )


def test_the_ground_is_never_filled_with_the_thing_on_it():
    depth = torch.full((1, ROWS, COLUMNS), 10.0)
    things = torch.zeros(1, 1, ROWS, COLUMNS, dtype=torch.bool)
    things[..., 12:20, 20:30] = True
    pictures = torch.where(things, 1.0, 0.0).expand(1, 3, ROWS, COLUMNS).clone()
    seen = torch.ones(1, 1, ROWS, COLUMNS)
    seen[..., 12:20, 30:36] = 0.0  # where the thing was before
    damaged = torch.where(seen > 0, pictures, torch.tensor(1.0))
    assert fill_hidden(damaged, seen, depth, things)[..., 12:20, 31:36].abs().max() < 1e-4
    assert fill_hidden(damaged, seen, depth)[..., 12:20, 31:36].max() > 0.1  # without being told, it is


def test_a_depth_that_is_seen_nowhere_takes_what_is_around():
    depth = torch.full((1, ROWS, COLUMNS), 5.0)
    depth[..., 10:14, 10:14] = 500.0
    seen = (depth < 50).float()[:, None]
    pictures = torch.where(seen > 0, 0.5, 9.0).expand(1, 3, ROWS, COLUMNS).clone()
    torch.testing.assert_close(fill_hidden(pictures, seen, depth), torch.full_like(pictures, 0.5), atol=1e-5, rtol=1e-5)

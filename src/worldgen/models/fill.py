"""Colours for what an older picture did not show: taken from the nearest pixels that it did show at the same depth.

Where a car has driven off, the road behind it was hidden; looked up in the older picture, the car would be painted there a
second time. The mean of the seen pixels around, at the finest scale that has any, is a calm guess that a network
can paint on (the pull-push of Gortler et al. 1996, "The Lumigraph", section 3.4.2, one pyramid per range of depths, so that
ground is filled with ground and not with the car in front of it).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from worldgen.core.layout import DEPTH_SCALE_M

DEPTH_BINS = 6
LEAST_WEIGHT = 1e-3


def fill_unseen(
    pictures: torch.Tensor, seen: torch.Tensor, depth_m: torch.Tensor, things: torch.Tensor | None = None
) -> torch.Tensor:
    """``pictures`` ``(N, C, H, W)`` with the pixels filled that are not ``seen`` ``(N, 1, H, W)``; depth_m ``(N, H, W)``.

    things ``(N, 1, H, W)`` bool: where labelled things are; they are filled from things, and all else from all else.

    Pixels that are seen stay as they are, bit for bit. With nothing seen anywhere, so do all.
    """
    if bool((seen > 0).all()):
        return pictures
    height, width = pictures.shape[-2:]
    nearness = DEPTH_SCALE_M / (DEPTH_SCALE_M + depth_m)
    bins = (nearness * DEPTH_BINS).long().clamp(0, DEPTH_BINS - 1)
    if things is not None:
        bins = torch.where(things[:, 0], DEPTH_BINS, bins)
    # The last range takes everything: for a hole at a depth that is seen nowhere.
    everything = DEPTH_BINS + 1
    member = torch.cat([F.one_hot(bins, everything).movedim(-1, 1), torch.ones_like(bins)[:, None]], 1).to(pictures)
    # Filled at half the size, where it costs a quarter: what comes out is smooth.
    weight = F.avg_pool2d(member * seen, 2, ceil_mode=True)
    colour = F.avg_pool2d((member * seen)[:, :, None].mul(pictures[:, None]).flatten(1, 2), 2, ceil_mode=True)
    own = F.interpolate(bins[:, None].float(), size=weight.shape[-2:], mode="nearest").long()
    found, known = _lookup(colour, weight, own)
    for ranges in (own, torch.full_like(own, everything)):
        coarse_colour, coarse_weight = colour, weight
        while min(coarse_weight.shape[-2:]) > 1 and not known.all():
            coarse_colour, coarse_weight = (F.avg_pool2d(x, 2, ceil_mode=True) for x in (coarse_colour, coarse_weight))
            here = (F.interpolate(x, size=own.shape[-2:], mode="bilinear") for x in (coarse_colour, coarse_weight))
            value, has = _lookup(*here, ranges)
            found, known = torch.where(known, found, value), known | has
    smooth = F.interpolate(found, size=(2 * own.shape[-2], 2 * own.shape[-1]), mode="bilinear")[..., :height, :width]
    anything = (seen > 0).flatten(1).any(1)[:, None, None, None]
    return torch.where((seen > 0) | ~anything, pictures, smooth)


def _lookup(colour: torch.Tensor, weight: torch.Tensor, ranges: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean colour ``(N, C, h, w)`` of each pixel's range of depths, and where there is any ``(N, 1, h, w)`` bool."""
    count = weight.shape[1]
    own = weight.gather(1, ranges)
    sums = colour.unflatten(1, (count, -1)).gather(
        1, ranges[:, :, None].expand(-1, -1, colour.shape[1] // count, -1, -1)
    )[:, 0]
    return sums / own.clamp_min(LEAST_WEIGHT), own > LEAST_WEIGHT

"""Disocclusion filling: colours for pixels that an earlier frame did not show, from the nearest visible pixels of the
same depth.

Where a car has driven off, the road behind it was hidden, and a plain look-up in the earlier frame would copy the car
there. The mean of the visible pixels around, at the finest scale that has any, is a smooth guess for the network to
correct (the pull-push algorithm of Gortler et al. 1996, "The Lumigraph", section 3.4.2). There is one pyramid per
range of depths, so that ground is filled from ground and not from the car in front of it.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F

from worldgen.core.layout_channels import DEPTH_SCALE_M

DEPTH_BINS = 6
LEAST_WEIGHT = 1e-3

SIDEWAYS = 3
"""Levels of the pyramid on which cells grow in width alone."""


def fill_hidden(
    pictures: torch.Tensor, visible: torch.Tensor, depth_m: torch.Tensor, objects: torch.Tensor | None = None
) -> torch.Tensor:
    """``pictures`` ``(N, C, H, W)`` with the pixels filled that are not ``visible`` ``(N, 1, H, W)``; depth_m ``(N,
    H, W)``.

    objects ``(N, 1, H, W)`` bool: where labelled objects are. They are filled from objects, and everything else from
    everything else. Visible pixels stay as they are, bit for bit. In pictures without any visible pixel, all pixels
    stay.
    """
    if bool((visible > 0).all()):
        return pictures
    height, width = pictures.shape[-2:]
    nearness = DEPTH_SCALE_M / (DEPTH_SCALE_M + depth_m)
    bins = (nearness * DEPTH_BINS).long().clamp(0, DEPTH_BINS - 1)
    if objects is not None:
        bins = torch.where(objects[:, 0], DEPTH_BINS, bins)
    # The last range holds all pixels, for a hole at a depth that is visible nowhere.
    everything = DEPTH_BINS + 1
    member = torch.cat([F.one_hot(bins, everything).movedim(-1, 1), torch.ones_like(bins)[:, None]], 1).to(pictures)
    # Filled at half the size, which costs a quarter; the result is smooth anyway.
    weight = F.avg_pool2d(member * visible, 2, ceil_mode=True)
    colour = F.avg_pool2d((member * visible)[:, :, None].mul(pictures[:, None]).flatten(1, 2), 2, ceil_mode=True)
    own = F.interpolate(bins[:, None].float(), size=weight.shape[-2:], mode="nearest").long()
    pushed, anywhere = _pull_push(colour.unflatten(1, (weight.shape[1], -1)), weight)
    chosen = torch.where(anywhere.gather(1, own.flatten(1)).view_as(own), own, everything)
    found = pushed.gather(1, chosen[:, :, None].expand(-1, -1, pushed.shape[2], -1, -1))[:, 0]
    smooth = F.interpolate(found, size=(2 * own.shape[-2], 2 * own.shape[-1]), mode="bilinear")[..., :height, :width]
    anything = (visible > 0).flatten(1).any(1)[:, None, None, None]
    return torch.where((visible > 0) | ~anything, pictures, smooth)


def _pull_push(colour: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours of K depth ranges, spread over the picture ``(N, K, C, h, w)``, and whether a range is visible
    anywhere, ``(N, K)`` bool.

    colour ``(N, K, C, h, w)``: sums over visible pixels; weight ``(N, K, h, w)``: visible share of a cell. On the way
    up, a cell counts as visible as soon as one of its parts is. On the way down, the missing part of a cell is
    interpolated from the next coarser level, so no level shows its edges. Cells grow sideways first, because the view
    of a turning camera continues at the same height: sky as sky and houses as houses.
    """
    levels = [(colour, weight)]
    while max(weight.shape[-2:]) > 1:
        rows = 2 if len(levels) > SIDEWAYS or weight.shape[-1] == 1 else 1
        pool = functools.partial(F.avg_pool2d, kernel_size=(rows, 2), ceil_mode=True)
        colour, weight = pool(colour.flatten(1, 2)).unflatten(1, colour.shape[1:3]), pool(weight)
        gain = (2 * rows * weight).clamp(max=1) / weight.clamp_min(LEAST_WEIGHT)
        colour, weight = colour * gain[:, :, None], weight * gain
        levels.append((colour, weight))
    colour, weight = levels.pop()
    spread = colour / weight.clamp_min(LEAST_WEIGHT)[:, :, None]
    for finer, known in reversed(levels):
        spread = F.interpolate(spread.flatten(0, 1), size=known.shape[-2:], mode="bilinear").unflatten(
            0, known.shape[:2]
        )
        spread = finer + (1 - known)[:, :, None] * spread
    return spread, weight[..., 0, 0] > 0

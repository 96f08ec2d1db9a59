"""Learning to paint what the layout announces: pasts of training clips from which things have been taken out.

In a recording a thing is nearly always in the picture before, so copying is enough. In a rollout a pedestrian walks into
view whom no earlier picture shows, and if he is not painted at once, every later past is without him too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.losses.flow import Examples

SMALL_SHARE = 0.02
"""Cells of which things cover less count as free of them."""


def with_objects_erased(examples: Examples, generator: torch.Generator, *, share: float) -> Examples:
    """``examples`` where some clips' pasts show, in place of things, what is elsewhere at the same height.

    Each clip is chosen with probability ``share``; in it, things in a random range of columns go. Half of those clips are told
    that nothing was seen there (a thing that has just come into view), half that it was (one that went unpainted before).
    """
    objects = object_coverage(examples.conditions, tuple(examples.latents.shape[-2:]))
    if objects is None or share <= 0:
        return examples
    uniform = lambda *shape: torch.rand(shape, generator=generator, device=generator.device).to(objects.device)  # noqa: E731
    batch, width = len(objects), objects.shape[-1]
    column = torch.arange(width, device=objects.device)
    side, split = uniform(batch, 1) < 0.5, uniform(batch, 1) * 1.5 * width
    columns = torch.where(side, column < split, column >= width - split)[:, None, None, None]  # (B, 1, 1, 1, w)
    chosen = (uniform(batch) < share)[:, None, None, None, None]
    # One cell more on each side: the border of a thing must not give it away.
    grown = F.max_pool3d(objects, (1, 3, 3), stride=1, padding=(0, 1, 1))
    gone = (grown > SMALL_SHARE) & columns & chosen
    shift = int((0.2 + 0.6 * uniform(1)) * width)
    seen = examples.reprojected[:, -1:]
    elsewhere = torch.roll(examples.reprojected[:, :-1], shift, dims=-1)
    told = (uniform(batch) < 0.5)[:, None, None, None, None]
    picture = torch.where(gone, elsewhere, examples.reprojected[:, :-1])
    return Examples(examples.latents, torch.cat([picture, seen.masked_fill(gone & ~told, 0.0)], 1), examples.conditions)

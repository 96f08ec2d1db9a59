"""Erasure of objects from the histories of training clips, so that the model learns to generate what the layout shows.

In a recording, an object is nearly always in the frame before too, so copying is enough. In a rollout, a pedestrian
walks into view whom no earlier frame shows. If the model does not generate him at once, all later frames lack him
too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.losses.flow import Examples, draws

SMALL_SHARE = 0.02
"""Cells with object coverage below this share count as background."""


def with_objects_erased(examples: Examples, generator: torch.Generator, *, share: float) -> Examples:
    """``examples`` in which the histories of some clips show other places of the same height instead of objects.

    Each clip is chosen with probability ``share``; in it, the objects in a random range of columns are erased. In
    half of these clips the visibility is 0 there (an object that has just come into view), in the other half it stays
    (one that earlier frames failed to show).
    """
    objects = object_coverage(examples.conditions, examples.latents.shape[-2:])
    if objects is None or share <= 0:
        return examples
    uniform, _ = draws(generator, objects.device)
    batch, width = len(objects), objects.shape[-1]
    column = torch.arange(width, device=objects.device)
    side, split = uniform(batch, 1) < 0.5, uniform(batch, 1) * 1.5 * width
    columns = torch.where(side, column < split, column >= width - split)[:, None, None, None]  # (B, 1, 1, 1, w)
    chosen = (uniform(batch) < share)[:, None, None, None, None]
    # One cell more on each side, so that the border of an object does not reveal it.
    grown = F.max_pool3d(objects, (1, 3, 3), stride=1, padding=(0, 1, 1))
    erased = (grown > SMALL_SHARE) & columns & chosen
    shift = int((0.2 + 0.6 * uniform(1)) * width)
    visible = examples.reprojected[:, -1:]
    elsewhere = torch.roll(examples.reprojected[:, :-1], shift, dims=-1)
    stays_visible = (uniform(batch) < 0.5)[:, None, None, None, None]
    picture = torch.where(erased, elsewhere, examples.reprojected[:, :-1])
    return Examples(
        examples.latents,
        torch.cat([picture, visible.masked_fill(erased & ~stays_visible, 0.0)], 1),
        examples.conditions,
    )

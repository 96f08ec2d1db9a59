"""Where a layout shows labelled objects, at the resolution of the latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.conditions import ConditionBatch

_FIRST = LAYOUT_CHANNELS.index(LAYOUT_CLASSES[0])


def object_coverage(conditions: ConditionBatch, size: Sequence[int]) -> torch.Tensor | None:
    """Share ``(B, 1, F, h, w)`` in [0, 1] of each latent cell that labelled objects cover; None without any layout.

    size: (h, w).
    """
    if conditions.layout is None:
        return None
    objects = cover(conditions.layout)
    height, width = size
    return F.adaptive_avg_pool3d(objects, (objects.shape[2], height, width))


def cover(layout: torch.Tensor) -> torch.Tensor:
    """Share of each cell of layout maps ``(N, K, ...)`` that objects of any class cover, ``(N, 1, ...)`` float32."""
    return layout[:, _FIRST : _FIRST + len(LAYOUT_CLASSES)].float().sum(1, keepdim=True).clamp(max=1)

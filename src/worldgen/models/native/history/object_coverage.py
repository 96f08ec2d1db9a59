"""Where a layout shows labelled things, at the resolution of the latents."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from worldgen.core.labels import CLASSES
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.conditions import ConditionBatch

_FIRST = LAYOUT_CHANNELS.index(CLASSES[0])


def object_coverage(conditions: ConditionBatch, size: tuple[int, int]) -> torch.Tensor | None:
    """Share ``(B, 1, F, h, w)`` in [0, 1] of each latent cell that labelled things cover; None without any layout."""
    if conditions.layout is None:
        return None
    objects = cover(conditions.layout)
    return F.adaptive_avg_pool3d(objects, (objects.shape[2], *size))


def cover(layout: torch.Tensor) -> torch.Tensor:
    """Share of each cell of layout maps ``(N, K, ...)`` that objects of any class cover, ``(N, 1, ...)`` float32."""
    return layout[:, _FIRST : _FIRST + len(CLASSES)].float().sum(1, keepdim=True).clamp(max=1)

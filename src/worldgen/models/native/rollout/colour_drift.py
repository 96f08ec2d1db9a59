"""Colour-drift correction of a rollout: road, sky and surroundings keep the mean colour that they had when the clip
began.

Each frame is generated from the one before, so a small error of brightness returns with every frame and grows; roads
turned white within two seconds. Weather and light do not change within a scene, so the mean of each kind of surface
is pulled towards that of the first frames. Labelled objects come and go and stay as they are. Without a layout, the
halves above and below the horizon stand for sky and road.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from worldgen.core.layout_channels import INVERSE_DEPTH_CHANNEL, LAYOUT_CHANNELS
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.object_coverage import cover

PULL = 0.3
"""Share of the difference that one frame corrects. With all of it, every lamp that passes would cause a flash."""

LEAST_CELLS = 8.0
"""Fewest visible cells of a kind of surface from which its mean is taken."""

SKY_BELOW = 0.02
_ROAD = LAYOUT_CHANNELS.index("drivable")


@dataclass(frozen=True, eq=False)
class ColourDriftCorrection:
    """Mean latents ``(B, K, C)`` of each kind of surface in one frame, and whether enough of it was visible, ``(B,
    K)`` bool."""

    means: torch.Tensor
    known: torch.Tensor

    @classmethod
    def of(cls, latents: torch.Tensor, conditions: ConditionBatch) -> ColourDriftCorrection:
        """From the last frame of ``latents`` ``(B, C, F, h, w)`` and the conditions of the same frames."""
        means, known = _means(latents[:, :, -1:], _surfaces(conditions.frames(-1, None), latents.shape[-2:]))
        return cls(means[:, :, 0], known[:, :, 0])

    def hold(self, latents: torch.Tensor, conditions: ConditionBatch) -> torch.Tensor:
        """``latents`` ``(B, C, F, h, w)`` with the mean of each kind of surface pulled towards the stored one."""
        surfaces = _surfaces(conditions, latents.shape[-2:])
        means, known = _means(latents, surfaces)
        away = (self.means[:, :, None] - means) * (known & self.known[:, :, None])[..., None]  # (B, K, F, C)
        return latents + PULL * torch.einsum("bkfhw,bkfc->bcfhw", surfaces, away)


def _surfaces(conditions: ConditionBatch, size: Sequence[int]) -> torch.Tensor:
    """Shares ``(B, K, F, h, w)`` of each cell that are road, sky, and everything else but objects."""
    halves = _halves(conditions, size)
    if conditions.layout is None:
        return halves
    read = conditions.layout[:, : INVERSE_DEPTH_CHANNEL + 1].float()  # later channels are not needed below
    height, width = size
    layout = F.adaptive_avg_pool3d(read, (read.shape[2], height, width))
    free = 1 - cover(layout)
    road = layout[:, _ROAD : _ROAD + 1].clamp(0, 1) * free
    sky = (layout[:, INVERSE_DEPTH_CHANNEL : INVERSE_DEPTH_CHANNEL + 1] < SKY_BELOW) * (free - road)
    shares = torch.cat([road, sky, free - road - sky], 1).clamp(min=0)
    return torch.where(conditions.layout_known[:, None, None, None, None], shares, halves)


def _halves(conditions: ConditionBatch, size: Sequence[int]) -> torch.Tensor:
    """The same of a level world without objects: road below the horizon, sky above it."""
    camera, frames = conditions.camera.float(), conditions.ego.shape[1]
    # cy - fy tan(pitch), from the top, as a share of the height
    horizon = camera[:, 3] - camera[:, 1] * camera[:, 5].tan()
    rows = (torch.arange(size[0], device=camera.device) + 0.5) / size[0]
    road = (rows[None] > horizon[:, None]).float()
    bands = torch.stack([road, 1 - road, torch.zeros_like(road)], 1)  # (B, K, h)
    return bands[:, :, None, :, None].expand(-1, -1, frames, -1, size[1])


def _means(latents: torch.Tensor, surfaces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean latents ``(B, K, F, C)`` of each kind of surface, and whether enough of it is visible, ``(B, K, F)``
    bool."""
    cells = surfaces.sum((3, 4))
    sums = torch.einsum("bkfhw,bcfhw->bkfc", surfaces, latents.float())
    return sums / cells.clamp_min(1.0)[..., None], cells >= LEAST_CELLS

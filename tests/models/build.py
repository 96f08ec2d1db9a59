"""Tiny models and conditions for the tests of this folder."""

from __future__ import annotations

import torch

from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.conditions import ConditionBatch, camera_features

TEXT_WIDTH = 32


def noisy_weights(module: torch.nn.Module, scale: float = 0.1, seed: int = 0) -> torch.nn.Module:
    """Leave the zero start, so that every path carries signal."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return module


def conditions(batch: int, frames: int, *, rows: int, columns: int, seed: int = 1) -> ConditionBatch:
    generator = torch.Generator().manual_seed(seed)
    ego = torch.rand(batch, frames, 2, generator=generator) * torch.tensor([10.0, 0.3])
    return ConditionBatch(
        text_ids=torch.ones(batch, 3, dtype=torch.long),
        text_mask=torch.ones(batch, 3, dtype=torch.bool),
        ego=ego,
        ego_known=torch.ones(batch, dtype=torch.bool),
        fps=torch.full((batch,), 8.0),
        camera=torch.from_numpy(camera_features(None)).repeat(batch, 1),
        layout=torch.rand(batch, len(LAYOUT_CHANNELS), frames, 8 * rows, 8 * columns, generator=generator),
        layout_known=torch.ones(batch, dtype=torch.bool),
    )


def text_of(c: ConditionBatch, width: int = TEXT_WIDTH) -> torch.Tensor:
    return torch.randn(len(c), c.text_ids.shape[1], width, generator=torch.Generator().manual_seed(2))

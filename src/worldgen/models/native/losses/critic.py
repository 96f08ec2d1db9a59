"""The critic of adversarial training: is this latent frame a recorded one, given the layout and the text?

It reads single frames at two scales: 3 x 3 neighbourhoods of latent cells judge drops, clothes and edges; maps of
half the resolution judge objects and surfaces. It does not read the history, because the history that a rollout
generates is not the recorded one. A critic that compares a recorded frame with a generated history would teach the
network to forget its own frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from worldgen.models.native.codec import to_channels_last
from worldgen.models.native.transformer import LAYOUT_FACTOR

SLOPE = 0.2


@dataclass(frozen=True, eq=False)
class CriticConditions:
    """Conditions of N frames that a critic reads: layout ``(N, K, hl, wl)`` or None, layout_known ``(N,)`` bool and
    pooled text ``(N, Dt)``, zeros where there is none."""

    layout: torch.Tensor | None
    layout_known: torch.Tensor
    text: torch.Tensor


class Critic(nn.Module):
    """Maps of how real latent frames ``(N, C, h, w)`` look, ``(N, 1, h, w)`` and ``(N, 1, h/2, w/2)``; larger is more
    real.

    Patch critics: Isola et al. 2017 (arXiv:1611.07004, section 3.2.2); the text scales features as in Perez et al. 2018
    (arXiv:1709.07871). There is no normalisation: the penalty on its slope keeps the critic in bounds.
    """

    def __init__(self, latent_channels: int, layout_channels: int, text_width: int, *, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.layout = nn.Conv2d(layout_channels * LAYOUT_FACTOR**2 + 1, width, 1)
        self.text = nn.Linear(text_width, 2 * width)
        self.fine = nn.ModuleList(_Residual(width) for _ in range(2))
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(_Residual(2 * width) for _ in range(2))
        self.heads = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in (width, 2 * width))
        to_channels_last(self)

    def forward(self, latents: torch.Tensor, shown: CriticConditions) -> list[torch.Tensor]:
        """latents: in the units of :class:`worldgen.models.native.losses.adversarial.RealAndGenerated`."""
        x = self.stem(latents.contiguous(memory_format=torch.channels_last)) + self._layout(shown, latents)
        scale, shift = self.text(shown.text)[:, :, None, None].chunk(2, 1)
        x = x * (1 + scale) + shift
        for block in self.fine:
            x = block(x)
        y = self.down(F.leaky_relu(x, SLOPE))
        for block in self.coarse:
            y = block(y)
        return [head(F.leaky_relu(z, SLOPE)) for head, z in zip(self.heads, (x, y), strict=True)]

    def _layout(self, shown: CriticConditions, like: torch.Tensor) -> torch.Tensor:
        known = shown.layout_known.to(like)[:, None, None, None].expand(-1, 1, *like.shape[-2:])
        if shown.layout is None:
            channels = self.layout.in_channels - 1
            return self.layout(torch.cat([known.new_zeros(len(known), channels, *known.shape[2:]), 0 * known], 1))
        maps = F.pixel_unshuffle(shown.layout.to(like), LAYOUT_FACTOR) * known
        return self.layout(torch.cat([maps, known], 1).contiguous(memory_format=torch.channels_last))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE))

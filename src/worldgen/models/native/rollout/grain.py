"""Grain: what a sensor adds to every pixel and no network can foretell, put back as strong as the given frames have it.

A codec of few channels drops most of it and the mean that a network paints has none, so made frames were smoother than those
they go on from. As in film-grain synthesis for video coding (Norkin and Birkbeck 2018, "Film Grain Synthesis for AV1 Video
Codec"), its strength is measured where the original is known, by brightness, and new grain of that strength is added to what
is shown. Only to that: rollouts go on from pictures without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from worldgen.core.seeds import stable_hash

BINS = 8
LEAST_VALUES = 600
"""Values of a brightness of which there are fewer say nothing about its grain."""

MAD_TO_STD = 1.4826
"""Standard deviation of normal numbers over the median of their magnitudes; edges, which are few, hardly count in it."""


@dataclass(frozen=True, eq=False)
class Grain:
    """Standard deviation of the grain at each brightness from black to white, ``(B, BINS)`` float32, for pixels in [-1, 1]."""

    levels: torch.Tensor

    @classmethod
    def of(cls, given: torch.Tensor, shown: torch.Tensor) -> Grain:
        """What the codec took from the frames ``given``, where ``shown`` is what it made of them; both ``(B, 3, F, H, W)``."""
        return cls(torch.stack([_levels(a, b) for a, b in zip(given.float(), shown.float(), strict=True)]))

    def over(self, video: torch.Tensor, seeds: list[int], first: int) -> torch.Tensor:
        """Frames ``first``, ... ``(B, 3, F, H, W)`` with grain, which depends on (seed, frame) alone."""
        place = (_brightness(video) * BINS - 0.5).clamp(0, BINS - 1)
        low = place.floor().long().clamp_max(BINS - 2)
        share = place - low
        rows = torch.arange(len(video), device=video.device)[:, None, None, None, None]
        strength = (1 - share) * self.levels[rows, low] + share * self.levels[rows, low + 1]
        noise = torch.stack([_noise(seed, first, video.shape[1:]) for seed in seeds]).to(video.device)
        return (video.float() + strength * noise).to(video.dtype)


def _levels(given: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """``(BINS,)`` of one clip; a brightness that hardly occurs has that of the nearest one that does."""
    off = (given - shown).abs()
    bins = (_brightness(shown[None])[0] * BINS).long().clamp(0, BINS - 1).expand_as(off)
    members = [off[bins == i] for i in range(BINS)]
    known = [i for i, values in enumerate(members) if values.numel() >= LEAST_VALUES]
    if not known:
        return torch.zeros(BINS, device=given.device)
    nearest = [min(known, key=lambda i, at=at: abs(i - at)) for at in range(BINS)]
    return torch.stack([MAD_TO_STD * members[i].median() for i in nearest])


def _brightness(video: torch.Tensor) -> torch.Tensor:
    """``(B, 1, F, H, W)`` in [0, 1]: mean over channels."""
    return ((video.float().mean(1, keepdim=True) + 1) / 2).clamp(0, 1)


def _noise(seed: int, first: int, shape: torch.Size) -> torch.Tensor:
    """Standard normal ``(3, F, H, W)``, drawn on the CPU so that every device shows the same."""
    channels, frames, *size = shape
    rows = [
        torch.randn((channels, *size), generator=torch.Generator().manual_seed(stable_hash("grain", seed, first + i)))
        for i in range(frames)
    ]
    return torch.stack(rows, 1)

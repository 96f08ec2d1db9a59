"""Grain of generated frames: sensor noise of the same strength as in the context frames.

A network cannot predict the noise that a sensor adds to every pixel. A codec of few channels drops most of it, and
the mean that a network predicts has none, so generated frames were smoother than the context they continue. As in
film-grain synthesis for video coding (Norkin and Birkbeck 2018, "Film Grain Synthesis for AV1 Video Codec"), the
strength of the grain is measured by brightness where the original is known, and new grain of that strength is added
to the frames that are returned. Rollouts continue from frames without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from worldgen.core.seeds import stable_hash

BINS = 8
LEAST_VALUES = 600
"""Fewest pixel values of a brightness from which its grain is measured."""

MAD_TO_STD = 1.4826
"""Standard deviation of normal numbers over the median of their magnitudes. Edges are few, so they hardly change a
median."""


@dataclass(frozen=True, eq=False)
class Grain:
    """Standard deviation of the grain at each brightness from black to white, ``(B, BINS)`` float32, for pixels in
    [-1, 1]."""

    levels: torch.Tensor

    @classmethod
    def of(cls, given: torch.Tensor, shown: torch.Tensor) -> Grain:
        """The grain that the codec removed from the frames ``given``; ``shown`` are they as it decodes them; both
        ``(B, 3, F, H, W)``."""
        return cls(torch.stack([_levels(a, b) for a, b in zip(given.float(), shown.float(), strict=True)]))

    def over(
        self, video: torch.Tensor, seeds: list[int], first: int, grainy: torch.Tensor | float = 0.0
    ) -> torch.Tensor:
        """Frames ``first``, ... ``(B, 3, F, H, W)`` with grain that depends on (seed, frame) alone.

        grainy: ``(B, 1, F, H, W)`` in [0, 1], the share of the grain that is there already.
        """
        place = (_brightness(video) * BINS - 0.5).clamp(0, BINS - 1)
        low = place.floor().long().clamp_max(BINS - 2)
        share = place - low
        rows = torch.arange(len(video), device=video.device)[:, None, None, None, None]
        strength = (1 - share) * self.levels[rows, low] + share * self.levels[rows, low + 1]
        noise = torch.stack([_noise(seed, first, video.shape[1:]) for seed in seeds]).to(video.device)
        return (video.float() + (1 - grainy) * strength * noise).to(video.dtype)


def _levels(given: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """``(BINS,)`` of one clip; a rare brightness takes the grain of the nearest frequent one."""
    removed = (given - shown).abs()
    bins = (_brightness(shown[None])[0] * BINS).long().clamp(0, BINS - 1).expand_as(removed)
    members = [removed[bins == i] for i in range(BINS)]
    known = [i for i, values in enumerate(members) if values.numel() >= LEAST_VALUES]
    if not known:
        return torch.zeros(BINS, device=given.device)
    nearest = [known[int(np.argmin([abs(i - at) for i in known]))] for at in range(BINS)]
    return torch.stack([MAD_TO_STD * members[i].median() for i in nearest])


def _brightness(video: torch.Tensor) -> torch.Tensor:
    """``(B, 1, F, H, W)`` in [0, 1]: mean over channels."""
    return ((video.float().mean(1, keepdim=True) + 1) / 2).clamp(0, 1)


def _noise(seed: int, first: int, shape: torch.Size) -> torch.Tensor:
    """Standard normal ``(3, F, H, W)``, drawn on the CPU so that every device gets the same numbers."""
    channels, frames, *size = shape
    rows = [
        torch.randn((channels, *size), generator=torch.Generator().manual_seed(stable_hash("grain", seed, first + i)))
        for i in range(frames)
    ]
    return torch.stack(rows, 1)

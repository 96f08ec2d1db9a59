"""Sampling noise that depends on the sample and the frame, not on the batch, the chunk or the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from worldgen.core.seeds import stable_hash

NoiseSource = Callable[[int, int, tuple[int, int, int]], torch.Tensor]
"""Standard normal noise ``(B, C, frames, h, w)`` of a chunk, from its first frame, its number of frames and (C, h,
w)."""


def frame_noise(seed: int, frame_index: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal float32 noise of one latent frame, drawn on the CPU so that every device gets the same
    numbers."""
    generator = torch.Generator().manual_seed(stable_hash("frame noise", seed, frame_index))
    return torch.randn(shape, generator=generator)


def chunk_noise(seeds: Sequence[int], start: int, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """``(B, C, F, h, w)`` noise of frames start..start+frames-1; shape is (C, h, w)."""
    rows = [torch.stack([frame_noise(seed, start + i, shape) for i in range(frames)], 1) for seed in seeds]
    return torch.stack(rows)


def seeded_noise(seeds: Sequence[int]) -> NoiseSource:
    """The noise of samples with these seeds: a sample gets the same frames whatever it is batched with."""
    return lambda start, frames, shape: chunk_noise(seeds, start, frames, shape)


def drawn_noise(generator: torch.Generator, batch: int) -> NoiseSource:
    """Noise of ``batch`` clips drawn from ``generator`` as it is asked for, for training."""

    def draw(start: int, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        channels, height, width = shape
        return torch.randn(batch, channels, frames, height, width, generator=generator, device=generator.device)

    return draw

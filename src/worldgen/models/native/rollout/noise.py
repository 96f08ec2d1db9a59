"""Sampling noise that depends on the sample and the frame, not on the batch, the chunk or the device."""

from __future__ import annotations

import torch

from worldgen.core.seeds import stable_hash


def frame_noise(seed: int, frame_index: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal float32 noise of one latent frame, drawn on the CPU so that every device sees the same."""
    generator = torch.Generator().manual_seed(stable_hash("frame noise", seed, frame_index))
    return torch.randn(shape, generator=generator)


def chunk_noise(seeds: list[int], start: int, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """``(B, C, F, h, w)`` noise of frames start..start+frames-1; shape is (C, h, w)."""
    rows = [torch.stack([frame_noise(seed, start + i, shape) for i in range(frames)], 1) for seed in seeds]
    return torch.stack(rows)

"""Frames as latents of a Wan codec, in the units that its transformers are trained in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


@torch.no_grad()
def wan_latents(pipeline: Any, frames: np.ndarray) -> torch.Tensor:
    """The most likely latents ``(C, F, h, w)`` float32 on the CPU of frames ``(T, H, W, 3)`` uint8, of mean 0 and
    spread 1 a channel."""
    codec = pipeline.vae
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    device = getattr(pipeline, "_execution_device", codec.device)
    latents = codec.encode(pixels.to(device, codec.dtype)).latent_dist.mode().float()
    shape = (1, codec.config.z_dim, 1, 1, 1)
    mean = torch.tensor(codec.config.latents_mean, device=latents.device).view(shape)
    spread = torch.tensor(codec.config.latents_std, device=latents.device).view(shape)
    return ((latents - mean) / spread)[0].cpu()

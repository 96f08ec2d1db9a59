"""Training of the small codec, and latents of clips."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from .tiny_checkpoints import kept_weights, restored_step
from .tiny_clips import TinyClips

CROP_PX, CODEC_FRAMES, CROPS = 32, 5, 4
LEARNING_RATE = 3e-3


def scaled(frames: np.ndarray) -> torch.Tensor:
    """Frames ``(..., T, H, W, 3)`` uint8 as ``(..., 3, T, H, W)`` float32 in [-1, 1]."""
    return torch.from_numpy(frames).movedim(-1, -4).float() / 127.5 - 1


def train_codec(codec: Any, clips: TinyClips, *, steps: int, seed: int, kept: Path | None = None) -> float:
    """Train the codec on crops of pictures and controls; returns its PSNR (dB) on the pictures of the last clips.

    L1 loss. Afterwards the config holds mean and standard deviation of the latents. kept: file of its weights, from
    which a stopped training goes on; the crops of a step depend on the seed and the step only.
    """
    codec.train()
    first = restored_step(kept, codec)
    optimiser = torch.optim.AdamW(codec.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0)
    start_s = time.monotonic()
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (step - first + 1) / 20) * (1 - 0.95 * step / steps)
        target = scaled(_crops(clips, np.random.default_rng((seed, step))))
        made = codec.decode(codec.encode(target).latent_dist.mode()).sample
        loss = F.l1_loss(made, target)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"codec loss {loss.item()} at step {step}")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 19 or step == steps - 1:
            kept_weights(kept, codec, step + 1)
            passed = f"{time.monotonic() - start_s:.0f} s"
            print(f"codec step {step + 1}, L1 {loss.item():.4f}, {passed}", file=sys.stderr, flush=True)
    codec.eval()
    codec.register_to_config(**_spread(codec, clips))
    return codec_psnr_db(codec, clips.frames[-4:])


def _crops(clips: TinyClips, rng: np.random.Generator) -> np.ndarray:
    """``(CROPS, CODEC_FRAMES, CROP_PX, CROP_PX, 3)`` uint8, a quarter of them of controls."""
    crops = []
    for number in range(CROPS):
        videos = clips.controls if number % 4 == 0 else clips.frames
        video = videos[rng.integers(len(videos))]
        t, y, x = (
            int(rng.integers(side - size + 1))
            for side, size in zip(video.shape[:3], (CODEC_FRAMES, CROP_PX, CROP_PX), strict=True)
        )
        crops.append(video[t : t + CODEC_FRAMES, y : y + CROP_PX, x : x + CROP_PX])
    return np.stack(crops)


def codec_psnr_db(codec: Any, frames: np.ndarray) -> float:
    """PSNR (dB) of clips ``(N, T, H, W, 3)`` uint8 through the codec."""
    wanted = scaled(frames)
    with torch.no_grad():
        made = torch.cat([codec.decode(encoded(codec, clip[None], raw=True)).sample for clip in wanted])
    return -10 * float(np.log10(((made.clamp(-1, 1) - wanted) / 2).square().mean().item()))


def _spread(codec: Any, clips: TinyClips) -> dict[str, list[float]]:
    """Mean and standard deviation of the latents of 16 clips, by channel, as the config of the codec names them."""
    with torch.no_grad():
        latents = encoded(codec, scaled(clips.frames[:: max(1, len(clips.frames) // 16)]), raw=True)
    return {
        "latents_mean": latents.mean((0, 2, 3, 4)).tolist(), "latents_std": latents.std((0, 2, 3, 4)).tolist(),
    }  # fmt: skip


@torch.no_grad()
def encoded(codec: Any, frames: torch.Tensor, *, raw: bool = False) -> torch.Tensor:
    """Latents ``(N, C, F, h, w)`` of frames ``(N, 3, T, H, W)``, normalised unless ``raw``."""
    latents = torch.cat([codec.encode(clip[None]).latent_dist.mode() for clip in frames])
    if raw:
        return latents
    mean, std = (
        torch.tensor(codec.config[name])[None, :, None, None, None] for name in ("latents_mean", "latents_std")
    )
    return (latents - mean) / std


def conditioning(codec: Any, controls: torch.Tensor) -> torch.Tensor:
    """What the pipeline gives its control branch where no frame is known: ``(N, 2 C + 16, F, h, w)``.

    Grey in place of known frames, the control, and a mask of ones. controls: ``(N, 3, T, H, W)`` in [-1, 1].
    """
    return conditioning_of(codec, encoded(codec, controls), encoded(codec, torch.zeros_like(controls[:1])))


def conditioning_of(codec: Any, latents: torch.Tensor, grey: torch.Tensor) -> torch.Tensor:
    """:func:`conditioning` from the latents of the controls and of a grey clip."""
    cell = 4 ** len(codec.config["temperal_downsample"])
    mask = torch.ones(len(latents), cell, *latents.shape[2:])
    return torch.cat([grey.expand_as(latents), latents, mask], 1)

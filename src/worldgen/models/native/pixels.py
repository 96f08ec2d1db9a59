"""The two conversions between clips and the video of networks."""

from __future__ import annotations

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received


def video_from_clips(clips: list[Clip]) -> torch.Tensor:
    """Clips of equal size and length, uint8, to network video ``(B, 3, T, H, W)`` float32 in [-1, 1]."""
    shapes = {clip.frames.shape for clip in clips}
    if len(shapes) != 1:
        raise InputError("clips of one batch", Received(str(sorted(shapes))), "equal shapes (T, H, W, 3)")
    frames = torch.from_numpy(np.stack([clip.frames for clip in clips]))
    return frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


def clips_from_video(video: torch.Tensor, fps: float) -> list[Clip]:
    """Network video ``(B, 3, T, H, W)`` to clips, rounded and clamped to uint8; the inverse of
    :func:`video_from_clips`.

    Raises FloatingPointError for pixels that are not finite, which would otherwise turn grey unnoticed.
    """
    if not torch.isfinite(video).all():
        raise FloatingPointError("the codec made pixels that are not finite")
    frames = ((video.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Clip(f.permute(1, 2, 3, 0).contiguous().cpu().numpy(), fps) for f in frames]

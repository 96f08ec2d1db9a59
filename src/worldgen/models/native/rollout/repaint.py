"""Restyling: the same drive under other weather or light, made from the clip's own latents under partial noise.

Source: Meng et al., "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations" (ICLR 2022,
arXiv:2108.01073), here frame by frame in a rollout: what partial noise leaves of a frame keeps its geometry, the past
that is already restyled keeps the new look steady.
"""

from __future__ import annotations

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.native.codec import encode_video
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.models.native.rollout.noise import chunk_noise
from worldgen.models.native.rollout.rollout import Rollout, SamplerOptions, chunks
from worldgen.models.native.text import text_states


class ScaledScheduler:
    """A scheduler whose noise levels all shrink by one factor, so that a run begins at part noise; it adds no steps."""

    def __init__(self, scheduler, factor: float):
        self._scheduler, self._factor = scheduler, factor

    def set_timesteps(self, *, sigmas: list[float], device) -> None:
        self._scheduler.set_timesteps(sigmas=[self._factor * sigma for sigma in sigmas], device=device)

    def __getattr__(self, name: str):
        return getattr(self._scheduler, name)


class Restyling(Rollout):
    """A rollout whose frames begin as a source's latents under noise of level ``strength`` instead of pure noise."""

    def __init__(
        self,
        pipeline,
        conditions,
        text,
        *,
        seeds: list[int],
        options: SamplerOptions,
        source: torch.Tensor,
        strength: float,
    ):
        super().__init__(pipeline, conditions, text, seeds=seeds, options=options)
        self.source, self.strength = source, strength
        self.scheduler = ScaledScheduler(self.scheduler, strength)

    def make(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """The next frames of the source, restyled; see :meth:`Rollout.make`."""
        reprojected = self._with_confidence(self._reprojected_of_next(frames, shape)) if self._has_past else self._own_past(frames)
        noise = chunk_noise(self.seeds, self.position, frames, shape).to(self.text.device)
        clean = self.source[:, :, self.position : self.position + frames].float()
        # x_t = (1 - t) x_0 + t noise, the straight path the model was trained on.
        latents = self.sample((1 - self.strength) * clean + self.strength * noise, reprojected)
        self.feed(latents, reprojected if frames == 1 else None)
        return latents

    @property
    def _has_past(self) -> bool:
        """Full strength keeps nothing of the source, so its first frame has no past at all."""
        return self.video is not None or self.strength >= 1

    def _own_past(self, frames: int) -> torch.Tensor:
        """The source's own frames stand for the past of the first chunk, all of it seen.

        The model corrects its past; with none it leaves most of the noise in the first frame, and every later frame
        inherits it.
        """
        clean = self.source[:, :, :frames]
        return torch.cat([clean, torch.ones_like(clean[:, :1])], 1).to(self.text.dtype)


@torch.no_grad()
def restyle_clips(
    pipeline, clips: list[Clip], requests: list[Conditions], *, strength: float, options: SamplerOptions | None = None
) -> list[Clip]:
    """Each clip as its request describes it, keeping what noise of level ``strength`` leaves of it.

    strength: above 0 (the clip as the codec shows it) to 1 (a new clip that shares only conditions). A request's context,
    where it has one, stands for the first frames in the new look. Raises InputError for conditions the model does not
    accept, a strength outside (0, 1], and clips that differ from their request in length, rate or size.
    """
    options = options or SamplerOptions()
    if not 0 < strength <= 1:
        raise InputError("restyle strength", strength, "above 0, at most 1")
    if len(clips) != len(requests):
        raise InputError("requests to restyle", len(requests), f"{len(clips)}, one per clip")
    pipeline.check(requests)
    for clip, request in zip(clips, requests, strict=True):
        size = (
            (request.camera.width_px, request.camera.height_px) if request.camera else (clip.width_px, clip.height_px)
        )
        if (len(clip), clip.fps, clip.width_px, clip.height_px) != (request.num_frames, request.fps, *size):
            raise InputError(
                "clip to restyle", Received(f"{len(clip)} frames at {clip.fps:g} fps, {clip.width_px}x{clip.height_px}"),
                f"{request.num_frames} frames at {request.fps:g} fps, {size[0]}x{size[1]}, as its request",
            )  # fmt: skip
    conditions = pipeline.conditions_of(requests)
    device, dtype = pipeline.transformer.device, pipeline.transformer.dtype
    source = encode_video(pipeline.codec, video_from_clips(clips).to(device)).to(dtype)
    text = text_states(pipeline.text_encoder, conditions).to(dtype)
    rollout = Restyling(
        pipeline, conditions, text, seeds=[r.seed for r in requests], options=options, source=source, strength=strength
    )
    parts = []
    if requests[0].context is not None:
        rollout.feed(encode_video(pipeline.codec, video_from_clips([r.context for r in requests]).to(device)).to(dtype))
        parts.append(clips_from_video(rollout.video, requests[0].fps))
    for frames in chunks(rollout.position, requests[0].num_frames, options.chunk):
        rollout.make(frames, tuple(source.shape[1:2]) + tuple(source.shape[3:]))
        parts.append(clips_from_video(rollout.video, requests[0].fps))
    return [Clip(np.concatenate([part[i].frames for part in parts]), requests[i].fps) for i in range(len(requests))]

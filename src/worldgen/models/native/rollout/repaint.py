"""Restyling: the same drive under other weather or light, sampled from the clip's own latents under partial noise.

Source: Meng et al., "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations" (ICLR 2022,
arXiv:2108.01073), here frame by frame in a rollout: the rest of a frame under partial noise keeps its geometry, and
the history, which is already restyled, keeps the new look steady.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.codec import encode_video
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import PartialNoise, Rollout, chunks
from worldgen.models.native.text import text_states

if TYPE_CHECKING:
    from worldgen.models.native.pipeline import WorldPipeline


@torch.no_grad()
def restyle_clips(
    pipeline: WorldPipeline, clips: list[Clip], requests: list[Conditions], *, strength: float,
    options: SamplerOptions | None = None,
) -> list[Clip]:  # fmt: skip
    """Each clip as its request describes it, keeping what noise of level ``strength`` leaves of it.

    strength: above 0 (the clip as the codec decodes it) to 1 (a new clip that shares only conditions). Where a
    request has a context, it stands for the first frames in the new look. Raises InputError for conditions the model
    does not accept, a strength outside (0, 1], and clips that differ from their request in length, rate or size.
    """
    options = options or SamplerOptions()
    if not 0 < strength <= 1:
        raise InputError("restyle strength", strength, "above 0, at most 1")
    if len(clips) != len(requests):
        raise InputError("requests to restyle", len(requests), f"{len(clips)}, one per clip")
    pipeline.check(requests)
    for clip, request in zip(clips, requests, strict=True):
        _check_fit(clip, request)
    conditions = pipeline.conditions_of(requests)
    device, dtype = pipeline._execution_device, pipeline.transformer.dtype
    source = encode_video(pipeline.codec, video_from_clips(clips).to(device)).to(dtype)
    rollout = Rollout(
        pipeline.networks, conditions, text_states(pipeline.text_encoder, conditions).to(dtype),
        noise=seeded_noise([r.seed for r in requests]), options=options, start=PartialNoise(source, strength),
    )  # fmt: skip
    fps, parts = requests[0].fps, []
    contexts = [r.context for r in requests if r.context is not None]
    if contexts:
        given = video_from_clips(contexts).to(device)
        rollout.feed(encode_video(pipeline.codec, given).to(dtype), pictures=given)
        parts.append(clips_from_video(given, fps))
    _, channels, _, height, width = source.shape
    for frames in chunks(rollout.position, requests[0].num_frames, options.chunk):
        rollout.generate(frames, (channels, height, width))
        parts.append(clips_from_video(rollout.detailed()[0], fps))
    return [Clip(np.concatenate([part[i].frames for part in parts]), requests[i].fps) for i in range(len(requests))]


def _check_fit(clip: Clip, request: Conditions) -> None:
    camera = request.camera
    size = (clip.width_px, clip.height_px) if camera is None else (camera.width_px, camera.height_px)
    if (len(clip), clip.fps, clip.width_px, clip.height_px) != (request.num_frames, request.fps, *size):
        raise InputError(
            "clip to restyle", Received(f"{len(clip)} frames at {clip.fps:g} fps, {clip.width_px}x{clip.height_px}"),
            f"{request.num_frames} frames at {request.fps:g} fps, {size[0]}x{size[1]}, as its request",
        )  # fmt: skip

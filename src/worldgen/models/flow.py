"""Flow matching: the training loss of the world transformer and its validation per noise level.

``x_t = (1 - t) x_0 + t noise``, velocity ``noise - x_0`` (Lipman et al. 2023, arXiv:2210.02747, with the straight paths
of Liu et al. 2023, arXiv:2209.03003). Time is drawn per frame, so one set of weights serves any pattern of known and
unknown frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from worldgen.core.layout import DEPTH_SCALE_M, INVERSE_DEPTH_CHANNEL
from worldgen.models.conditions import ConditionBatch
from worldgen.models.text import text_states
from worldgen.models.warp import cumulative_poses, relative_poses, warp_past


@dataclass(frozen=True)
class FlowOptions:
    """How training examples are corrupted.

    known_frames: share of frames given clean (t = 0). time_mean, time_std: of the logit-normal time (Esser et al. 2024,
    arXiv:2403.03206, section 3.1). past_noise: largest standard deviation of noise put on the past frame, half of the
    time, so that the model learns to repair its own errors in rollouts. max_chunk: frames made in one sampler run are
    drawn up to this number. full_weight_time: below this time the weight of an error falls as t^2. drop_*: share of clips trained without that condition.
    """

    known_frames: float = 0.3
    time_mean: float = 0.3
    time_std: float = 1.2
    past_noise: float = 0.4
    max_chunk: int = 4
    full_weight_time: float = 0.3
    drop_text: float = 0.15
    drop_ego: float = 0.1
    drop_layout: float = 0.2
    drop_past: float = 0.15


VALIDATION_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)


def chunk_sources(frames: int, chunk: int, offset: int = 0) -> torch.Tensor:
    """For each frame the latest frame before its chunk, ``(F,)`` int64; -1 where there is none. Chunks end at offset."""
    index = torch.arange(frames)
    start = (index - offset).div(chunk, rounding_mode="floor") * chunk + offset
    return (start - 1).clamp_min(-1)


def layout_inverse_depth(conditions: ConditionBatch) -> torch.Tensor | None:
    """Inverse depth in 1/m at the latent resolution, ``(B, 1, F, h, w)``, from the layout channel; None without one."""
    if conditions.layout is None:
        return None
    maps = conditions.layout[:, INVERSE_DEPTH_CHANNEL : INVERSE_DEPTH_CHANNEL + 1]
    pooled = torch.nn.functional.avg_pool3d(maps, (1, 2, 2)).clamp(0.0, 0.999)
    # value = scale / (scale + depth), so 1 / depth = value / (scale (1 - value)).
    return pooled / (DEPTH_SCALE_M * (1.0 - pooled))


def aligned_past(latents: torch.Tensor, source: torch.Tensor, conditions: ConditionBatch) -> torch.Tensor:
    """Each frame's source frame moved to its view: ``(B, C + 1, F, h, w)``; zeros where ``source`` ``(F,)`` is -1.

    latents ``(B, C, F, h, w)`` of the same frames as ``conditions``. Rows with unknown ego motion are not moved. With a
    known layout its depth is used, else the ground plane and a far wall.
    """
    batch, _, frames = latents.shape[:3]
    poses = cumulative_poses(conditions.ego.float(), conditions.fps.float())
    index = source.clamp_min(0).to(latents.device)
    motion = relative_poses(poses, index) * conditions.ego_known[:, None, None]
    inverse_depth = layout_inverse_depth(conditions)
    picked = latents[:, :, index].movedim(2, 1).flatten(0, 1)
    camera = conditions.camera.repeat_interleave(frames, 0)
    out = warp_past(picked, motion.flatten(0, 1), camera)
    if inverse_depth is not None and bool(conditions.layout_known.any()):
        with_depth = warp_past(picked, motion.flatten(0, 1), camera, inverse_depth.movedim(2, 1).flatten(0, 1))
        known = conditions.layout_known.repeat_interleave(frames)[:, None, None, None]
        out = torch.where(known, with_depth, out)
    out = out.unflatten(0, (batch, frames)).movedim(1, 2)
    return out * (source >= 0).to(out)[None, None, :, None, None]


def world_loss(
    transformer, text_encoder, latents: torch.Tensor, conditions: ConditionBatch, generator: torch.Generator, *,
    options: FlowOptions,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:  # fmt: skip
    """Mean squared velocity error over unknown frames. latents ``(B, C, F, h, w)`` clean."""
    batch, _, frames = latents.shape[:3]
    uniform = lambda *shape: torch.rand(shape, generator=generator, device=generator.device).to(latents.device)  # noqa: E731
    normal = lambda *shape: torch.randn(shape, generator=generator, device=generator.device).to(latents.device)  # noqa: E731
    conditions = _dropped(conditions, uniform, options)
    t = torch.sigmoid(options.time_mean + options.time_std * normal(batch, frames))
    # Half of the clips share one time, as in a sampler run over a chunk; the others mix times freely.
    t = torch.where(uniform(batch, 1) < 0.5, t[:, :1].expand_as(t), t)
    known = uniform(batch, frames) < options.known_frames
    known[:, -1] = False  # at least one frame to learn from
    t = t.masked_fill(known, 0.0)

    chunk = 1 + int(uniform(1).item() ** 2 * options.max_chunk)
    offset = int(uniform(1).item() * chunk)
    level = options.past_noise * uniform(batch, 1, 1, 1, 1) * (uniform(batch, 1, 1, 1, 1) < 0.5)
    remembered = latents + level * normal(*latents.shape)
    past = aligned_past(remembered, chunk_sources(frames, chunk, offset), conditions)
    past = past * (uniform(batch, 1, 1, 1, 1) >= options.drop_past)

    noise = normal(*latents.shape)
    time = t[:, None, :, None, None]
    noisy = (1 - time) * latents + time * noise
    velocity = transformer(noisy, t, past, conditions, text_states(text_encoder, conditions))
    error = (velocity.float() - (noise - latents).float()).pow(2).mean((1, 3, 4))  # (B, F)
    # The network predicts the clean frame, whose error counts 1 / t^2 in velocity: bounded, or late steps drown early ones.
    weight = (t / t.clamp_min(options.full_weight_time)).square()  # 0 for known frames
    loss = (error * weight).sum() / (weight > 0).sum()
    return loss, {"flow_mse": loss.detach(), "known_share": known.float().mean()}


def _dropped(conditions: ConditionBatch, uniform, options: FlowOptions) -> ConditionBatch:
    for name, share in (("text", options.drop_text), ("ego", options.drop_ego), ("layout", options.drop_layout)):
        conditions = conditions.without(name, uniform(len(conditions)) < share)
    return conditions


@torch.no_grad()
def validation_losses(
    transformer, text_encoder, latents: torch.Tensor, conditions: ConditionBatch, generator: torch.Generator
) -> dict[float, float]:
    """Velocity error per noise level, all frames noisy at that level, past frames given, all conditions present."""
    text = text_states(text_encoder, conditions)
    past = aligned_past(latents, chunk_sources(latents.shape[2], 1), conditions)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    losses = {}
    for time in VALIDATION_TIMES:
        t = torch.full(latents.shape[:1] + latents.shape[2:3], time, device=latents.device)
        velocity = transformer((1 - time) * latents + time * noise, t, past, conditions, text)
        losses[time] = float((velocity.float() - (noise - latents).float()).pow(2).mean())
    return losses

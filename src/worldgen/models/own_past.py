"""Learning from one's own mistakes: the past of a training clip made from frames the network itself painted."""

from __future__ import annotations

import torch

from worldgen.models.codec import decode_images
from worldgen.models.conditions import ConditionBatch
from worldgen.models.flow import Examples
from worldgen.models.past import moved_past
from worldgen.models.text import text_states

PAINTED_FROM = (0.6, 1.0)
"""Noise levels from which the network paints a frame in one step; like the first of a few sampling steps."""


@torch.no_grad()
def with_own_past(networks: tuple, examples: Examples, generator: torch.Generator, *, share: float) -> Examples:
    """``examples`` with the past of some clips replaced; ``networks``: transformer, text encoder and codec.

    Each clip is chosen with probability ``share``. The network paints all its frames at once from one noise level, each
    from its given past; the pictures that come out, moved and encoded as in a rollout, are the new pasts. This is one
    step of the exposure that Huang et al. 2025 (Self Forcing, arXiv:2506.08009) train on.
    """
    batch = len(examples.latents)
    uniform = torch.rand(batch, generator=generator, device=generator.device)
    rows = (uniform < share).to(examples.latents.device)
    if share <= 0 or not rows.any():
        return examples
    chosen = examples.where(rows)
    painted = _painted(networks, chosen, generator)
    past = examples.past.clone()
    past[rows, :, 1:] = _moved(networks[2], painted, chosen.conditions).to(past)
    return Examples(examples.latents, past, examples.conditions)


def _painted(networks: tuple, examples: Examples, generator: torch.Generator) -> torch.Tensor:
    """Clean latents ``(B, C, F, h, w)`` as the network guesses them from one noise level a clip."""
    transformer, text_encoder, _ = networks
    latents, conditions = examples.latents, examples.conditions
    batch, _, frames = latents.shape[:3]
    draw = torch.rand(batch, 1, generator=generator, device=generator.device).to(latents.device)
    t = (PAINTED_FROM[0] + (PAINTED_FROM[1] - PAINTED_FROM[0]) * draw).expand(batch, frames)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    time = t[:, None, :, None, None]
    noisy = (1 - time) * latents + time * noise
    velocity = transformer(noisy, t, examples.past, conditions, text_states(text_encoder, conditions))
    return noisy - time * velocity


def _moved(codec, latents: torch.Tensor, conditions: ConditionBatch) -> torch.Tensor:
    """Pasts ``(B, C + 1, F - 1, h, w)`` of frames 1 and later, each from the picture before it."""
    rows = []
    for target in range(1, latents.shape[2]):
        picture = decode_images(codec, latents[:, :, target - 1]).clamp(-1, 1)
        rows.append(moved_past(codec, picture, conditions, source=target - 1, target=target)[0])
    return torch.stack(rows, 2)

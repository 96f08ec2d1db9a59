"""Training of the world transformer by flow matching: how examples are corrupted, the loss, and validation per noise
level.

Diffusion time is drawn per frame, so one set of weights serves any pattern of known and unknown frames. The path, the
preconditioning and the penalty are those of :class:`worldgen.models.native.flow_matching.FlowMatching`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.flow_matching import FlowMatching
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.losses.loss_options import FlowOptions
from worldgen.models.native.networks import WorldNetworks

RandomNumbers = Callable[..., torch.Tensor]
"""Random numbers of a shape given as arguments."""


VALIDATION_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Diffusion times of the validation. A rollout in one step begins at the last one."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Clips to learn from.

    latents: clean latents ``(B, C, F, h, w)``. reprojected: ``(B, C + 1, F, h, w)``, for each frame the frame before
    it as the new camera would see it, and its visibility (``models.native.history.reprojection``). conditions: of the
    same frames.
    """

    latents: torch.Tensor
    reprojected: torch.Tensor
    conditions: ConditionBatch

    def to(self, device: torch.device | str) -> Examples:
        return Examples(self.latents.to(device), self.reprojected.to(device), self.conditions.to(device))

    def where(self, rows: torch.Tensor) -> Examples:
        """Only the clips of ``rows`` ``(B,)`` bool."""
        return Examples(self.latents[rows], self.reprojected[rows], self.conditions.where(rows))


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """What a network reads besides noise: reprojected frames ``(B, C + 1, F, h, w)``, conditions, and which frames
    ``(B, F)`` bool are known."""

    reprojected: torch.Tensor
    conditions: ConditionBatch
    known: torch.Tensor


@dataclass(frozen=True, eq=False)
class Prediction:
    """A corrupted example and the network's velocity for it.

    latents, noise, velocity: ``(B, C, F, h, w)``. t: ``(B, F)``. given: the other inputs of the network.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    velocity: torch.Tensor
    t: torch.Tensor
    given: NetworkInputs

    @property
    def error(self) -> torch.Tensor:
        """Error of the velocity, ``(B, C, F, h, w)`` float32."""
        return self.velocity.float() - FlowMatching.velocity(self.latents, self.noise).float()

    @property
    def clean(self) -> torch.Tensor:
        """Clean latents that one step of this velocity leads to, ``(B, C, F, h, w)`` float32."""
        return self.latents.float() - self.t[:, None, :, None, None] * self.error


def world_loss(
    networks: WorldNetworks, examples: Examples, generator: torch.Generator, *, options: FlowOptions
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean squared velocity error ``()`` over unknown frames, and metrics ``flow_mse`` and ``known_share``."""
    prediction = predict(networks, examples, generator, options=options)
    loss = velocity_loss(networks, prediction.error, prediction.t, given=prediction.given, options=options)
    return loss, {"flow_mse": loss.detach(), "known_share": prediction.given.known.float().mean()}


def predict(
    networks: WorldNetworks, examples: Examples, generator: torch.Generator, *, options: FlowOptions
) -> Prediction:
    """Corrupt ``examples`` as ``options`` says, and let the network predict the velocity."""
    latents = examples.latents
    batch, _, frames = latents.shape[:3]
    uniform, normal = draws(generator, latents.device)
    conditions = dropped(examples.conditions, uniform, options)
    t = torch.sigmoid(options.time_mean + options.time_std * normal(batch, frames))
    # Half of the clips share one time, as in a sampler that denoises a chunk; in the others each frame has its own.
    t = torch.where(uniform(batch, 1) < 0.5, t[:, :1].expand_as(t), t)
    t = t.masked_fill(uniform(batch, 1) < options.pure_noise, 1.0)
    known = known_frames(latents, uniform, options)
    t = t.masked_fill(known, 0.0)
    reprojected = corrupted_history(examples.reprojected, uniform, normal, options)
    noise = normal(*latents.shape)
    noisy = FlowMatching.noisy(latents, noise, t)
    velocity = networks.transformer(noisy, t, reprojected, conditions, networks.text_of(conditions))
    return Prediction(latents, noise, velocity, t, NetworkInputs(reprojected, conditions, known))


def velocity_loss(
    networks: WorldNetworks, error: torch.Tensor, t: torch.Tensor, *, given: NetworkInputs, options: FlowOptions
) -> torch.Tensor:
    """Mean penalty ``()`` of velocity errors ``(B, C, F, h, w)`` at times t ``(B, F)`` over unknown frames;
    objects count more."""
    coverage = object_coverage(given.conditions, error.shape[-2:])
    weight = 1.0 if coverage is None else 1 + options.object_weight * coverage
    flow = networks.transformer.flow
    return flow.loss(error, t, given.reprojected, known=given.known, weight=weight, huber=options.huber)


def draws(generator: torch.Generator, device: torch.device) -> tuple[RandomNumbers, RandomNumbers]:
    """Uniform and normal numbers of a given shape, drawn on the generator's device and brought to ``device``."""

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, device=generator.device).to(device)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=generator.device).to(device)

    return uniform, normal


def known_frames(latents: torch.Tensor, uniform: RandomNumbers, options: FlowOptions) -> torch.Tensor:
    """Which frames ``(B, F)`` bool of ``latents`` are given clean; at least one frame stays unknown."""
    batch, _, frames = latents.shape[:3]
    device = latents.device
    count = (uniform(batch, 1) * (frames - 1)).floor() + 1 if frames > 1 else torch.zeros(batch, 1, device=device)
    return (torch.arange(frames, device=device) < count) & (uniform(batch, 1) < options.known_frames)


def corrupted_history(
    reprojected: torch.Tensor, uniform: RandomNumbers, normal: RandomNumbers, options: FlowOptions
) -> torch.Tensor:
    """``reprojected`` ``(B, C + 1, F, h, w)`` with noise in some clips and zeros (no history) in others."""
    batch = len(reprojected)
    level = options.history_noise * uniform(batch, 1, 1, 1, 1) * (uniform(batch, 1, 1, 1, 1) < 0.5)
    picture, visible = reprojected[:, :-1], reprojected[:, -1:]
    reprojected = torch.cat([picture + level * normal(*picture.shape) * (picture != 0), visible], 1)
    return reprojected * (uniform(batch, 1, 1, 1, 1) >= options.drop_history)


def dropped(conditions: ConditionBatch, uniform: RandomNumbers, options: FlowOptions) -> ConditionBatch:
    """``conditions`` with each condition removed from some clips."""
    for name, share in (("text", options.drop_text), ("ego", options.drop_ego), ("layout", options.drop_layout)):
        conditions = conditions.without(name, uniform(len(conditions)) < share)
    return conditions


@torch.no_grad()
def validation_losses(networks: WorldNetworks, examples: Examples, generator: torch.Generator) -> dict[float, float]:
    """Mean squared velocity error per diffusion time, all frames noisy at that time, with history and all
    conditions."""
    latents = examples.latents
    text = networks.text_of(examples.conditions)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    losses = {}
    for time in VALIDATION_TIMES:
        t = torch.full(latents.shape[:1] + latents.shape[2:3], time, device=latents.device)
        noisy = FlowMatching.noisy(latents, noise, time)
        velocity = networks.transformer(noisy, t, examples.reprojected, examples.conditions, text)
        losses[time] = float((velocity.float() - FlowMatching.velocity(latents, noise).float()).pow(2).mean())
    return losses

"""Flow matching: the training loss of the world transformer and its validation per noise level.

``x_t = (1 - t) x_0 + t noise``, velocity ``noise - x_0`` (Lipman et al. 2023, arXiv:2210.02747, with the straight paths
of Liu et al. 2023, arXiv:2209.03003). Time is drawn per frame, so one set of weights serves any pattern of known and
unknown frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.text import text_states


@dataclass(frozen=True)
class FlowOptions:
    """How training examples are corrupted.

    known_frames: share of clips whose first frames, any number of them, are given clean (t = 0), as a rollout has its own
    frames behind it. pure_noise: share of clips whose other frames are all at t = 1, where
    a rollout in one step begins and ends. time_mean, time_std: of the logit-normal time (Esser et al. 2024,
    arXiv:2403.03206, section 3.1). history_noise: largest standard deviation of noise put on the past frame, half of the
    time, so that the model learns to repair its own errors in rollouts. generated_history: share of clips whose past is made from the
    model's own frames instead. from_noise: share of those that begin with a frame the model painted from no past. rollout_history: share of
    clips whose pasts are those of rollouts of whole clips, made before training by the network it begins from
    (``training.data.rollout_history``), of which as many begin from no reprojected. erased: share of clips whose reprojected lacks objects that the layout shows (``models.native.history.erasure``).
    huber: error, in standard deviations, from which on the loss grows in proportion (0: squares everywhere).
    object_weight: how much more than ground and sky a cell full of labelled things counts. drop_*: share of clips trained
    without that condition.
    """

    known_frames: float = 0.3
    pure_noise: float = 0.0
    time_mean: float = 0.3
    time_std: float = 1.2
    history_noise: float = 0.2
    generated_history: float = 0.0
    from_noise: float = 0.0
    rollout_history: float = 0.0
    erased: float = 0.0
    huber: float = 0.0
    object_weight: float = 0.0
    drop_text: float = 0.15
    drop_ego: float = 0.1
    drop_layout: float = 0.2
    drop_history: float = 0.15


VALIDATION_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""The last is where a rollout in one step begins."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Clips to learn from: clean latents ``(B, C, F, h, w)``, the reprojected of each frame ``(B, C + 1, F, h, w)`` (see
    ``models.native.history.reprojection``) and the conditions of the same frames."""

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
    """What a network is given besides noise: the past ``(B, C + 1, F, h, w)``, the conditions, and which frames ``(B, F)`` are known."""

    reprojected: torch.Tensor
    conditions: ConditionBatch
    known: torch.Tensor


@dataclass(frozen=True, eq=False)
class Prediction:
    """A training example and what the network made of it: clean latents, noise, and velocity ``(B, C, F, h, w)``, times
    ``(B, F)``, and what was given besides."""

    latents: torch.Tensor
    noise: torch.Tensor
    velocity: torch.Tensor
    t: torch.Tensor
    given: NetworkInputs

    @property
    def error(self) -> torch.Tensor:
        """Of the velocity, ``(B, C, F, h, w)`` float32."""
        return self.velocity.float() - (self.noise - self.latents).float()

    @property
    def clean(self) -> torch.Tensor:
        """The frames the network would end at in one step, ``(B, C, F, h, w)`` float32: off by t times the error."""
        return self.latents.float() - self.t[:, None, :, None, None] * self.error


def world_loss(
    transformer, text_encoder, examples: Examples, generator: torch.Generator, *, options: FlowOptions
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean squared velocity error over unknown frames."""
    made = attempt(transformer, text_encoder, examples, generator, options=options)
    loss = velocity_loss(transformer, made.error, made.t, given=made.given, options=options)
    return loss, {"flow_mse": loss.detach(), "known_share": made.given.known.float().mean()}


def attempt(
    transformer, text_encoder, examples: Examples, generator: torch.Generator, *, options: FlowOptions
) -> Prediction:
    """Corrupt ``examples`` as ``options`` says and let the network say what the flow is."""
    latents = examples.latents
    batch, _, frames = latents.shape[:3]
    uniform, normal = draws(generator, latents.device)
    conditions = dropped(examples.conditions, uniform, options)
    t = torch.sigmoid(options.time_mean + options.time_std * normal(batch, frames))
    # Half of the clips share one time, as in a sampler run over a chunk; the others mix times freely.
    t = torch.where(uniform(batch, 1) < 0.5, t[:, :1].expand_as(t), t)
    t = t.masked_fill(uniform(batch, 1) < options.pure_noise, 1.0)
    known = known_frames(latents, uniform, options)
    t = t.masked_fill(known, 0.0)
    reprojected = degraded_history(examples.reprojected, uniform, normal, options)
    noise = normal(*latents.shape)
    time = t[:, None, :, None, None]
    noisy = (1 - time) * latents + time * noise
    velocity = transformer(noisy, t, reprojected, conditions, text_states(text_encoder, conditions))
    return Prediction(latents, noise, velocity, t, NetworkInputs(reprojected, conditions, known))


def velocity_loss(
    transformer, error: torch.Tensor, t: torch.Tensor, *, given: NetworkInputs, options: FlowOptions
) -> torch.Tensor:
    """Mean penalty of velocity errors ``(B, C, F, h, w)`` at times ``(B, F)`` over unknown frames."""
    # Between latents, where grain counts as much as surfaces, and pixels, where it hardly counts: most of the grain of a
    # picture cannot be foretold, and a network busy with it is slow to learn what stands where.
    share = (transformer.data_spread / transformer.data_spread.mean())[:, None, None, None]
    objects = object_coverage(given.conditions, tuple(error.shape[-2:]))
    if objects is not None:
        share = share * (1 + options.object_weight * objects)
    # In units of what noise and past leave open, so that 1 is the error of a network that corrects nothing at all.
    variance = transformer.variance(given.reprojected)
    time = t[:, None, :, None, None]
    squared = error.square() * (variance * (1 - time).square() + time.square()) / variance
    weight = share * variance * ~given.known[:, None, :, None, None]
    return (weight * _penalty(squared, options.huber)).sum() / weight.sum()


def _penalty(squared: torch.Tensor, width: float) -> torch.Tensor:
    """Pseudo-Huber penalty of squared errors: squares up to about ``width``, beyond it in proportion; width 0: squares.

    Most of a moved picture is right to begin with and a little of it is quite wrong. The least squares answer mixes both
    and is blurred, again in every frame of a rollout; the median keeps what is right. As in Song & Dhariwal 2023
    (arXiv:2310.14189, section 3.3).
    """
    return squared if width == 0 else 2 * width * ((squared + width * width).sqrt() - width)


def draws(generator: torch.Generator, device: torch.device) -> tuple[Callable, Callable]:
    """Uniform and normal numbers of a given shape, drawn where the generator is and brought to ``device``."""
    uniform = lambda *shape: torch.rand(shape, generator=generator, device=generator.device).to(device)  # noqa: E731
    normal = lambda *shape: torch.randn(shape, generator=generator, device=generator.device).to(device)  # noqa: E731
    return uniform, normal


def known_frames(latents: torch.Tensor, uniform: Callable, options: FlowOptions) -> torch.Tensor:
    """Which frames ``(B, F)`` bool of ``latents`` are given clean; at least one is left to learn from."""
    batch, _, frames = latents.shape[:3]
    device = latents.device
    ahead = (uniform(batch, 1) * (frames - 1)).floor() + 1 if frames > 1 else torch.zeros(batch, 1, device=device)
    return (torch.arange(frames, device=device) < ahead) & (uniform(batch, 1) < options.known_frames)


def degraded_history(reprojected: torch.Tensor, uniform: Callable, normal: Callable, options: FlowOptions) -> torch.Tensor:
    """``reprojected`` noised in some clips and absent in others."""
    batch = len(reprojected)
    level = options.history_noise * uniform(batch, 1, 1, 1, 1) * (uniform(batch, 1, 1, 1, 1) < 0.5)
    picture, seen = reprojected[:, :-1], reprojected[:, -1:]
    reprojected = torch.cat([picture + level * normal(*picture.shape) * (picture != 0), seen], 1)
    return reprojected * (uniform(batch, 1, 1, 1, 1) >= options.drop_history)


def dropped(conditions: ConditionBatch, uniform: Callable, options: FlowOptions) -> ConditionBatch:
    """``conditions`` with each of them taken from some clips."""
    for name, share in (("text", options.drop_text), ("ego", options.drop_ego), ("layout", options.drop_layout)):
        conditions = conditions.without(name, uniform(len(conditions)) < share)
    return conditions


@torch.no_grad()
def validation_losses(transformer, text_encoder, examples: Examples, generator: torch.Generator) -> dict[float, float]:
    """Velocity error per noise level, all frames noisy at that level, past frames given, all conditions present."""
    latents = examples.latents
    text = text_states(text_encoder, examples.conditions)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    losses = {}
    for time in VALIDATION_TIMES:
        t = torch.full(latents.shape[:1] + latents.shape[2:3], time, device=latents.device)
        velocity = transformer((1 - time) * latents + time * noise, t, examples.reprojected, examples.conditions, text)
        losses[time] = float((velocity.float() - (noise - latents).float()).pow(2).mean())
    return losses

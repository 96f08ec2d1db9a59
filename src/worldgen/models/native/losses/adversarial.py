"""Adversarial post-training: a one-step model learns to paint one sharp possibility instead of the mean of all.

What cannot be foretold (where the next drop falls, the colour of a coat) comes out of regression as its average: no drops and
grey coats. Here a critic learns to tell painted frames from recorded ones, and the network learns to be taken for real, while
the flow loss keeps it where the truth is known. A student made this way may be better than its many-step teacher. As in Lin et al.
2025 (arXiv:2501.08316; streaming: arXiv:2506.09350), with the paired relativistic loss of Jolicoeur-Martineau 2018
(arXiv:1807.00734, section 3.2) and their approximation of the penalty on the critic's slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from worldgen.core.errors import InputError
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.losses.critic import Critic, CriticConditions
from worldgen.models.native.losses.flow import Examples, FlowOptions, Prediction, attempt, draws, velocity_loss
from worldgen.models.native.text import pooled_text, text_states

REACH_CELLS = 9
"""What is alike over so many cells each way is left to the flow loss: see :meth:`RealAndPainted.pull`."""


@dataclass(frozen=True)
class AdversarialOptions:
    """weight: of the critic's pull on painted frames that never pass for real, relative to that of the flow loss; 1: equal.
    warmup: steps in which the critic learns alone, and again as many in which its weight rises. slope, nudge: weight of the
    penalty on how much the critic's verdict changes under noise of ``nudge`` times the mean spread of channels. critic_width: channels.
    critic_lr_scale: its learning rate over that of the network, which must not outrun it."""

    weight: float = 0.35
    warmup: int = 40
    slope: float = 100.0
    nudge: float = 0.05
    critic_width: int = 64
    critic_lr_scale: float = 2.5

    def __post_init__(self) -> None:
        least = min(self.weight, self.warmup, self.slope)
        if least < 0 or min(self.nudge, self.critic_lr_scale) <= 0 or self.critic_width < 4:
            raise InputError(
                "adversarial", tuple(vars(self).values()),
                "weight, warmup, slope >= 0, nudge and critic_lr_scale > 0, critic_width of at least 4",
            )  # fmt: skip

    def strength(self, step: int) -> float:
        """Weight of the critic's pull in a step."""
        return self.weight * min(1.0, max(0.0, (step - self.warmup) / max(self.warmup, 1)))


def adversarial_loss(
    networks: tuple, critic: Critic, examples: Examples, generator: torch.Generator, *, options: AdversarialOptions,
    flow: FlowOptions, step: int,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:  # fmt: skip
    """The flow loss, the critic's own loss, and a term of value 0 whose gradient is the critic's pull on the frames.

    networks: transformer and text encoder. Judged are frames painted from pure noise (t = 1). One backward pass serves
    both sides: no gradient of the critic's loss reaches the network, and none of the pull reaches the critic.
    Metrics: ``flow_mse``; ``critic_loss``; ``gap``, by how much recorded frames look more real than painted ones.
    """
    transformer, text_encoder = networks
    made = attempt(transformer, text_encoder, examples, generator, options=flow)
    loss = velocity_loss(transformer, made.error, made.t, given=made.given, options=flow)
    metrics = {"flow_mse": loss.detach(), "known_share": made.given.known.float().mean()}
    judged = made.t >= 1.0
    if not judged.any():
        nothing = sum(parameter.sum() * 0.0 for parameter in critic.parameters())
        return loss + nothing, {**metrics, "critic_loss": loss.new_zeros(()), "gap": loss.new_zeros(())}
    match = RealAndPainted.of(made, judged, networks, flow)
    critic_loss, gap = match.critic_loss(critic, generator, options)
    total = loss + critic_loss
    strength = options.strength(step)
    if strength > 0:
        (held,) = torch.autograd.grad(loss, made.velocity, retain_graph=True)
        pull = match.pull(critic, strength=strength * match.size_of(held.movedim(2, 1)[judged]))
        total = total + pull - pull.detach()
    return total, {**metrics, "critic_loss": critic_loss.detach(), "gap": gap}


@dataclass(frozen=True, eq=False)
class RealAndPainted:
    """Recorded and painted latents of the same N frames ``(N, C, h, w)`` in units of ``unit`` ``(C, 1, 1)``, what the critic
    may know of them, and what each cell counts ``(N, 1, h, w)``. painted carries the network's gradient."""

    real: torch.Tensor
    painted: torch.Tensor
    shown: CriticConditions
    weight: torch.Tensor
    unit: torch.Tensor

    @classmethod
    def of(cls, made: Prediction, judged: torch.Tensor, networks: tuple, flow: FlowOptions) -> RealAndPainted:
        """The frames of ``judged`` ``(B, F)`` bool."""
        transformer, text_encoder = networks
        rows = lambda x: x.movedim(2, 1)[judged]  # noqa: E731 - (B, C, F, h, w) to (N, C, h, w)
        # Between latents and pixels, as in the flow loss: grain counts less than surfaces.
        spread = transformer.data_spread[:, None, None]
        unit = (spread * spread.mean()).sqrt()
        conditions, frames = made.given.conditions, made.t.shape[1]
        known = conditions.layout_known[:, None].expand(-1, frames)[judged]
        layout = None if conditions.layout is None else rows(conditions.layout)
        with torch.no_grad():
            pooled = pooled_text(text_states(text_encoder, conditions), conditions.text_mask)
        real = rows(made.latents.float()) / unit
        weight = torch.ones_like(real[:, :1])
        objects = object_coverage(conditions, tuple(real.shape[-2:]))
        if objects is not None:
            weight = weight * (1 + flow.object_weight * rows(objects))
        shown = CriticConditions(layout, known, pooled[:, None].expand(-1, frames, -1)[judged])
        return cls(real, rows(made.clean) / unit, shown, weight, unit)

    def critic_loss(self, critic: Critic, generator: torch.Generator, options: AdversarialOptions):
        """Loss of the critic, and the mean of its verdicts on recorded frames over those on painted ones."""
        _, normal = draws(generator, self.real.device)
        both = torch.cat([self.real, self.painted.detach()])
        nudged = both + options.nudge * normal(*both.shape)
        count = len(both)
        shown = CriticConditions(
            None if self.shown.layout is None else self.shown.layout.repeat(4, 1, 1, 1),
            self.shown.layout_known.repeat(4), self.shown.text.repeat(4, 1),
        )  # fmt: skip
        loss, gaps = 0.0, []
        for verdict in critic(torch.cat([both, nudged]), shown):
            straight, shaken = verdict[:count], verdict[count:]
            real, painted = straight.chunk(2)
            loss = loss + self._mean(F.softplus(painted - real)) + options.slope * (straight - shaken).square().mean()
            gaps.append((real - painted).mean().detach())
        return loss, torch.stack(gaps).mean()

    def size_of(self, gradient: torch.Tensor) -> torch.Tensor:
        """Norm of a gradient with respect to the velocity of the frames ``(N, C, h, w)``, in the units of ``painted``."""
        return (gradient.float() * self.unit).norm()

    def pull(self, critic: Critic, *, strength: torch.Tensor | float) -> torch.Tensor:
        """A scalar whose gradient moves painted frames towards what the critic takes for real.

        Only differences between a cell and its surroundings are moved. A critic in training finds one direction after another
        in which all cells should change, and the quickest answer of the network is a pattern that repeats in every cell, or
        a tint, which the next direction undoes.

        The gradient's norm is ``strength`` where painted frames never pass for real and falls to nothing where they look more
        real than recorded ones. Given a strength relative to the flow loss, the balance is that of Esser et al. 2021
        (arXiv:2012.09841, equation 7), taken at the frames instead of the last layer: nothing to tune to the critic's scale.
        """
        frames = self.painted.detach().requires_grad_()
        with torch.no_grad():
            best = critic(self.real, self.shown)
        gaps = [real - painted for real, painted in zip(best, critic(frames, self.shown), strict=True)]
        (towards,) = torch.autograd.grad(sum(self._mean(F.softplus(gap)) for gap in gaps), frames)
        around = F.avg_pool2d(towards, REACH_CELLS, 1, REACH_CELLS // 2, count_include_pad=False)
        towards = towards - around
        unconvinced = torch.stack([self._mean(torch.sigmoid(gap.detach())) for gap in gaps]).mean()
        return (self.painted * (towards * (strength * unconvinced / towards.norm().clamp_min(1e-12)))).sum()

    def _mean(self, verdicts: torch.Tensor) -> torch.Tensor:
        weight = F.adaptive_avg_pool2d(self.weight, verdicts.shape[-2:])
        return (weight * verdicts).sum() / weight.sum()

"""Adversarial post-training: a one-step model learns to generate one sharp possibility instead of the mean of all.

Regression returns the average of what cannot be predicted (where the next drop falls, the colour of a coat): no drops
and grey coats. Here a critic learns to tell generated frames from recorded ones, and the network learns to pass for
real, while the flow loss keeps it where the truth is known. A student trained this way may be better than its
many-step teacher. Sources: Lin et al. 2025 (arXiv:2501.08316; streaming: arXiv:2506.09350), with the paired
relativistic loss of Jolicoeur-Martineau 2018 (arXiv:1807.00734, section 3.2) and their approximation of the penalty
on the critic's slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.losses.critic import Critic, CriticConditions
from worldgen.models.native.losses.flow import Examples, Prediction, draws, predict, velocity_loss
from worldgen.models.native.losses.loss_options import AdversarialOptions, FlowOptions
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.text import pooled_text

REACH_CELLS = 9
"""Changes that are alike over so many cells each way are left to the flow loss: see :meth:`RealAndGenerated.pull`."""


def adversarial_loss(
    networks: WorldNetworks, critic: Critic, examples: Examples, generator: torch.Generator, *,
    options: AdversarialOptions, flow: FlowOptions, step: int,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:  # fmt: skip
    """The flow loss, the critic's own loss, and a term of value 0 whose gradient moves frames towards the critic's
    "real".

    The critic judges frames generated from pure noise (t = 1). One backward pass serves both sides: no gradient of
    the critic's loss reaches the network, and none of the network's term reaches the critic.
    Metrics: ``flow_mse``; ``critic_loss``; ``gap``, by how much recorded frames look more real than generated ones.
    """
    prediction = predict(networks, examples, generator, options=flow)
    loss = velocity_loss(networks, prediction.error, prediction.t, given=prediction.given, options=flow)
    metrics = {"flow_mse": loss.detach(), "known_share": prediction.given.known.float().mean()}
    judged = prediction.t >= 1.0
    if not judged.any():
        nothing = torch.stack([parameter.sum() * 0.0 for parameter in critic.parameters()]).sum()
        return loss + nothing, {**metrics, "critic_loss": loss.new_zeros(()), "gap": loss.new_zeros(())}
    pair = RealAndGenerated.of(prediction, judged, networks, flow)
    critic_loss, gap = pair.critic_loss(critic, generator, options)
    total = loss + critic_loss
    strength = options.strength(step)
    if strength > 0:
        (held,) = torch.autograd.grad(loss, prediction.velocity, retain_graph=True)
        pull = pair.pull(critic, strength=strength * pair.size_of(held.movedim(2, 1)[judged]))
        total = total + pull - pull.detach()
    return total, {**metrics, "critic_loss": critic_loss.detach(), "gap": gap}


@dataclass(frozen=True, eq=False)
class RealAndGenerated:
    """Recorded and generated latents of the same N frames.

    real, generated: ``(N, C, h, w)`` in units of ``unit`` ``(C, 1, 1)``; generated carries the network's gradient.
    shown: the conditions that the critic reads. weight: of each cell, ``(N, 1, h, w)``.
    """

    real: torch.Tensor
    generated: torch.Tensor
    shown: CriticConditions
    weight: torch.Tensor
    unit: torch.Tensor

    @classmethod
    def of(
        cls, prediction: Prediction, judged: torch.Tensor, networks: WorldNetworks, flow: FlowOptions
    ) -> RealAndGenerated:
        """The frames of ``judged`` ``(B, F)`` bool."""
        rows = lambda x: x.movedim(2, 1)[judged]  # noqa: E731 - (B, C, F, h, w) to (N, C, h, w)
        # Units between latents and pixels, as in the flow loss, so that grain counts less than surfaces.
        spread = networks.transformer.data_spread[:, None, None]
        unit = (spread * spread.mean()).sqrt()
        conditions, frames = prediction.given.conditions, prediction.t.shape[1]
        known = conditions.layout_known[:, None].expand(-1, frames)[judged]
        layout = None if conditions.layout is None else rows(conditions.layout)
        with torch.no_grad():
            pooled = pooled_text(networks.text_of(conditions), conditions.text_mask)
        real = rows(prediction.latents.float()) / unit
        weight = torch.ones_like(real[:, :1])
        objects = object_coverage(conditions, real.shape[-2:])
        if objects is not None:
            weight = weight * (1 + flow.object_weight * rows(objects))
        shown = CriticConditions(layout, known, pooled[:, None].expand(-1, frames, -1)[judged])
        return cls(real, rows(prediction.clean) / unit, shown, weight, unit)

    def critic_loss(
        self, critic: Critic, generator: torch.Generator, options: AdversarialOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss ``()`` of the critic, and the mean ``()`` of its verdicts on recorded frames minus those on
        generated ones."""
        _, normal = draws(generator, self.real.device)
        both = torch.cat([self.real, self.generated.detach()])
        nudged = both + options.nudge * normal(*both.shape)
        count = len(both)
        shown = CriticConditions(
            None if self.shown.layout is None else self.shown.layout.repeat(4, 1, 1, 1),
            self.shown.layout_known.repeat(4), self.shown.text.repeat(4, 1),
        )  # fmt: skip
        loss, gaps = both.new_zeros(()), []
        for verdict in critic(torch.cat([both, nudged]), shown):
            plain, noised = verdict[:count], verdict[count:]
            real, generated = plain.chunk(2)
            loss = loss + self._mean(F.softplus(generated - real)) + options.slope * (plain - noised).square().mean()
            gaps.append((real - generated).mean().detach())
        return loss, torch.stack(gaps).mean()

    def size_of(self, gradient: torch.Tensor) -> torch.Tensor:
        """Norm of a gradient with respect to the velocity of the frames ``(N, C, h, w)``, in the units of
        ``generated``."""
        return (gradient.float() * self.unit).norm()

    def pull(self, critic: Critic, *, strength: torch.Tensor | float) -> torch.Tensor:
        """A scalar whose gradient moves generated frames towards what the critic takes for real.

        Only differences between a cell and its surroundings are moved. A critic in training finds one direction after
        another in which all cells should change. The quickest answer of the network is a pattern that repeats in
        every cell, or a tint, and the next direction undoes it.

        The gradient's norm is ``strength`` where generated frames never pass for real, and falls to 0 where they look
        more real than recorded ones. With a strength relative to the flow loss, the balance is that of Esser et al.
        2021 (arXiv:2012.09841, equation 7), taken at the frames instead of the last layer, so it needs no tuning to
        the critic's scale.
        """
        frames = self.generated.detach().requires_grad_()
        with torch.no_grad():
            best = critic(self.real, self.shown)
        gaps = [real - generated for real, generated in zip(best, critic(frames, self.shown), strict=True)]
        losses = torch.stack([self._mean(F.softplus(gap)) for gap in gaps])
        (towards,) = torch.autograd.grad(losses.sum(), frames)
        around = F.avg_pool2d(towards, REACH_CELLS, 1, REACH_CELLS // 2, count_include_pad=False)
        towards = towards - around
        unconvinced = torch.stack([self._mean(torch.sigmoid(gap.detach())) for gap in gaps]).mean()
        return (self.generated * (towards * (strength * unconvinced / towards.norm().clamp_min(1e-12)))).sum()

    def _mean(self, verdicts: torch.Tensor) -> torch.Tensor:
        weight = F.adaptive_avg_pool2d(self.weight, (verdicts.shape[-2], verdicts.shape[-1]))
        return (weight * verdicts).sum() / weight.sum()

"""Losses of the painter: recorded pictures are restored from their simplified versions, drawn ones keep what they show.

For a simplified recording the truth is known, so errors and features of the critic (Wang et al. 2018,
arXiv:1711.11585, section 3.2) count. For a drawing there is no truth: it may change as far as a tolerance allows, and
the critic says how it should look. The weight of the critic's verdict follows the size of its gradient (Esser et al.
2021, arXiv:2012.09841, equation 7). The critic's own loss is the hinge (Lim and Ye 2017, arXiv:1705.02894). One
backward pass serves both: no gradient of the critic's loss reaches the painter, and the critic is frozen where it
judges the painter's pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from worldgen.models.native.losses.loss_options import PainterOptions
from worldgen.models.native.painter.picture_critic import PictureCritic
from worldgen.models.native.painter.scene_painter import ScenePainter

AREA_PX = 8
"""Side of the areas over which a drawn picture keeps its colour."""
DETAIL_PX = 3
"""Side of the areas over which a drawn picture keeps its details; lenses blur about as much."""
MOST_BALANCE = 100.0
"""Largest factor on the critic's verdict: where its gradient vanishes, noise must not take its place."""


@dataclass(frozen=True, eq=False)
class Paintings:
    """What a painter learns from: ``given`` and ``wanted`` ``(N, 3, H, W)`` in [-1, 1], and which are ``recorded``
    ``(N,)`` bool. A recorded picture is given simplified and wanted as it was; of a drawn one, both are the drawing."""

    given: torch.Tensor
    wanted: torch.Tensor
    recorded: torch.Tensor


def painting_loss(
    painter: ScenePainter, critic: PictureCritic, batch: Paintings, generator: torch.Generator, *,
    options: PainterOptions, step: int,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:  # fmt: skip
    """The loss ``()`` of painter and critic, and metrics: ``restored`` and ``left`` (errors of restored recordings, and
    how far painted drawings left the tolerance), ``change`` (mean change of drawings), ``critic_loss``, and ``gap``,
    the critic's verdicts on recordings minus those on painted drawings."""
    shape = (len(batch.given), 1, *batch.given.shape[-2:])
    noise = torch.randn(shape, generator=generator, device=generator.device).to(batch.given)
    painted = painter(batch.given, noise).float()
    recorded, drawn = batch.recorded, ~batch.recorded
    restored = _error(painted[recorded], batch.wanted[recorded], options.pixel)
    left = _left(painted[drawn], batch.wanted[drawn], options)
    change = (painted[drawn] - batch.wanted[drawn]).abs().mean() if drawn.any() else restored * 0
    critic_loss, gap = _critic_loss(critic, batch.wanted[recorded], painted[drawn].detach())
    loss = restored + options.keep * left
    strength = min(1.0, max(0.0, step / max(options.warmup, 1) - 1))
    if strength > 0 and recorded.any() and drawn.any():
        loss = loss + strength * _judged(critic, painted, batch, restored, options)
    metrics = {"restored": restored, "left": left, "change": change, "critic_loss": critic_loss, "gap": gap}
    return loss + critic_loss, {name: value.detach() for name, value in metrics.items()}


def _error(painted: torch.Tensor, wanted: torch.Tensor, pixel: float) -> torch.Tensor:
    """Errors of areas and, by ``pixel``, of single pixels; 0 where there are no pictures."""
    if not len(painted):
        return painted.sum()
    return F.l1_loss(_areas(painted, AREA_PX), _areas(wanted, AREA_PX)) + pixel * F.l1_loss(painted, wanted)


def _left(painted: torch.Tensor, drawn: torch.Tensor, options: PainterOptions) -> torch.Tensor:
    """How far colours of areas and details of painted drawings are outside the tolerance; 0 where all are inside."""
    if not len(painted):
        return painted.sum()
    beyond = [
        F.relu((_areas(painted, side) - _areas(drawn, side)).abs() - tolerance).mean()
        for side, tolerance in ((AREA_PX, options.colour_tolerance), (DETAIL_PX, options.detail_tolerance))
    ]
    return torch.stack(beyond).sum()


def _areas(pictures: torch.Tensor, side: int) -> torch.Tensor:
    return F.avg_pool2d(pictures, side, max(1, side // 2))


def _critic_loss(critic: PictureCritic, real: torch.Tensor, painted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if not len(real) or not len(painted):
        return torch.stack([parameter.sum() * 0.0 for parameter in critic.parameters()]).sum(), painted.new_zeros(())
    loss, gaps = painted.new_zeros(()), []
    for (on_real, _), (on_painted, _) in zip(critic(real), critic(painted), strict=True):
        loss = loss + F.relu(1 - on_real).mean() + F.relu(1 + on_painted).mean()
        gaps.append(on_real.detach().mean() - on_painted.detach().mean())
    return loss, torch.stack(gaps).mean()


def _judged(
    critic: PictureCritic, painted: torch.Tensor, batch: Paintings, restored: torch.Tensor, options: PainterOptions
) -> torch.Tensor:
    """What the critic makes of painted drawings, and how far its features of restored recordings are from the truth.
    Its weights get no gradient here."""
    trained = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        verdict = -torch.stack([on.mean() for on, _ in critic(painted[~batch.recorded])]).sum()
        ours = critic(painted[batch.recorded])
        with torch.no_grad():
            theirs = critic(batch.wanted[batch.recorded])
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
    pairs = [
        F.l1_loss(mine, true)
        for (_, features), (_, truth) in zip(ours, theirs, strict=True)
        for mine, true in zip(features, truth, strict=True)
    ]
    size = lambda value: torch.autograd.grad(value, painted, retain_graph=True)[0].norm()  # noqa: E731
    balance = (size(restored) / size(verdict).clamp_min(1e-12)).clamp(max=MOST_BALANCE).detach()
    return options.verdict * balance * verdict + options.features * torch.stack(pairs).mean()

"""Losses of the painter: recorded pictures are restored from their simplified versions, drawn ones keep their shapes.

For a simplified recording the truth is known, so errors, features of the critic (Wang et al. 2018, arXiv:1711.11585,
section 3.2) and the critic's verdict count. For a drawing there is no truth: it keeps its colours over small areas and
its edges, and the critic says how it should look. The critic's own loss is the hinge (Lim and Ye 2017,
arXiv:1705.02894). One backward pass serves both: no gradient of the critic's loss reaches the painter, and the critic
is frozen where it judges the painter's pictures.
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
    """The loss ``()`` of painter and critic, and metrics: ``restored`` and ``kept`` (mean errors of recorded and of
    drawn pictures), ``critic_loss``, and ``gap``, the critic's verdicts on recorded minus those on painted pictures."""
    shape = (len(batch.given), 1, *batch.given.shape[-2:])
    noise = torch.randn(shape, generator=generator, device=generator.device).to(batch.given)
    painted = painter(batch.given, noise).float()
    recorded, drawn = batch.recorded, ~batch.recorded
    restored = _error(painted[recorded], batch.wanted[recorded], options.pixel)
    kept = _kept(painted[drawn], batch.wanted[drawn], options)
    critic_loss, gap = _critic_loss(critic, batch.wanted[recorded], painted.detach(), recorded)
    loss = restored + kept + critic_loss
    strength = min(1.0, max(0.0, step / max(options.warmup, 1) - 1))
    if strength > 0:
        loss = loss + strength * _verdict(critic, painted, batch, options)
    metrics = {"restored": restored, "kept": kept, "critic_loss": critic_loss, "gap": gap}
    return loss, {name: value.detach() for name, value in metrics.items()}


def _error(painted: torch.Tensor, wanted: torch.Tensor, pixel: float) -> torch.Tensor:
    """Errors of areas and, by ``pixel``, of single pixels; 0 where there are no pictures."""
    if not len(painted):
        return painted.sum()
    return F.l1_loss(_areas(painted), _areas(wanted)) + pixel * F.l1_loss(painted, wanted)


def _kept(painted: torch.Tensor, drawn: torch.Tensor, options: PainterOptions) -> torch.Tensor:
    """How far painted drawings left the colours of areas and the differences of neighbours of the drawing."""
    if not len(painted):
        return painted.sum()
    colours = F.l1_loss(_areas(painted), _areas(drawn))
    edges = sum(F.l1_loss(painted.diff(dim=axis), drawn.diff(dim=axis)) for axis in (-2, -1))
    return options.keep_colour * colours + options.keep_edges * edges


def _areas(pictures: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(pictures, AREA_PX, AREA_PX // 2)


def _critic_loss(
    critic: PictureCritic, real: torch.Tensor, painted: torch.Tensor, recorded: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    if not len(real):
        return torch.stack([parameter.sum() * 0.0 for parameter in critic.parameters()]).sum(), painted.new_zeros(())
    loss, gaps = painted.new_zeros(()), []
    for (on_real, _), (on_painted, _) in zip(critic(real), critic(painted), strict=True):
        loss = loss + F.relu(1 - on_real).mean() + F.relu(1 + on_painted).mean()
        gaps.append(on_real.detach().mean() - on_painted.detach().mean())
    return loss, torch.stack(gaps).mean()


def _verdict(critic: PictureCritic, painted: torch.Tensor, batch: Paintings, options: PainterOptions) -> torch.Tensor:
    """What the critic makes of painted pictures. Its weights get no gradient here."""
    frozen = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        judged = critic(painted)
        with torch.no_grad():
            truth = critic(batch.wanted[batch.recorded]) if batch.recorded.any() else []
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    share = torch.where(batch.recorded, 1.0, options.drawn_verdict).to(painted)[:, None, None, None]
    loss = painted.new_zeros(())
    for verdicts, _ in judged:
        loss = loss - options.verdict * (share * verdicts).mean()
    for (_, ours), (_, theirs) in zip(judged if truth else [], truth, strict=True):
        pairs = zip(ours, theirs, strict=True)
        alike = torch.stack([F.l1_loss(mine[batch.recorded], true) for mine, true in pairs])
        loss = loss + options.features * alike.mean()
    return loss

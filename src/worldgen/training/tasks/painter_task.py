"""Training of the painter on patches of drawn and recorded pictures, against a critic that the saved model leaves
behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from worldgen.core.seeds import stable_hash
from worldgen.models.native.loading import load_painter, load_pipeline
from worldgen.models.native.losses.loss_options import PainterOptions
from worldgen.models.native.painter.painting_loss import painting_loss
from worldgen.models.native.painter.picture_critic import PictureCritic
from worldgen.models.native.painter.scene_painter import ScenePainter, frame_noise
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.clips import Clips
from worldgen.training.data.painter_items import PainterBatch, PainterItem, PainterItems
from worldgen.training.launch import PreparationContext
from worldgen.training.train_config import TrainConfig

SHEET_PATCHES = 6


@dataclass(frozen=True, eq=False)
class PreparedPainter:
    """Everything a painter task starts from. pipeline: the one that gets the painter, if any. kept: nothing."""

    painter: ScenePainter
    pipeline: WorldPipeline | None
    items: PainterItems
    kept: dict[str, Path] = field(default_factory=dict)


def prepare_painter(config: TrainConfig, context: PreparationContext) -> PreparedPainter:
    """Select the pictures; load the painter of ``init``, or make a fresh one."""
    items = PainterItems(Clips(config.data), drawn=config.painter.drawn)
    pipeline = load_pipeline(config.init.pipeline) if config.init.pipeline else None
    if config.init.painter:
        return PreparedPainter(load_painter(config.init.painter), pipeline, items)
    if pipeline is not None and pipeline.painter is not None:
        return PreparedPainter(pipeline.painter, pipeline, items)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("painter", config.seed))
        painter = ScenePainter(config.painter.width, config.painter.blocks)
    sigma_px = items.lens_sigma_px()
    painter.set_lens(sigma_px)
    context.launch.log(f"lens: recordings are softer than drawings by a Gaussian of {sigma_px:.2f} pixels")
    return PreparedPainter(painter, pipeline, items)


class PainterModule(nn.Module):
    """Painter and critic: trained and resumed together."""

    steps: torch.Tensor

    def __init__(self, painter: ScenePainter, options: PainterOptions, seed: int) -> None:
        super().__init__()
        self.painter, self.options = painter, options
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stable_hash("critic", seed))
            self.critic = PictureCritic(options.critic_width)
        # A buffer, so that checkpoints hold it: the weight of the critic's verdict depends on it.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(
        self, batch: PainterBatch, generators: list[torch.Generator]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        result = painting_loss(
            self.painter, self.critic, batch.paintings, generators[0], options=self.options, step=int(self.steps)
        )
        if self.training:
            self.steps += 1
        return result


@dataclass(eq=False)
class PainterTask:
    """See :class:`worldgen.training.loop.task.Task`."""

    device: torch.device
    items: PainterItems
    held_out: list[PainterItem]
    module: PainterModule
    pipeline: WorldPipeline | None
    lr_scales: Mapping[str, float]
    product: str = "model"
    unused_parameters: bool = True  # a batch without recordings leaves the critic without a gradient

    @torch.no_grad()
    def fixed_output(self) -> torch.Tensor:
        """Painted patches ``(N, 3, h, w)`` of fixed clips."""
        return self._painted(self._examples())

    def adapter_outputs(self) -> None:
        return None

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean absolute error of restored recordings of split val, in [-1, 1], and that of their simplified versions
        as they are given (``given``)."""
        batch = self.items.collate(self.held_out).paintings if self.held_out else None
        if batch is None or not batch.recorded.any():
            return {}
        painted = self._painted(self.held_out)[batch.recorded]
        given, wanted = batch.given[batch.recorded], batch.wanted[batch.recorded]
        error = lambda x: float((x.cpu() - wanted).abs().mean())  # noqa: E731
        return {"loss": error(painted), "given": error(given)}

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """What was given, what was painted, and what was wanted, below each other."""
        items = self._examples()
        batch = self.items.collate(items).paintings
        rows = [
            ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            for x in (batch.given, self._painted(items), batch.wanted)
        ]
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)

    def save(self, folder: Path) -> None:
        """Write the painter alone, or the whole pipeline where the run started from one."""
        if self.pipeline is None:
            self.module.painter.save_pretrained(folder)
            return
        self.pipeline.register_modules(painter=self.module.painter)
        self.pipeline.save_pretrained(folder)

    def _painted(self, items: list[PainterItem]) -> torch.Tensor:
        given = self.items.collate(items).paintings.given
        noise = torch.stack([frame_noise(0, i, *given.shape[-2:]) for i in range(len(given))])
        return self.module.painter(given.to(self.device), noise.to(self.device)).float()

    def _examples(self) -> list[PainterItem]:
        """Some held-out recorded patches, and as many of drawn training pictures."""
        rng = np.random.default_rng(0)
        drawn = self.items.kinds[False][:: max(1, len(self.items.kinds[False]) // SHEET_PATCHES)][: SHEET_PATCHES // 2]
        recorded = [item for item in self.held_out if item.recorded]
        return [*recorded[: SHEET_PATCHES // 2], *(self.items.item(place, rng) for place in drawn)]


def build_painter_task(config: TrainConfig, prepared: PreparedPainter, context: PreparationContext) -> PainterTask:
    """The task of ``task=painter``."""
    module = PainterModule(prepared.painter, config.painter, config.seed)
    if config.compile:
        module.painter.compile()
    return PainterTask(
        context.accelerator.device, prepared.items, prepared.items.held_out(config.validate_clips), module,
        prepared.pipeline, lr_scales={"critic.": config.painter.critic_lr_scale},
    )  # fmt: skip

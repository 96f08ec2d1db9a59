"""Adversarial post-training of a world model: the world task's data and looks, the loss of ``models.native.losses.adversarial``."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from worldgen.core.seeds import stable_hash
from worldgen.models.native.losses.adversarial import adversarial_loss
from worldgen.models.native.losses.critic import Critic
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.latents import LatentCache
from worldgen.training.loop.record import Launch
from worldgen.training.tasks.world_task import WorldBatch, WorldModule, WorldTask
from worldgen.training.train_config import TrainConfig


class AdversarialModule(WorldModule):
    """Transformer and text encoder with the critic beside them: trained and resumed together, saved without it."""

    def __init__(self, pipeline: WorldPipeline, config: TrainConfig) -> None:
        super().__init__(pipeline, config.flow)
        self.adversarial = config.adversarial
        sizes = pipeline.transformer.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stable_hash("critic", config.seed))
            self.critic = Critic(
                sizes.latent_channels, sizes.layout_channels, sizes.text_width, width=config.adversarial.critic_width
            )
        # A buffer, so that checkpoints hold it: the critic's strength depends on it.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: WorldBatch, generators: list[torch.Generator]):
        generator = generators[0]
        examples = self.with_model_histories(batch.examples, generator)
        loss = adversarial_loss(
            self.networks,
            self.critic,
            examples,
            generator,
            options=self.adversarial,
            flow=self.options,
            step=int(self.steps),
        )
        if self.training:
            self.steps += 1
        return loss


class AdversarialTask(WorldTask):
    """See :class:`worldgen.training.loop.task.Task`."""

    def __init__(self, config: TrainConfig, accelerator: Accelerator, launch: Launch) -> None:
        super().__init__(config, accelerator, launch)
        self.module = AdversarialModule(self.pipeline, config)
        # A batch in which no frame starts from pure noise leaves the critic without a gradient.
        self.partial = True
        self.lr_scales = {"critic.": config.adversarial.critic_lr_scale}

    def _pipeline(self, captions: list[str]) -> WorldPipeline:
        pipeline = super()._pipeline(captions)
        self.honoured = pipeline.accepts
        if not pipeline.transformer.config.reads_noise:
            pipeline.transformer.read_noise()
        return pipeline

    def _declare(self, cache: LatentCache, chosen: list[int]) -> None:
        super()._declare(cache, chosen)
        self.pipeline.transformer.register_to_config(accepts=self.honoured)


def build_adversarial_task(config: TrainConfig, accelerator: Accelerator, launch: Launch) -> AdversarialTask:
    """The task of ``task=adversarial``."""
    return AdversarialTask(config, accelerator, launch)

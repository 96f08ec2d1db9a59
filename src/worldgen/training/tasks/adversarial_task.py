"""Adversarial post-training of a world model: data and sheets of the world task, the loss of
``models.native.losses.adversarial``."""

from __future__ import annotations

import torch

from worldgen.core.seeds import stable_hash
from worldgen.models.native.losses.adversarial import adversarial_loss
from worldgen.models.native.losses.critic import Critic
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.window_items import WorldBatch
from worldgen.training.launch import PreparationContext
from worldgen.training.tasks.preparation import PreparedWorld, prepare_examples, select_clips, starting_pipeline
from worldgen.training.tasks.trainable_pipeline import trainable_pipeline
from worldgen.training.tasks.world_task import WorldModule, WorldTask, window_items
from worldgen.training.train_config import TrainConfig


class AdversarialModule(WorldModule):
    """Transformer, text encoder and critic: trained and resumed together. The critic is not part of the saved model."""

    steps: torch.Tensor

    def __init__(self, pipeline: WorldPipeline, config: TrainConfig) -> None:
        super().__init__(pipeline, config.flow)
        self.adversarial = config.adversarial
        sizes = pipeline.transformer.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stable_hash("critic", config.seed))
            self.critic = Critic(
                sizes.latent_channels, sizes.layout_channels, sizes.text_width, width=config.adversarial.critic_width
            )
        # A buffer, so that checkpoints hold it: the weight of the critic's pull depends on it.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(
        self, batch: WorldBatch, generators: list[torch.Generator]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
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


def prepare_adversarial(config: TrainConfig, context: PreparationContext) -> PreparedWorld:
    """The stages of ``prepare_world`` for a transformer that also reads its noise input."""
    selected = select_clips(config.data, context.launch.log)
    pipeline = starting_pipeline(config, selected.captions, context)
    if not pipeline.transformer.config.reads_noise:
        pipeline.transformer.read_noise()
    return prepare_examples(config, selected, pipeline, context)


def build_adversarial_task(config: TrainConfig, prepared: PreparedWorld, context: PreparationContext) -> WorldTask:
    """The task of ``task=adversarial``."""
    pipeline = trainable_pipeline(config, prepared, context.launch.log, accepts=prepared.pipeline.accepts)
    module = AdversarialModule(pipeline, config)
    if config.compile:
        pipeline.transformer.compile()
    return WorldTask(
        config,
        context.accelerator.device,
        pipeline,
        window_items(config, prepared),
        prepared.encoded.held_out,
        module,
        # In a batch without a frame that starts from pure noise, the critic has no gradient.
        unused_parameters=True,
        lr_scales={"critic.": config.adversarial.critic_lr_scale},
    )

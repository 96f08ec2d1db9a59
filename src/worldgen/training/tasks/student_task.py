"""Training a few-step student of a world model: the same data and looks as the world task, another loss."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter

import torch
from accelerate import Accelerator
from torch import nn

from worldgen.core.seeds import stable_hash
from worldgen.models.native.losses.distillation import student_distances, student_loss
from worldgen.models.native.losses.flow import Examples
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.rollout.rollout import GUIDABLE, SamplerOptions
from worldgen.training.data.latents import LatentCache
from worldgen.training.loop.record import Launch
from worldgen.training.tasks.world_task import WorldBatch, WorldModule, WorldTask
from worldgen.training.train_config import TrainConfig


class StudentModule(WorldModule):
    """Transformer and text encoder, called with a batch for the loss of distillation; the teacher's are beside them."""

    def __init__(self, pipeline: WorldPipeline, teacher: nn.ModuleList, config: TrainConfig, honoured: tuple[str, ...]):
        super().__init__(pipeline, config.flow)
        # A part of the module, though frozen: it moves with it to a device, and its hash becomes the run's identity.
        self.teacher, self.student_options, self.honoured = teacher, config.student, honoured

    @property
    def teacher_networks(self) -> WorldNetworks:
        """The teacher as losses take it."""
        transformer, text_encoder = self.teacher
        return dataclasses.replace(self.networks, transformer=transformer, text_encoder=text_encoder)

    def train(self, mode: bool = True) -> StudentModule:
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, batch: WorldBatch, generators: list[torch.Generator]):
        generator = generators[0]
        examples = self.with_model_histories(self.understood(batch.examples), generator)
        return student_loss(
            self.networks, self.teacher_networks, examples, generator, options=self.student_options, flow=self.options
        )

    def understood(self, examples: Examples) -> Examples:
        """``examples`` without the conditions that the teacher never learned to honour: of those it can teach nothing."""
        conditions = examples.conditions
        for name in GUIDABLE:
            if name not in self.honoured:
                conditions = conditions.without(name)
        return dataclasses.replace(examples, conditions=conditions)


class StudentTask(WorldTask):
    """See :class:`worldgen.training.loop.task.Task`."""

    def __init__(self, config: TrainConfig, accelerator: Accelerator, launch: Launch) -> None:
        super().__init__(config, accelerator, launch)
        self.sampler = SamplerOptions(steps=config.student.steps)
        self.module = StudentModule(self.pipeline, self.teacher, config, self.honoured)
        if config.compile:
            self.teacher[0].compile()

    def _pipeline(self, captions: list[str]) -> WorldPipeline:
        pipeline = super()._pipeline(captions)
        # Before adapters are attached: the teacher is the pipeline as it was saved.
        networks = [copy.deepcopy(pipeline.transformer), copy.deepcopy(pipeline.text_encoder)]
        self.teacher = nn.ModuleList(networks).requires_grad_(False).eval()
        self.honoured = pipeline.accepts
        return pipeline

    def _declare(self, cache: LatentCache, chosen: list[int]) -> None:
        super()._declare(cache, chosen)
        self.pipeline.transformer.register_to_config(accepts=self.honoured)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """``distance``: squared, of the student's end points from the teacher's, over their size. ``left``: over that of the
        teacher in as few steps; 1 where the student starts, 0 where it does all that the teacher does."""
        totals: Counter[str] = Counter()
        for first in range(0, len(self.held_out), self.config.batch):
            numbers = self.held_out[first : first + self.config.batch]
            examples = self.module.understood(self._fixed_batch(numbers).examples)
            generator = torch.Generator(self.device).manual_seed(stable_hash("validation", first))
            parts = student_distances(
                self.module.networks, self.module.teacher_networks, examples, generator, options=self.config.student
            )
            totals.update({name: value * len(numbers) for name, value in parts.items()})
        if not totals:
            return {}
        distances = {"distance": totals["student"] / totals["size"]}
        # Guidance on conditions that these clips do not have leads nowhere else.
        return {**distances, "left": totals["student"] / totals["few"]} if totals["few"] else distances


def build_student_task(config: TrainConfig, accelerator: Accelerator, launch: Launch) -> StudentTask:
    """The task of ``task=student``."""
    return StudentTask(config, accelerator, launch)

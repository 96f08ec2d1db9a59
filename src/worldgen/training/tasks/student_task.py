"""Training of a few-step student of a world model: data and sheets of the world task, the loss of distillation."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from dataclasses import dataclass

import torch
from torch import nn

from worldgen.core.seeds import stable_hash
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.conditions import DROPPABLE
from worldgen.models.native.losses.distillation import student_distances, student_loss
from worldgen.models.native.losses.flow import Examples
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.window_items import WorldBatch
from worldgen.training.launch import PreparationContext
from worldgen.training.tasks.preparation import PreparedWorld
from worldgen.training.tasks.trainable_pipeline import trainable_pipeline
from worldgen.training.tasks.world_task import WorldModule, WorldTask, window_items
from worldgen.training.train_config import TrainConfig


class StudentModule(WorldModule):
    """Transformer and text encoder of the student, called with a batch for the loss of distillation.

    teacher: frozen networks. honoured: the conditions that the teacher honours.
    """

    def __init__(
        self, pipeline: WorldPipeline, teacher: WorldNetworks, config: TrainConfig, honoured: tuple[str, ...]
    ) -> None:
        super().__init__(pipeline, config.flow)
        # The frozen teacher is a part of the module: it moves to a device with it and counts for the run's identity.
        self.teacher = nn.ModuleList([teacher.transformer, teacher.text_encoder])
        self.teacher_networks = teacher
        self.student_options, self.honoured = config.student, honoured

    def train(self, mode: bool = True) -> StudentModule:
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(
        self, batch: WorldBatch, generators: list[torch.Generator]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        generator = generators[0]
        examples = self.with_model_histories(self.honoured_examples(batch.examples), generator)
        return student_loss(
            self.networks, self.teacher_networks, examples, generator, options=self.student_options, flow=self.options
        )

    def honoured_examples(self, examples: Examples) -> Examples:
        """``examples`` without the conditions that the teacher does not honour, about which it can teach nothing."""
        conditions = examples.conditions
        for name in DROPPABLE:
            if name not in self.honoured:
                conditions = conditions.without(name)
        return dataclasses.replace(examples, conditions=conditions)


@dataclass(eq=False)
class StudentTask(WorldTask):
    """A world task that is validated against its teacher. See :class:`worldgen.training.loop.task.Task`."""

    module: StudentModule

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Squared distances of the student's end points from the teacher's.

        ``distance``: over the size of the teacher's end points. ``left``: over the distance of the teacher in as few
        steps; 1 for an untrained student, 0 for one that equals its teacher.
        """
        totals: Counter[str] = Counter()
        module = self.module
        for first in range(0, len(self.held_out), self.config.batch):
            numbers = self.held_out[first : first + self.config.batch]
            examples = module.honoured_examples(self.fixed_batch(numbers).examples)
            generator = torch.Generator(self.device).manual_seed(stable_hash("validation", first))
            parts = student_distances(
                module.networks, module.teacher_networks, examples, generator, options=self.config.student
            )
            totals.update({name: value * len(numbers) for name, value in parts.items()})
        if not totals:
            return {}
        distances = {"distance": totals["student"] / totals["size"]}
        # "few" is 0 when the clips lack the conditions that guidance amplifies.
        return {**distances, "left": totals["student"] / totals["few"]} if totals["few"] else distances


def build_student_task(config: TrainConfig, prepared: PreparedWorld, context: PreparationContext) -> StudentTask:
    """The task of ``task=student``: the teacher is the prepared pipeline, the student begins as a copy of it."""
    honoured = prepared.pipeline.accepts
    teacher = frozen_copy(prepared.pipeline.networks)
    pipeline = trainable_pipeline(config, prepared, context.launch.log, accepts=honoured)
    module = StudentModule(pipeline, teacher, config, honoured)
    if config.compile:
        pipeline.transformer.compile()
        teacher.transformer.compile()
    return StudentTask(
        config,
        context.accelerator.device,
        pipeline,
        window_items(config, prepared),
        prepared.encoded.held_out,
        module,
        unused_parameters=not all(prepared.encoded.cache.has_layout),
        sampler=SamplerOptions(steps=config.student.steps),
    )


def frozen_copy(networks: WorldNetworks) -> WorldNetworks:
    """``networks`` with copies of transformer and text encoder that are not trained."""
    return dataclasses.replace(
        networks,
        transformer=copy.deepcopy(networks.transformer).requires_grad_(False).eval(),
        text_encoder=copy.deepcopy(networks.text_encoder).requires_grad_(False).eval(),
    )

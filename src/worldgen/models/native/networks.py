"""The networks of the native model as one typed object: what rollouts and losses need, without the rest of a
pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from transformers import DistilBertModel

from worldgen.models.native.codec import PatchCodec
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.text import text_states
from worldgen.models.native.transformer import WorldTransformer


@dataclass(frozen=True, eq=False)
class WorldNetworks:
    """Transformer, text encoder and codec of one model, and the scheduler that takes its steps.

    Not a ``torch.nn.Module``: a module may hold it beside its own parts without registering the networks twice.
    """

    transformer: WorldTransformer
    text_encoder: DistilBertModel
    codec: PatchCodec
    scheduler: FlowMatchEulerDiscreteScheduler

    def text_of(self, conditions: ConditionBatch) -> torch.Tensor:
        """States ``(B, L, Dt)`` of the text of ``conditions``."""
        return text_states(self.text_encoder, conditions)

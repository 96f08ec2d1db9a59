"""Fresh low-rank adapters on the layers of a pretrained transformer; everything else is frozen."""

from __future__ import annotations

import torch

from worldgen.core.errors import InputError, Received
from worldgen.core.seeds import stable_hash
from worldgen.models.native.adapters import check_targets
from worldgen.training.backbones.trainable import Trainable
from worldgen.training.train_config import AdapterConfig, TrainConfig

ADAPTER = "default"


def attach_adapter_layers(trainable: Trainable, config: TrainConfig) -> list[str]:
    """Adapters of float32 that leave the output as it is, from the seed alone. Returns the names of their layers.

    ``adapter.targets`` at its default takes the family's own. Raises: InputError for a target that matches no layer of
    the part that is trained.
    """
    from peft import LoraConfig

    adapter = config.adapter
    targets = trainable.targets if adapter.targets == AdapterConfig().targets else adapter.targets
    start = trainable.part_layers(config.tune.part)
    names = [name for name in check_targets(trainable.network, targets) if name.startswith(start)]
    if not names:
        received = Received(", ".join(targets))
        raise InputError("adapter.targets", received, f"layers whose names begin with {start}")
    trainable.network.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("lora", config.seed))
        settings = LoraConfig(
            r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout,  # type: ignore[arg-type]
            target_modules=names, use_dora=adapter.kind == "dora",
        )  # fmt: skip
        trainable.network.add_adapter(settings, adapter_name=ADAPTER)
    for parameter in trainable.network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # small updates would be lost in half precision
    return names

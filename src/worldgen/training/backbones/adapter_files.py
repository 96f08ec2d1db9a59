"""The adapter of a fine-tune as files, in the format that diffusers loads."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from worldgen.models.backbones.tuned.ego_injector import EgoInjector
from worldgen.models.backbones.tuned.tuned_adapter import EGO_FILE, TunedRecord, write_tuned_record
from worldgen.training.backbones.adapter_layers import ADAPTER
from worldgen.training.backbones.trainable import Trainable


def save_tuned(folder: Path, trainable: Trainable, injector: EgoInjector | None, record: TunedRecord) -> None:
    """Write LoRA, ego injector and record into an existing folder."""
    from peft.utils import get_peft_model_state_dict

    network = trainable.network
    layers = {
        name: tensor.detach().float().cpu().contiguous()
        for name, tensor in get_peft_model_state_dict(network, adapter_name=ADAPTER).items()
    }
    trainable.save_lora(folder, layers, network.peft_config[ADAPTER].to_dict())
    if injector is not None:
        tensors = {name: tensor.detach().float().cpu().contiguous() for name, tensor in injector.state_dict().items()}
        save_file(tensors, folder / EGO_FILE)
    write_tuned_record(folder, record)

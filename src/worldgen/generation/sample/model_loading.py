"""A world model by its name: the shipped one, a folder of any family, or a hub repository."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import worldgen
from worldgen.core.errors import InputError
from worldgen.files.config_files import load_config
from worldgen.files.shipped import assets_dir
from worldgen.generation.sample.background import SHIPPED
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.devices import usable_device
from worldgen.models.interface import WorldModel
from worldgen.models.promise import LargestClip

DEVICE_FILES = ((70.0, "80gb"), (40.0, "48gb"), (0.0, "24gb"))
"""GB of a GPU from which a file of ``configs/backbones`` is its default."""
NATIVE_CLASSES = ("WorldPipeline",)


@dataclass(frozen=True, eq=False)
class NamedModel:
    """A loaded model. name: for people."""

    model: WorldModel
    name: str


def load_world_model(
    name: str = "", *, adapter: str = "", device: str = "", backbone: BackboneConfig | None = None,
    asked: LargestClip | None = None,
) -> NamedModel:  # fmt: skip
    """The shipped model ("" or "shipped"), a model saved in a folder, or one in a hub repository.

    adapter: folder of a LoRA adapter, "" for none. device: "" picks the best there is. backbone: how a pretrained model
    runs; None takes what suits the device. asked: the largest clip that a pretrained model is loaded for.

    Raises: InputError for a model, adapter or device that is not there or does not fit.
    """
    place = usable_device(device)
    if is_native(name):
        if backbone is not None:
            raise InputError(
                "backbone options", "given", "none: they are for pretrained models, and this one is native"
            )
        return _native(name, adapter, place)
    from worldgen.models.backbones.registry import load_backbone

    config = backbone or default_backbone(place)
    if adapter and config.lora:
        raise InputError("adapter", adapter, f"one LoRA: the backbone options name {config.lora} already")
    model = _tuned(name, adapter, config, place, asked) if adapter else load_backbone(name, config, place, asked)
    return NamedModel(model, Path(name).name if Path(name).is_dir() else name)


def _tuned(
    name: str, adapter: str, config: BackboneConfig, device: torch.device, asked: LargestClip | None
) -> WorldModel:
    """A pretrained model with the adapter of a fine-tune, or with any LoRA of its family."""
    from worldgen.models.backbones.hub import find_model
    from worldgen.models.backbones.registry import family_of, load_backbone
    from worldgen.models.backbones.tuned.tuned_adapter import attach_tuned, is_tuned_adapter, tuned_options

    if not is_tuned_adapter(adapter):
        return load_backbone(name, dataclasses.replace(config, lora=adapter), device, asked)
    family = family_of(find_model(name, revision=config.revision, configs_only=True)).family
    model = load_backbone(name, tuned_options(adapter, config, family=family), device, asked)
    attach_tuned(model, adapter)
    return model


def is_native(name: str) -> bool:
    """Whether a name stands for the native family, or for a folder that holds no pipeline at all, which it refuses."""
    if name in ("", SHIPPED):
        return True
    from worldgen.models.backbones.hub import INDICES, REPOSITORY, read_index

    folder = Path(name).expanduser()
    if not folder.is_dir():
        return not REPOSITORY.fullmatch(name) or folder.exists()
    if not any((folder / index).is_file() for index in INDICES):
        return True
    return read_index(folder, name).class_name in NATIVE_CLASSES


def _native(name: str, adapter: str, device: torch.device) -> NamedModel:
    from worldgen.models.native.adapters import load_adapter
    from worldgen.models.native.loading import load_pipeline

    shipped = name in ("", SHIPPED)
    folder = assets_dir() / "model" if shipped else Path(name)
    pipeline = load_pipeline(folder)
    if adapter:
        load_adapter(pipeline.transformer, adapter)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    return NamedModel(pipeline, f"worldgen {worldgen.__version__}" if shipped else folder.name)


def default_backbone(device: torch.device) -> BackboneConfig:
    """Options that suit a device: a file of ``configs/backbones`` by the memory of a GPU; the plain ones on a CPU."""
    if device.type != "cuda":
        return BackboneConfig()
    gigabytes = torch.cuda.get_device_properties(device).total_memory / 1e9
    return load_config(BackboneConfig, [f"configs/backbones/{device_file(gigabytes)}.yaml"])


def device_file(gigabytes: float) -> str:
    """Name of the file for a GPU of so many GB."""
    return next(name for least, name in DEVICE_FILES if gigabytes >= least)


def backbone_options(words: Sequence[str], device: str = "") -> BackboneConfig | None:
    """Options from YAML files and ``key=value`` words, over those that suit the device; None without any.

    Raises: InputError for files and values that cannot be used.
    """
    if not words:
        return None
    files = [word for word in words if "=" not in word]
    values = [word for word in words if "=" in word]
    if not files:
        place = usable_device(device)
        if place.type == "cuda":
            gigabytes = torch.cuda.get_device_properties(place).total_memory / 1e9
            files = [f"configs/backbones/{device_file(gigabytes)}.yaml"]
    return load_config(BackboneConfig, files, values)

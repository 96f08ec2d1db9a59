"""The pretrained families: which pipeline classes are whose, and loading by folder or hub repository.

To add a family: its promise in ``models.families``, a module here with
``load_family(source, config, device, asked)``, and a line in each table below.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.backbone import Backbone
from worldgen.models.backbones.hub import ModelSource, find_model, refuse_foreign_homes
from worldgen.models.backbones.memory_check import free_bytes
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.quantisation import quantised_name, refuse_quantisation
from worldgen.models.families import FAMILIES
from worldgen.models.promise import LargestClip, ModelPromise

PIPELINES = {
    "WorldPipeline": "native", "WanVACEPipeline": "wan_vace", "Cosmos3OmniPipeline": "cosmos3",
    "Cosmos3OmniModularPipeline": "cosmos3", "WanImageToVideoPipeline": "wan_i2v",
    "LTX2Pipeline": "ltx2", "LTX2ConditionPipeline": "ltx2", "LTX2InContextPipeline": "ltx2",
    "LTX2ImageToVideoPipeline": "ltx2", "SanaWMPipeline": "sana_wm", "StableVideoDiffusionPipeline": "svd",
    "Cosmos2_5_TransferPipeline": "cosmos2_5", "Cosmos2_5_PredictBasePipeline": "cosmos2_5",
}  # fmt: skip
"""Class of a pipeline, as its index states it -> family."""
MODULES = {
    "wan_vace": "worldgen.models.backbones.wan_vace",
    "cosmos3": "worldgen.models.backbones.cosmos.cosmos3",
    "wan_i2v": "worldgen.models.backbones.continuing.wan_i2v",
    "cosmos2_5": "worldgen.models.backbones.cosmos.cosmos2_5",
    "ltx2": "worldgen.models.backbones.continuing.ltx2",
    "sana_wm": "worldgen.models.backbones.continuing.sana_wm",
    "svd": "worldgen.models.backbones.continuing.svd",
}
"""Family -> module that loads it; imported when it is asked for, because diffusers takes seconds."""


def family_of(source: ModelSource) -> ModelPromise:
    """The promise of the family of a model. Raises: InputError for a pipeline of no known family."""
    family = PIPELINES.get(source.class_name)
    if family is None:
        known = ", ".join(sorted(PIPELINES))
        raise InputError(f"class of the pipeline in {source.name}", source.class_name, f"one of {known}")
    return FAMILIES[family]


def load_backbone(
    name: str, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> Backbone:
    """The pretrained model in a folder or hub repository, ready on its device.

    asked: the largest clip that it is loaded for, so that too little memory is known before weights are downloaded.

    Raises: InputError for what cannot be found, read or placed, each in one line.
    """
    # Configs first: the family, a missing package and the memory are known before gigabytes are downloaded.
    source = find_model(name, revision=config.revision, configs_only=True)
    promise = family_of(source)
    refuse_foreign_homes(source)  # before any of them is imported
    if promise.family not in MODULES:
        raise InputError(f"model {name}", Received(f"a model of the family {promise.family}"), "a pretrained family")
    load: Callable[[ModelSource, BackboneConfig, torch.device, LargestClip | None], Backbone]
    load = importlib.import_module(MODULES[promise.family]).load_family
    refuse_quantisation(config)
    free = free_bytes(device, config)  # before the weights take their share
    model = load(source, config, device, asked)
    model.free_bytes = free
    model.weights_hash = quantised_name(model.weights_hash, config)
    return model


def refuse_unknown_model(name: str, config: BackboneConfig) -> None:
    """Raises InputError for a name that is no model of a known family; reads its index and configs only."""
    family_of(find_model(name, revision=config.revision, configs_only=True))

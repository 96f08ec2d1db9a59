"""Denoisers with weights of one byte, by the torchao library where it is installed; activations stay as they are."""

from __future__ import annotations

import hashlib
import importlib.util
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.options import BackboneConfig

CONFIGS = {"int8": "Int8WeightOnlyConfig", "float8": "Float8WeightOnlyConfig"}
"""Value of the option -> class of torchao.quantization."""


def refuse_quantisation(config: BackboneConfig) -> None:
    """Raises InputError where torchao is not installed, and for options that do not go with quantised weights."""
    if not config.quantise:
        return
    if importlib.util.find_spec("torchao") is None:
        raise InputError(
            "backbone.quantise", Received(f"{config.quantise} without the package torchao"), "pip install torchao first"
        )
    if config.offload in ("group", "sequential"):
        raise InputError("backbone.offload with quantise", config.offload, "none or model, which move whole networks")


def quantise(networks: list[Any], config: BackboneConfig) -> None:
    """Turn the weights of all linear layers of networks into 8 bits, in place; LoRAs are fused before."""
    if not config.quantise:
        return
    from torchao import quantization

    for network in networks:
        quantization.quantize_(network, getattr(quantization, CONFIGS[config.quantise])())


def quantised_name(name: str, config: BackboneConfig) -> str:
    """The name of weights ``name`` with their quantisation, which changes clips; ``name`` itself without one."""
    if not config.quantise:
        return name
    return hashlib.blake2b(f"{name} {config.quantise}".encode(), digest_size=16).hexdigest()

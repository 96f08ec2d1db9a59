"""Does a model fit on the device? Counted from its configs alone, before any weights are read."""

from __future__ import annotations

import dataclasses
import importlib
import os
from dataclasses import dataclass
from typing import Any

import torch

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.hub import ModelSource
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.interface import MemoryEstimate

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
RESERVED_BYTES = 1 << 30
"""Memory of the device that PyTorch, its kernels and fragmentation take."""
TEXT_PARTS = ("text_encoder", "text_encoder_2")
DENOISERS = ("transformer", "transformer_2", "controlnet", "unet")


def resolved_dtype(config: BackboneConfig, device: torch.device) -> str:
    """Number type of the denoiser: the config's, else bfloat16 on a GPU and float32 on a CPU."""
    return config.dtype or ("float32" if device.type == "cpu" else "bfloat16")


def parameter_counts(source: ModelSource) -> dict[str, int]:
    """Parameters of each network of a pipeline, from its configs, built without memory.

    Raises: InputError for a config that describes no network.
    """
    counts = {}
    for name, component in source.components.items():
        if not (source.folder / name / "config.json").is_file():
            continue
        cls = getattr(importlib.import_module(component.home), component.class_name, None)
        if cls is None or not issubclass(cls, torch.nn.Module):
            continue
        counts[name] = sum(p.numel() for p in meta_network(cls, source, name).parameters())
    return counts


def meta_network(cls: Any, source: ModelSource, name: str) -> torch.nn.Module:
    """The network that the config of a part describes, without memory. Raises: InputError where it describes none."""
    config = source.config(name)
    try:
        with torch.device("meta"):
            if source.components[name].home == "transformers":
                return cls(cls.config_class.from_dict(config))
            return cls.from_config(config)
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError, AssertionError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"config of {name} in {source.name}", Received(reason), "values of a network") from error


def estimated_memory(
    counts: dict[str, int], config: BackboneConfig, *, dtype: str, working: int, encoder_working: int = 0
) -> MemoryEstimate:
    """Bytes on the device at the largest moment: the networks that lie there together, and what they work with.

    counts: parameters by part. working: bytes that the denoiser or the codec works with. Encoding words and denoising
    happen one after the other; the larger moment counts.
    """
    size = {name: count * BYTES[config.vae_dtype if name == "vae" else dtype] for name, count in counts.items()}
    text = sum(size.get(name, 0) for name in TEXT_PARTS)
    denoisers = [size[name] for name in DENOISERS if name in size]
    rest = sum(size.values()) - text - sum(denoisers)
    if config.offload == "none":
        weights = sum(denoisers) + rest + (text if config.text_encoder == "device" else 0)
    elif config.offload == "model":
        weights = max([*denoisers, rest])
    elif config.offload == "group":
        weights = max(rest, round(max(denoisers, default=0) * GROUP_SHARE * config.group_blocks))
    else:
        weights = max(rest, round(max(denoisers, default=0) * LAYER_SHARE))
    encoding = text + encoder_working if config.offload in ("none", "model") else round(text * GROUP_SHARE)
    if config.text_encoder != "device" and encoding > weights + working:
        return MemoryEstimate(encoding, 0)
    return MemoryEstimate(weights, working)


GROUP_SHARE = 1 / 15
"""Share of a denoiser in two of its blocks (the one that computes and the one that arrives) of 30."""
LAYER_SHARE = 1 / 60
"""The same for its largest layers."""


def free_bytes(device: torch.device, config: BackboneConfig) -> int:
    """Memory that a model may use on a device."""
    if config.device_memory_gb:
        return round(config.device_memory_gb * 1e9)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) - RESERVED_BYTES
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(available, _available_linux())
    return 1 << 62  # nothing is known of this system


def _available_linux() -> int:
    """Memory that Linux can free for a program, caches of files included; 0 elsewhere."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            line = next((line for line in file if line.startswith("MemAvailable:")), "")
    except OSError:
        return 0
    return int(line.split()[1]) * 1024 if line else 0


@dataclass(frozen=True)
class Saver:
    """An option that saves memory, in the words of the config."""

    words: str
    changes: dict[str, Any]


SAVERS = (
    Saver("offload=model", {"offload": "model"}),
    Saver("offload=group", {"offload": "group"}),
    Saver("offload=sequential", {"offload": "sequential"}),
)
"""From the fastest to the slowest."""


def check_memory(
    name: str, counts: dict[str, int], config: BackboneConfig, *, device: torch.device, working: int, smaller: str
) -> MemoryEstimate:
    """Refuse a model that does not fit, naming the first option that makes it fit.

    working: bytes of activations and frames for the clips asked for. smaller: what else would help, in words.

    Raises: InputError.
    """
    dtype = resolved_dtype(config, device)
    estimate = estimated_memory(counts, config, dtype=dtype, working=working)
    free = free_bytes(device, config)
    if estimate.total <= free:
        return estimate
    options = [] if device.type == "cpu" else list(SAVERS)
    if dtype == "float32":
        options.insert(0, Saver("dtype=bfloat16", {"dtype": "bfloat16"}))
    fitting = []
    for option in options:
        other = dataclasses.replace(config, **option.changes)
        needed = estimated_memory(counts, other, dtype=resolved_dtype(other, device), working=working)
        if needed.total <= free:
            fitting.append(option.words)
    expected = f"backbone.{fitting[0]}, with which it fits" if fitting else f"a larger device, or {smaller}"
    raise InputError(
        f"memory for {name} on {device}",
        Received(f"{free / 1e9:.1f} GB free of {estimate.total / 1e9:.1f} GB needed"), expected,
    )  # fmt: skip

"""Does a model fit on the device? Counted from its configs alone, before any weights are read."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.hub import ModelSource
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.interface import MemoryEstimate
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

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
    if config.quantise:
        size |= {name: counts[name] for name in DENOISERS if name in counts}
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
class Run:
    """One run of the network: its largest size and number of frames, and how many it may make otherwise."""

    size_px: tuple[int, int]
    frames: int
    counts: FrameCounts

    @classmethod
    def of(cls, asked: LargestClip | None, config: BackboneConfig, promise: ModelPromise) -> Run:
        """The longest run of the clip asked for; of the smallest clip where nothing is known of it."""
        if asked is None:
            return cls((promise.size_multiple_px,) * 2, promise.frames.below(1), promise.frames)
        chunk = asked.chunk or config.chunk_frames or promise.chunk_frames
        return cls(asked.size_px or promise.size_px, min(asked.num_frames, chunk), promise.frames)

    @property
    def words(self) -> str:
        """The run in words, as in "81 frames of 832x480"."""
        return f"{self.frames} frames of {self.size_px[0]}x{self.size_px[1]}"


Working = Callable[[BackboneConfig, tuple[int, int], int], int]
"""Bytes of activations, latents and frames of a run, from options, width and height, and number of frames."""
PLACES: tuple[dict[str, Any], ...] = ({}, {"offload": "model"}, {"offload": "group"}, {"offload": "sequential"})
SAVERS: tuple[dict[str, Any], ...] = tuple(tiling | place for place in PLACES for tiling in ({}, {"vae_tiling": True}))
"""Options that save memory, from the fastest to the slowest."""


def check_memory(
    name: str, counts: dict[str, int], config: BackboneConfig, *, device: torch.device, working: Working, run: Run,
    free: int | None = None,
) -> MemoryEstimate:  # fmt: skip
    """Refuse a model that does not fit for a run, naming the fastest options that make it fit.

    free: bytes that the model may use; None asks the device.

    Raises: InputError.
    """
    free = free_bytes(device, config) if free is None else free

    def needed(options: BackboneConfig, frames: int) -> MemoryEstimate:
        bytes_ = working(options, run.size_px, frames)
        return estimated_memory(counts, options, dtype=resolved_dtype(options, device), working=bytes_)

    estimate = needed(config, run.frames)
    if estimate.total <= free:
        return estimate
    raise InputError(
        f"memory for {name} on {device}, {run.words} at a time",
        Received(f"{free / 1e9:.1f} GB free of {estimate.total / 1e9:.1f} GB needed"),
        _what_fits(config, run, lambda options, frames: needed(options, frames).total <= free, device),
    )


def _what_fits(
    config: BackboneConfig, run: Run, fits: Callable[[BackboneConfig, int], bool], device: torch.device
) -> str:
    """The fastest options with which a run fits, then shorter runs, in the words of an expectation."""
    half = {"dtype": "bfloat16"} if resolved_dtype(config, device) == "float32" else {}
    savers = [each for each in SAVERS if device.type != "cpu" or "offload" not in each]
    ways = [half | each for each in savers] if half else savers
    ways = [each for each in [half, *savers, *ways] if each]
    for way in ways:
        if fits(dataclasses.replace(config, **way), run.frames):
            return f"{_option_words(way)}, with which it fits"
    for frames in range(run.counts.below(run.frames - 1), config.overlap_frames, -run.counts.step):
        for way in [{}, *ways]:
            shorter = way | {"chunk_frames": frames}
            if fits(dataclasses.replace(config, **shorter), frames):
                return f"{_option_words(shorter)}, with which it fits"
    return "a larger device, or a smaller size: no option makes it fit"


def _option_words(changes: dict[str, Any]) -> str:
    """Options as the command line takes them."""
    words = " ".join(f"{name}={str(value).lower()}" for name, value in changes.items())
    return f"the backbone option{'s' if len(changes) > 1 else ''} {words}"

"""Checks before a run starts, and an estimate of the memory and disk space it needs."""

from __future__ import annotations

import resource
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.training.train_config import TrainConfig

MIB = 2**20
MEASURED_STEPS = 3
"""Steps timed before the time of the whole run is estimated, not counting the first, which also warms caches up."""


@dataclass(frozen=True)
class ResourceEstimate:
    """Parameters and bytes of a run. state_bytes: weights, gradients, two Adam moments and the average.

    checkpoint_bytes: one checkpoint on disk.
    """

    trainable: int
    frozen: int
    state_bytes: int
    checkpoint_bytes: int

    @classmethod
    def of(cls, module: nn.Module, *, ema: bool) -> ResourceEstimate:
        trained = [p for p in module.parameters() if p.requires_grad]
        frozen = [p for p in module.parameters() if not p.requires_grad]
        own = sum(p.numel() * p.element_size() for p in trained)
        average = 4 * sum(p.numel() for p in trained) if ema else 0
        still = sum(p.numel() * p.element_size() for p in frozen)
        buffers = sum(b.numel() * b.element_size() for b in module.buffers())
        return cls(
            sum(p.numel() for p in trained),
            sum(p.numel() for p in frozen),
            own * 4 + average + still + buffers,
            own * 3 + average + buffers,
        )


def check(module: nn.Module, output: Path, *, keep: int, ema: bool, whole: bool = True) -> ResourceEstimate:
    """What a run needs. whole: at its end the whole model is written, frozen weights included.

    Raises:
        InputError: when nothing is trainable, or the disk cannot hold the checkpoints.
    """
    need = ResourceEstimate.of(module, ema=ema)
    if need.trainable == 0:
        raise InputError("trainable parameters", 0, "at least one: nothing would be learnt")
    free = shutil.disk_usage(output).free
    wanted = need.checkpoint_bytes * (keep + 1) + (2 * need.state_bytes // 4 if whole else need.checkpoint_bytes)
    if free < wanted:
        raise InputError(
            f"free space in {output}",
            Received(f"{free / MIB:.0f} MiB"),
            f"{wanted / MIB:.0f} MiB for {keep + 1} checkpoints and the model",
        )
    return need


def describe(need: ResourceEstimate, config: TrainConfig, *, clips: int, per_step: int, processes: int) -> list[str]:
    """Lines for the user about the size of the run. per_step: items of one step, over all processes."""
    share = 100 * need.trainable / (need.trainable + need.frozen)
    if config.max_minutes:
        length = f"{config.max_minutes:g} minutes, at most {config.steps:,} steps"
    else:
        length = f"{config.steps:,} steps = {config.steps * per_step / clips:.1f} epochs"
    return [
        f"parameters: {need.trainable:,} trainable ({share:.1f} %), {need.frozen:,} frozen",
        f"memory: {need.state_bytes / MIB:,.0f} MiB for weights, gradients, moments and average, plus activations; "
        f"{need.checkpoint_bytes / MIB:,.0f} MiB per checkpoint",
        f"data: {clips:,} clips; {per_step} a step from {processes} process{'es' * (processes > 1)}; {length}",
    ]


def peak_memory_mib(device: torch.device) -> float:
    """Peak memory of this process so far: allocated on the GPU, or resident in main memory without one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return peak / (MIB if sys.platform == "darwin" else 1024)

"""Weights and latents of a training that was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from worldgen.files.storage import write_bytes


def kept_weights(file: Path | None, network: torch.nn.Module, step: int, more: dict | None = None) -> None:
    """Write the weights after ``step`` steps, whole or not at all. more: other tensors to keep by name."""
    if file is None:
        return
    from safetensors.torch import save

    tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
    tensors |= {f"more.{name}": value.contiguous() for name, value in (more or {}).items()}
    write_bytes(str(file), save(tensors, metadata={"step": json.dumps(step)}))


def restored_step(file: Path | None, network: torch.nn.Module, more: dict | None = None) -> int:
    """Read what :func:`kept_weights` wrote into ``network`` and ``more``; returns the step, 0 where nothing is kept."""
    if file is None or not file.exists():
        return 0
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as opened:
        network.load_state_dict({name: opened.get_tensor(f"network.{name}") for name in network.state_dict()})
        for name in more or {}:
            more[name] = opened.get_tensor(f"more.{name}")  # type: ignore[index]
        return int(json.loads(opened.metadata()["step"]))


def kept_latents(file: Path | None, encode: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Latents from ``file``, or of ``encode``, which are then kept there."""
    from safetensors.torch import load_file, save

    if file is not None and file.exists():
        return load_file(str(file))["latents"]
    latents = encode()
    if file is not None:
        write_bytes(str(file), save({"latents": latents.contiguous()}))
    return latents

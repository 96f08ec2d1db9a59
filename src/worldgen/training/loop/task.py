"""What the trainer needs to know about the thing it trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from worldgen.training.loop.data_order import Draw


class Batch(Protocol):
    """Tensors of one micro-step."""

    keys: tuple[str, ...]
    """Names of the clips in it, for error messages."""

    def to(self, device: torch.device) -> Batch: ...


class Items(Protocol):
    """The training set. Light enough to be copied into loader processes: it holds no networks."""

    data_hash: str
    """Names the data by content: a run is not continued on other data."""

    def __len__(self) -> int: ...

    def load(self, draw: Draw) -> Any:
        """One item on the CPU: a function of ``draw`` and the data alone."""

    def collate(self, items: list[Any]) -> Batch: ...


class Task(Protocol):
    """A network with its data, its loss and the ways to look at it.

    module: holds every network that is trained, and is called as ``module(batch, generators)`` with one random generator
    per item; returns (loss (), {metric: ()}). The loss is a mean over items, so that shards of a batch average to it.
    """

    module: nn.Module
    items: Items
    product: str
    """Name of the folder that :meth:`save` fills: model or adapter."""
    partial: bool
    """Whether a step may leave some trained weights without a gradient (a condition that is absent from the batch)."""
    lr_scales: Mapping[str, float]
    """Start of a parameter's name -> factor on its learning rate; {} where all learn at one."""

    def probe(self) -> torch.Tensor:
        """The network's output for one fixed input, float32: shows whether training changed anything."""

    def adapter_probe(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The probe with adapters on and off, or None when there are none."""

    def validate(self) -> dict[str, float]:
        """Losses on held-out clips with fixed noise; {} when there are none."""

    def sheet(self) -> np.ndarray | None:
        """What the network makes now, ``(H, W, 3)`` uint8, or None when it has nothing to show."""

    def save(self, folder: Path) -> None:
        """Write the trained network into ``folder`` as users load it."""

"""What the trainer needs to know about a task: protocols of batches, training sets, tasks and their preparation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from worldgen.core.progress import LogLine
from worldgen.training.loop.data_order import Draw


class Batch(Protocol):
    """Tensors of one micro-step."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its clips, for error messages."""

    def to(self, device: torch.device) -> Batch: ...


class Items(Protocol):
    """The training set. Light enough to be copied into loader processes: it holds no networks."""

    @property
    def data_hash(self) -> str:
        """A key for the content of the data: a run is not continued on other data."""

    def __len__(self) -> int: ...

    def load(self, draw: Draw) -> Any:
        """One item on the CPU: a function of ``draw`` and the data alone."""

    def collate(self, items: list[Any]) -> Batch: ...


class Task(Protocol):
    """A network with its data, its loss and the ways to look at it.

    ``module(batch, generators)``, with one random generator per item, returns (loss ``()``, {metric: ``()``}). The loss
    is a mean over items, so that it is the average over the shards of a batch.
    """

    @property
    def module(self) -> nn.Module:
        """Every network that is trained, with frozen ones that belong to the run."""

    @property
    def items(self) -> Items:
        """The training set."""

    @property
    def product(self) -> str:
        """Name of the folder that :meth:`save` fills: model or adapter."""

    @property
    def unused_parameters(self) -> bool:
        """Whether some trained weights may have no gradient in a step (say, of a condition that the batch lacks)."""

    @property
    def lr_scales(self) -> Mapping[str, float]:
        """Start of a parameter's name -> factor on its learning rate; {} where all have the same rate."""

    def fixed_output(self) -> torch.Tensor:
        """The network's output for one fixed input, float32: shows whether training changed anything."""

    def adapter_outputs(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The fixed output with adapters on and off, or None when there are none."""

    def validate(self) -> dict[str, float]:
        """Losses on held-out clips with fixed noise; {} when there are none."""

    def sheet(self) -> np.ndarray | None:
        """A picture ``(H, W, 3)`` uint8 of what the network generates now, or None when it has nothing to show."""

    def save(self, folder: Path) -> None:
        """Write the trained network into ``folder`` as users load it."""


@runtime_checkable
class JudgingTask(Protocol):
    """A task with a rule of its own for what it saves."""

    @property
    def findings(self) -> Mapping[str, object]:
        """What :meth:`judge` measured, JSON-able, for run.json."""

    def judge(self, log: LogLine) -> str | None:
        """Why the trained network is not saved, or None. ``log`` takes lines for the user."""


class Prepared(Protocol):
    """What a task starts from, made before step 1."""

    @property
    def kept(self) -> Mapping[str, Path]:
        """Prepared data on disk: name, such as "latents", -> folder. A later run with the same config uses it."""

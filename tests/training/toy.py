"""A task that trains in milliseconds: a noisy linear map, with dropout so that the global generator matters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from worldgen.core.seeds import numpy_rng
from worldgen.training.loop.data_order import Draw
from worldgen.training.run import TaskStages
from worldgen.training.train_config import DataConfig, OptimConfig, TrainConfig


@dataclass
class ToyBatch:
    keys: tuple[str, ...]
    x: torch.Tensor
    poison: bool = False

    def to(self, device: torch.device) -> ToyBatch:
        return dataclasses.replace(self, x=self.x.to(device))


class ToyItems:
    data_hash = "toy"

    def __init__(self, count: int = 12, poison: int = -1) -> None:
        self.count, self.poison = count, poison

    def __len__(self) -> int:
        return self.count

    def load(self, draw: Draw):
        x = numpy_rng("toy", draw.index).normal(size=4) + 0.1 * draw.rng().normal(size=4)
        return f"clip{draw.index}", x.astype(np.float32), draw.index == self.poison

    def collate(self, items) -> ToyBatch:
        keys, x, poison = zip(*items, strict=True)
        return ToyBatch(keys, torch.from_numpy(np.stack(x)), any(poison))


class ToyModule(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(4, 4, generator=generator))
        self.bias = nn.Parameter(torch.zeros(4))
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("seen", torch.zeros(()))

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias * self.frozen

    def forward(self, batch: ToyBatch, generators: list[torch.Generator]):
        if self.training:
            self.seen += len(batch.x)
        noise = torch.stack([torch.randn(4, generator=g) for g in generators])
        error = self.dropout(self.predict(batch.x + 0.1 * noise)) - batch.x.flip(1)
        loss = error.square().mean()
        if batch.poison:
            loss = loss * float("nan")
        return loss, {"absolute": error.detach().abs().mean()}


class ToyTask:
    product = "model"
    unused_parameters = False
    lr_scales: Mapping[str, float] = MappingProxyType({})

    def __init__(self, items: ToyItems | None = None, *, dropout: float = 0.0, dead: bool = False) -> None:
        self.items, self.module, self.dead = items or ToyItems(), ToyModule(dropout), dead

    def fixed_output(self) -> torch.Tensor:
        x = torch.linspace(-1, 1, 8).reshape(2, 4)
        return x if self.dead else self.module.predict(x).detach()

    def adapter_outputs(self):
        return None

    def validate(self) -> dict[str, float]:
        return {"error": float((self.fixed_output() - 1).square().mean())}

    def sheet(self):
        return np.full((8, 8, 3), 127, np.uint8)

    def save(self, folder: Path) -> None:
        save_file(self.module.state_dict(), folder / "toy.safetensors")


@dataclass(frozen=True)
class PreparedToy:
    """Nothing is prepared for a toy task."""

    kept: dict[str, Path] = field(default_factory=dict)


def toy_stages(task: ToyTask | None = None) -> TaskStages[PreparedToy]:
    return TaskStages(lambda *_: PreparedToy(), lambda *_: task or ToyTask())


def toy_config(output, **changes) -> TrainConfig:
    optim = OptimConfig(lr=0.05, warmup=2, ema_decay=0.9)
    values = dict(
        output=str(output),
        steps=10,
        batch=4,
        save_every=5,
        validate_every=0,
        device="cpu",
        optim=optim,
        data=DataConfig(),
    )
    return TrainConfig(**{**values, **changes})

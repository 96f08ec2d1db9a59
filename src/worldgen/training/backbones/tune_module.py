"""The trained network of a fine-tune: a frozen transformer with adapters and, where asked, an ego injector."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from worldgen.models.backbones.tuned.ego_injector import EgoInjector
from worldgen.training.backbones.trainable import Trainable, TuneBatch

VALIDATION_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Noise levels of a validation."""


class TuneModule(nn.Module):
    """Transformer and ego injector, called with a batch for the flow-matching loss of the family."""

    def __init__(self, trainable: Trainable, injector: EgoInjector | None) -> None:
        super().__init__()
        self.network = trainable.network
        self.injector = injector
        self.trainable = trainable  # not a module

    def forward(
        self, batch: TuneBatch, generators: list[torch.Generator]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The mean squared error of the velocity, with noise and noise level of each item from its generator."""
        uniform = torch.stack([torch.rand((), generator=g, device=g.device) for g in generators])
        noise = torch.stack([torch.randn(batch.latents.shape[1:], generator=g, device=g.device) for g in generators])
        levels = self.trainable.level(uniform)
        errors = self.errors(batch, levels, noise)
        return errors.mean(), {"level": levels.mean()}

    def errors(self, batch: TuneBatch, levels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Mean squared error ``(B,)`` of the velocity over the latents that are not fixed."""
        return self.judged(batch, levels, noise)[0]

    def judged(self, batch: TuneBatch, levels: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Those errors ``(B,)``, and the velocity ``(B, C, F, h, w)`` itself, zero where latents are fixed."""
        wide = levels.view(-1, 1, 1, 1, 1)
        noisy = (1 - wide) * batch.latents + wide * noise
        fixed = self.trainable.fixed(batch)
        if fixed is not None:
            noisy = torch.where(fixed, batch.latents, noisy)
        velocity = self.predict(noisy, levels, batch)
        squared = (velocity - (noise - batch.latents)).square()
        if fixed is None:
            return squared.flatten(1).mean(1), velocity
        free = (~fixed).expand_as(squared).flatten(1)
        return (squared.flatten(1) * free).sum(1) / free.sum(1), velocity.masked_fill(fixed, 0.0)

    def predict(self, noisy: torch.Tensor, levels: torch.Tensor, batch: TuneBatch) -> torch.Tensor:
        """Velocity ``(B, C, F, h, w)`` float32, driven by the ego motion of the batch."""
        if self.injector is None or batch.ego is None:
            return self.trainable.velocity(noisy, levels, batch)
        with self.injector.driving(batch.ego):
            return self.trainable.velocity(noisy, levels, batch)

    @contextlib.contextmanager
    def as_base(self) -> Iterator[None]:
        """Inside the block the network is the pretrained one: adapters and injector are off."""
        self.network.disable_adapters()
        injector, self.injector = self.injector, None
        try:
            if injector is not None:
                injector.release()
            yield
        finally:
            self.injector = injector
            self.network.enable_adapters()

"""The schedule of the learning rate, and the averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


def progress_of(step: int, elapsed_s: float, *, steps: int, max_minutes: float) -> float:
    """Share of the run that is done, 0 to 1: by steps or by wall clock, whichever is larger."""
    by_time = elapsed_s / (60.0 * max_minutes) if max_minutes > 0 else 0.0
    return min(1.0, max(step / steps, by_time))


def lr_factor(step: int, progress: float, *, warmup: int, final: float) -> float:
    """Factor on the peak learning rate: linear rise over ``warmup`` steps, half a cosine down to ``final``.

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5 without restarts.
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    return rise * (final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def parameter_groups(
    parameters: dict[str, nn.Parameter], weight_decay: float, *, lr_scales: Mapping[str, float]
) -> list[dict]:
    """AdamW groups: matrices and kernels decay, vectors and scalars do not.

    lr_scales: start of a name -> factor on the learning rate of the parameters whose names start so. The factor of a
    group, 1 for all others, stands under ``lr_scale``.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        lr_scale = next((factor for start, factor in lr_scales.items() if name.startswith(start)), 1.0)
        groups.setdefault((lr_scale, parameter.ndim >= 2), []).append(parameter)
    return [
        {"params": members, "weight_decay": weight_decay if decayed else 0.0, "lr_scale": lr_scale}
        for (lr_scale, decayed), members in groups.items()
    ]


class Ema:
    """A running average of trainable weights, in float32 on the device of the weights.

    The decay grows from 0.1 towards ``decay`` as (1 + step) / (10 + step), so that in a short run the first weights do
    not dominate.
    """

    def __init__(self, parameters: dict[str, nn.Parameter], decay: float) -> None:
        self.parameters, self.decay = parameters, decay
        self.shadow = {name: p.detach().float().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the weights after step ``step`` (counted from 0)."""
        weight = 1.0 - min(self.decay, (1.0 + step) / (10.0 + step))
        live = [p.detach().float() for p in self.parameters.values()]
        torch._foreach_lerp_(list(self.shadow.values()), live, weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the model carries the averaged weights; afterwards it has exactly its own again."""
        own = {name: p.data for name, p in self.parameters.items()}
        try:
            for name, p in self.parameters.items():
                p.data = self.shadow[name].to(p.dtype)
            yield
        finally:
            for name, p in self.parameters.items():
                p.data = own[name]

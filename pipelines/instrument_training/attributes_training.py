"""Training of the attribute reader on rendered ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.instruments.attributes.attribute_reader import (
    HEIGHT_PX,
    PRESENT,
    UNJUDGED,
    WIDTH_PX,
    WINDOW,
    AttributeConfig,
    AttributeNetwork,
    AttributeTruth,
    window_input,
)
from worldgen.instruments.feature_pyramid import channels_last

from .degrade import degraded
from .rendered_samples import at_size, in_windows, window_middles

PRESENCE_WEIGHT = 0.5
"""Weight of the presence loss: weather is harder, and a detector can read presence instead."""


@dataclass(frozen=True)
class AttributeTraining:
    """Settings of the training. windows: number kept of each clip. degrade: share of windows that are degraded."""

    steps: int = 1000
    batch: int = 32
    learning_rate: float = 3e-3
    windows: int = 4
    degrade: float = 0.6
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows ``(N, WINDOW, H, W, 3)`` uint8 with weather and light ``(N,)`` int64 and presence ``(N, groups)``
    int8."""

    frames: np.ndarray
    weather: np.ndarray
    light: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, samples: Iterable[Sample], per_clip: int) -> Windows:
        """``per_clip`` windows spread evenly over each clip, or those of which a sample consists; samples need scenario
        and labels."""
        frames, weather, light, present = [], [], [], []
        for original in samples:
            sample = at_size(original, WIDTH_PX, HEIGHT_PX)
            assert sample.scenario is not None and sample.labels is not None, sample.key
            truth = AttributeTruth.of(sample.scenario, sample.labels)
            spaced = np.linspace(1, len(sample.clip) - WINDOW + 1, per_clip).round().astype(int).tolist()
            for middle in window_middles(sample) if in_windows(sample) else spaced:
                frames.append(sample.clip.frames[middle - 1 : middle + 2])
                weather.append(truth.weather)
                light.append(truth.light)
                present.append(truth.present[middle])
        return cls(np.stack(frames), np.array(weather), np.array(light), np.stack(present))


def train_attributes(
    data: Windows, training: AttributeTraining, *, config: AttributeConfig | None = None, weights: dict | None = None,
    after_step: Callable[[int, float, dict], None] = lambda step, loss, weights: None,
) -> AttributeNetwork:  # fmt: skip
    """A reader trained on the windows, with the moving average of its weights.

    weights: to start from. after_step: called every 50 steps with the step, the loss and the averaged weights.
    """
    torch.manual_seed(training.seed)
    network = channels_last(AttributeNetwork(config or AttributeConfig()))  # a third faster
    if weights is not None:
        network.load_state_dict(weights)
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=1e-3)
    rng = numpy_rng("attribute training", training.seed)
    order = np.zeros(0, np.int64)
    shown = 0.0
    for step in range(training.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(training.learning_rate, step, training.steps)
        if len(order) < training.batch:
            order = rng.permutation(len(data.frames))
        index, order = order[: training.batch], order[training.batch :]
        inputs = torch.from_numpy(np.stack([augmented(data.frames[i], rng, training.degrade) for i in index]))
        loss = attribute_loss(network(inputs), data, index)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        keep = min(0.99, (step + 1) / (step + 11))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - keep)
            else:
                average[name].copy_(value)
        shown = 0.98 * shown + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if step % 50 == 49:
            after_step(step + 1, shown, average)
    network.load_state_dict(average)
    return network.eval().requires_grad_(False)


def learning_rate(peak: float, step: int, steps: int) -> float:
    """Linear warm-up over 50 steps, then half a cosine to zero."""
    return peak * min(1.0, (step + 1) / 50) * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def attribute_loss(out: tuple[torch.Tensor, ...], data: Windows, index: np.ndarray) -> torch.Tensor:
    """Cross entropies of weather and light, and of presence where it is judged, a scalar."""
    weather, light, present = out
    loss = F.cross_entropy(weather, torch.from_numpy(data.weather[index]), label_smoothing=0.02)
    loss = loss + F.cross_entropy(light, torch.from_numpy(data.light[index]), label_smoothing=0.02)
    truth = torch.from_numpy(data.present[index])
    each = F.binary_cross_entropy_with_logits(present, (truth == PRESENT).float(), reduction="none")
    judged = (truth != UNJUDGED).float()
    return loss + PRESENCE_WEIGHT * (each * judged).sum() / judged.sum().clamp_min(1)


def augmented(frames: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """A window as network input, mirrored, shifted and degraded at random."""
    if rng.random() < 0.5:
        frames = frames[:, :, ::-1]
    if rng.random() < 0.5:
        dx, dy = int(rng.integers(-8, 9)), int(rng.integers(-5, 6))
        pad = ((0, 0), (abs(dy), abs(dy)), (abs(dx), abs(dx)), (0, 0))
        height, width = frames.shape[1:3]
        top, left = abs(dy) + dy, abs(dx) + dx
        frames = np.pad(frames, pad, mode="edge")[:, top : top + height, left : left + width]
    if rng.random() < share:
        frames = degraded(np.ascontiguousarray(frames), rng)
    return window_input(np.ascontiguousarray(frames))

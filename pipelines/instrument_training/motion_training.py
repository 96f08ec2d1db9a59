"""Training of the motion reader on rendered ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.instruments.motion.motion_features import CHANNELS, mirrored, pair_features
from worldgen.instruments.motion.motion_reader import SPEED_SCALE_MPS, YAW_SCALE_RADPS, MotionConfig, MotionNetwork

from .attributes_training import learning_rate
from .degrade import degraded
from .rendered_samples import in_windows


@dataclass(frozen=True)
class MotionTraining:
    """Settings of the training. frames: number used of each clip, from a random start. degrade: share of clips that are
    degraded first."""

    steps: int = 1500
    frames: int = 7
    batch: int = 64
    learning_rate: float = 2e-3
    degrade: float = 0.6
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of frames as features ``(N, C, h, w)`` float16, with speed and yaw rate ``(N, 2)`` float32 in the
    network's units. clip: ``(N,)`` number of each pair's clip."""

    features: np.ndarray
    motion: np.ndarray
    clip: np.ndarray

    @classmethod
    def of(cls, samples: Iterable[Sample], training: MotionTraining) -> Pairs:
        """Pairs of neighbouring frames of all samples, which need ego motion and camera."""
        features, motion, clip = [], [], []
        for number, sample in enumerate(samples):
            assert sample.ego is not None and sample.camera is not None, sample.key
            rng = numpy_rng("degrade for motion", training.seed, sample.key)
            start = int(rng.integers(max(1, len(sample.clip) - training.frames + 1)))
            spans = [(start, min(start + training.frames, len(sample.clip)))]
            if in_windows(sample):
                spans = [(first, first + 3) for first in range(0, len(sample.clip), 3)]
            for start, stop in spans:
                frames = sample.clip.frames[start:stop]
                if rng.random() < training.degrade:
                    frames = degraded(frames, rng)
                features.append(pair_features(Clip(frames, sample.clip.fps), sample.camera).astype(np.float16))
                rows = np.stack([
                    sample.ego.speed_mps[start + 1 : stop] / SPEED_SCALE_MPS,
                    sample.ego.yaw_rate_radps[start + 1 : stop] / YAW_SCALE_RADPS,
                ], 1)  # fmt: skip
                motion.append(rows.astype(np.float32))
                clip.append(np.full(len(rows), number))
        return cls(np.concatenate(features), np.concatenate(motion), np.concatenate(clip))


def train_motion(
    pairs: Pairs, training: MotionTraining, *, config: MotionConfig | None = None, weights: dict | None = None,
    after_step: Callable[[int, float, dict], None] = lambda step, loss, weights: None,
) -> MotionNetwork:  # fmt: skip
    """A reader trained on the pairs, half of them mirrored, with the moving average of its weights.

    weights: to start from. after_step: called every 100 steps with the step, the loss and the averaged weights.
    """
    torch.manual_seed(training.seed)
    network = MotionNetwork(config or MotionConfig())
    if weights is not None:
        network.load_state_dict(weights)
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=1e-3)
    rng = numpy_rng("motion training", training.seed)
    shown = 0.0
    for step in range(training.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(training.learning_rate, step, training.steps)
        features, motion = _batch(pairs, rng, training.batch)
        loss = motion_loss(network(features), motion)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        keep = min(0.995, (step + 1) / (step + 11))
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1 - keep)
        shown = 0.98 * shown + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if step % 100 == 99:
            after_step(step + 1, shown, average)
    network.load_state_dict(average)
    network.eval().requires_grad_(False)
    balance(network, pairs)
    return network


def balance(network: MotionNetwork, pairs: Pairs, *, batch: int = 256) -> None:
    """Scale the last layer so that the sums of speed and of turning over the training pairs are right.

    A loss on relative errors favours low estimates where the pixels say little; that would look like a model that
    drives too slowly.
    """
    parts = []
    for start in range(0, len(pairs.motion), batch):
        parts.append(network(torch.from_numpy(pairs.features[start : start + batch].astype(np.float32))))
    out, wanted = torch.cat(parts), torch.from_numpy(pairs.motion)
    sign = torch.stack([torch.ones(len(wanted)), wanted[:, 1].sign()], 1)
    scale = (wanted * sign).sum(0) / (out * sign).sum(0).clamp_min(1e-3)
    last = network.last[-1]
    last.weight.mul_(scale[:, None])
    last.bias.mul_(scale)


def motion_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Smooth L1 of speed and yaw rate, in which an error weighs more where the true value is small, a scalar."""
    scale = torch.stack([0.5 + 0.5 * wanted[:, 0].abs(), 0.5 + 0.5 * wanted[:, 1].abs()], 1)
    return torch.nn.functional.smooth_l1_loss(found / scale, wanted / scale, beta=0.1)


def _batch(pairs: Pairs, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    index = rng.integers(len(pairs.motion), size=size)
    features, motion = pairs.features[index].astype(np.float32), pairs.motion[index].copy()
    flip = rng.random(size) < 0.5
    features[flip] = mirrored(features[flip])
    motion[flip, 1] *= -1
    # Some cells are erased: in other clips lamps, cars and rain are missing or hide the road.
    erased = rng.random((size, 1, features.shape[2] // 4, features.shape[3] // 4)) < 0.05
    erased = erased.repeat(4, 2).repeat(4, 3)
    for name in ("flow_right", "flow_down", "speed_if_ground", "yaw_rate_if_far"):
        channel = CHANNELS.index(name)
        features[:, channel : channel + 1][erased] = 0
    return torch.from_numpy(features), torch.from_numpy(motion)

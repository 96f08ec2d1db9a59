"""Ego motion recovered from pixels by a small network trained on rendered clips only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.instruments.instrument_files import Instrument, build_network, load_instrument
from worldgen.instruments.motion.motion_features import CHANNELS, pair_features

KIND = {"kind": "motion"}
BARS = {"speed_spearman": 0.95, "yaw_rate_spearman_turning": 0.95}
"""Accuracy on rendered test clips that the reader must reach before it judges. The rank correlation of the yaw rate
over all rows has no bar: half of the rows are commanded to go straight, so it cannot be high even for a perfect
clip."""
SPEED_SCALE_MPS, YAW_SCALE_RADPS = 10.0, 0.1


@dataclass(frozen=True)
class MotionConfig:
    """Sizes of the reader. width: channels of its convolutions. heads: weighted means. hidden: channels of its last
    layer."""

    width: int = 16
    heads: int = 8
    hidden: int = 64

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4 or min(self.heads, self.hidden) < 1:
            received = (self.width, self.heads, self.hidden)
            raise InputError("sizes of the motion reader", received, "a width in fours, and positive numbers")


class MotionNetwork(nn.Module):
    """Flow features of a pair of frames to speed and yaw rate.

    Convolutions estimate how reliable each cell is. Means of the geometric estimates under learned weights, and means
    of the convolutions' features, go to a small last layer. For flat ground a plain mean of the estimates is already
    right.
    """

    def __init__(self, config: MotionConfig):
        super().__init__()
        width, self.heads = config.width, config.heads
        self.config = config
        self.body = nn.Sequential(
            nn.Conv2d(len(CHANNELS), width, 3, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.GroupNorm(8, 2 * width), nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.GroupNorm(8, 2 * width), nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=2, dilation=2), nn.GroupNorm(8, 2 * width), nn.SiLU(),
        )  # fmt: skip
        self.weigh = nn.Conv2d(2 * width, 2 * config.heads, 1)
        self.values = nn.Conv2d(2 * width, 2 * config.heads, 1)
        pooled = 6 * config.heads + 4 * width
        self.last = nn.Sequential(nn.Linear(pooled, config.hidden), nn.SiLU(), nn.Linear(config.hidden, 2))

    def forward(self, features: Tensor) -> Tensor:
        """``(N, C, h, w)`` to ``(N, 2)``: speed in tens of m/s, yaw rate in tenths of rad/s."""
        maps = self.body(features)
        coarse = nn.functional.avg_pool2d(features, 2)
        weights = self.weigh(maps).flatten(2).softmax(-1)  # (N, 2 heads, cells)
        speed = torch.sinh(coarse[:, CHANNELS.index("speed_if_ground")]).flatten(1)
        turn = coarse[:, CHANNELS.index("yaw_rate_if_far")].flatten(1) / YAW_SCALE_RADPS
        pooled = [
            (weights[:, : self.heads] * speed[:, None]).sum(-1),
            (weights[:, self.heads :] * turn[:, None].clamp(-15, 15)).sum(-1),
            (weights * self.values(maps).flatten(2)).sum(-1),
            torch.asinh((weights[:, : self.heads] * turn[:, None]).sum(-1)),
            torch.asinh((weights[:, self.heads :] * speed[:, None]).sum(-1)),
            maps.mean((2, 3)), maps.amax((2, 3)),
        ]  # fmt: skip
        return self.last(torch.cat(pooled, 1))


@dataclass(frozen=True, eq=False)
class MotionReader:
    """The network with its weights, ready to read clips."""

    network: MotionNetwork
    instrument: Instrument

    @classmethod
    def load(cls, folder: str | Path = "motion", *, check: bool = True) -> MotionReader:
        """The shipped reader, or one from a folder.

        Raises: InputError when it is damaged and, with ``check``, when its accuracy is below the bars.
        """
        instrument = load_instrument(folder)
        if check:
            instrument.require(BARS)
        return cls(network_of(instrument), instrument)

    def read(self, clip: Clip, camera: Camera) -> EgoMotion:
        """Ego motion of every frame. Row 0, which no pair of frames shows, repeats row 1. Speeds are at least 0.

        Raises: InputError for fewer than 2 frames.
        """
        if len(clip) < 2:
            raise InputError("frames to read motion from", len(clip), "at least 2")
        return self.read_features(pair_features(clip, camera), clip.fps)

    def read_features(self, features: np.ndarray, fps: float) -> EgoMotion:
        """Ego motion from :func:`~worldgen.instruments.motion.motion_features.pair_features`."""
        with torch.no_grad():
            rows = self.network(torch.from_numpy(features)).numpy().astype(np.float64)
        speed = np.clip(rows[:, 0] * SPEED_SCALE_MPS, 0, 60)
        turn = np.clip(rows[:, 1] * YAW_SCALE_RADPS, -2, 2)
        return EgoMotion(np.concatenate([speed[:1], speed]), np.concatenate([turn[:1], turn]), fps)


def network_of(instrument: Instrument) -> MotionNetwork:
    """The network that an instrument describes, with its weights, in evaluation mode."""
    return build_network(instrument, MotionNetwork, MotionConfig, required=KIND).requires_grad_(False)


def config_record(config: MotionConfig) -> dict:
    """The content of ``config.json``."""
    return {**KIND, **asdict(config)}

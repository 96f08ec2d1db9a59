"""fd-worldgen: a small video network that learns without labels what distinguishes clips and how damage changes them.

Its features give a Fréchet distance that runs anywhere. The distance is not the Fréchet video distance (FVD) of the
literature and is never called so: its values compare only with values of the same weights.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import linalg
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object
from worldgen.files.shipped import assets_dir
from worldgen.instruments.feature_pyramid import channels_last

FOLDER = "instruments/fd"
WEIGHTS_NAME = "model.safetensors"


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the network. frames, height_px, width_px: of its input. widths: channels per stage. features: D.

    A longer clip is read as windows of ``frames`` frames, whose features are averaged.

    taught: names of the corruptions that it was trained to show.
    """

    frames: int = 8
    height_px: int = 56
    width_px: int = 96
    widths: tuple[int, ...] = (16, 32, 64, 128)
    features: int = 128
    taught: tuple[str, ...] = ()


class ClipEncoder(nn.Module):
    """Video to a feature vector: four stages of fixed random convolutions, over the picture and over time, and a linear
    map that :func:`solve_views` learns.

    All convolutions are two-dimensional with channels last in memory: over height and width with time in the batch,
    then over time with all positions in a row. Both use the same memory layout; CPUs are several times faster this way
    than with 3-D convolutions.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = _conv(3, widths[0], (5, 5), (2, 2))
        self.over_picture = nn.ModuleList(_conv(a, b, (3, 3), (2, 2)) for a, b in itertools.pairwise(widths))
        self.over_time = nn.ModuleList(_conv(b, b, (3, 1), (2 if i < 2 else 1, 1)) for i, b in enumerate(widths[1:]))
        self.out = nn.Linear(2 * sum(widths), config.features)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """Features ``(B, D)`` of video ``(B, 3, T, H, W)`` in [-1, 1]."""
        return self.out(self.describe(video))

    def describe(self, video: torch.Tensor) -> torch.Tensor:
        """Mean and standard deviation of every channel of every stage, ``(B, 2 sum(widths))``.

        Means say what is there; standard deviations say how unevenly it is spread over place and time. Early stages
        respond to grain and edges, late ones to large objects and their motion.
        """
        batch = len(video)
        x = video.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)  # (B T, 3, H, W)
        x = self.stem(x)
        parts = [_pool(x, batch)]
        for over_picture, over_time in zip(self.over_picture, self.over_time, strict=True):
            x = over_picture(x)  # (B T, C, h, w)
            (_, channels, rows, columns), memory = x.shape, x.permute(0, 2, 3, 1)
            x = memory.reshape(batch, -1, rows * columns, channels).permute(0, 3, 1, 2)  # (B, C, T, h w)
            x = over_time(x)
            x = x.permute(0, 2, 3, 1).reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)  # (B T', C, h, w)
            parts.append(_pool(x, batch))
        return torch.cat(parts, 1)


def _pool(x: torch.Tensor, batch: int) -> torch.Tensor:
    """Mean and standard deviation of each channel ``(B, 2 C)`` of maps ``(B T, C, h, w)``."""
    x = x.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2).float()  # (B, C, T h w)
    return torch.cat([x.mean(2), x.std(2)], 1)


def _conv(inputs: int, outputs: int, size: tuple[int, int], stride: tuple[int, int]) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, (size[0] // 2, size[1] // 2), bias=False)
    return channels_last(nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)))


@torch.no_grad()
def settle(encoder: ClipEncoder, video: torch.Tensor) -> None:
    """Set the statistics of the normalisation layers to those of some clips, so that every channel is used."""
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average instead of a moving one
    encoder.train()
    encoder.describe(video)
    encoder.eval()


def solve_views(
    views: np.ndarray, changes: np.ndarray, size: int, *, shrinkage: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """The linear map under which views of one clip agree, clips differ, and damage is visible: matrix and bias.

    views: ``(N, V, K)`` descriptions of V views of each of N clips. changes: ``(M, K)`` differences that known damage
    makes to a view. size: D. Returns ``(D, K)`` and ``(D,)`` float64: the D directions with the most variance between
    clips and damage per variance between views of a clip, scaled so that the latter is 1. For a linear map this is the
    optimum of the loss of VICReg, found without steps or learning rates.

    Source: Balestriero and LeCun, "Contrastive and Non-Contrastive Self-Supervised Learning Recover Global and Local
    Spectral Embedding Methods" (2022), section 4; Fisher's discriminant with clips as classes.

    Raises: InputError for fewer
    than two clips or views, or more outputs than inputs.
    """
    clips, count, inputs = views.shape
    if clips < 2 or count < 2 or size > inputs:
        raise InputError("views to learn from", (clips, count, inputs), f"two clips, two views, {size} inputs at least")
    spread = views.reshape(-1, inputs).std(0)
    spread = np.where(spread > 1e-4, spread, np.inf)  # a channel that never changes carries no information
    middle = views.mean((0, 1))
    standard = (views - middle) / spread
    mean = standard.mean(1)
    within = (standard - mean[:, None]).reshape(-1, inputs)
    within = within.T @ within / (clips * (count - 1))
    between = mean.T @ mean / clips
    damage = changes / spread
    damage = damage.T @ damage / max(1, len(changes))
    floor = shrinkage * np.trace(within) / inputs
    _, directions = linalg.eigh(between + damage, within + floor * np.eye(inputs))
    chosen = directions[:, ::-1][:, :size].T  # (D, K), most first
    matrix = chosen / spread
    return matrix, -matrix @ middle


def save_encoder(encoder: ClipEncoder, folder: str | Path) -> None:
    """Write ``model.safetensors`` (convolutions in half precision) and ``config.json``."""
    from safetensors.torch import save

    from worldgen.files.storage import join, write_bytes

    tensors = {k: (v.half() if _coarse(k, v) else v).contiguous() for k, v in encoder.state_dict().items()}
    write_bytes(join(str(folder), WEIGHTS_NAME), save(tensors))
    write_bytes(join(str(folder), "config.json"), (json.dumps(asdict(encoder.config), indent=2) + "\n").encode())


def _coarse(name: str, tensor: torch.Tensor) -> bool:
    """Whether half precision is enough. It is not for the solved map, whose rows weigh small differences."""
    return tensor.is_floating_point() and not name.startswith("out.")


def load_encoder(folder: str | Path | None = None) -> ClipEncoder:
    """The encoder of a folder, by default the shipped one, in float32 and evaluation mode.

    Raises: InputError when files are missing or tensors do not fit.
    """
    from worldgen.models.weights import load_exactly

    folder = assets_dir() / FOLDER if folder is None else Path(folder)
    try:
        record = read_object(folder / "config.json", f"extractor {folder}", "a folder with config.json and weights")
        sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        config = EncoderConfig(**sizes)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"extractor {folder}", Received(str(error)), "a folder with config.json and weights"
        ) from error
    encoder = ClipEncoder(config)
    load_exactly(encoder, folder, "fd-worldgen")
    return encoder.float().eval()

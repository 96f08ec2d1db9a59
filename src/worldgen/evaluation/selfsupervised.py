"""fd-worldgen: a small video network that learns without labels what clips look like and how they move.

Its features make a Fréchet distance that runs anywhere. It is not the Fréchet video distance (FVD) of the literature and
is never called so: numbers compare only with numbers of the same weights.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from worldgen.core.assets import assets_dir
from worldgen.core.errors import InputError, Received

FOLDER = "instruments/fd"
WEIGHTS_NAME = "model.safetensors"


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of the network. frames, height_px, width_px: of its input. widths: channels per stage. features: D.

    A longer clip is seen as windows of ``frames`` frames, whose features are averaged.

    taught: names of the corruptions whose strength it was trained to tell.
    """

    frames: int = 8
    height_px: int = 56
    width_px: int = 96
    widths: tuple[int, ...] = (16, 32, 64, 128)
    features: int = 128
    taught: tuple[str, ...] = ()


class ClipEncoder(nn.Module):
    """Video to a feature vector: four stages of convolutions over the picture, then over time; mean over all places.

    All convolutions are two-dimensional with channels last in memory: over height and width with time in the batch, then
    over time with all places in a row. The same memory serves both, and CPUs do it four times as fast as in 3-D.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = _conv(3, widths[0], (5, 5), (2, 2))
        self.over_picture = nn.ModuleList(_conv(a, b, (3, 3), (2, 2)) for a, b in itertools.pairwise(widths))
        self.over_time = nn.ModuleList(_conv(b, b, (3, 1), (2 if i < 2 else 1, 1)) for i, b in enumerate(widths[1:]))
        self.out = nn.Linear(2 * widths[-1], config.features)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """``(B, 3, T, H, W)`` in [-1, 1] to ``(B, D)`` features."""
        batch = len(video)
        x = video.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)  # (B T, 3, H, W)
        x = self.stem(x)
        for over_picture, over_time in zip(self.over_picture, self.over_time, strict=True):
            x = over_picture(x)  # (B T, C, h, w)
            (_, channels, rows, columns), memory = x.shape, x.permute(0, 2, 3, 1)
            x = memory.reshape(batch, -1, rows * columns, channels).permute(0, 3, 1, 2)  # (B, C, T, h w)
            x = over_time(x)
            x = x.permute(0, 2, 3, 1).reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)  # (B T', C, h, w)
        x = x.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2).float()  # (B, C, T' h w)
        # Means say what is there; spreads say how unevenly, in place and time, which a mean hides.
        return self.out(torch.cat([x.mean(2), x.std(2)], 1))


def _conv(inputs: int, outputs: int, size: tuple[int, int], stride: tuple[int, int]) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, (size[0] // 2, size[1] // 2), bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)).to(memory_format=torch.channels_last)


class Pretext(nn.Module):
    """The heads that exist only in training: a projector for VICReg and one output per taught corruption."""

    def __init__(self, config: EncoderConfig, projected: int = 256):
        super().__init__()
        self.projector = nn.Sequential(
            nn.Linear(config.features, projected), nn.BatchNorm1d(projected), nn.ReLU(), nn.Linear(projected, projected)
        )
        self.strengths = nn.Sequential(nn.Linear(config.features, 64), nn.ReLU(), nn.Linear(64, len(config.taught)))


def vicreg_loss(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Two views of a clip agree, every output varies over clips, and no two outputs say the same.

    one, two: ``(B, P)`` projections of the same clips. Source: Bardes, Ponce and LeCun, "VICReg" (2022), eq. 6, weights
    25, 25, 1.
    """
    assert one.shape == two.shape and len(one) > 1, (one.shape, two.shape)
    loss = 25 * F.mse_loss(one, two)
    for z in (one, two):
        centred = z - z.mean(0)
        spread = torch.sqrt(centred.var(0) + 1e-4)
        covariance = centred.T @ centred / (len(z) - 1)
        off_diagonal = covariance - torch.diag(torch.diagonal(covariance))
        loss = loss + 25 * F.relu(1 - spread).mean() / 2 + off_diagonal.pow(2).sum() / z.shape[1]
    return loss


def strengths_loss(guessed: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Squared error of corruption strengths; guessed are logits, true in [0, 1], both ``(B, kinds)``."""
    return F.mse_loss(torch.sigmoid(guessed), true) * guessed.shape[1]


def save_encoder(encoder: ClipEncoder, folder: str | Path) -> None:
    """Write ``model.safetensors`` (half precision) and ``config.json``."""
    from safetensors.torch import save

    from worldgen.data.storage import join, write_bytes

    tensors = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in encoder.state_dict().items()}
    write_bytes(join(str(folder), WEIGHTS_NAME), save(tensors))
    write_bytes(join(str(folder), "config.json"), (json.dumps(asdict(encoder.config), indent=2) + "\n").encode())


def load_encoder(folder: str | Path | None = None) -> ClipEncoder:
    """The encoder of a folder, by default the shipped one, in float32 and ready to measure.

    Raises InputError when files are missing or tensors do not fit.
    """
    from worldgen.models.weights import load_exactly

    folder = assets_dir() / FOLDER if folder is None else Path(folder)
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = EncoderConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in record.items()})
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"extractor {folder}", Received(str(error)), "a folder with config.json and weights"
        ) from error
    encoder = ClipEncoder(config)
    load_exactly(encoder, folder, "fd-worldgen")
    return encoder.float().eval()

"""The feature pyramid that the detector and the verifier share: features of a picture at a quarter of its size.

Source: Lin et al., "Feature Pyramid Networks for Object Detection" (CVPR 2017) for the coarse-to-fine sum of levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgen.core.errors import InputError

STRIDE_PX = 4
"""Pixels between two neighbouring cells of the finest level."""
ALIGN_PX = 16
"""Pictures are padded to a multiple of the coarsest stride."""

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class PyramidConfig:
    """Sizes of the pyramid.

    widths: channels at strides 2, 4, 8 and 16. depths: residual blocks at strides 4, 8 and 16. neck: channels of the
    fused levels and of the head.

    Raises: InputError unless there are four widths and a neck of at least 4, and three depths of at least 1.
    """

    widths: tuple[int, ...] = (16, 32, 64, 96)
    depths: tuple[int, ...] = (1, 1, 1)
    neck: int = 48

    def __post_init__(self) -> None:
        if len(self.widths) != 4 or len(self.depths) != 3 or min(*self.widths, self.neck) < 4 or min(self.depths) < 1:
            raise InputError(
                "widths, depths, neck of the feature pyramid",
                (self.widths, self.depths, self.neck),
                "four widths and a neck of 4 or more, three depths of 1 or more",
            )


class FeatureMaps(NamedTuple):
    """Features of pictures. half: ``(B, w2, H/2, W/2)``, of the stem. quarter: ``(B, neck, H/4, W/4)``, of the head."""

    half: Tensor
    quarter: Tensor


class BoxMaps(NamedTuple):
    """What a network predicts at each cell, with h = H / 4 and w = W / 4.

    heat: logits ``(B, K, h, w)`` float32 that an object of each of K kinds is centred there. sides_px: distances from
    the centre of the cell to the left, top, right and bottom side of its box, ``(B, 4, h, w)`` float32, in pixels.
    """

    heat: Tensor
    sides_px: Tensor


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and, unless the layer ends a residual branch, ReLU."""

    conv: nn.Conv2d
    norm: nn.BatchNorm2d | nn.Identity

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, active: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return F.relu(x) if self.active else x


class ResidualConv(nn.Module):
    """A residual block of two 3 x 3 convolutions."""

    def __init__(self, width: int):
        super().__init__()
        self.first = ConvNorm(width, width)
        self.second = ConvNorm(width, width, active=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class FeaturePyramid(nn.Module):
    """Convolutions down to stride 16, fused back up to stride 4, with a heat map and box sides at each cell.

    Networks inherit from it, so that their tensors keep the same names and weights can be taken over by name.
    """

    def __init__(self, config: PyramidConfig, *, inputs: int, kinds: int):
        """inputs: channels of the pictures. kinds: kinds of object that the heat map tells apart."""
        super().__init__()
        w2, w4, w8, w16 = config.widths
        self.stem = ConvNorm(inputs, w2, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(before, width, stride=2), *(ResidualConv(width) for _ in range(depth)))
            for before, width, depth in zip((w2, w4, w8), (w4, w8, w16), config.depths, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, config.neck, 1) for width in (w4, w8, w16))
        self.fuse = nn.ModuleList(ConvNorm(config.neck, config.neck) for _ in range(2))  # at strides 4, 8
        self.head = ConvNorm(config.neck, config.neck)
        self.heat = nn.Conv2d(config.neck, kinds, 1)
        self.sides = nn.Conv2d(config.neck, 4, 1)

    def features(self, pictures: Tensor) -> FeatureMaps:
        """Features of pictures ``(B, inputs, H, W)``; H and W are multiples of 16."""
        half = self.stem(pictures)  # (B, w2, H/2, W/2)
        x, levels = half, []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            levels.append(lateral(x))  # (B, neck, H/4, W/4), then /8, /16
        fine, middle, coarse = levels
        middle = self.fuse[1](middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.fuse[0](fine + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        return FeatureMaps(half, self.head(fine))

    def box_maps(self, features: FeatureMaps) -> BoxMaps:
        """Heat logits and box sides at each cell."""
        sides_px = STRIDE_PX * torch.exp(self.sides(features.quarter).float().clamp(-4.0, 4.5))
        return BoxMaps(self.heat(features.quarter).float(), sides_px)


def cell_centres(height: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Pixel positions x, y of the centres of ``height`` x ``width`` cells, ``(2, height, width)`` float32."""
    ys = (torch.arange(height, device=device) + 0.5) * STRIDE_PX
    xs = (torch.arange(width, device=device) + 0.5) * STRIDE_PX
    return torch.stack(torch.meshgrid(xs, ys, indexing="xy"))


def to_pictures(frames: np.ndarray) -> Tensor:
    """uint8 frames ``(B, H, W, 3)`` to network input ``(B, 3, H', W')`` float32 in [-1, 1].

    Right and bottom are padded with grey to a multiple of 16 pixels.
    """
    x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return F.pad(x, (0, -x.shape[3] % ALIGN_PX, 0, -x.shape[2] % ALIGN_PX))


def channels_last(network: Module) -> Module:
    """The network with its weights in channels-last memory order, which convolutions on a CPU read faster."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub

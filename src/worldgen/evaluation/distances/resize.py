"""Resize modes by name. Each reproduces one public implementation; the distance of the same clips differs between
them."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from worldgen.core.errors import InputError

SIDE_PX = 224
"""Width and height of the input of I3D, VideoMAE and DINOv2."""


def to_network(frames: np.ndarray, mode: str, size: tuple[int, int] = (SIDE_PX, SIDE_PX)) -> torch.Tensor:
    """Frames ``(T, H, W, 3)`` uint8 to ``(3, T, h, w)`` float32 in [-1, 1]. mode: one of ``MODES``; size: width,
    height.

    Raises: InputError for another mode.
    """
    if mode not in MODES:
        raise InputError("resize mode", mode, "one of " + ", ".join(MODES))
    pictures = MODES[mode](frames, size)  # (T, 3, h, w), 0..255
    return (pictures / 127.5 - 1).permute(1, 0, 2, 3).contiguous()


def _tensor(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.require(frames, requirements=("C", "W"))).permute(0, 3, 1, 2).float()


def squash(frames: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear to the size whatever the shape, pixel centres at +0.5, no smoothing first: cd-fvd, TATS, and TensorFlow
    2 without antialias."""
    return F.interpolate(_tensor(frames), size[::-1], mode="bilinear", align_corners=False)


def squash_tf1(frames: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """``resize_bilinear`` of TensorFlow 1, as in the first FVD script: output pixel i reads input pixel i * scale.

    Without the half-pixel shift the picture moves by up to half an input pixel to the lower right.
    """
    x = _tensor(frames)
    for axis, length in ((2, size[1]), (3, size[0])):
        extent = x.shape[axis]
        place = torch.arange(length, dtype=torch.float32) * (extent / length)
        low = place.floor().long().clamp(max=extent - 1)
        high = (low + 1).clamp(max=extent - 1)
        share = (place - low).view([-1 if i == axis else 1 for i in range(4)])
        x = x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share
    return x


def short_side(frames: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """The shorter side to the size, bilinear without smoothing, then the centre: the ports of VideoGPT and
    StyleGAN-V."""
    return _short_side(_tensor(frames), size)


def _short_side(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    width, height = size
    rows, columns = x.shape[2:]
    scale = max(height / rows, width / columns)
    # The longer side is rounded up, as in these ports; the shorter one is exact.
    target = [
        height if rows * scale <= height + 1e-6 else math.ceil(rows * scale),
        width if columns * scale <= width + 1e-6 else math.ceil(columns * scale),
    ]
    x = F.interpolate(x, target, mode="bilinear", align_corners=False)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def magicdrive(frames: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Pillow's bicubic (which smooths) to one row more than the size, the top row cut away, then the short-side mode.

    MagicDrive's evaluation does this to 1600x900 pictures: a quarter, 400x225, the lower 224 rows, their centre.
    """
    return _bicubic_then_short_side(frames, size, rows=size[1] + 1)


def magicdrive_212(frames: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Pillow's bicubic to 212 rows (a quarter of 848), then the short side enlarged by 224/212 and the centre."""
    return _bicubic_then_short_side(frames, size, rows=round(size[1] * 212 / 224))


def _bicubic_then_short_side(frames: np.ndarray, size: tuple[int, int], *, rows: int) -> torch.Tensor:
    columns = int(frames.shape[2] * rows / frames.shape[1])
    small = [np.asarray(Image.fromarray(f).resize((columns, rows), Image.Resampling.BICUBIC)) for f in frames]
    return _short_side(_tensor(np.stack(small)[:, max(0, rows - size[1]) :]), size)


def area(frames: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Means of the pixels that fall into each output pixel (OpenCV's INTER_AREA), for fd-worldgen."""
    return _tensor(np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]))


MODES: dict[str, Callable[[np.ndarray, tuple[int, int]], torch.Tensor]] = {
    "squash": squash, "squash-tf1": squash_tf1, "short-side": short_side, "magicdrive": magicdrive,
    "magicdrive-212": magicdrive_212, "area": area,
}  # fmt: skip

"""The painter: what a drawing of a scene lacks of a recorded picture, learned from recorded pictures.

A renderer knows where everything is; it does not know the light, texture, tone and grain of real cameras. The painter
reads the drawn picture and answers with one as a camera would have recorded it. Objects stay where they were drawn, so
the labels of the drawing stay true. A fresh painter changes nothing, bit for bit.

It has two parts. The lens is a blur whose width is measured on recordings
(``models.native.painter.lens_softness``): drawings are crisper than any camera. The network, which a painter may lack,
is a U-Net (Ronneberger et al. 2015, arXiv:1505.04597) that begins at half the resolution, with residual blocks and one
vector of the whole picture at its coarsest level, which scales the features there (Perez et al. 2018,
arXiv:1709.07871): the tone of a picture is a matter of the whole of it. A channel of noise lets it make grain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from worldgen.core.seeds import numpy_rng

COARSEST = 8
"""Pixels of a cell at the coarsest level: pictures are padded to multiples of it."""

UNSHUFFLE = 2
LENS_TAPS = 9
"""Length of the lens's kernel, enough for a standard deviation of 2 pixels."""


class _Block(nn.Module):
    """Two 3x3 convolutions around a residual; the second starts at zero, so a fresh block is the identity."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class ScenePainter(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers defines config_name in both
    """Drawn pictures ``(N, 3, H, W)`` in [-1, 1] to pictures as a camera would have recorded them, same shape.

    width: channels at half the resolution; twice and four times as many at the two coarser levels; 0 for a painter
    without a network. blocks: residual blocks at the coarsest level. H and W of any size from 8 pixels on.
    """

    lens: torch.Tensor

    @register_to_config
    def __init__(self, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.register_buffer("lens", gaussian(0.0))
        self.network = _PainterNetwork(width, blocks) if width else None

    if TYPE_CHECKING:

        @property
        def config(self) -> Any:
            """The constructor's arguments by name."""

    def set_lens(self, sigma_px: float) -> None:
        """Make the lens a Gaussian of this standard deviation, 0 to 2 pixels; 0 leaves pictures as they are."""
        self.lens.copy_(gaussian(sigma_px))

    def forward(self, drawn: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """drawn ``(N, 3, H, W)``, noise ``(N, 1, H, W)`` of variance 1 -> ``(N, 3, H, W)``, about [-1, 1]."""
        seen = self._through_lens(drawn)
        return seen if self.network is None else seen + self.network(seen, noise)

    def _through_lens(self, drawn: torch.Tensor) -> torch.Tensor:
        reach = LENS_TAPS // 2
        if bool(self.lens[reach] == 1):  # nothing is mixed: pictures stay as they are, bit for bit
            return drawn
        kernel = self.lens.to(drawn).expand(3, 1, 1, -1)
        rows = F.conv2d(F.pad(drawn, (reach, reach, 0, 0), mode="replicate"), kernel, groups=3)
        return F.conv2d(F.pad(rows, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3), groups=3)


class _PainterNetwork(nn.Module):
    """What is added to a picture as its lens shows it."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        pixels = UNSHUFFLE**2
        self.stem = nn.Conv2d((3 + 1) * pixels, width, 3, padding=1)
        self.fine = _Block(width)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(_Block(2 * width) for _ in range(2))
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(_Block(4 * width, 1 + i % 2) for i in range(blocks))
        self.tone = nn.Linear(4 * width, 8 * width)
        self.up2 = nn.Conv2d(4 * width, 8 * width, 1)
        self.merge2 = _Block(2 * width)
        self.up1 = nn.Conv2d(2 * width, 4 * width, 1)
        self.merge1 = _Block(width)
        self.head = nn.Conv2d(width, 3 * pixels, 3, padding=1)
        for layer in (self.tone, self.head):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, drawn: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """drawn ``(N, 3, H, W)``, noise ``(N, 1, H, W)`` of variance 1 -> ``(N, 3, H, W)``, about [-1, 1]."""
        height, width = drawn.shape[-2:]
        padding = (0, -width % COARSEST, 0, -height % COARSEST)
        seen = F.pad(torch.cat([drawn, noise.to(drawn)], 1), padding, mode="replicate")
        x = self.stem(F.pixel_unshuffle(seen, UNSHUFFLE).contiguous(memory_format=torch.channels_last))
        x = self.fine(x)
        y = self.down1(F.silu(x))
        for block in self.middle:
            y = block(y)
        z = self.down2(F.silu(y))
        for i, block in enumerate(self.coarse):
            if i == len(self.coarse) // 2:
                scale, shift = self.tone(F.silu(z.mean((2, 3))))[:, :, None, None].chunk(2, 1)
                z = z * (1 + scale) + shift
            z = block(z)
        y = self.merge2(y + F.pixel_shuffle(self.up2(F.silu(z)), 2))
        x = self.merge1(x + F.pixel_shuffle(self.up1(F.silu(y)), 2))
        return F.pixel_shuffle(self.head(F.silu(x)), UNSHUFFLE)[..., :height, :width]


def gaussian(sigma_px: float) -> torch.Tensor:
    """The kernel ``(LENS_TAPS,)`` of sum 1 whose response is ``exp(-2 (pi f sigma_px)^2)``, that of a Gaussian; one
    pixel alone where sigma_px is 0. Samples of a Gaussian narrower than a pixel would have another response."""
    frequency = (torch.arange(512, dtype=torch.float64) + 0.5) / 1024  # 0 to 1/2 cycles per pixel
    response = torch.exp(-2 * (torch.pi * frequency * sigma_px) ** 2)
    place = torch.arange(LENS_TAPS, dtype=torch.float64)[:, None] - LENS_TAPS // 2
    kernel = (response * torch.cos(2 * torch.pi * frequency * place)).mean(1)
    if sigma_px <= 0:
        kernel = (place[:, 0] == 0).double()
    return (kernel / kernel.sum()).float()


def frame_noise(seed: int, frame: int, height: int, width: int) -> torch.Tensor:
    """Noise ``(1, H, W)`` float32 of one frame of a clip; it depends on seed, frame and size alone."""
    values = numpy_rng("paint", seed, frame).standard_normal((height, width), np.float32)
    return torch.from_numpy(values)[None]


@torch.no_grad()
def paint_frames(painter: ScenePainter, frames: np.ndarray, *, seed: int, first: int = 0) -> np.ndarray:
    """Drawn frames ``(T, H, W, 3)`` uint8, the first of which is frame ``first`` of its clip, painted, same shape.

    Frames are painted one by one, so that a clip is the same however it is cut into parts.
    """
    device, dtype = painter.lens.device, painter.lens.dtype
    painted = np.empty_like(frames)
    for i, frame in enumerate(frames):
        pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(device).permute(2, 0, 1)[None].to(dtype) / 127.5 - 1
        noise = frame_noise(seed, first + i, *frame.shape[:2])[None].to(device, dtype)
        values = ((painter(pixels, noise).float().clamp(-1, 1) + 1) * 127.5).round().byte()
        painted[i] = values[0].permute(1, 2, 0).cpu().numpy()
    return painted

"""The critic of the painter: is this patch of a picture recorded or painted?

It sees patches of about 50 pixels at the picture's resolution and of twice that at half of it, and no tone: the local
mean is taken away and the local contrast divided out, as in the coefficients whose statistics tell natural pictures
from distorted ones (Mittal et al. 2012, doi:10.1109/TIP.2012.2214050, equation 1). A critic that sees tone learns that
drawings are darker than its few recordings, and night becomes day.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2
SCALES = 2
LOCAL_PX = 15
"""Side of the neighbourhood whose mean and contrast are taken out."""
LEAST_CONTRAST = 0.03


class _PatchCritic(nn.Module):
    """Isola et al. 2017 (arXiv:1611.07004, section 3.2.2), with spectral norms (Miyato et al. 2018,
    arXiv:1802.05957)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1))
            for before, after in itertools.pairwise(sizes)
        )
        self.verdict = spectral_norm(nn.Conv2d(sizes[-1], 1, 3, padding=1))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        features = []
        x = pictures
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return self.verdict(x), features


class PictureCritic(nn.Module):
    """Verdicts on pictures ``(N, 3, H, W)`` in [-1, 1]: larger is more like a recording."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_PatchCritic(width) for _ in range(SCALES))

    def forward(self, pictures: torch.Tensor) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
        """For each scale the verdicts ``(N, 1, h, w)`` and the features of every layer."""
        judged = []
        for scale in self.scales:
            judged.append(scale(without_tone(pictures)))
            pictures = F.avg_pool2d(pictures, 2)
        return judged


def without_tone(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures ``(N, 3, H, W)`` minus their local mean, over their local contrast."""
    mean = F.avg_pool2d(pictures, LOCAL_PX, 1, LOCAL_PX // 2, count_include_pad=False)
    centred = pictures - mean
    power = F.avg_pool2d(centred.square().mean(1, keepdim=True), LOCAL_PX, 1, LOCAL_PX // 2, count_include_pad=False)
    return centred / (power + LEAST_CONTRAST**2).sqrt()

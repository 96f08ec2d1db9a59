"""Detail of generated frames that a known frame shows: taken from its pixels, moved once, not from the codec.

A codec of few channels and a network that predicts means keep the forms of what is moved and lose its edges: lane
dashes and windows blur in the first generated frame. The last known frame has them. It is moved by the ego motion and
the depth that the rollout uses anyway, and where it shows the same points, and the generated frame agrees with it, its
high frequencies replace those of the generated frame. As in super-resolution from a reference picture (Yue et al.
2013, "Landmark Image Super-Resolution by Retrieving Web Images"), low frequencies say what is there, and the reference
says how it looks. In the first moments, while the known motion is still exact, low frequencies are mixed too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.reprojection import at_frame

COARSE_SHARE = 0.008
"""Standard deviation of the blur that parts high from low frequencies, as a share of the picture's width."""
AGREEMENT = 0.5
"""Difference of low frequencies, for pixels in [-1, 1], at which the known frame counts by a factor of 1 / e."""
MARGIN_PX = 2
"""Pixels beside a hidden point that are not taken: silhouettes and background mix there."""
COARSE_WEIGHT, COARSE_S = 0.7, 0.4
"""Share of the moved frame in low frequencies at first, and the seconds after which it is a factor of e smaller."""


@dataclass(frozen=True, eq=False)
class RecordedDetail:
    """The known frame that detail comes from.

    picture ``(B, 3, H, W)`` in [-1, 1]: as it was given, not as a codec decodes it. frame: its number. geometry: depth
    of clips without a layout, at that frame; later estimates, from generated frames, do not know it as well.
    """

    picture: torch.Tensor
    frame: int
    geometry: ClipGeometry | None

    def over(self, video: torch.Tensor, first: int, conditions: ConditionBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Generated frames ``first``, ... with the detail of the known frame, and its weight in them.

        video: ``(B, 3, F, H, W)`` in [-1, 1]. Returns a video of the same shape and dtype, and weights ``(B, 1, F, H,
        W)`` in [0, 1]. Clips with unknown ego motion stay as they are, and so do clips with a layout, whose edges the
        network draws from the layout.
        """
        rows = [self._over(video[:, :, i].float(), first + i, conditions) for i in range(video.shape[2])]
        frames, weights = zip(*rows, strict=True)
        return torch.stack(frames, 2).to(video.dtype), torch.stack(weights, 2)

    def _over(self, made: torch.Tensor, target: int, conditions: ConditionBatch) -> tuple[torch.Tensor, torch.Tensor]:
        moved, visible, _ = at_frame(
            self.picture.float(), conditions, source=self.frame, target=target, geometry=self.geometry
        )
        spread = COARSE_SHARE * made.shape[-1]
        coarse_made, coarse_moved = blurred(made, spread), blurred(moved, spread)
        difference = blurred((coarse_made - coarse_moved).abs().mean(1, keepdim=True), spread)
        shown = -F.max_pool2d(-visible.float(), 2 * MARGIN_PX + 1, stride=1, padding=MARGIN_PX)
        weight = blurred(shown, MARGIN_PX / 2) * torch.exp(-(difference / AGREEMENT).square())
        weight = weight * (conditions.ego_known & ~conditions.layout_known)[:, None, None, None]
        age_s = (target - self.frame) / conditions.fps.float()[:, None, None, None]
        coarse = weight * COARSE_WEIGHT * torch.exp(-age_s / COARSE_S)
        fine = (moved - coarse_moved) - (made - coarse_made)
        return (made + coarse * (coarse_moved - coarse_made) + weight * fine).clamp(-1, 1), weight


def blurred(pictures: torch.Tensor, spread_px: float) -> torch.Tensor:
    """Pictures ``(B, C, H, W)`` under a Gaussian of a standard deviation of ``spread_px``, up to 2.5 of these."""
    reach = max(math.ceil(2.5 * spread_px), 1)
    places = torch.arange(-reach, reach + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-places.square() / (2 * spread_px**2))
    kernel = (kernel / kernel.sum()).expand(pictures.shape[1], 1, -1)
    across = F.conv2d(_padded(pictures, reach, 0), kernel[:, :, None, :], groups=pictures.shape[1])
    return F.conv2d(_padded(across, 0, reach), kernel[:, :, :, None], groups=pictures.shape[1])


def _padded(pictures: torch.Tensor, columns: int, rows: int) -> torch.Tensor:
    return F.pad(pictures, (columns, columns, rows, rows), mode="replicate")

"""Pictures a layout holds: what its surfaces show in every light and weather, for the network to bring out or leave out.

Base colours and glow, what falls, the mirror images that ground would show if it were wet, and the white that lies on what looks
up if it has snowed. Whether it is wet, how much snow lies and how bright anything is are the words' to say and the
network's to paint: it gets the pictures and answers with strengths (``models.native.transformer``). A mirror image comes from elsewhere in the
picture, which convolutions of a few cells cannot fetch; here it is looked up, as renderers do it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from worldgen.core.layout_channels import BASE_CHANNELS, FALLING_CHANNEL, GLOW_CHANNELS, GLOW_RANGE, LAYOUT_CHANNELS
from worldgen.models.native.codec import SPATIAL_FACTOR
from worldgen.models.native.history.object_coverage import cover
from worldgen.models.native.history.warp import camera_rays

PICTURES = 6
"""Base colours, glow, what falls, mirrored base colours, mirrored glow, lying snow."""

_BASE, _GLOW, _FALLING, _UP = (
    slice(channels[0], channels[-1] + 1)
    for channels in (BASE_CHANNELS, GLOW_CHANNELS, (FALLING_CHANNEL,), (LAYOUT_CHANNELS.index("normal_up"),))
)

FLAT = 0.95
"""Value of the normal's upward channel from which a surface that no labelled thing covers counts as ground."""

SNOW_WHITE = 0.9
"""Square root of the albedo of fresh snow."""


def picture_cells(layout: torch.Tensor, camera: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """What to encode, one row per latent cell: ``PICTURES`` tensors ``(B * F, h, w, 192)``.

    layout ``(B, K, F, 8h, 8w)`` in [0, 1]; camera ``(B, 6)`` as in ``conditions.camera_features``. Values are of pictures in
    [-1, 1]: base colours as they are, the others as what they add to a picture. What falls is as bright in all colours.
    """
    base, glow, falling, up = (
        layout[:, channels].movedim(2, 1).flatten(0, 1).float() for channels in (_BASE, _GLOW, _FALLING, _UP)
    )
    ground = ground_of(up, cover(layout).movedim(2, 1).flatten(0, 1))
    images = mirrored(base, glow, ground, camera.repeat_interleave(layout.shape[2], 0))
    added = (glow, falling.expand_as(glow), *images.chunk(2, 1), lying(base, up))
    pictures = (2 * base.to(dtype) - 1, *(2 * picture.to(dtype) for picture in added))
    return tuple(F.pixel_unshuffle(p, SPATIAL_FACTOR).movedim(1, -1) for p in pictures)


def ground_of(up: torch.Tensor, objects: torch.Tensor) -> torch.Tensor:
    """Where there is ground, ``(N, 1, H, W)`` bool: flat by the normals' upward channel ``up``, and no labelled ``objects``."""
    return (up > FLAT) & (objects < 0.5)


def mirrored(base: torch.Tensor, glow: torch.Tensor, ground: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
    """Mirror images of base colours and glow ``(N, 3, H, W)`` each on ground under water, ``(N, 6, H, W)``; zero elsewhere.

    Each ground pixel shows what stands above it in its column, turned over at its foot, blurred by ripples and weakened
    by Fresnel's law as Schlick (1994) approximates it. Done at half the resolution: ripples leave no more.
    """
    # Light adds up, square roots of light do not.
    light = F.avg_pool2d(torch.cat([base.square(), GLOW_RANGE * glow.square()], 1), 2)
    height, width = light.shape[-2:]
    rows = torch.arange(height, device=light.device)[:, None]
    low = ground[..., 1::2, ::2]  # the lower of two rows, so that a foot is not overlooked
    foot = torch.where(low, 0, rows).cummax(-2).values
    source = (2 * foot - rows + 1).clamp(0, height - 1)
    image = light.gather(2, source.expand(-1, light.shape[1], -1, -1))
    kernel = (max(3, height // 16) | 1, max(1, height // 90) | 1)  # ripples smear along the view
    for _ in range(2):  # twice the box is close to a bell
        padding = (kernel[0] // 2, kernel[1] // 2)
        image = F.avg_pool2d(image, kernel, stride=1, padding=padding, count_include_pad=False)
    rays = camera_rays(camera, height, width)
    steepness = (-rays[2] / rays.norm(dim=0)).clamp(0, 1)
    image = (image * (0.04 + 0.96 * (1 - steepness) ** 5)[:, None]).sqrt().clamp(max=1)
    return F.interpolate(image, scale_factor=2, mode="bilinear") * ground


def lying(base: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """How much whiter base colours ``(N, 3, H, W)`` would be under snow, which lies on what looks up."""
    return ((2 * up - 1.3) * 2.5).clamp(0, 1) * (SNOW_WHITE - base).clamp_min(0)

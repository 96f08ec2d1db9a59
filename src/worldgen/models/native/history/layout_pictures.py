"""Pictures that a layout holds, independent of light and weather: the network decides how strongly each comes through.

They are base colours, glow, precipitation, the mirror images that wet ground would show, and the white that snow
would add to surfaces facing up. The text says whether the road is wet, how much snow lies and how bright the scene
is; the network reads the pictures and answers with strengths (``models.native.transformer``). A mirror image comes
from elsewhere in the picture, out of reach of convolutions over a few cells, so it is looked up here as a renderer
does it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from worldgen.core.layout_channels import BASE_CHANNELS, FALLING_CHANNEL, GLOW_CHANNELS, GLOW_RANGE, LAYOUT_CHANNELS
from worldgen.models.native.codec import SPATIAL_FACTOR
from worldgen.models.native.history.object_coverage import cover
from worldgen.models.native.history.warp import camera_rays

PICTURES = 6
"""Base colours, glow, precipitation, mirrored base colours, mirrored glow, lying snow."""

_BASE, _GLOW, _FALLING, _UP = (
    slice(channels[0], channels[-1] + 1)
    for channels in (BASE_CHANNELS, GLOW_CHANNELS, (FALLING_CHANNEL,), (LAYOUT_CHANNELS.index("normal_up"),))
)

FLAT = 0.95
"""Value of the normal's upward channel from which a surface without labelled objects counts as ground."""

SNOW_WHITE = 0.9
"""Square root of the albedo of fresh snow."""


def picture_cells(layout: torch.Tensor, camera: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """The pictures cut for the codec, one row per latent cell: ``PICTURES`` tensors ``(B * F, h, w, 192)``.

    layout ``(B, K, F, 8h, 8w)`` in [0, 1]; camera ``(B, 6)`` as in ``conditions.camera_features``. Base colours are
    pictures in [-1, 1]; the others are what is added to such a picture. Precipitation is grey.
    """
    base, glow, falling, up = (
        layout[:, channels].movedim(2, 1).flatten(0, 1).float() for channels in (_BASE, _GLOW, _FALLING, _UP)
    )
    ground = ground_of(up, cover(layout).movedim(2, 1).flatten(0, 1))
    images = mirror_images(base, glow, ground, camera.repeat_interleave(layout.shape[2], 0))
    added = (glow, falling.expand_as(glow), *images.chunk(2, 1), lying_snow(base, up))
    pictures = (2 * base.to(dtype) - 1, *(2 * picture.to(dtype) for picture in added))
    return tuple(F.pixel_unshuffle(p, SPATIAL_FACTOR).movedim(1, -1) for p in pictures)


def ground_of(up: torch.Tensor, objects: torch.Tensor) -> torch.Tensor:
    """Ground, ``(N, 1, H, W)`` bool: flat by the normals' upward channel ``up`` and free of labelled ``objects``."""
    return (up > FLAT) & (objects < 0.5)


def mirror_images(base: torch.Tensor, glow: torch.Tensor, ground: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
    """Mirror images of base colours and glow ``(N, 3, H, W)`` each on wet ground, ``(N, 6, H, W)``; zero elsewhere.

    Each ground pixel shows what stands above it in its column, mirrored at its foot, blurred by ripples and weakened
    by Fresnel's law in Schlick's approximation (1994). Half the resolution is enough, because ripples blur more.
    """
    # The channels hold square roots of light; only light itself may be averaged.
    light = F.avg_pool2d(torch.cat([base.square(), GLOW_RANGE * glow.square()], 1), 2)
    height, width = light.shape[-2:]
    rows = torch.arange(height, device=light.device)[:, None]
    low = ground[..., 1::2, ::2]  # the lower of two rows, so that no foot is missed
    foot = torch.where(low, 0, rows).cummax(-2).values
    source = (2 * foot - rows + 1).clamp(0, height - 1)
    image = light.gather(2, source.expand(-1, light.shape[1], -1, -1))
    kernel = (max(3, height // 16) | 1, max(1, height // 90) | 1)  # ripples blur along the line of sight
    for _ in range(2):  # two box filters approximate a Gaussian
        padding = (kernel[0] // 2, kernel[1] // 2)
        image = F.avg_pool2d(image, kernel, stride=1, padding=padding, count_include_pad=False)
    rays = camera_rays(camera, height, width)
    steepness = (-rays[2] / rays.norm(dim=0)).clamp(0, 1)
    image = (image * (0.04 + 0.96 * (1 - steepness) ** 5)[:, None]).sqrt().clamp(max=1)
    return F.interpolate(image, scale_factor=2, mode="bilinear") * ground


def lying_snow(base: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """Brightness ``(N, 3, H, W)`` that snow would add to base colours ``base``; it lies on surfaces that face up."""
    return ((2 * up - 1.3) * 2.5).clamp(0, 1) * (SNOW_WHITE - base).clamp_min(0)

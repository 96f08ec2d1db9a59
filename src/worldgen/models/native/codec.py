"""The codec: pictures to latents and back, frame by frame, with a spatial factor of 8.

The encoder is the linear transform of 8 x 8 patches that loses least (Karhunen-Loeve, computed in closed form from
the training pictures). The decoder is its transpose plus a small convolutional network, which smooths the borders of
patches and tolerates the errors of a diffusion model. A deep autoencoder of ten times the size, trained for an hour
on two cores, was 5 dB worse than the transform alone and lost colours (docs/design/experiments.md). A frame's latents
depend on that frame alone, so a rollout can decode in chunks of any size and context frames come back unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

SPATIAL_FACTOR = 8
LATENT_CHANNELS = 48
PATCH_VALUES = 3 * SPATIAL_FACTOR**2

CODEC_SIZES: dict[str, int] = {"tiny": 16, "small": 128, "base": 512}
"""Width of the decoder's convolutions."""

SCALE_POWER = 0.5
"""Latents are coefficients divided by their standard deviation to this power. At 1, faint detail would weigh as much
as whole surfaces; at 0, a diffusion model would never learn detail."""


class PatchEncoder(nn.Module):
    """Pictures ``(N, 3, H, W)`` in [-1, 1] to latents ``(N, C, H/8, W/8)``: one matrix, applied to every patch."""

    def __init__(self, latent_channels: int):
        super().__init__()
        self.project = nn.Conv2d(PATCH_VALUES, latent_channels, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.project(F.pixel_unshuffle(images, SPATIAL_FACTOR))


class PatchDecoder(nn.Module):
    """Latents ``(N, C, h, w)`` to pictures ``(N, 3, 8h, 8w)``: the transposed matrix plus a correction from
    neighbouring patches."""

    def __init__(self, latent_channels: int, width: int):
        super().__init__()
        self.project = nn.Conv2d(latent_channels, PATCH_VALUES, 1)
        self.conv_in = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.conv_mid = nn.Conv2d(width, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, PATCH_VALUES, 3, padding=1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        hidden = F.silu(self.conv_in(latents))
        hidden = hidden + F.silu(self.conv_mid(hidden))
        return F.pixel_shuffle(self.project(latents) + self.conv_out(hidden), SPATIAL_FACTOR)


class PatchCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers defines config_name in both
    """Encoder and decoder. A fresh codec is a cosine transform of luma and chroma; ``fit`` adapts it to its pictures.

    latent_channels: C. width: of the decoder's convolutions.
    """

    @register_to_config
    def __init__(self, latent_channels: int = LATENT_CHANNELS, width: int = 128):
        super().__init__()
        self.encoder = PatchEncoder(latent_channels)
        self.decoder = PatchDecoder(latent_channels, width)
        for parameter in self.decoder.conv_out.parameters():
            nn.init.zeros_(parameter)
        basis = cosine_basis(latent_channels)
        # Natural pictures have about this spread along a cosine of rank k.
        spread = 4.0 / (1.0 + torch.arange(latent_channels))
        self._set_basis(basis, torch.zeros(PATCH_VALUES), spread)
        to_channels_last(self)

    if TYPE_CHECKING:

        @property
        def config(self) -> Any:
            """The constructor's arguments by name."""

    @torch.no_grad()
    def fit(self, mean: torch.Tensor, covariance: torch.Tensor) -> None:
        """Set the transform that loses least of patches with this mean ``(192,)`` and covariance ``(192, 192)``.

        Its rows are the leading eigenvectors (principal components, Hotelling 1933). Patches are those of
        :func:`patches_of`.
        """
        values, vectors = torch.linalg.eigh(covariance.double())
        order = values.argsort(descending=True)[: self.config.latent_channels]
        # The sign of an eigenvector is arbitrary; fixing it makes the codec depend on its pictures alone.
        basis = vectors[:, order].T
        basis = basis * torch.sign(basis.gather(1, basis.abs().argmax(1, keepdim=True)))
        self._set_basis(basis.float(), mean.float(), values[order].clamp_min(1e-8).sqrt().float())

    @torch.no_grad()
    def _set_basis(self, basis: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor) -> None:
        """basis ``(C, 192)`` orthonormal rows, spread ``(C,)``: standard deviations of the coefficients."""
        scale = spread**SCALE_POWER
        scale = scale * (spread / scale).pow(2).mean().sqrt()  # latents of variance 1 on average
        encode = basis / scale[:, None]
        to_latents, to_patches = self.encoder.project, self.decoder.project
        assert to_latents.bias is not None and to_patches.bias is not None
        to_latents.weight.copy_(encode[..., None, None])
        to_latents.bias.copy_(-encode @ mean)
        to_patches.weight.copy_((basis * scale[:, None]).T[..., None, None])
        to_patches.bias.copy_(mean)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in diffusers; the weights of convolutions are laid out as in a fresh codec."""
        loaded = super().from_pretrained(*args, **kwargs)
        to_channels_last(loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    def forward(self, values: torch.Tensor, part: Literal["both", "encoder", "decoder"] = "both") -> torch.Tensor:
        """Pictures ``(N, 3, H, W)`` in [-1, 1], encoded and decoded, or ``values`` through one part only.

        Hooks that move or cast weights act on this method, so each part runs through it.
        """
        if part == "encoder":
            return self.encoder(values)
        if part == "decoder":
            return self.decoder(values)
        return self.decoder(self.encoder(values))

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures ``(N, 3, H, W)`` in [-1, 1] to latents ``(N, C, H/8, W/8)``, in the codec's type."""
        return self(images, "encoder")

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents ``(N, C, h, w)`` in the codec's type to pictures ``(N, 3, 8h, 8w)``, about [-1, 1]."""
        return self(latents, "decoder")


def cosine_basis(count: int) -> torch.Tensor:
    """Orthonormal rows ``(count, 192)``: 8 x 8 cosines of luma and of two colour differences, lowest frequencies first.

    Source: the DCT-II of Ahmed, Natarajan and Rao 1974. Colour differences rank behind luma of three times the
    frequency.
    """
    side, waves = SPATIAL_FACTOR, cosines()
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])
    colours = colours / colours.norm(dim=1, keepdim=True)
    ranked = sorted((math.hypot(u, v) * (1 if c == 0 else 3) + c / 100, c, u, v)
                    for c in range(3) for u in range(side) for v in range(side))  # fmt: skip
    rows = [torch.einsum("c,u,v->cuv", colours[c], waves[u], waves[v]).flatten() for _, c, u, v in ranked[:count]]
    return torch.stack(rows)


def cosines() -> torch.Tensor:
    """Orthonormal rows ``(8, 8)``: the cosines along one side of a patch, lowest frequency first."""
    side = SPATIAL_FACTOR
    place = (torch.arange(side) + 0.5) * math.pi / side
    return torch.stack([torch.cos(k * place) * math.sqrt((1 if k == 0 else 2) / side) for k in range(side)])


def patches_of(images: torch.Tensor) -> torch.Tensor:
    """Every 8 x 8 patch of ``(N, 3, H, W)`` as a row ``(M, 192)``, in the order of the codec's matrices."""
    return F.pixel_unshuffle(images, SPATIAL_FACTOR).movedim(1, -1).flatten(0, 2)


def to_channels_last(module: nn.Module) -> None:
    """Lay the weights of 2-D convolutions out with the channels last, which CPUs and GPUs convolve fastest."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def build_codec(size: str) -> PatchCodec:
    """A codec with fresh weights; sizes are the keys of ``CODEC_SIZES``."""
    return PatchCodec(width=CODEC_SIZES[size])


def encode_images(codec: PatchCodec, images: torch.Tensor) -> torch.Tensor:
    """Images ``(N, 3, H, W)`` in [-1, 1] to latents ``(N, C, H/8, W/8)`` of about unit variance."""
    return codec.encode(images.to(codec.dtype, memory_format=torch.channels_last))


def decode_images(codec: PatchCodec, latents: torch.Tensor) -> torch.Tensor:
    """Latents ``(N, C, h, w)`` to images ``(N, 3, 8h, 8w)``, about [-1, 1], not clamped."""
    return codec.decode(latents.to(codec.dtype, memory_format=torch.channels_last))


def encode_video(codec: PatchCodec, video: torch.Tensor, *, frames_at_once: int = 8) -> torch.Tensor:
    """Video ``(B, 3, T, H, W)`` in [-1, 1] to latents ``(B, C, F, h, w)`` with F = T; H and W multiples of 8."""
    return _frame_wise(video, lambda x: encode_images(codec, x), frames_at_once)


def decode_video(codec: PatchCodec, latents: torch.Tensor, *, frames_at_once: int = 8) -> torch.Tensor:
    """Latents ``(B, C, F, h, w)`` to video ``(B, 3, T, H, W)``, about [-1, 1], T = F."""
    return _frame_wise(latents, lambda z: decode_images(codec, z), frames_at_once)


def _frame_wise(
    video: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor], frames_at_once: int
) -> torch.Tensor:
    """Apply an image function to every frame, a fixed number at once, so that memory does not grow with the length."""
    frames = video.movedim(2, 1).flatten(0, 1)
    out = torch.cat([function(part) for part in frames.split(frames_at_once)])
    return out.unflatten(0, (video.shape[0], video.shape[2])).movedim(1, 2)


LATENT_NOISE = 0.25
"""Largest standard deviation of the noise on latents in training, so that the decoder learns to tolerate a
diffusion model's errors."""


def codec_loss(
    codec: PatchCodec, images: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Reconstruction loss L1 + MSE of ``(N, 3, H, W)`` images in [-1, 1] from latents with noise of a random level.

    The encoder stays as fitted, because no linear transform of so many numbers keeps more.
    """
    with torch.no_grad():
        latents = encode_images(codec, images)
    draw = lambda shape, make: make(shape, generator=generator, device=generator.device).to(latents)  # noqa: E731
    level = LATENT_NOISE * draw((len(images), 1, 1, 1), torch.rand).square()
    decoded = decode_images(codec, latents + level * draw(latents.shape, torch.randn)).float()
    error = decoded - images.float()
    l1, mse = error.abs().mean(), error.pow(2).mean()
    psnr_db = 10 * torch.log10(4 / mse.detach().clamp_min(1e-12))
    return l1 + mse, {"l1": l1.detach(), "mse": mse.detach(), "psnr_db": psnr_db}

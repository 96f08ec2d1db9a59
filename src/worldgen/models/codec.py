"""The codec: pictures to latents and back, frame by frame, eight times smaller each way.

A diffusers ``AutoencoderDC`` (deep compression autoencoder, Chen et al. 2024, arXiv:2410.10733) at small size: residual
pixel-(un)shuffle shortcuts learn fast on little compute, and the full-resolution stage has no layers, so a laptop CPU
decodes about 30 frames of 128 x 224 a second. A frame's latents depend on that frame alone, hence a rollout can
decode in any chunking and context frames come back unchanged.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderDC

SPATIAL_FACTOR = 8
LATENT_CHANNELS = 16

# Stage widths and residual blocks from full resolution to 1/8.
CODEC_SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "tiny": ((8, 16, 16, 16), (0, 1, 1, 1)),
    "small": ((32, 64, 128, 128), (0, 1, 2, 3)),
    "base": ((64, 128, 256, 512), (0, 2, 3, 3)),
}


def build_codec(size: str) -> AutoencoderDC:
    """A codec with fresh weights; sizes are the keys of ``CODEC_SIZES``."""
    widths, layers = CODEC_SIZES[size]
    codec = AutoencoderDC(
        in_channels=3,
        latent_channels=LATENT_CHANNELS,
        attention_head_dim=8,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=layers,
        decoder_layers_per_block=layers,
        encoder_qkv_multiscales=((),) * len(widths),
        decoder_qkv_multiscales=((),) * len(widths),
        upsample_block_type="pixel_shuffle",
        downsample_block_type="Conv",
        scaling_factor=1.0,
    )
    return codec.to(memory_format=torch.channels_last)


def encode_images(codec: AutoencoderDC, images: torch.Tensor) -> torch.Tensor:
    """Images ``(N, 3, H, W)`` in [-1, 1] to latents ``(N, C, H/8, W/8)`` of about unit variance."""
    images = images.to(codec.dtype, memory_format=torch.channels_last)
    return codec.encoder(images) * codec.config.scaling_factor


def decode_images(codec: AutoencoderDC, latents: torch.Tensor) -> torch.Tensor:
    """Latents ``(N, C, h, w)`` to images ``(N, 3, 8h, 8w)``, about [-1, 1], not clamped."""
    latents = (latents / codec.config.scaling_factor).to(codec.dtype, memory_format=torch.channels_last)
    return codec.decoder(latents)


def encode_video(codec: AutoencoderDC, video: torch.Tensor, *, frames_at_once: int = 8) -> torch.Tensor:
    """Video ``(B, 3, T, H, W)`` in [-1, 1] to latents ``(B, C, F, h, w)`` with F = T; H and W multiples of 8."""
    return _frame_wise(video, lambda x: encode_images(codec, x), frames_at_once)


def decode_video(codec: AutoencoderDC, latents: torch.Tensor, *, frames_at_once: int = 8) -> torch.Tensor:
    """Latents ``(B, C, F, h, w)`` to video ``(B, 3, T, H, W)``, about [-1, 1], T = F."""
    return _frame_wise(latents, lambda z: decode_images(codec, z), frames_at_once)


def _frame_wise(video: torch.Tensor, function, frames_at_once: int) -> torch.Tensor:
    """Apply an image function to every frame; a fixed number at once bounds memory whatever the length."""
    frames = video.movedim(2, 1).flatten(0, 1)
    out = torch.cat([function(part) for part in frames.split(frames_at_once)])
    return out.unflatten(0, (video.shape[0], video.shape[2])).movedim(1, 2)


# The decoder must forgive small errors of the diffusion model; larger noise blurs the reconstruction.
LATENT_NOISE = 0.05
LATENT_MOMENT_WEIGHT = 0.05


def codec_loss(
    codec: AutoencoderDC, images: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Reconstruction loss of ``(N, 3, H, W)`` images in [-1, 1]: L1 + MSE + a pull of latents to mean 0, variance 1.

    The pull replaces a KL term: a diffusion model needs calm latents, not a prior one can sample from.
    """
    latents = encode_images(codec, images)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device, dtype=torch.float32)
    decoded = decode_images(codec, latents + LATENT_NOISE * noise.to(latents)).float()
    error = decoded - images.float()
    l1, mse = error.abs().mean(), error.pow(2).mean()
    z = latents.float()
    moments = z.mean((0, 2, 3)).pow(2).mean() + (z.std((0, 2, 3)) - 1).pow(2).mean()
    loss = l1 + mse + LATENT_MOMENT_WEIGHT * moments
    psnr_db = 10 * torch.log10(4 / mse.detach().clamp_min(1e-12))
    return loss, {"l1": l1.detach(), "mse": mse.detach(), "psnr_db": psnr_db, "moments": moments.detach()}

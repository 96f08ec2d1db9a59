"""Families that continue a clip, with their real classes at tiny size, saved as published models are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.models.backbones.tiny_families import tokenizer, umt5, unipc, wan_codec


def wan_transformer(inputs: int, outputs: int) -> Any:
    """Two blocks of width 24. inputs, outputs: latent channels; inputs has mask and picture as well in the 14B form."""
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=inputs, out_channels=outputs,
        text_dim=16, freq_dim=16, ffn_dim=32, num_layers=2, cross_attn_norm=True, rope_max_seq_len=64,
    ).eval()  # fmt: skip


def wan22_codec(channels: int = 4) -> Any:
    """The codec of Wan 2.2: 16 pixels and 4 frames to a latent cell."""
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=4, decoder_base_dim=4, z_dim=channels, dim_mult=[1, 1, 1, 1], num_res_blocks=1, is_residual=True,
        temperal_downsample=[False, True, True], patch_size=2, in_channels=12, out_channels=12,
        scale_factor_spatial=16, scale_factor_temporal=4, latents_mean=[0.0] * channels, latents_std=[1.0] * channels,
    ).eval()  # fmt: skip


def save_wan_i2v(folder: Path, *, form: str, seed: int = 0) -> Path:
    """form: "5B" (one transformer, noise level per token) or "A14B" (two transformers)."""
    from diffusers import WanImageToVideoPipeline

    torch.manual_seed(seed)
    small = form == "5B"
    inputs = 4 if small else 4 + 4 + 4  # latents, and for A14B the mask and the latents of the picture
    WanImageToVideoPipeline(
        tokenizer=tokenizer(), text_encoder=umt5(), vae=wan22_codec() if small else wan_codec(),
        scheduler=unipc(5.0), transformer=wan_transformer(inputs, 4),
        transformer_2=None if small else wan_transformer(inputs, 4), boundary_ratio=None if small else 0.9,
        expand_timesteps=small,
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder

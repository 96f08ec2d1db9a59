"""Pipelines of the real classes at tiny size with random weights, saved to local folders as a published model is.

They show that the code meets the libraries: arguments, shapes, files, masks and seeds. They say nothing about pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

WORDS = "a street car at night in rain with pedestrian crossing , . the of road wet dark clear day"


def tokenizer() -> Any:
    """A word-level tokenizer with an end token, of the class of transformers."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *dict.fromkeys(WORDS.split())])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def umt5(width: int = 16) -> Any:
    """UMT5 of one layer and ``width``."""
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=64, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2, relative_attention_num_buckets=8,
        relative_attention_max_distance=16,
    )  # fmt: skip
    return UMT5EncoderModel(config).eval()  # dropout would give other states at every call


def wan_codec(channels: int = 4) -> Any:
    """The codec of Wan 2.1: 8 pixels and 4 frames to a latent cell, ``channels`` of them."""
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=4, z_dim=channels, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * channels, latents_std=[1.0] * channels,
    ).eval()  # fmt: skip


def vace_transformer(channels: int = 4) -> Any:
    """Two blocks of width 24, both with a control branch."""
    from diffusers import WanVACETransformer3DModel

    return WanVACETransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=channels, out_channels=channels,
        text_dim=16, freq_dim=16, ffn_dim=32, num_layers=2, cross_attn_norm=True, rope_max_seq_len=64,
        vace_layers=[0, 1], vace_in_channels=2 * channels + 64,
    ).eval()  # fmt: skip


def unipc(shift: float = 3.0) -> Any:
    """The scheduler that Wan is published with."""
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)


def wan_vace(*, two: bool = False, seed: int = 0) -> Any:
    """A whole pipeline. two: in the form of Wan 2.2, with a second transformer for low noise."""
    from diffusers import WanVACEPipeline

    torch.manual_seed(seed)
    return WanVACEPipeline(
        tokenizer=tokenizer(), text_encoder=umt5(), vae=wan_codec(), scheduler=unipc(),
        transformer=vace_transformer(), transformer_2=vace_transformer() if two else None,
        boundary_ratio=0.875 if two else None,
    )  # fmt: skip


def save_wan_vace(folder: Path, *, two: bool = False, seed: int = 0) -> Path:
    """The same, saved as a published model is."""
    wan_vace(two=two, seed=seed).save_pretrained(folder, safe_serialization=True)
    return folder

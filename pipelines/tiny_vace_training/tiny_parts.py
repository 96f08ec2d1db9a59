"""The parts of the model: diffusers' and transformers' own classes at small size."""

from __future__ import annotations

import re
from typing import Any

import torch

LATENTS = 16
"""Channels of a latent cell of 4x4 pixels and four frames."""
TEXT_WIDTH = 64
SHIFT = 3.0
"""Shift of the noise levels towards noise, in training and in sampling."""
WIDTH, HEADS, BLOCKS, CONTROLLED = 128, 4, 3, (0, 1)


def tiny_codec() -> Any:
    """Wan's codec at small size: 4x4 pixels and four frames to a latent cell, the first frame by itself.

    Its residual and attention blocks begin as the identity, and one channel as a constant, so that the norm before the
    latents keeps how bright a picture is: from the usual random weights it learns nothing in the first minutes.
    """
    from diffusers import AutoencoderKLWan

    codec = AutoencoderKLWan(
        base_dim=BASE, z_dim=LATENTS, dim_mult=list(WIDER), num_res_blocks=1, temperal_downsample=[True, True],
        latents_mean=[0.0] * LATENTS, latents_std=[1.0] * LATENTS, scale_factor_temporal=4, scale_factor_spatial=4,
    )  # fmt: skip
    with torch.no_grad():
        for part in codec.modules():
            last = {"WanResidualBlock": "conv2", "WanAttentionBlock": "proj"}.get(type(part).__name__)
            if last:
                for value in getattr(part, last).parameters():
                    value.zero_()
        codec.encoder.conv_in.bias[0] = 2.0
    return codec


BASE, WIDER = 12, (1, 3, 6)
"""Channels of the codec at the size of the picture, and how many times as many it has at each smaller size."""


def tiny_transformer() -> Any:
    """Wan VACE's transformer: 3 blocks, 2 of them with a control branch."""
    from diffusers import WanVACETransformer3DModel

    return WanVACETransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=HEADS, attention_head_dim=WIDTH // HEADS, in_channels=LATENTS,
        out_channels=LATENTS, text_dim=TEXT_WIDTH, freq_dim=64, ffn_dim=384, num_layers=BLOCKS, cross_attn_norm=True,
        rope_max_seq_len=128, vace_layers=list(CONTROLLED), vace_in_channels=2 * LATENTS + 16,
    )  # fmt: skip


def tiny_text(texts: list[str]) -> tuple[Any, Any]:
    """A tokenizer of the words of ``texts``, and a UMT5 of random weights that stays as it is."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text)})
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *words])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    torch.manual_seed(1)
    config = UMT5Config(
        vocab_size=len(vocabulary), d_model=TEXT_WIDTH, d_kv=16, d_ff=128, num_layers=1, num_heads=4,
        relative_attention_num_buckets=8, relative_attention_max_distance=32,
    )  # fmt: skip
    return tokenizer, UMT5EncoderModel(config).eval()


def save_pipeline(out: str, tokenizer: Any, encoder: Any, *, codec: Any, network: Any) -> None:
    """Write the parts as a published pipeline is written."""
    from diffusers import UniPCMultistepScheduler, WanVACEPipeline

    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT)
    pipeline = WanVACEPipeline(
        tokenizer=tokenizer, text_encoder=encoder, vae=codec, scheduler=scheduler, transformer=network
    )
    pipeline.save_pretrained(out, safe_serialization=True)

"""Cosmos pipelines of the real classes at tiny size, and a stand-in for the guardrail, which no test may download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch


class StandInGuardrail:
    """NOT a guardrail: it lets everything pass but the words and clips that a test names, and notes what it saw."""

    def __init__(self, refused_word: str = "", *, refuse_clips: bool = False, mark: bool = False):
        self.refused_word, self.refuse_clips, self.mark = refused_word, refuse_clips, mark
        self.prompts: list[str] = []
        self.frames = 0
        self.places: list[str] = []

    def check_text_safety(self, prompt: str) -> bool:
        self.prompts.append(prompt)
        return not self.refused_word or self.refused_word not in prompt

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray | None:
        self.frames += len(frames)
        if self.refuse_clips:
            return None
        if self.mark:  # as the published one does where it sees faces
            frames = frames.copy()
            frames[:, :4, :4] = 0
        return frames

    def to(self, device: Any) -> StandInGuardrail:
        self.places.append(str(device))
        return self


def chat_tokenizer() -> Any:
    """A character-level tokenizer with the special tokens and a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<unk>", "<|endoftext|>", "<|vision_start|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {word: number for number, word in enumerate([*special, *map(chr, range(32, 127))])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="<|endoftext|>", pad_token="<|endoftext|>",
        additional_special_tokens=special[2:],
    )  # fmt: skip
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>{% endfor %}"
    )
    return tokenizer


def wan22_codec() -> Any:
    """The codec of Wan 2.2: 16 pixels and 4 frames to a latent cell."""
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=4, decoder_base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, is_residual=True,
        temperal_downsample=[False, True, True], patch_size=2, in_channels=12, out_channels=12,
        scale_factor_spatial=16, scale_factor_temporal=4,
    ).eval()  # fmt: skip


def cosmos3_transformer(*, actions: bool = True) -> Any:
    """Two layers of width 16."""
    from diffusers import Cosmos3OmniTransformer

    return Cosmos3OmniTransformer(
        head_dim=8, hidden_size=16, intermediate_size=32, latent_channel=16, latent_patch_size=2, num_attention_heads=2,
        num_hidden_layers=2, num_key_value_heads=1, patch_latent_dim=64, rope_axes_dim=[2, 1, 1], vocab_size=128,
        action_gen=actions, action_dim=16 if actions else None,
    ).eval()  # fmt: skip


def save_cosmos3(folder: Path, *, actions: bool = True, seed: int = 0) -> Path:
    """A whole pipeline, saved as a published model is."""
    from diffusers import Cosmos3OmniPipeline, UniPCMultistepScheduler

    torch.manual_seed(seed)
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=10.0)
    Cosmos3OmniPipeline(
        transformer=cosmos3_transformer(actions=actions), text_tokenizer=chat_tokenizer(), vae=wan22_codec(),
        scheduler=scheduler, enable_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder

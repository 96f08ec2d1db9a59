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


def shim_torchvision(patch: Any) -> None:
    """The one function of torchvision that the networks call, nearest resize, in place of the package."""
    from types import SimpleNamespace

    from diffusers.models.controlnets import controlnet_cosmos
    from diffusers.models.transformers import transformer_cosmos

    def resize(values: torch.Tensor, size: list[int], interpolation: str) -> torch.Tensor:
        return torch.nn.functional.interpolate(values, size=size, mode=interpolation)

    shim = SimpleNamespace(
        functional=SimpleNamespace(resize=resize), InterpolationMode=SimpleNamespace(NEAREST="nearest")
    )
    for module in (controlnet_cosmos, transformer_cosmos):
        patch.setattr(module, "transforms", shim, raising=False)


class PartOfPipeline(StandInGuardrail, torch.nn.Module):
    """The stand-in as a part that a pipeline can be built with."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        StandInGuardrail.__init__(self)


def save_cosmos2_5(folder: Path, *, transfer: bool, seed: int = 0) -> Path:
    """A transfer or a predict pipeline. The text encoder has two layers of width 16, so its states have width 32."""
    from diffusers import (
        AutoencoderKLWan,
        Cosmos2_5_PredictBasePipeline,
        Cosmos2_5_TransferPipeline,
        CosmosControlNetModel,
        CosmosTransformer3DModel,
        UniPCMultistepScheduler,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    shared: dict[str, Any] = {
        "num_attention_heads": 2, "attention_head_dim": 16, "mlp_ratio": 2, "text_embed_dim": 32, "adaln_lora_dim": 4,
        "max_size": (64, 32, 32), "patch_size": (1, 2, 2), "rope_scale": (2.0, 1.0, 1.0),
        "extra_pos_embed_type": "learnable",
    }  # fmt: skip
    form = {"controlnet_block_every_n": 1, "img_context_dim_in": 32, "img_context_num_tokens": 4,
            "img_context_dim_out": 32} if transfer else {}  # fmt: skip
    parts: dict[str, Any] = {
        "transformer": CosmosTransformer3DModel(
            in_channels=17, out_channels=16, num_layers=2, concat_padding_mask=True, **shared, **form
        ),
        "vae": AutoencoderKLWan(
            base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
        ),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
        ),
        "text_encoder": Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(
                text_config={
                    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                    "num_key_value_heads": 2, "vocab_size": 160, "max_position_embeddings": 1024,
                    "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
                },
                vision_config={
                    "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
                },
                vision_end_token_id=153, vision_start_token_id=152, vision_token_id=154, image_token_id=155,
                video_token_id=156,
            )
        ).eval(),
        "tokenizer": chat_tokenizer(),
        "safety_checker": PartOfPipeline(),
    }  # fmt: skip
    if transfer:
        parts["controlnet"] = CosmosControlNetModel(
            n_controlnet_blocks=2, in_channels=18, latent_channels=18, model_channels=32, img_context_dim_in=32,
            img_context_dim_out=32, use_crossattn_projection=False, **shared,
        )  # fmt: skip
    pipeline = (Cosmos2_5_TransferPipeline if transfer else Cosmos2_5_PredictBasePipeline)(**parts)
    pipeline.register_modules(safety_checker=None)  # it is the user's, and no part of a published folder
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder

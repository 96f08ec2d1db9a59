"""Models of published sizes with random weights: their configs, saved as a pipeline that a family can load.

The transformers and the codec are those of the published configs. The text encoder is small, because words are encoded
once and are no part of a step; its width is the published one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

WORDS = "a street at night in rain"
COMMON: dict[str, Any] = {
    "attention_head_dim": 128, "out_channels": 16, "text_dim": 4096, "freq_dim": 256, "cross_attn_norm": True,
}  # fmt: skip
LARGE: dict[str, Any] = {"num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40}
SIZES: dict[str, dict[str, Any]] = {
    "wan_vace_1.3b": COMMON | {
        "in_channels": 16, "num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30,
        "vace_layers": list(range(0, 30, 2)), "vace_in_channels": 96,
    },
    "wan_vace_14b": COMMON | LARGE | {
        "in_channels": 16, "vace_layers": list(range(0, 40, 5)), "vace_in_channels": 96,
    },
    "wan_i2v_a14b": COMMON | LARGE | {"in_channels": 36},
    "wan_vace_tiny": {
        "attention_head_dim": 32, "num_attention_heads": 2, "in_channels": 16, "out_channels": 16, "text_dim": 32,
        "freq_dim": 32, "ffn_dim": 64, "num_layers": 2, "cross_attn_norm": True, "vace_layers": [0],
        "vace_in_channels": 96,
    },
    "wan_i2v_tiny": {
        "attention_head_dim": 32, "num_attention_heads": 2, "in_channels": 36, "out_channels": 16, "text_dim": 32,
        "freq_dim": 32, "ffn_dim": 64, "num_layers": 2, "cross_attn_norm": True,
    },
}  # fmt: skip
"""Name -> config of the transformer. Sources: config.json of Wan-AI's repositories in diffusers' layout, by the counts
of parameters 2.15 and 17.34 billion (VACE) and 14.3 billion for each of the two transformers of I2V-A14B."""
TINY_CODEC = {"base_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}


def text_parts(width: int) -> tuple[Any, Any]:
    """A tokenizer of a few words and a text encoder of one layer, of the width that the transformer reads."""
    words = ["<pad>", "<unk>", *WORDS.split()]
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    config = UMT5Config(vocab_size=64, d_model=width, d_kv=16, d_ff=64, num_layers=1, num_heads=4)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token="<unk>")
    return tokenizer, UMT5EncoderModel(config).eval()


def save_published(name: str, folder: Path, device: torch.device) -> None:
    """Save the model ``name`` of ``SIZES`` with random weights: in bfloat16 from a GPU, in float32 from a CPU.

    A family with two transformers gets the same weights twice; the second is a link to the first.
    """
    torch.manual_seed(0)
    tiny = name.endswith("tiny")
    tokenizer, text_encoder = text_parts(SIZES[name]["text_dim"])
    codec = AutoencoderKLWan(z_dim=16, **(TINY_CODEC if tiny else {})).eval()
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    cls: Any = WanVACETransformer3DModel if name.startswith("wan_vace") else WanTransformer3DModel
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if device.type == "cpu" else torch.bfloat16)
    try:
        with device:
            transformer = cls(**SIZES[name]).eval()
    finally:
        torch.set_default_dtype(usual)
    parts = {"tokenizer": tokenizer, "text_encoder": text_encoder, "vae": codec, "scheduler": scheduler}
    if name.startswith("wan_vace"):
        WanVACEPipeline(**parts, transformer=transformer).save_pretrained(folder)
        return
    pipeline: Any = WanImageToVideoPipeline(
        **parts, transformer=transformer, transformer_2=transformer, image_encoder=None, image_processor=None,
        boundary_ratio=0.9,
    )  # fmt: skip
    pipeline.register_modules(transformer_2=None)  # saved once
    pipeline.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    index["transformer_2"] = index["transformer"]
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "transformer_2").symlink_to("transformer", target_is_directory=True)

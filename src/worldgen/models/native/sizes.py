"""Sizes of the native model, in one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

from worldgen.core.errors import InputError
from worldgen.models.native.codec import LATENT_CHANNELS, build_codec
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.text import build_text_encoder, build_tokenizer
from worldgen.models.native.transformer import WorldTransformer


@dataclass(frozen=True)
class WorldSize:
    """Widths and depths of one size; see ``WorldTransformer`` for the meaning of each."""

    codec: str
    detail_width: int
    detail_blocks: int
    width: int
    blocks: int
    heads: int
    frame_width: int
    text_width: int
    text_layers: int
    purpose: str


SIZES: dict[str, WorldSize] = {
    "tiny": WorldSize("tiny", 16, 1, 32, 1, 2, 32, 32, 1, "tests: builds and runs in a fraction of a second"),
    "small": WorldSize("small", 192, 3, 256, 4, 4, 256, 128, 3, "the shipped model: laptops, 128 x 224"),
    "base": WorldSize(
        "base", 512, 3, 1792, 16, 14, 1024, 768, 12, "about 1B parameters: one large GPU, 256 x 448 and up"
    ),
}


def build_transformer(size: str, **changes) -> WorldTransformer:
    """A fresh transformer; ``changes`` replace single arguments of ``WorldTransformer``."""
    s = _size(size)
    arguments = {
        "latent_channels": LATENT_CHANNELS, "detail_width": s.detail_width, "detail_blocks": s.detail_blocks,
        "width": s.width, "blocks": s.blocks, "heads": s.heads, "frame_width": s.frame_width,
        "text_width": s.text_width,
    }  # fmt: skip
    return WorldTransformer(**{**arguments, **changes})


def build_pipeline(size: str, *, words: Iterable[str] = (), seed: int = 0) -> WorldPipeline:
    """A pipeline with fresh weights; ``words`` are texts whose words become whole tokens of the vocabulary."""
    s = _size(size)
    tokenizer = build_tokenizer(words)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return WorldPipeline(
            transformer=build_transformer(size),
            codec=build_codec(s.codec),
            text_encoder=build_text_encoder(len(tokenizer), width=s.text_width, layers=s.text_layers),
            tokenizer=tokenizer,
            scheduler=FlowMatchEulerDiscreteScheduler(),
        )


def _size(size: str) -> WorldSize:
    if size not in SIZES:
        raise InputError("model size", size, "one of " + ", ".join(SIZES))
    return SIZES[size]

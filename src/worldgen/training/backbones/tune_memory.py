"""Memory of a fine-tune before it begins: what must lie on the device, against what is free."""

from __future__ import annotations

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.memory_check import BYTES, free_bytes, resolved_dtype
from worldgen.models.backbones.options import BackboneConfig
from worldgen.training.backbones.trainable import Trainable
from worldgen.training.train_config import TrainConfig

GB = 1e9
BLOCK_VECTORS = 34
"""Vectors of the width of the network that one block keeps per token for its backward pass: normalised tokens in
float32, q, k and v, attention, sums, of self-attention, cross-attention and feed-forward layer."""
HIDDEN_VECTORS = 3
"""The same of the width of the feed-forward layer."""


def tune_bytes(config: TrainConfig, trainable: Trainable) -> tuple[int, int]:
    """Bytes of frozen weights and codec, and of activations of one micro-step."""
    backbone, data = trainable.backbone, config.data
    dtype = resolved_dtype(BackboneConfig(dtype=config.tune.dtype), backbone.device)
    weights = sum(
        count * BYTES["float32" if part == "vae" else dtype]
        for part, count in backbone.counts.items()
        if part in ("transformer", "vae", "image_encoder")
    )
    promise = backbone.promise
    frames = (data.num_frames - 1) // promise.frames.step + 1
    tokens = config.batch * frames * (data.width_px * data.height_px) // trainable.token_px**2
    width, hidden, blocks = trainable.width, trainable.hidden, trainable.blocks
    wide = BYTES["bfloat16"] if config.precision == "bf16" or dtype != "float32" else BYTES["float32"]
    checkpointing = config.tune.gradient_checkpointing
    return weights, activation_bytes(
        tokens, width=width, hidden=hidden, blocks=blocks, wide=wide, checkpointing=checkpointing
    )


def activation_bytes(tokens: int, *, width: int, hidden: int, blocks: int, wide: int, checkpointing: bool) -> int:
    """Bytes that a forward pass of ``tokens`` keeps. wide: bytes of a number."""
    block = tokens * wide * (BLOCK_VECTORS * width + HIDDEN_VECTORS * hidden)
    kept = blocks * tokens * width * wide
    return kept + block if checkpointing else blocks * block


def check_tune_memory(config: TrainConfig, trainable: Trainable) -> str:
    """A line on the memory of a run. Raises: InputError, naming what helps, for a run that does not fit."""
    weights, activations = tune_bytes(config, trainable)
    device = trainable.backbone.device
    free = free_bytes(device, BackboneConfig(device_memory_gb=config.tune.device_memory_gb))
    # The weights of the model lie on the device already, unless the amount to plan by is given.
    wanted = weights + activations if config.tune.device_memory_gb else activations
    if wanted > free:
        received = Received(f"{free / GB:.1f} GB free on {device}")
        helps = [] if config.tune.gradient_checkpointing else ["tune.gradient_checkpointing=true"]
        helps += ["batch=1 with accumulate"] if config.batch > 1 else []
        helps += ["a smaller data.width_px and data.height_px", "a smaller data.num_frames"]
        raise InputError("memory of the fine-tune", received, f"{wanted / GB:.1f} GB; " + ", or ".join(helps))
    return (
        f"memory of the model: {weights / GB:.1f} GB of weights and about {activations / GB:.1f} GB of activations, "
        f"{free / GB:.1f} GB free"
    )

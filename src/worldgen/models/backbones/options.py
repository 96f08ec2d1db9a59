"""How a pretrained model is loaded and run: number types, memory savers, chunks and prompts as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worldgen.core.errors import InputError

Offload = Literal["none", "model", "group", "sequential"]
TextEncoderPlace = Literal["free", "host", "device"]
DTYPES = ("", "bfloat16", "float16", "float32")
QUANTISED = ("", "int8", "float8")


@dataclass(frozen=True)
class BackboneConfig:
    """Options of a pretrained model. ``configs/backbones`` holds values for devices of 24, 48 and 80 GB.

    Attributes:
        dtype: of the denoiser and the text encoder; "" takes bfloat16 on a GPU and float32 on a CPU.
        vae_dtype: of the video codec; in half precision its pictures show bands and blocks.
        quantise: weights of the denoiser in one byte, "int8" or "float8", by torchao where it is installed; "" leaves
            them in ``dtype``. Clips change a little. Goes with offload none and model.
        offload: what waits in host memory. "none": nothing. "model": each network until its turn. "group": blocks of
            the denoiser until their turn. "sequential": single layers, the slowest.
        group_blocks: blocks of the denoiser that lie on the device together, for "group".
        text_encoder: where the text encoder stays between prompts. "free": nowhere, it is read again for new words.
            "host": in host memory. "device": on the device.
        prompt_cache: folder that keeps encoded prompts for later runs; "" keeps them in memory only.
        vae_tiling: decode pictures in overlapping tiles. vae_slicing: decode clips one by one.
        attention: attention backend of diffusers, as in "flash" or "sage"; "" takes PyTorch's own.
        compile: compile the blocks of the denoiser; the first chunk then takes minutes longer.
        lora: folder or hub repository of a LoRA, as of step distillation. lora_file: its file, "" for the only one.
            lora_scale: its strength.
        revision: branch, tag or commit of a hub repository; "" for the newest.
        steps, guidance, shift: defaults of the sampler in place of the family's; 0 leaves them. A step-distilled LoRA
            wants few steps and guidance 1.
        chunk_frames: frames that one run of the network makes; 0 takes the family's.
        overlap_frames: frames of a chunk that the one before has made; whole latent frames, so 4k+1 for most families.
        colour_hold: pull the colours of each later chunk back by what the network changed in the overlap, 0 (off) to 1.
        negative_prompt: what clips should not show; "" takes the family's own words.
        device_memory_gb: memory to plan by; 0 asks the device.
    """

    dtype: str = ""
    vae_dtype: str = "float32"
    quantise: str = ""
    offload: Offload = "none"
    group_blocks: int = 1
    text_encoder: TextEncoderPlace = "free"
    prompt_cache: str = ""
    vae_tiling: bool = False
    vae_slicing: bool = False
    attention: str = ""
    compile: bool = False
    lora: str = ""
    lora_file: str = ""
    lora_scale: float = 1.0
    revision: str = ""
    steps: int = 0
    guidance: float = 0.0
    shift: float = 0.0
    chunk_frames: int = 0
    overlap_frames: int = 5
    colour_hold: float = 0.0
    negative_prompt: str = ""
    device_memory_gb: float = 0.0

    def __post_init__(self) -> None:
        for name in ("dtype", "vae_dtype"):
            if getattr(self, name) not in DTYPES:
                raise InputError(f"backbone.{name}", getattr(self, name), "one of " + ", ".join(DTYPES[1:]))
        if self.quantise not in QUANTISED:
            raise InputError("backbone.quantise", self.quantise, "one of " + ", ".join(QUANTISED[1:]))
        if not 1 <= self.group_blocks <= 1000:
            raise InputError("backbone.group_blocks", self.group_blocks, "1 to 1000")
        if not 0 <= self.colour_hold <= 1:
            raise InputError("backbone.colour_hold", self.colour_hold, "0 to 1")
        if not 0 <= self.lora_scale <= 10:
            raise InputError("backbone.lora_scale", self.lora_scale, "0 to 10")
        for name, most in (("steps", 1000), ("guidance", 50), ("shift", 100), ("chunk_frames", 1024)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"backbone.{name}", getattr(self, name), f"0 (the family's) to {most}")
        if not 1 <= self.overlap_frames <= 512:
            raise InputError("backbone.overlap_frames", self.overlap_frames, "1 to 512")
        if not 0 <= self.device_memory_gb <= 10_000:
            raise InputError("backbone.device_memory_gb", self.device_memory_gb, "0 (ask the device) to 10000")

"""What a Wan transformer and its codec work with in memory, from their configs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worldgen.core.errors import InputError
from worldgen.models.backbones.hub import ModelSource
from worldgen.models.backbones.options import BackboneConfig

ACTIVATION_BYTES = 2
"""Of bfloat16; on a CPU in float32 the working memory is twice as large and seldom the limit."""
ROWS_PER_TOKEN = 8
"""Vectors of the width of the network that live at the same time per token: residual, norm, q, k, v, attention, sum."""
CODEC_ROWS = 20
"""Copies of a full-size feature map of one picture in the codec's last layers: four pictures decoded together, two kept
from before, inputs and outputs of a convolution."""
TILE_PX = 256 * 256
"""Pixels of a tile of the codec (diffusers' default)."""


@dataclass(frozen=True)
class WanSizes:
    """Sizes from the configs. width, feed_forward: of the transformer. hints: layers of the control branch, whose
    outputs are all kept. spatial, temporal: pixels and frames per latent cell. patch: latent cells per token on a side.
    codec_width: channels of the codec at full size."""

    width: int
    feed_forward: int
    hints: int
    spatial: int
    temporal: int
    patch: int
    codec_width: int

    @classmethod
    def of(cls, source: ModelSource) -> WanSizes:
        """Sizes of a model. Raises: InputError for configs that lack them."""
        name = next((part for part in ("transformer", "transformer_2") if part in source.components), "transformer")
        source.require(name, "vae")
        denoiser, codec = source.config(name), source.config("vae")
        try:
            down: Any = codec["temperal_downsample"]
            heads: Any = denoiser["num_attention_heads"]
            head: Any = denoiser["attention_head_dim"]
            hints: Any = denoiser.get("vace_layers") or ()
            patch: Any = denoiser["patch_size"]
            return cls(
                int(heads) * int(head), int(str(denoiser["ffn_dim"])), len(hints), 2 ** len(down),
                2 ** sum(bool(each) for each in down), int(patch[1]), int(str(codec["base_dim"])),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"configs of {source.name}", str(error), "the sizes of a Wan transformer and its codec"
            ) from error


def wan_working_bytes(sizes: WanSizes, config: BackboneConfig, size_px: tuple[int, int], chunk_frames: int) -> int:
    """Bytes that one chunk works with: the larger of denoising and decoding, and the frames in float32."""
    width, height = size_px
    cell = sizes.spatial * sizes.patch
    latent_frames = (chunk_frames - 1) // sizes.temporal + 1
    tokens = latent_frames * (height // cell) * (width // cell)
    denoising = tokens * ACTIVATION_BYTES * (sizes.width * (ROWS_PER_TOKEN + sizes.hints) + 2 * sizes.feed_forward)
    pixels = min(width * height, TILE_PX) if config.vae_tiling else width * height
    decoding = pixels * 4 * sizes.codec_width * CODEC_ROWS
    frames = chunk_frames * width * height * 3 * 4 * 3  # decoded, with its NumPy copy, and the control
    return max(denoising, decoding) + frames

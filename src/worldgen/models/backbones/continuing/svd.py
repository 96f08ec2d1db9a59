"""Stable Video Diffusion: continues a clip from its last frame, without words.

What moves, and how, the network decides; only the amount of motion can be asked for, and is left at its default. It
makes runs of a fixed length: a shorter rest is cut from a whole run. Pipeline of diffusers; its weights need a licence
of Stability AI for commercial use above a revenue limit, which worldgen has not verified.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from worldgen.core.errors import InputError
from worldgen.models.backbones.backbone import ChunkInputs, frames_of
from worldgen.models.backbones.continuing.last_frame import LastFrameBackbone, as_picture
from worldgen.models.backbones.digests import content_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import place, read_pipeline
from worldgen.models.families import SVD
from worldgen.models.promise import LargestClip, ModelPromise

DECODED_TOGETHER = 8
"""Frames that the codec decodes at once; the pipeline decodes all at once otherwise."""
BYTES_PER_PIXEL = 2_000
"""Working memory per pixel of a run of 25 frames: features of the U-Net's first level in half precision."""


@dataclass(eq=False)
class StableVideo(LastFrameBackbone):
    """A loaded pipeline. It has no text encoder."""

    pipeline: Any = None

    def encode_words(self, texts: list[str]) -> list[str]:
        """The texts as they are; none is used."""
        return texts

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk, the known one made anew: ``(n, H, W, 3)`` uint8."""
        width, height = chunk.size_px
        result = self.pipeline(
            as_picture(chunk.known[-1]), height=height, width=width, num_frames=chunk.options.chunk,
            num_inference_steps=chunk.options.steps, fps=chunk.fps, decode_chunk_size=DECODED_TOGETHER,
            generator=chunk.generator, output_type="np",
        )  # fmt: skip
        return frames_of(result.frames[0])[: len(chunk.span)]

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        return working_bytes(size_px, chunk_frames)


def working_bytes(size_px: tuple[int, int], chunk_frames: int) -> int:
    """Memory of activations, latents and frames of one run, in bytes; a rule of thumb, not measured on a GPU."""
    return size_px[0] * size_px[1] * BYTES_PER_PIXEL * chunk_frames // 25


def _working(_: BackboneConfig, size_px: tuple[int, int], chunk_frames: int) -> int:
    return working_bytes(size_px, chunk_frames)  # no option of this family changes it


def loaded_promise(pipeline: Any, config: BackboneConfig) -> ModelPromise:
    """What these weights honour: runs of the length that the network was trained with, 14 or 25 frames."""
    levels = len(pipeline.unet.config.block_out_channels) - 1
    return dataclasses.replace(
        SVD, size_multiple_px=pipeline.vae_scale_factor * 2**levels, steps=config.steps or SVD.steps,
        chunk_frames=config.chunk_frames or int(pipeline.unet.config.num_frames),
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> StableVideo:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for options that it has not, a missing part, too little memory, and files that do not fit.
    """
    from diffusers import StableVideoDiffusionPipeline

    for name in ("lora", "guidance", "shift", "negative_prompt"):
        if getattr(config, name):
            raise InputError(f"backbone.{name}", getattr(config, name), "nothing: Stable Video Diffusion has none")
    counts = parameter_counts(source)
    check_memory(source.name, counts, config, device=device, working=_working, run=Run.of(asked, config, SVD))
    source = find_model(source.name, revision=config.revision)
    source.require("unet", "vae", "image_encoder", "scheduler", "feature_extractor")
    pipeline = read_pipeline(source, StableVideoDiffusionPipeline, config, device)
    place(pipeline, config, device, denoisers=("unet",))
    name = content_name(source.folder, [*source.components])
    return StableVideo(loaded_promise(pipeline, config), name, config, device, counts, pipeline)

"""Wan picture to video: continues a clip from its last frame, in words.

Wan2.2 TI2V-5B (one transformer, noise level per token, a codec of 16 pixels), Wan2.2 I2V-A14B (a transformer for high
and one for low noise) and Wan2.1 I2V-14B. The pipeline is diffusers'.

What the pipeline does in silence, and what is done about it here: sizes and frame counts that do not fit are rounded
down (refused before); the given picture is made anew by the 14B models (the given frames are put back, and the next
chunk continues those).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import ChunkInputs, frames_of
from worldgen.models.backbones.continuing.last_frame import LastFrameBackbone, as_picture
from worldgen.models.backbones.digests import content_name, lora_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import add_lora, place, read_pipeline, refuse_missing_package
from worldgen.models.backbones.text_encoding import TEXT_FOLDERS, TextEncoder
from worldgen.models.backbones.wan_memory import WanSizes, wan_working_bytes
from worldgen.models.backbones.wan_text import WAY, encode_wan_words
from worldgen.models.backbones.wan_vace import shifted
from worldgen.models.families import WAN_I2V
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

DENOISERS = ("transformer", "transformer_2")


@dataclass(eq=False)
class WanI2V(LastFrameBackbone):
    """A loaded pipeline, without its text encoder, which ``text`` reads when there are new words."""

    pipeline: Any = None
    text: TextEncoder | None = None
    sizes: WanSizes | None = None

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States ``(1, 512, D)`` of each text. Raises: InputError for a text of more than 512 tokens."""
        assert self.text is not None
        return self.text.encode(texts)

    def check_more(self, request: Conditions) -> None:
        """Known frames and words are needed. Raises: InputError."""
        super().check_more(request)
        if not request.text:
            raise InputError("prompt", Received("none"), f"words: the family {self.promise.family} is told by them")

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk, the known one made anew: ``(n, H, W, 3)`` uint8."""
        width, height = chunk.size_px
        result = self.pipeline(
            image=as_picture(chunk.known[-1]), prompt_embeds=chunk.words["prompt"].to(self.device),
            negative_prompt_embeds=chunk.words["negative"].to(self.device), height=height, width=width,
            num_frames=len(chunk.span), num_inference_steps=chunk.options.steps,
            guidance_scale=float(chunk.options.guidance.get("text", 1.0)), generator=chunk.generator, output_type="np",
        )  # fmt: skip
        return frames_of(result.frames[0])

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        assert self.sizes is not None
        return wan_working_bytes(self.sizes, self.config, size_px, chunk_frames)

    def prepare(self, requests, options=None):
        """As every backbone; the shift of the noise schedule is set here, once for the whole run."""
        inputs = super().prepare(requests, options)
        self.pipeline.scheduler = shifted(self.pipeline.scheduler, inputs.options.shift)
        return inputs


def loaded_promise(pipeline: Any, config: BackboneConfig) -> ModelPromise:
    """What these weights honour: sizes of the loaded codec; size, rate and lengths that the form was trained with."""
    base = WAN_I2V
    if pipeline.config.expand_timesteps:  # TI2V-5B: 720p at 24 frames/s in runs of 121
        base = dataclasses.replace(
            base, size_px=(1280, 704), fps=24.0, chunk_frames=121, guidance={"text": 5.0}, steps=50
        )
    step = pipeline.vae_scale_factor_temporal
    denoiser = pipeline.transformer if pipeline.transformer is not None else pipeline.transformer_2
    scheduler = pipeline.scheduler.config
    saved_shift = float(scheduler.get("flow_shift") or scheduler.get("shift") or base.shift)
    return dataclasses.replace(
        base, size_multiple_px=pipeline.vae_scale_factor_spatial * denoiser.config.patch_size[1],
        frames=FrameCounts(step, 1, least=1 + step), context_frames=FrameCounts(step, 1),
        chunk_frames=config.chunk_frames or base.chunk_frames, steps=config.steps or base.steps,
        guidance={"text": config.guidance} if config.guidance else dict(base.guidance),
        shift=config.shift or saved_shift,
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> WanI2V:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for a missing package or part, too little memory, and files that do not fit.
    """
    refuse_missing_package("ftfy", "backbones", "the family wan_i2v")
    from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline

    counts, sizes = parameter_counts(source), i2v_sizes(source)
    working = partial(wan_working_bytes, sizes)
    check_memory(source.name, counts, config, device=device, working=working, run=Run.of(asked, config, WAN_I2V))
    source = find_model(source.name, revision=config.revision)
    source.require("vae", "scheduler", *TEXT_FOLDERS)
    text = TextEncoder(source, config, device, encode_wan_words, WAY)
    pipeline = read_pipeline(source, WanImageToVideoPipeline, config, device, without=TEXT_FOLDERS)
    if pipeline.transformer is None and pipeline.transformer_2 is None:
        raise InputError(f"model {source.name}", "no transformer", "a transformer, a transformer_2, or both")
    lora = add_lora(pipeline, config, second="transformer_2")
    place(pipeline, config, device, denoisers=DENOISERS)
    name = lora_name(content_name(source.folder, [*source.components]), lora, config.lora_scale)
    return WanI2V(loaded_promise(pipeline, config), name, config, device, counts, pipeline, text, sizes)


def i2v_sizes(source: ModelSource) -> WanSizes:
    """Sizes of the model; the codec of Wan 2.2 folds pixels of its own into channels. Raises: InputError."""
    sizes, codec = WanSizes.of(source), source.config("vae")
    patch, width = codec.get("patch_size"), codec.get("decoder_base_dim")
    if not isinstance(patch, int):
        return sizes
    return dataclasses.replace(
        sizes, spatial=int(str(codec.get("scale_factor_spatial", sizes.spatial * patch))),
        codec_width=(width if isinstance(width, int) else sizes.codec_width) // patch**2,
    )  # fmt: skip

"""Wan VACE: a control video, known frames by a mask, and a reference picture, in one network.

Wan2.1-VACE 1.3B and 14B, and the form of Wan2.2-VACE-Fun with a transformer for high and one for low noise. Source:
Jiang et al., "VACE: All-in-One Video Creation and Editing" (arXiv:2503.07598). The pipeline is diffusers'.

What the pipeline does in silence, and what is done about it here: a control of another size is kept on its own grid
(sizes are checked before); a number of frames other than 4k+1 is rounded down (refused before); frames of mask 0 are
made anew (the given frames are put back, and the next chunk continues those); parts of a prompt beyond 512 tokens are
dropped (refused).
"""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from worldgen.core.errors import InputError
from worldgen.models.backbones.backbone import Backbone, ChunkInputs, frames_of
from worldgen.models.backbones.digests import content_name, lora_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import add_lora, place, read_pipeline, refuse_missing_package
from worldgen.models.backbones.text_encoding import TEXT_FOLDERS, TextEncoder
from worldgen.models.backbones.wan_memory import WanSizes, wan_working_bytes
from worldgen.models.backbones.wan_text import WAY, encode_wan_words
from worldgen.models.families import WAN_VACE
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

DENOISERS = ("transformer", "transformer_2")
GREY = 0.5
"""Value of frames that nothing is known of: zero, once the pipeline has scaled to [-1, 1]."""


@dataclass(eq=False)
class WanVace(Backbone):
    """A loaded VACE pipeline, without its text encoder, which ``text`` reads when there are new words."""

    pipeline: Any = None
    text: TextEncoder | None = None
    sizes: WanSizes | None = None

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States ``(1, 512, D)`` of each text. Raises: InputError for a text of more than 512 tokens."""
        assert self.text is not None
        return self.text.encode(texts)

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk as the network returns them, known ones made anew: ``(n, H, W, 3)`` uint8."""
        width, height = chunk.size_px
        guidance = chunk.options.guidance
        video, mask = conditioning(chunk)
        result = self.pipeline(
            prompt_embeds=chunk.words["prompt"].to(self.device),
            negative_prompt_embeds=chunk.words["negative"].to(self.device),
            video=video, mask=mask, reference_images=_picture(chunk.reference),
            conditioning_scale=float(guidance.get("control", 1.0)), height=height, width=width,
            num_frames=len(chunk.span), num_inference_steps=chunk.options.steps,
            guidance_scale=float(guidance.get("text", 1.0)), generator=chunk.generator, output_type="np",
        )  # fmt: skip
        return frames_of(result.frames[0])

    def check_more(self, request) -> None:
        """A clip without any words has nothing to denoise towards. Raises: InputError."""
        if not request.text:
            raise InputError("prompt", request.text, f"words: the family {self.promise.family} is told by them")

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        assert self.sizes is not None
        return wan_working_bytes(self.sizes, self.config, size_px, chunk_frames)

    def prepare(self, requests, options=None):
        """As every backbone; the shift of the noise schedule is set here, once for the whole run."""
        inputs = super().prepare(requests, options)
        self.pipeline.scheduler = shifted(self.pipeline.scheduler, inputs.options.shift)
        return inputs


def conditioning(chunk: ChunkInputs) -> tuple[list[np.ndarray] | None, list[np.ndarray] | None]:
    """Video and mask of a chunk as the pipeline takes them: lists of one ``(n, H, W, 3)`` float32 in [0, 1].

    Known frames stand in the video with mask 0; the control, or grey, with mask 1. (None, None) where there is neither.
    Of a list of single frames in NumPy the pipeline would take width and colours for height and width.
    """
    if len(chunk.controls) > 1:
        raise AssertionError(f"{len(chunk.controls)} controls passed the check")
    if not chunk.controls and not len(chunk.known):
        return None, None
    width, height = chunk.size_px
    video: np.ndarray = np.full((len(chunk.span), height, width, 3), GREY, np.float32)
    for control in chunk.controls.values():
        assert control.shape == video.shape, (control.shape, video.shape)  # another size would be moved in silence
        video = control.astype(np.float32) / 255
    mask = np.ones_like(video)
    known = len(chunk.known)
    video[:known] = chunk.known.astype(np.float32) / 255
    mask[:known] = 0
    return [video], [mask]


def _picture(reference: np.ndarray | None) -> list[Any] | None:
    from PIL import Image

    return None if reference is None else [Image.fromarray(reference)]


def shifted(scheduler: Any, shift: float) -> Any:
    """The scheduler with another shift of its noise levels. Raises: InputError where it has none to set."""
    names = inspect.signature(type(scheduler).__init__).parameters
    name = next((name for name in ("flow_shift", "shift") if name in names), None)
    if name is None:
        raise InputError("shift", shift, f"none: the scheduler {type(scheduler).__name__} has no shift")
    if scheduler.config[name] == shift:
        return scheduler
    return type(scheduler).from_config(scheduler.config, **{name: shift})


def loaded_promise(pipeline: Any, config: BackboneConfig) -> ModelPromise:
    """What these weights honour: sizes and lengths of the loaded codec, defaults of the config."""
    step = pipeline.vae_scale_factor_temporal
    denoiser = pipeline.transformer if pipeline.transformer is not None else pipeline.transformer_2
    scheduler = pipeline.scheduler.config
    saved_shift = float(scheduler.get("flow_shift") or scheduler.get("shift") or WAN_VACE.shift)
    guidance = {"text": config.guidance} if config.guidance else dict(WAN_VACE.guidance)
    return dataclasses.replace(
        WAN_VACE, size_multiple_px=pipeline.vae_scale_factor_spatial * denoiser.config.patch_size[1],
        frames=FrameCounts(step, 1, least=1 + step), context_frames=FrameCounts(step, 1),
        chunk_frames=config.chunk_frames or WAN_VACE.chunk_frames, steps=config.steps or WAN_VACE.steps,
        guidance=guidance, shift=config.shift or saved_shift,
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> WanVace:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for a missing package or part, too little memory, and files that do not fit.
    """
    refuse_missing_package("ftfy", "backbones", "the family wan_vace")
    from diffusers.pipelines.wan.pipeline_wan_vace import WanVACEPipeline

    counts = parameter_counts(source)
    sizes = WanSizes.of(source)
    working = partial(wan_working_bytes, sizes)
    check_memory(source.name, counts, config, device=device, working=working, run=Run.of(asked, config, WAN_VACE))
    source = find_model(source.name, revision=config.revision)
    source.require("vae", "scheduler", *TEXT_FOLDERS)
    text = TextEncoder(source, config, device, encode_wan_words, WAY)
    pipeline = read_pipeline(source, WanVACEPipeline, config, device, without=TEXT_FOLDERS)
    if pipeline.transformer is None and pipeline.transformer_2 is None:
        raise InputError(f"model {source.name}", "no transformer", "a transformer, a transformer_2, or both")
    lora = add_lora(pipeline, config, second="transformer_2")
    place(pipeline, config, device, denoisers=DENOISERS)
    name = lora_name(content_name(source.folder, [*source.components]), lora, config.lora_scale)
    return WanVace(loaded_promise(pipeline, config), name, config, device, counts, pipeline, text, sizes)

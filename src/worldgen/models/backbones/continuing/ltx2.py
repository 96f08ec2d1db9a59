"""LTX-2 in context: a control video as tokens beside the clip, known first frames held fixed, and words.

A control works only with the in-context LoRA that was trained for it (``backbone.lora``), so none is promised without
one. Sound, which the network makes as well, is dropped. Pipeline of diffusers >= 0.39; published folders of LTX-2 name
another pipeline of the same parts, which is replaced.

What the pipeline does in silence, and what is done about it here: frame counts other than 8k+1 are rounded down
(refused before); a single known picture is compressed as in training (the given frame is put back); words beyond 1,024
tokens are dropped (refused).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import Backbone, ChunkInputs, frames_of
from worldgen.models.backbones.chunk_plan import ChunkSpan, chunk_plan
from worldgen.models.backbones.continuing.masked_words import with_mask, without_mask
from worldgen.models.backbones.continuing.pipeline_parts import check_diffusers, read_parts
from worldgen.models.backbones.digests import content_name, lora_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import add_lora, place
from worldgen.models.backbones.text_encoding import TEXT_FOLDERS, TextEncoder, refuse_cut_words
from worldgen.models.backbones.wan_memory import WanSizes, wan_working_bytes
from worldgen.models.families import LTX2
from worldgen.models.interface import SamplerOptions
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

PARTS = ("transformer", "vae", "audio_vae", "scheduler", "connectors", "vocoder")
"""Parts that are read. Those of sound are mandatory."""
MAX_TOKENS = 1024
WAY = f"ltx2 {MAX_TOKENS}"
SKIPPED_BLOCKS = (28,)
"""Blocks that spatio-temporal guidance skips (the pipeline's default); networks of fewer blocks go without it."""
DOWNSCALE = "reference_downscale_factor"
"""Metadata of a LoRA file: how much smaller than the clip its control was in training."""


@dataclass(eq=False)
class Ltx2(Backbone):
    """A loaded pipeline, without its text encoder, which ``text`` reads when there are new words.

    downscale: of the control against the clip, as the LoRA states it.
    """

    pipeline: Any = None
    text: TextEncoder | None = None
    downscale: int = 1

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States of all layers with their mask, ``(1, 1024, D + 1)``. Raises: InputError for a text that is cut."""
        assert self.text is not None
        return self.text.encode(texts)

    def check(self, requests: list[Conditions]) -> None:
        """As every backbone; a control without the LoRA that reads it is refused by name. Raises: InputError."""
        for request in requests:
            named = [name for name in request.controls if name in LTX2.controls]
            if named and not self.config.lora:
                expected = f"backbone.lora, an in-context LoRA for it, as in {LORAS[named[0]]}"
                raise InputError(f"LoRA for the control {named[0]}", Received("none"), expected)
        super().check(requests)

    def check_more(self, request: Conditions) -> None:
        """Words are needed. Raises: InputError."""
        if not request.text:
            raise InputError("prompt", Received("none"), f"words: the family {self.promise.family} is told by them")

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk as the network returns them: ``(n, H, W, 3)`` uint8. Raises: InputError."""
        from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition
        from diffusers.pipelines.ltx2.pipeline_ltx2_ic_lora import LTX2ReferenceCondition

        width, height = chunk.size_px
        words, mask = without_mask(chunk.words["prompt"].to(self.device))
        negative, negative_mask = without_mask(chunk.words["negative"].to(self.device))
        strength = float(chunk.options.guidance.get("control", 1.0))
        if not 0 <= strength <= 1:
            raise InputError("guidance strength of control", strength, "0 to 1: the share of attention it gets")
        references = [
            LTX2ReferenceCondition(frames=torch.from_numpy(video).permute(0, 3, 1, 2).float() / 255)
            for video in chunk.controls.values()
        ]
        deep = len(self.pipeline.transformer.transformer_blocks) > max(SKIPPED_BLOCKS)
        result = self.pipeline(
            prompt_embeds=words, prompt_attention_mask=mask, negative_prompt_embeds=negative,
            negative_prompt_attention_mask=negative_mask, height=height, width=width, num_frames=len(chunk.span),
            frame_rate=float(chunk.fps), num_inference_steps=chunk.options.steps,
            guidance_scale=float(chunk.options.guidance.get("text", 1.0)),
            conditions=[LTX2VideoCondition(frames=chunk.known, index=0)] if len(chunk.known) else None,
            reference_conditions=references or None, reference_downscale_factor=self.downscale,
            conditioning_attention_strength=strength, stg_scale=1.0 if deep else 0.0,
            audio_stg_scale=1.0 if deep else 0.0,
            spatio_temporal_guidance_blocks=list(SKIPPED_BLOCKS) if deep else None, generator=chunk.generator,
            output_type="np",
        )  # fmt: skip
        return frames_of(result.frames[0])

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        sizes = ltx_sizes(dict(self.pipeline.transformer.config), dict(self.pipeline.vae.config))
        return wan_working_bytes(sizes, self.config, size_px, chunk_frames)

    def _spans(self, request: Conditions, options: SamplerOptions) -> tuple[ChunkSpan, ...]:
        step = self.promise.frames.step  # chunks share whole latent frames: the overlap is rounded up to them
        overlap = -(-(self.config.overlap_frames - 1) // step) * step + 1
        return chunk_plan(
            request.num_frames, chunk=options.chunk, overlap=overlap, context=len(request.context or ()),
            frames=self.promise.frames,
        )  # fmt: skip


LORAS = {
    "depth": "Lightricks/LTX-2-19b-IC-LoRA-Depth-Control",
    "edge": "Lightricks/LTX-2-19b-IC-LoRA-Canny-Control",
}
"""Control -> published LoRA that reads it; some of them are gated."""


def encode_ltx_words(tokenizer: Any, encoder: Any, text: str, device: torch.device) -> torch.Tensor:
    """States of all layers with their mask, by the pipeline's own function. Raises: InputError for too long a text."""
    from diffusers.pipelines.ltx2.pipeline_ltx2_ic_lora import LTX2InContextPipeline

    refuse_cut_words(text, len(tokenizer(text).input_ids), MAX_TOKENS)
    parts: Any = SimpleNamespace(tokenizer=tokenizer, text_encoder=encoder, _execution_device=device)
    states, mask = LTX2InContextPipeline._get_gemma_prompt_embeds(
        parts, text, max_sequence_length=MAX_TOKENS, device=device
    )
    return with_mask(states, mask)


def ltx_sizes(transformer: dict[str, Any], codec: dict[str, Any]) -> WanSizes:
    """Sizes for the memory plan; the control counts as a second sequence of the same length."""
    width = transformer["num_attention_heads"] * transformer["attention_head_dim"]
    spatial, temporal = codec.get("spatial_compression_ratio") or 32, codec.get("temporal_compression_ratio") or 8
    patch = codec.get("patch_size") or 1
    return WanSizes(2 * width, 8 * width, 0, spatial, temporal, 1, max(1, codec["block_out_channels"][0] // patch**2))


def control_downscale(file: Path | None) -> int:
    """How much smaller than the clip a control is for the LoRA in ``file``, by its metadata; 1 without a word of it."""
    if file is None:
        return 1
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        stated = (opened.metadata() or {}).get(DOWNSCALE, "1")
    if not stated.isdigit() or not 1 <= int(stated) <= 8:
        raise InputError(f"{DOWNSCALE} of {file.name}", stated, "1 to 8")
    return int(stated)


def loaded_promise(pipeline: Any, config: BackboneConfig) -> ModelPromise:
    """What these weights honour: controls only with a LoRA that reads them."""
    step = pipeline.vae_temporal_compression_ratio
    controls = LTX2.controls if config.lora else ()
    return dataclasses.replace(
        LTX2, controls=controls, default_controls=LTX2.default_controls if config.lora else (),
        size_multiple_px=pipeline.vae_spatial_compression_ratio, frames=FrameCounts(step, 1, least=1 + step),
        context_frames=FrameCounts(step, 1), chunk_frames=config.chunk_frames or LTX2.chunk_frames,
        steps=config.steps or LTX2.steps, guidance={"text": config.guidance or LTX2.guidance["text"]},
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> Ltx2:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for too old a diffusers, a missing part, too little memory, and files that do not fit.
    """
    cls = check_diffusers("ltx2", "LTX2InContextPipeline", "0.39")
    if config.shift:
        raise InputError("backbone.shift", config.shift, "0: LTX-2 shifts its noise levels by the size of the clip")
    source.require(*(name for name in (*PARTS, *TEXT_FOLDERS) if name not in source.components))
    used = dataclasses.replace(source, components={n: source.components[n] for n in (*PARTS, *TEXT_FOLDERS)})
    counts = parameter_counts(used)
    sizes = ltx_sizes(used.config("transformer"), used.config("vae"))
    working = partial(wan_working_bytes, sizes)
    check_memory(source.name, counts, config, device=device, working=working, run=Run.of(asked, config, LTX2))
    used = dataclasses.replace(used, folder=find_model(source.name, revision=config.revision).folder)
    text = TextEncoder(used, config, device, encode_ltx_words, WAY)
    pipeline = cls(text_encoder=None, tokenizer=None, **read_parts(used, PARTS, config, device))
    pipeline.set_progress_bar_config(disable=True)
    lora = add_lora(pipeline, config)
    place(pipeline, config, device, denoisers=("transformer",))
    name = lora_name(content_name(used.folder, [*PARTS, *TEXT_FOLDERS]), lora, config.lora_scale)
    downscale = control_downscale(lora)
    return Ltx2(loaded_promise(pipeline, config), name, config, device, counts, pipeline, text, downscale)

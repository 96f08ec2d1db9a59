"""SANA-WM: drives on from the last known frame along a camera path, in words. Pipeline of diffusers >= 0.42.

The path is the ego motion in metres, in OpenCV axes; the lens is that of the clip's camera. The second network that
refines published clips is no part of the pipeline in diffusers and is not used. Weights were trained at 1280x704 and 16
frames per second.

What the pipeline does in silence, and what is done about it here: other frame counts are rounded to 8k+1 (refused
before); the picture is scaled and cut to the size of the clip (it has that size already); words beyond 300 tokens are
dropped (refused).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, se3_poses
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import ChunkInputs, frames_of
from worldgen.models.backbones.continuing.last_frame import LastFrameBackbone, as_picture
from worldgen.models.backbones.continuing.ltx2 import ltx_sizes
from worldgen.models.backbones.continuing.masked_words import with_mask, without_mask
from worldgen.models.backbones.continuing.pipeline_parts import check_diffusers, read_parts
from worldgen.models.backbones.cosmos.av_actions import camera_axes
from worldgen.models.backbones.digests import content_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import place
from worldgen.models.backbones.text_encoding import TEXT_FOLDERS, TextEncoder, refuse_cut_words
from worldgen.models.backbones.wan_memory import WanSizes, wan_working_bytes
from worldgen.models.families import SANA_WM
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

PARTS = ("transformer", "vae", "scheduler")
MAX_TOKENS = 300
WAY = f"sana_wm {MAX_TOKENS}"


@dataclass(eq=False)
class SanaWorldModel(LastFrameBackbone):
    """A loaded pipeline, without its text encoder, which ``text`` reads when there are new words."""

    pipeline: Any = None
    text: TextEncoder | None = None

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States with mask ``(2, 300, D + 1)``: of the text as a prompt, and as a negative prompt.

        Raises: InputError for a text that would be cut.
        """
        assert self.text is not None
        return self.text.encode(texts)

    def check_more(self, request: Conditions) -> None:
        """Known frames, ego motion and words are needed. Raises: InputError."""
        super().check_more(request)
        if not request.text:
            raise InputError("prompt", Received("none"), f"words: the family {self.promise.family} is told by them")

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk, the known one as its codec decodes it: ``(n, H, W, 3)`` uint8."""
        width, height = chunk.size_px
        assert chunk.ego is not None
        camera = chunk.camera or Camera.from_fov(width, height)
        words, mask = without_mask(chunk.words["prompt"][:1].to(self.device))
        negative, negative_mask = without_mask(chunk.words["negative"][1:].to(self.device))
        result = self.pipeline(
            image=as_picture(chunk.known[-1]), prompt="", c2w=camera_path(chunk.ego, camera),
            intrinsics=[camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px], height=height, width=width,
            num_frames=len(chunk.span), num_inference_steps=chunk.options.steps,
            guidance_scale=float(chunk.options.guidance.get("text", 1.0)), generator=chunk.generator,
            prompt_embeds=words[:, None], prompt_attention_mask=mask, negative_prompt_embeds=negative[:, None],
            negative_prompt_attention_mask=negative_mask, output_type="np",
        )  # fmt: skip
        return frames_of(np.asarray(result.frames))

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        sizes = sana_sizes(dict(self.pipeline.transformer.config), dict(self.pipeline.vae.config))
        return wan_working_bytes(sizes, self.config, size_px, chunk_frames)


def camera_path(ego: EgoMotion, camera: Camera) -> np.ndarray:
    """Poses ``(T, 4, 4)`` float32 from the camera of each frame to that of the first, in OpenCV axes and metres."""
    axes = np.eye(4)
    axes[:3, :3] = camera_axes(camera.pitch_rad)
    return (axes.T @ se3_poses(ego) @ axes).astype(np.float32)


def encode_sana_words(tokenizer: Any, encoder: Any, text: str, device: torch.device) -> torch.Tensor:
    """States with mask ``(2, 300, D + 1)`` of a text as a prompt (after the instructions that the network was trained
    with) and as a negative prompt. Raises: InputError for too long a text."""
    from diffusers.pipelines.sana_wm.pipeline_sana_wm import DEFAULT_CHI_PROMPT, SanaWMPipeline

    refuse_cut_words(text, len(tokenizer.encode(text)), MAX_TOKENS)
    parts: Any = SimpleNamespace(tokenizer=tokenizer, text_encoder=encoder, _execution_device=device)
    words, mask, negative, negative_mask = SanaWMPipeline.encode_prompt(
        parts, text, text, device=device, max_sequence_length=MAX_TOKENS, chi_prompt=DEFAULT_CHI_PROMPT
    )
    return torch.cat([with_mask(words[:, 0], mask), with_mask(negative[:, 0], negative_mask)])


def sana_sizes(transformer: dict[str, Any], codec: dict[str, Any]) -> WanSizes:
    """Sizes for the memory plan."""
    width = transformer["hidden_size"]
    plain = ltx_sizes({"num_attention_heads": 1, "attention_head_dim": width}, codec)
    return dataclasses.replace(plain, width=width, feed_forward=round(width * transformer["mlp_ratio"]))


def loaded_promise(pipeline: Any, config: BackboneConfig) -> ModelPromise:
    """What these weights honour: sizes and lengths of the loaded codec, defaults of the config."""
    step = pipeline.vae_temporal_compression_ratio
    return dataclasses.replace(
        SANA_WM, size_multiple_px=pipeline.vae_spatial_compression_ratio, frames=FrameCounts(step, 1, least=1 + step),
        context_frames=FrameCounts(step, 1), chunk_frames=config.chunk_frames or SANA_WM.chunk_frames,
        steps=config.steps or SANA_WM.steps, guidance={"text": config.guidance or SANA_WM.guidance["text"]},
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> SanaWorldModel:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for too old a diffusers, a missing part, too little memory, and files that do not fit.
    """
    cls = check_diffusers("sana_wm", "SanaWMPipeline", "0.42")
    for option in ("lora", "shift"):
        if getattr(config, option):
            raise InputError(f"backbone.{option}", getattr(config, option), "nothing: SANA-WM's pipeline has none")
    used = dataclasses.replace(
        source, components={n: c for n, c in source.components.items() if n in (*PARTS, *TEXT_FOLDERS)}
    )
    counts = parameter_counts(used)
    sizes = sana_sizes(used.config("transformer"), used.config("vae"))
    working = partial(wan_working_bytes, sizes)
    check_memory(source.name, counts, config, device=device, working=working, run=Run.of(asked, config, SANA_WM))
    used = dataclasses.replace(used, folder=find_model(source.name, revision=config.revision).folder)
    text = TextEncoder(used, config, device, encode_sana_words, WAY)
    pipeline = cls(tokenizer=None, text_encoder=None, **read_parts(used, PARTS, config, device))
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, config, device, denoisers=("transformer",))
    name = content_name(used.folder, [*PARTS, *TEXT_FOLDERS])
    return SanaWorldModel(loaded_promise(pipeline, config), name, config, device, counts, pipeline, text)

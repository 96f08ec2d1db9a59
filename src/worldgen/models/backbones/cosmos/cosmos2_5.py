"""Cosmos 2.5: transfer from one control video, or continuation of known frames, whichever pipeline a folder holds.

Transfer makes long clips in overlapping chunks of its own and takes no known frames; predict takes the last 1 or 5.
Both need torchvision, and a guardrail: their licence asks for it and their pipelines refuse to run without one.

What the pipelines do in silence, and what is done about it here: transfer returns black frames for a clip that the
guardrail refuses, and predict does not show clips to a checker of another class (both refused by name); words beyond
512 tokens are dropped (refused); a clip shorter than a chunk is made as long as the chunk and cut (asked for as it is).
"""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import Backbone, BackboneInputs, ChunkInputs, frames_of
from worldgen.models.backbones.chunk_plan import ChunkSpan
from worldgen.models.backbones.continuing.last_frame import as_picture
from worldgen.models.backbones.continuing.pipeline_parts import check_diffusers, codec_multiple, read_parts
from worldgen.models.backbones.cosmos.guardrail import Guardrail, refuse_unsafe_words, required_guardrail, safe_frames
from worldgen.models.backbones.digests import content_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import place
from worldgen.models.backbones.text_encoding import TEXT_FOLDERS, TextEncoder, refuse_cut_words
from worldgen.models.backbones.wan_memory import WanSizes, wan_working_bytes
from worldgen.models.families import COSMOS2_5
from worldgen.models.interface import SamplerOptions
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

MAX_TOKENS, TEMPLATE_TOKENS = 512, 32
"""Tokens that the network reads, and how many of them the chat template may take."""
WAY = f"cosmos2.5 {MAX_TOKENS}"
SHARED_FRAMES = 1
"""Frames that a chunk of transfer shares with the one before (the pipeline's default)."""
TRANSFER = "Cosmos2_5_TransferPipeline"


class PipelineGuardrail(torch.nn.Module):
    """The user's guardrail as a part of a pipeline, which reads device and type of all its parts."""

    position: torch.Tensor

    def __init__(self, guardrail: Guardrail):
        super().__init__()
        self.guardrail = guardrail
        self.register_buffer("position", torch.zeros(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the pipeline has put its parts."""
        return self.position.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the pipeline's parts."""
        return self.position.dtype

    def check_text_safety(self, prompt: str) -> bool:
        """Whether a prompt may be used."""
        refuse_unsafe_words(self.guardrail, prompt, self.device)
        return True

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray:
        """Frames ``(n, H, W, 3)`` uint8 as the guardrail returns them. Raises: InputError for a clip it refuses."""
        return safe_frames(self.guardrail, frames, self.device)


@dataclass(eq=False)
class Cosmos2p5(Backbone):
    """A loaded transfer or predict pipeline, without its text encoder, which ``text`` reads for new words."""

    pipeline: Any = None
    text: TextEncoder | None = None
    guardrail: Guardrail | None = None

    @property
    def transfers(self) -> bool:
        """Whether this pipeline follows controls; otherwise it continues known frames."""
        return bool(self.promise.controls)

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States of each text. Raises: InputError for a text that would be cut."""
        assert self.text is not None
        return self.text.encode(texts)

    def check_more(self, request: Conditions) -> None:
        """Words are needed. Raises: InputError."""
        if not request.text:
            raise InputError("prompt", Received("none"), f"words: the family {self.promise.family} is told by them")

    def prepare(self, requests: list[Conditions], options: SamplerOptions | None = None) -> BackboneInputs:
        """As every backbone, after the guardrail has seen the prompts. Raises: InputError."""
        self.check(requests)
        assert self.guardrail is not None
        for text in dict.fromkeys(request.text for request in requests if request.text):
            refuse_unsafe_words(self.guardrail, text, self.device)
        return super().prepare(requests, options)

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk: ``(n, H, W, 3)`` uint8."""
        return self._transferred(chunk) if self.transfers else self._continued(chunk)

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        sizes = cosmos_sizes(dict(self.pipeline.transformer.config), dict(self.pipeline.vae.config))
        return wan_working_bytes(sizes, self.config, size_px, chunk_frames)

    def seams(self, request: Conditions, options: SamplerOptions) -> tuple[int, ...]:
        """Frames at which the clip of a request is put together, by the pipeline itself for transfer."""
        if not self.transfers:
            return super().seams(request, options)
        return tuple(range(options.chunk, request.num_frames, options.chunk - SHARED_FRAMES))

    def _spans(self, request: Conditions, options: SamplerOptions) -> tuple[ChunkSpan, ...]:
        most = most_chunk_frames(dict(self.pipeline.transformer.config))
        if options.chunk > most:
            raise InputError("frames per chunk", options.chunk, f"at most {most}, the positions of the network")
        if not self.transfers:
            return super()._spans(request, options)
        self.promise.frames.check("frames per chunk", options.chunk)
        return (ChunkSpan(0, request.num_frames, 0),)  # its chunks are made inside the pipeline

    def _transferred(self, chunk: ChunkInputs) -> np.ndarray:
        width, height = chunk.size_px
        (control,) = chunk.controls.values()
        result = self.pipeline(
            controls=[as_picture(frame) for frame in control], height=height, width=width, num_frames=len(chunk.span),
            controls_conditioning_scale=float(chunk.options.guidance.get("control", 1.0)),
            num_frames_per_chunk=min(chunk.options.chunk, len(chunk.span)), num_ar_conditional_frames=SHARED_FRAMES,
            **self._shared(chunk),
        )  # fmt: skip
        return frames_of(result.frames[0])

    def _continued(self, chunk: ChunkInputs) -> np.ndarray:
        width, height = chunk.size_px
        known = len(chunk.known)
        latents = 2 if known >= 5 else 1
        seen = (4 * (latents - 1) + 1) if known else 0  # the pipeline looks at the last of the known frames only
        given: dict[str, Any] = {}
        if known:
            pictures = [as_picture(frame) for frame in chunk.known[-seen:]]
            given = {"video": pictures, "num_latent_conditional_frames": latents}
        result = self.pipeline(
            height=height, width=width, num_frames=len(chunk.span) - known + seen, **self._shared(chunk), **given
        )
        frames = frames_of(result.frames[0])
        assert self.guardrail is not None
        new = safe_frames(self.guardrail, frames[seen:], self.device)
        return np.concatenate([chunk.known[: known - seen], frames[:seen], new])

    def _shared(self, chunk: ChunkInputs) -> dict[str, Any]:
        return {
            "prompt_embeds": chunk.words["prompt"].to(self.device),
            "negative_prompt_embeds": chunk.words["negative"].to(self.device),
            "num_inference_steps": chunk.options.steps,
            "guidance_scale": float(chunk.options.guidance.get("text", 1.0)),
            "generator": chunk.generator, "output_type": "np",
        }  # fmt: skip


def encode_cosmos_words(tokenizer: Any, encoder: Any, text: str, device: torch.device) -> torch.Tensor:
    """States ``(1, 512, D)`` of a text: all layers of the encoder, by the pipeline's own function.

    Raises: InputError for too long a text.
    """
    from diffusers.pipelines.cosmos.pipeline_cosmos2_5_predict import Cosmos2_5_PredictBasePipeline

    refuse_cut_words(text, len(tokenizer(text).input_ids), MAX_TOKENS - TEMPLATE_TOKENS)
    parts: Any = SimpleNamespace(tokenizer=tokenizer, text_encoder=encoder, _execution_device=device)
    return Cosmos2_5_PredictBasePipeline._get_prompt_embeds(
        parts, prompt=text, max_sequence_length=MAX_TOKENS, device=device
    )


def check_torchvision() -> None:
    """Raises InputError unless a torchvision that fits the installed torch can be imported.

    Without it the networks fail with "name 'transforms' is not defined"; one for another torch breaks transformers too.
    """
    try:
        importlib.import_module("torchvision.transforms.functional")
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error) or type(error).__name__
        expected = f"the torchvision that belongs to torch {torch.__version__}: pip install torchvision with that torch"
        raise InputError("torchvision for the family cosmos2_5", Received(reason), expected) from error


def cosmos_sizes(transformer: dict[str, Any], codec: dict[str, Any]) -> WanSizes:
    """Sizes for the memory plan, from the configs of transformer and codec."""
    width = transformer["num_attention_heads"] * transformer["attention_head_dim"]
    hints = 1 if transformer.get("controlnet_block_every_n") else 0
    return WanSizes(
        width, round(width * transformer["mlp_ratio"]), hints, codec["scale_factor_spatial"],
        codec["scale_factor_temporal"], transformer["patch_size"][1], codec["base_dim"],
    )  # fmt: skip


def most_chunk_frames(transformer: dict[str, Any]) -> int:
    """Frames that the positions of the network hold, as the pipeline counts them."""
    return max(size // patch for size, patch in zip(transformer["max_size"], transformer["patch_size"], strict=True))


def loaded_promise(source: ModelSource, config: BackboneConfig, *, transfers: bool, step: int) -> ModelPromise:
    """What these weights honour: controls without known frames for transfer, known frames without controls for predict.

    step: frames of a latent frame.
    """
    frames = FrameCounts(step, 1, least=1 + step)
    most = min(most_chunk_frames(source.config("transformer")), COSMOS2_5.chunk_frames)
    base = dataclasses.replace(
        COSMOS2_5, apart=(), size_multiple_px=2 * codec_multiple(source), frames=frames,
        chunk_frames=config.chunk_frames or frames.below(most), steps=config.steps or COSMOS2_5.steps,
    )  # fmt: skip
    if transfers:
        guidance = {"text": config.guidance or COSMOS2_5.guidance["text"]}
        return dataclasses.replace(base, conditions=("text",), needs=("controls",), guidance=guidance)
    return dataclasses.replace(
        base, controls=(), default_controls=(), guidance={"text": config.guidance or 7.0},
        context_frames=FrameCounts(step, 1),
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> Cosmos2p5:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for a missing package, guardrail or part, too little memory, and files that do not fit.
    """
    cls = check_diffusers("cosmos2_5", source.class_name, "0.37.1")
    check_torchvision()
    if config.lora:
        raise InputError("backbone.lora", config.lora, "none: it cannot be fused into the parts of Cosmos 2.5")
    if config.shift:
        raise InputError("backbone.shift", config.shift, "0: the noise levels of Cosmos 2.5 have no shift")
    guardrail = required_guardrail("cosmos2_5")
    transfers = source.class_name == TRANSFER
    names = ("transformer", "vae", "scheduler", *(("controlnet",) if transfers else ()))
    used = dataclasses.replace(
        source, components={n: c for n, c in source.components.items() if n in (*names, *TEXT_FOLDERS)}
    )
    counts = parameter_counts(used)
    sizes = cosmos_sizes(used.config("transformer"), used.config("vae"))
    working = partial(wan_working_bytes, sizes)
    check_memory(source.name, counts, config, device=device, working=working, run=Run.of(asked, config, COSMOS2_5))
    used = dataclasses.replace(used, folder=find_model(source.name, revision=config.revision).folder)
    text = TextEncoder(used, config, device, encode_cosmos_words, WAY)
    parts = read_parts(used, names, config, device)
    pipeline = cls(text_encoder=None, tokenizer=None, safety_checker=PipelineGuardrail(guardrail), **parts)
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, config, device, denoisers=("transformer", "controlnet"))
    step = int(parts["vae"].config.scale_factor_temporal)
    promise = loaded_promise(used, config, transfers=transfers, step=step)
    name = content_name(used.folder, [*names, *TEXT_FOLDERS])
    return Cosmos2p5(promise, name, config, device, counts, pipeline, text, guardrail)

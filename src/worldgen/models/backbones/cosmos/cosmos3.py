"""Cosmos 3: transfer from several control videos, driving by ego motion, and continuation, with one network.

Nano and Super, of diffusers >= 0.40. Control videos go through the blocks of its modular pipeline, the rest through its
plain one; both share the parts. Source of guidance, steps and shift: NVIDIA/cosmos, cookbooks/cosmos3/generator.

What the pipelines do in silence, and what is done about it here: names of controls only give an order (controls carry
their published colours, ``rendering.controls``); unknown arguments are ignored (a test compares ours with the blocks');
the first control sets the length (all have that of the clip); a checker of another class is not asked
(:mod:`.guardrail` asks it).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import Backbone, BackboneInputs, ChunkInputs, frames_of
from worldgen.models.backbones.chunk_plan import ChunkSpan
from worldgen.models.backbones.continuing.last_frame import last_frame_plan
from worldgen.models.backbones.continuing.pipeline_parts import (
    check_diffusers,
    codec_multiple,
    read_parts,
    transfer_working_bytes,
)
from worldgen.models.backbones.cosmos.av_actions import ACTION_FPS, action_rows, check_action_rate, ego_from_actions
from worldgen.models.backbones.cosmos.guardrail import Guardrail, refuse_unsafe_words, required_guardrail, safe_frames
from worldgen.models.backbones.digests import content_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.memory_check import Run, check_memory, parameter_counts
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import place
from worldgen.models.backbones.wan_vace import shifted
from worldgen.models.families import COSMOS3
from worldgen.models.interface import SamplerOptions
from worldgen.models.promise import FrameCounts, LargestClip, ModelPromise

PARTS = ("transformer", "text_tokenizer", "vae", "scheduler")
CONTROL_GUIDANCE = {"edge": (3.0, 1.5), "blur": (3.0, 1.5), "depth": (3.0, 1.5), "seg": (3.0, 2.0), "wsm": (1.0, 3.0)}
"""Control -> guidance of words and of the control, as in the published specs of transfer."""
WORDS_GUIDANCE = 6.0
"""Guidance of words where there is neither a control nor ego motion (the pipeline's default)."""
EGO_GUIDANCE = 1.0
EGO_CHUNK = 61
"""Frames of a run with ego motion: 60 actions, as in training."""
AV_PROMPT = "You are an autonomous vehicle planning system."
"""What the domain "av" was told in training."""
DOMAIN = "av"
TIERS = (256, 480, 704, 720)


@dataclass(eq=False)
class Cosmos3(Backbone):
    """A loaded model: ``omni`` continues and drives, ``transfer`` follows controls. There is no text encoder."""

    omni: Any = None
    transfer: Any = None
    guardrail: Guardrail | None = None

    def encode_words(self, texts: list[str]) -> list[str]:
        """The texts as they are: the network reads tokens together with the pictures."""
        return texts

    def check_more(self, request: Conditions) -> None:
        """Words are needed without ego motion; ego motion needs a first picture, 10 frames/s and a canvas that holds
        the picture. Raises: InputError."""
        if request.ego is None:
            if not request.text:
                raise InputError("prompt", Received("none"), "words, or ego motion with a first frame")
            return
        if request.context is None:
            raise InputError(
                "ego motion", Received("no context"), "known first frames, from whose last one it drives on"
            )
        check_action_rate(request.fps)
        action_tier(self._size_of(request))

    def prepare(self, requests: list[Conditions], options: SamplerOptions | None = None) -> BackboneInputs:
        """As every backbone, after the guardrail has seen the prompts. Raises: InputError."""
        inputs = super().prepare(requests, options)
        assert self.guardrail is not None
        for text in dict.fromkeys(request.text for request in requests if request.text):
            refuse_unsafe_words(self.guardrail, text, self.device)
        self.omni.scheduler = shifted(self.omni.scheduler, inputs.options.shift)
        self.transfer.update_components(scheduler=self.omni.scheduler)
        return inputs

    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk; known ones are held fixed by the pipeline: ``(n, H, W, 3)`` uint8."""
        if chunk.controls:
            frames = self._transferred(chunk)
        elif chunk.ego is not None:
            frames = self._driven(chunk)
        else:
            frames = self._continued(chunk)
        assert self.guardrail is not None
        known = len(chunk.known)
        new = safe_frames(self.guardrail, frames[known:], self.device)
        return np.concatenate([frames[:known], new])

    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""
        config = self.omni.transformer.config
        return transfer_working_bytes(
            self.config, size_px, chunk_frames, width=config.hidden_size, feed_forward=config.intermediate_size,
            codec=dict(self.omni.vae.config),
        )  # fmt: skip

    def read_motion(self, clip: Clip, *, steps: int = 30, seed: int = 0, pitch_rad: float = 0.0) -> EgoMotion:
        """Ego motion that the network reads from a clip at 10 frames/s (its inverse dynamics): one row a frame.

        The clip is read in windows of at most 61 frames that share a frame. Frames after the last of 4k + 1 are read in
        a window that begins earlier.

        Raises: InputError for another rate, a clip of fewer than 5 frames, and weights without actions.
        """
        check_action_rate(clip.fps)
        if "ego" not in self.promise.conditions:
            raise InputError("weights of cosmos3", Received("no action_gen"), "weights trained with actions")
        if len(clip) < 5:
            raise InputError("frames of a clip", len(clip), "at least 5")
        rows = np.zeros((len(clip) - 1, 9))
        done = 0
        while done < len(rows):
            stop = min(done + EGO_CHUNK, len(clip))
            start = stop - (min(EGO_CHUNK, stop) - 1) // 4 * 4 - 1 if stop == len(clip) else done
            generator = torch.Generator("cpu").manual_seed(seed)
            rows[start : stop - 1] = self._actions_of(clip.frames[start:stop], steps, generator)
            done = stop - 1
        return ego_from_actions(rows, pitch_rad=pitch_rad)

    def _spans(self, request: Conditions, options: SamplerOptions) -> tuple[ChunkSpan, ...]:
        if request.ego is None:
            return super()._spans(request, options)
        assert request.context is not None
        chunk = min(options.chunk, EGO_CHUNK)
        return last_frame_plan(
            request.num_frames, chunk=chunk, context=len(request.context), frames=self.promise.frames
        )

    def _transferred(self, chunk: ChunkInputs) -> np.ndarray:
        width, height = chunk.size_px
        words, control = control_guidance(tuple(chunk.controls))
        known = len(chunk.known)
        seen = {"video": picture_tensor(chunk.known), "num_first_chunk_conditional_frames": known} if known else {}
        frames = self.transfer(
            prompt=chunk.words["prompt"], negative_prompt=chunk.words["negative"],
            control_videos={name: picture_tensor(video) for name, video in chunk.controls.items()},
            num_frames=len(chunk.span), num_video_frames_per_chunk=len(chunk.span), height=height, width=width,
            fps=float(chunk.fps), num_inference_steps=chunk.options.steps,
            guidance_scale=chunk.options.guidance.get("text", words),
            control_guidance=chunk.options.guidance.get("control", control),
            generator=chunk.generator, output_type="np", output="videos", **seen,
        )  # fmt: skip
        return frames_of(np.asarray(frames))

    def _continued(self, chunk: ChunkInputs) -> np.ndarray:
        width, height = chunk.size_px
        known = len(chunk.known)
        per_latent = self.omni.vae_scale_factor_temporal
        seen: dict[str, Any] = {}
        if known:
            indexes = tuple(range((known - 1) // per_latent + 1))
            seen = {"video": picture_tensor(chunk.known), "condition_frame_indexes_vision": indexes}
        templates = not is_json(chunk.words["prompt"])  # a JSON caption states size, rate and length itself
        result = self.omni(
            prompt=chunk.words["prompt"], negative_prompt=chunk.words["negative"], num_frames=len(chunk.span),
            height=height, width=width, fps=float(chunk.fps), num_inference_steps=chunk.options.steps,
            guidance_scale=chunk.options.guidance.get("text", WORDS_GUIDANCE), generator=chunk.generator,
            add_resolution_template=templates, add_duration_template=templates, output_type="np", **seen,
        )  # fmt: skip
        return frames_of(result.video)

    def _driven(self, chunk: ChunkInputs) -> np.ndarray:
        from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import CosmosActionCondition

        assert chunk.ego is not None
        pitch = 0.0 if chunk.camera is None else chunk.camera.pitch_rad
        action = CosmosActionCondition(
            mode="forward_dynamics", chunk_size=len(chunk.span) - 1, domain_name=DOMAIN,
            resolution_tier=action_tier(chunk.size_px), video=picture_tensor(chunk.known),
            raw_actions=torch.from_numpy(action_rows(chunk.ego, pitch_rad=pitch)).float(),
        )  # fmt: skip
        result = self.omni(
            prompt=driving_prompt(chunk.words["prompt"]), negative_prompt=chunk.words["negative"], action=action,
            fps=ACTION_FPS, num_inference_steps=chunk.options.steps, use_system_prompt=False,
            guidance_scale=chunk.options.guidance.get("text", EGO_GUIDANCE), generator=chunk.generator,
            output_type="np",
        )  # fmt: skip
        return frames_of(result.video)

    @torch.no_grad()
    def _actions_of(self, frames: np.ndarray, steps: int, generator: torch.Generator) -> np.ndarray:
        from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import CosmosActionCondition

        action = CosmosActionCondition(
            mode="inverse_dynamics", chunk_size=len(frames) - 1, domain_name=DOMAIN,
            resolution_tier=action_tier(frames.shape[2:0:-1]), video=picture_tensor(frames),
        )  # fmt: skip
        result = self.omni(
            prompt=AV_PROMPT, action=action, fps=ACTION_FPS, num_inference_steps=steps, guidance_scale=EGO_GUIDANCE,
            generator=generator, use_system_prompt=False, output_type="latent",
        )  # fmt: skip
        return result.action[0].double().numpy()


def control_guidance(names: tuple[str, ...]) -> tuple[float, float]:
    """Guidance of words and of controls for these controls. For several, whose values no spec states, the control that
    needs the most decides: the least guidance of words and the most of controls."""
    pairs = [CONTROL_GUIDANCE[name] for name in names]
    return min(words for words, _ in pairs), max(control for _, control in pairs)


def action_tier(size_px: tuple[int, int]) -> int:
    """The smallest resolution tier whose canvas holds a picture of width and height, so that it is not scaled.

    Raises: InputError where no canvas does: the pipeline would return smaller frames.
    """
    from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import _ACTION_RESOLUTION_BINS
    from diffusers.video_processor import VideoProcessor

    width, height = size_px
    for tier in TIERS:
        bins = _ACTION_RESOLUTION_BINS[str(tier)]
        canvas_height, canvas_width = VideoProcessor.classify_height_width_bin(height, width, ratios=bins)
        if canvas_height >= height and canvas_width >= width:
            return tier
    raise InputError(
        "frame size with ego motion", Received(f"{width}x{height}"), "a size that 1280x720 or 960x960 holds"
    )


def driving_prompt(words: str) -> str:
    """The words of a run with ego motion: those of training, then what the user wants to see.

    The pipeline writes them into a JSON caption of its own, so of a JSON caption only the running text is taken.
    """
    text = json.loads(words).get("temporal_caption", "") if is_json(words) else words
    return f"{AV_PROMPT} {text}".strip()


def is_json(words: str) -> bool:
    """Whether words are a JSON object."""
    try:
        return isinstance(json.loads(words), dict)
    except ValueError:
        return False


def picture_tensor(frames: np.ndarray) -> torch.Tensor:
    """Frames ``(n, H, W, 3)`` uint8 as ``(n, 3, H, W)`` float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255


def loaded_promise(source: ModelSource, config: BackboneConfig, parts: dict[str, Any]) -> ModelPromise:
    """What these weights honour: ego motion only where they were trained with actions, sizes of the loaded codec."""
    conditions = COSMOS3.conditions
    if not parts["transformer"].config.action_gen:
        conditions = tuple(name for name in conditions if name != "ego")
    step = int(parts["vae"].config.scale_factor_temporal)
    saved = parts["scheduler"].config.get("flow_shift")
    return dataclasses.replace(
        COSMOS3, conditions=conditions, size_multiple_px=codec_multiple(source),
        frames=FrameCounts(step, 1, least=1 + step), context_frames=FrameCounts(step, 1),
        chunk_frames=config.chunk_frames or COSMOS3.chunk_frames, steps=config.steps or COSMOS3.steps,
        guidance={"text": config.guidance} if config.guidance else {},
        shift=config.shift or float(saved or COSMOS3.shift),
    )  # fmt: skip


def load_family(
    source: ModelSource, config: BackboneConfig, device: torch.device, asked: LargestClip | None = None
) -> Cosmos3:
    """The model of ``source``, which may hold configs only: weights are read, or downloaded, once it is known to fit.

    asked: the clip that it must fit for; None checks the smallest.

    Raises: InputError for too old a diffusers, a missing guardrail or part, too little memory, and files that do not
    fit.
    """
    omni_class = check_diffusers("cosmos3", "Cosmos3OmniPipeline", "0.40")
    blocks_class = check_diffusers("cosmos3", "Cosmos3OmniBlocks", "0.40")
    if config.lora:
        raise InputError("backbone.lora", config.lora, "none: diffusers loads no LoRA into a Cosmos 3 pipeline")
    guardrail = required_guardrail("cosmos3")
    source = only_parts(source)
    counts = parameter_counts(source)
    transformer: dict[str, Any] = source.config("transformer")
    working = partial(
        transfer_working_bytes, width=transformer.get("hidden_size", 4096),
        feed_forward=transformer.get("intermediate_size", 12288), codec=source.config("vae"),
    )  # fmt: skip
    check_memory(source.name, counts, config, device=device, working=working, run=Run.of(asked, config, COSMOS3))
    source = only_parts(find_model(source.name, revision=config.revision))
    parts = read_parts(source, PARTS, config, device)
    omni = omni_class(**parts, enable_safety_checker=False)  # asked here: see guardrail.py
    omni.set_progress_bar_config(disable=True)
    transfer = blocks_class().init_pipeline()
    transfer.update_components(**parts)
    transfer.disable_safety_checker()
    transfer.set_progress_bar_config(disable=True)
    place(omni, config, device, denoisers=("transformer",))
    name = content_name(source.folder, PARTS)
    promise = loaded_promise(source, config, parts)
    return Cosmos3(promise, name, config, device, counts, omni, transfer, guardrail)


def only_parts(source: ModelSource) -> ModelSource:
    """The source without parts that are not used: sound and the checker. Raises: InputError where one is missing."""
    return dataclasses.replace(source, components={n: c for n, c in source.components.items() if n in PARTS})

"""What all pretrained families share: checks, chunks with known frames, seeds, pasting and colours.

A family says how one chunk is made (:meth:`Backbone.make_chunk`) and how words are encoded
(:meth:`Backbone.encode_words`). Clips of any allowed length, their seams and their seeds come from here.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.core.seeds import stable_hash
from worldgen.models.backbones.chunk_plan import ChunkSpan, chunk_plan, seams_of
from worldgen.models.backbones.colour_hold import held_colours
from worldgen.models.backbones.memory_check import (
    Run,
    check_memory,
    estimated_memory,
    resolved_dtype,
)
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.tuned.ego_injector import EgoInjector, ego_features
from worldgen.models.families import FAMILIES
from worldgen.models.interface import MemoryEstimate, SamplerOptions, sampler_options
from worldgen.models.promise import LargestClip, ModelPromise


@dataclass(frozen=True, eq=False)
class ChunkInputs:
    """Everything that one run of the network gets.

    span: its frames in the clip. known: ``(span.known, H, W, 3)`` uint8, the frames that exist. controls: name ->
    ``(len(span), H, W, 3)`` uint8. ego: motion of these frames, or None. words: what ``encode_words`` made of the
    prompt, and of the negative prompt. generator: of the noise, on the CPU, so that devices agree. camera: of the clip,
    None where nothing is known of it.
    """

    span: ChunkSpan
    size_px: tuple[int, int]
    fps: float
    known: np.ndarray
    controls: Mapping[str, np.ndarray]
    ego: EgoMotion | None
    words: Mapping[str, Any]
    reference: np.ndarray | None
    generator: torch.Generator
    options: SamplerOptions
    camera: Camera | None = None


@dataclass(frozen=True, eq=False)
class BackboneInputs:
    """Checked requests of equal shape, with their encoded words, the plan of their chunks, and the options."""

    requests: tuple[Conditions, ...]
    words: tuple[Mapping[str, Any], ...]
    spans: tuple[ChunkSpan, ...]
    options: SamplerOptions


@dataclass(eq=False)
class Backbone(ABC):
    """A loaded pretrained model; a ``WorldModel``.

    promise: what these weights honour. weights_hash: names them by content, LoRA included. config: how it runs. device:
    where it computes. counts: parameters of each part. injector: embeds ego motion, where a fine-tune added it.
    free_bytes: memory of the device before the model was loaded, which requests must fit; None checks none.
    """

    promise: ModelPromise
    weights_hash: str
    config: BackboneConfig
    device: torch.device
    counts: dict[str, int] = field(default_factory=dict)
    injector: EgoInjector | None = field(default=None, kw_only=True)
    free_bytes: int | None = field(default=None, kw_only=True)

    @abstractmethod
    def encode_words(self, texts: list[str]) -> list[Any]:
        """What the network reads of each text. Raises: InputError for a text that it would cut short."""

    @abstractmethod
    def make_chunk(self, chunk: ChunkInputs) -> np.ndarray:
        """All frames of a chunk, known ones included, as the network returns them: ``(n, H, W, 3)`` uint8."""

    @abstractmethod
    def working_bytes(self, size_px: tuple[int, int], chunk_frames: int) -> int:
        """Memory of activations, latents and frames while one chunk is made, in bytes."""

    def check_more(self, request: Conditions) -> None:  # noqa: B027  # most families have no rule of their own
        """Refuse what only this family cannot do. Raises: InputError."""

    @property
    def accepts(self) -> tuple[str, ...]:
        return self.promise.conditions

    @property
    def size_px(self) -> tuple[int, int]:
        """Default width and height in pixels."""
        return self.promise.size_px

    def check(self, requests: list[Conditions]) -> None:
        """Refuse what the model cannot do, with one line each, before any work begins. Raises: InputError."""
        others = tuple(promise for name, promise in FAMILIES.items() if name != self.promise.family)
        for request in requests:
            self.promise.check(request, others)
            self.check_more(request)
        same = {(r.num_frames, r.fps, len(r.context or ()), self._size_of(r)) for r in requests}
        if len(same) != 1:
            raise InputError("requests of one batch", Received(str(sorted(same))), "all of one shape")

    def estimate(self, request: Conditions) -> MemoryEstimate:
        """Memory on the device of one request, at the model's own number of frames a run."""
        frames = min(request.num_frames, self.config.chunk_frames or self.promise.chunk_frames)
        working = self.working_bytes(self._size_of(request), frames)
        dtype = resolved_dtype(self.config, self.device)
        return estimated_memory(self.counts, self.config, dtype=dtype, working=working)

    def check_memory(self, request: Conditions, options: SamplerOptions) -> None:
        """Refuse a request that does not fit on the device, naming options with which it would. Raises: InputError."""
        if self.free_bytes is None:
            return

        def working(config: BackboneConfig, size_px: tuple[int, int], frames: int) -> int:
            return dataclasses.replace(self, config=config).working_bytes(size_px, frames)

        shape = LargestClip(request.num_frames, self._size_of(request), options.chunk)
        check_memory(
            f"the family {self.promise.family}", self.counts, self.config, device=self.device, working=working,
            run=Run.of(shape, self.config, self.promise), free=self.free_bytes,
        )  # fmt: skip

    def seams(self, request: Conditions, options: SamplerOptions) -> tuple[int, ...]:
        """Frames at which the clip of a request is put together."""
        return seams_of(self._spans(request, options))

    def prepare(self, requests: list[Conditions], options: SamplerOptions | None = None) -> BackboneInputs:
        """Checked requests with encoded words; the text encoder is done after it. Raises: InputError."""
        self.check(requests)
        options = options or sampler_options(self.promise)
        self.promise.check_guidance(options.guidance)
        spans = self._spans(requests[0], options)
        self.check_memory(requests[0], options)
        negative = self.config.negative_prompt or self.promise.default_negative
        texts = [(r.text or "", negative if r.negative_text is None else r.negative_text) for r in requests]
        distinct = list(dict.fromkeys(text for pair in texts for text in pair))
        encoded = dict(zip(distinct, self.encode_words(distinct), strict=True))
        words = tuple({"prompt": encoded[text], "negative": encoded[other]} for text, other in texts)
        return BackboneInputs(tuple(requests), words, spans, options)

    def stream(self, requests: list[Conditions], options: SamplerOptions | None = None) -> Iterator[list[Clip]]:
        """The clips in parts, a part a chunk; known frames come first. Raises: InputError."""
        yield from self.frames(self.prepare(requests, options))

    def __call__(self, requests: list[Conditions], options: SamplerOptions | None = None) -> list[Clip]:
        """One whole clip per request. Raises: InputError."""
        parts = list(self.stream(requests, options))
        clips = zip(*parts, strict=True)
        return [Clip(np.concatenate([part.frames for part in clip]), clip[0].fps) for clip in clips]

    @torch.no_grad()
    def frames(self, inputs: BackboneInputs) -> Iterator[list[Clip]]:
        """The clips of prepared requests in parts; known frames come first, in a part of their own."""
        makers = [
            self._parts(request, words, inputs.spans, inputs.options)
            for request, words in zip(inputs.requests, inputs.words, strict=True)
        ]
        yield from (list(parts) for parts in zip(*makers, strict=True))

    def _parts(
        self, request: Conditions, words: Mapping[str, Any], spans: tuple[ChunkSpan, ...], options: SamplerOptions
    ) -> Iterator[Clip]:
        size = width, height = self._size_of(request)
        made = np.empty((0, height, width, 3), np.uint8) if request.context is None else request.context.frames
        first_frame, said_context = 0, request.context is None  # ``made`` holds the frames from ``first_frame`` on
        for number, span in enumerate(spans):
            start, stop = span.start, span.stop
            known = made[start - first_frame : span.first_new - first_frame]
            # The seed of a chunk is that of its first new frame: the same however many chunks came before.
            generator = torch.Generator("cpu").manual_seed(stable_hash("chunk noise", request.seed, span.first_new))
            ego = request.ego
            if ego is not None:
                ego = EgoMotion(ego.speed_mps[start:stop], ego.yaw_rate_radps[start:stop], ego.fps)
            chunk = ChunkInputs(
                span, size, request.fps, known, {n: v[start:stop] for n, v in request.controls.items()}, ego, words,
                request.reference, generator, options, request.camera,
            )  # fmt: skip
            with self._with_ego(chunk):
                frames = self.make_chunk(chunk)
            if frames.shape != (len(span), height, width, 3) or frames.dtype != np.uint8:
                raise AssertionError(f"the pipeline returned {frames.dtype} {frames.shape} for {len(span)} frames")
            if number > 0 and self.config.colour_hold:
                frames = held_colours(frames, known, known=span.known, strength=self.config.colour_hold)
            if not said_context:
                shown = known if self.promise.known_frames == "pasted" else frames[: span.known]
                assert request.context is not None
                before = request.context.frames[: span.start]  # a context longer than a chunk
                yield Clip(np.concatenate([before, shown]), request.fps)
                said_context = True
            new = frames[span.known :]
            yield Clip(new, request.fps)
            made = np.concatenate([known, new])
            first_frame = start

    def _with_ego(self, chunk: ChunkInputs) -> AbstractContextManager[None]:
        if self.injector is None:
            return nullcontext()
        latent_frames = (len(chunk.span) - 1) // self.injector.sizes.frames_per_latent + 1
        features = ego_features(chunk.ego, self.injector.sizes, latent_frames)[None]
        return self.injector.driving(features.to(self.device))

    def _spans(self, request: Conditions, options: SamplerOptions) -> tuple[ChunkSpan, ...]:
        return chunk_plan(
            request.num_frames, chunk=options.chunk, overlap=self.config.overlap_frames,
            context=len(request.context or ()), frames=self.promise.frames,
        )  # fmt: skip

    def _size_of(self, request: Conditions) -> tuple[int, int]:
        return request.size_px or self.size_px


def frames_of(values: np.ndarray) -> np.ndarray:
    """Frames ``(n, H, W, 3)`` uint8 from a pipeline's floats in [0, 1].

    Raises: FloatingPointError for values that are not finite, as after an overflow in half precision.
    """
    if not np.isfinite(values).all():
        raise FloatingPointError("the network returned values that are not finite")
    return np.rint(np.clip(values, 0.0, 1.0) * 255).astype(np.uint8)

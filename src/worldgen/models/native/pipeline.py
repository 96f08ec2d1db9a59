"""The native world model as a diffusers pipeline: conditions in, clips out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_type_hints, overload

import cv2
import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.utils.outputs import BaseOutput
from transformers import DistilBertModel, PreTrainedTokenizerFast

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.families import FAMILIES, NATIVE
from worldgen.models.interface import MemoryEstimate, SamplerOptions
from worldgen.models.native.codec import SPATIAL_FACTOR, PatchCodec, encode_video
from worldgen.models.native.conditions import ClipConditions, ConditionBatch, batch_conditions
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.models.native.rollout.grain import Grain
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import Rollout, chunks
from worldgen.models.native.text import text_states
from worldgen.models.native.transformer import LAYOUT_FACTOR, WorldTransformer
from worldgen.models.promise import ModelPromise
from worldgen.models.weights import weights_hash

MAX_SIDE_PX = 2048
WORKING_BYTES_PER_PX = 450
"""Growth of a process that samples without layout, per pixel of a frame: 416, 375 and 424 bytes at 224x128, 448x256
and 832x480 in float32 on a CPU."""
NETWORKS = ("transformer", "codec", "text_encoder")
CODE_NAME = "pipeline.py"
CODE = '''"""The class that DiffusionPipeline.from_pretrained(..., trust_remote_code=True) loads; it needs worldgen."""

from worldgen.models.native.pipeline import WorldPipeline

__all__ = ["WorldPipeline"]
'''
"""Content of ``pipeline.py`` in a saved folder: diffusers finds pipelines that it does not ship by such a file."""


@dataclass
class WorldPipelineOutput(BaseOutput):
    """What a pipeline returns with ``return_dict=True``.

    frames: ``(B, T, H, W, 3)`` uint8, sRGB. fps: frames per second.
    """

    frames: np.ndarray
    fps: float


@dataclass(frozen=True, eq=False)
class NativeInputs:
    """Checked requests of equal shape, and how they are sampled."""

    requests: tuple[Conditions, ...]
    options: SamplerOptions


class WorldPipeline(DiffusionPipeline):
    """Generates clips that continue a context, follow an ego motion, show what a text says and follow a layout.

    ``accepts`` names the conditions that the weights honour; every other condition is refused by name and never
    ignored.
    """

    # The codec, a thirtieth of the transformer, takes turns with it frame by frame. In the chain, every turn would
    # move the transformer; outside, both stay on the device until the clip is finished.
    model_cpu_offload_seq = "text_encoder->transformer"  # type: ignore[assignment]  # diffusers' default is None
    transformer: WorldTransformer
    codec: PatchCodec
    text_encoder: DistilBertModel
    tokenizer: PreTrainedTokenizerFast
    scheduler: FlowMatchEulerDiscreteScheduler

    def __init__(
        self,
        transformer: WorldTransformer,
        codec: PatchCodec,
        text_encoder: DistilBertModel,
        tokenizer: PreTrainedTokenizerFast,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ):
        super().__init__()
        self.register_modules(
            transformer=transformer, codec=codec, text_encoder=text_encoder, tokenizer=tokenizer, scheduler=scheduler
        )

    def save_config(self, save_directory: str | PathLike[Any], push_to_hub: bool = False, **kwargs: Any) -> None:
        """Write ``model_index.json``: the last step of ``save_pretrained`` before a folder is uploaded.

        As in diffusers, but the tokenizer's class gets the name that transformers 4 and 5 both know, and the
        pipeline's class is that of ``pipeline.py``, which is written beside it.
        """
        super().save_config(save_directory, push_to_hub=push_to_hub, **kwargs)
        folder = Path(save_directory)
        for path in (folder / "model_index.json", folder / "tokenizer/tokenizer_config.json"):
            if path.is_file():
                written = path.read_text(encoding="utf-8")
                path.write_text(written.replace('"TokenizersBackend"', '"PreTrainedTokenizerFast"'), encoding="utf-8")
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        index["_class_name"] = [CODE_NAME.removesuffix(".py"), type(self).__name__]
        (folder / "model_index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        (folder / CODE_NAME).write_text(CODE, encoding="utf-8")

    @classmethod
    def _dict_from_json_file(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As in diffusers, but a loaded pipeline is of this class: code that lies in the folder is not asked for."""
        config = super()._dict_from_json_file(*args, **kwargs)
        return config | {"_class_name": cls.__name__} if "_class_name" in config else config

    @property
    def networks(self) -> WorldNetworks:
        """What rollouts and losses need of the pipeline."""
        return WorldNetworks(self.transformer, self.text_encoder, self.codec, self.scheduler)

    @property
    def _execution_device(self) -> torch.device:
        """Where the networks compute: as in diffusers, also when only some of them wait elsewhere for their turn."""
        device = super()._execution_device
        if device.type != "meta":
            return device
        for part in (part for name in NETWORKS for part in getattr(self, name).modules()):
            place = getattr(getattr(part, "_hf_hook", None), "execution_device", None)
            if place is not None:
                return torch.device(place)
        return device

    @property
    def promise(self) -> ModelPromise:
        """What these weights honour and make."""
        config = self.transformer.config
        return replace(
            NATIVE, conditions=tuple(config.accepts), size_px=(config.width_px, config.height_px),
            size_multiple_px=2 * SPATIAL_FACTOR, max_side_px=MAX_SIDE_PX, fps=float(config.fps),
        )  # fmt: skip

    @property
    def accepts(self) -> tuple[str, ...]:
        return self.promise.conditions

    @property
    def size_px(self) -> tuple[int, int]:
        """Default width and height in pixels."""
        return self.promise.size_px

    @property
    def weights_hash(self) -> str:
        """A name for the weights of all networks, adapters included."""
        tensors = {f"{name}.{key}": t for name in NETWORKS for key, t in getattr(self, name).state_dict().items()}
        return weights_hash(tensors)

    @overload
    def __call__(
        self, requests: list[Conditions], options: SamplerOptions | None = None, *, return_dict: Literal[False] = False
    ) -> list[Clip]: ...

    @overload
    def __call__(
        self, requests: list[Conditions], options: SamplerOptions | None = None, *, return_dict: Literal[True]
    ) -> WorldPipelineOutput: ...

    @torch.no_grad()
    def __call__(
        self, requests: list[Conditions], options: SamplerOptions | None = None, *, return_dict: bool = False
    ) -> list[Clip] | WorldPipelineOutput:
        """One clip of ``num_frames`` per request; requests of one call have equal frames, fps, size and context length.

        return_dict: give the frames as the output of a diffusers pipeline. Context frames come back as the codec
        decodes them; generated frames get the same grain (``models.native.rollout.grain``). Raises InputError for
        conditions that the model does not accept and for sizes that it cannot generate.
        """
        parts = list(self.stream(requests, options))
        frames = [np.concatenate([part[i].frames for part in parts]) for i in range(len(requests))]
        if return_dict:
            return WorldPipelineOutput(np.stack(frames), requests[0].fps)
        return [Clip(each, request.fps) for each, request in zip(frames, requests, strict=True)]

    @torch.no_grad()
    def stream(self, requests: list[Conditions], options: SamplerOptions | None = None) -> Iterator[list[Clip]]:
        """The same, chunk by chunk as they are generated; memory does not grow with the number of frames."""
        yield from self.frames(self.prepare(requests, options))

    def prepare(self, requests: list[Conditions], options: SamplerOptions | None = None) -> NativeInputs:
        """Requests and options, checked; words and pictures are encoded when the first frame is taken."""
        self.check(requests)
        options = options or SamplerOptions()
        self.promise.check_guidance(options.guidance)
        return NativeInputs(tuple(requests), options)

    @torch.no_grad()
    def frames(self, inputs: NativeInputs) -> Iterator[list[Clip]]:
        """The clips of prepared requests, chunk by chunk; known frames come first."""
        try:
            yield from self._chunks(list(inputs.requests), inputs.options)
        finally:
            self.maybe_free_model_hooks()

    def estimate(self, request: Conditions) -> MemoryEstimate:
        """Memory of one request in chunks of one frame: all networks, and what grows with the size of a frame."""
        weights = sum(p.numel() * p.element_size() for name in NETWORKS for p in getattr(self, name).parameters())
        width, height = self._size_of(request)
        return MemoryEstimate(weights, WORKING_BYTES_PER_PX * width * height)

    def _chunks(self, requests: list[Conditions], options: SamplerOptions) -> Iterator[list[Clip]]:
        conditions = self.conditions_of(requests)
        width, height = self._size_of(requests[0])
        text = text_states(self.text_encoder, conditions).to(self.transformer.dtype)
        seeds, fps = [r.seed for r in requests], requests[0].fps
        rollout = Rollout(self.networks, conditions, text, noise=seeded_noise(seeds), options=options)
        contexts = [r.context for r in requests if r.context is not None]  # of all requests or of none: check() says so
        grain = None
        if contexts:
            video = video_from_clips(contexts).to(self._execution_device)
            rollout.feed(encode_video(self.codec, video).to(self.transformer.dtype))
            grain = Grain.of(video, rollout.newest)
            yield clips_from_video(rollout.newest, fps)
        shape = (self.transformer.config.latent_channels, height // SPATIAL_FACTOR, width // SPATIAL_FACTOR)
        for frames in chunks(rollout.position, requests[0].num_frames, options.chunk):
            first = rollout.position
            rollout.generate(frames, shape)
            video = rollout.newest if grain is None else grain.over(rollout.newest, seeds, first)
            yield clips_from_video(video, fps)

    def check(self, requests: list[Conditions]) -> None:
        """Refuse what the model cannot do, with one line each, before any work begins. Raises InputError."""
        for request in requests:
            self.promise.check(request, tuple(FAMILIES.values()))
        first = requests[0]
        same = {(r.num_frames, r.fps, 0 if r.context is None else len(r.context), self._size_of(r)) for r in requests}
        if len(same) != 1:
            raise InputError(
                "requests of one batch", Received(str(sorted(same))), f"all like the first, {first.num_frames} frames"
            )

    def conditions_of(self, requests: list[Conditions]) -> ConditionBatch:
        """Requests as tensors on the model's device; layouts are area-averaged to the model's grid."""
        width, height = self._size_of(requests[0])
        grid = (height // SPATIAL_FACTOR * LAYOUT_FACTOR, width // SPATIAL_FACTOR * LAYOUT_FACTOR)
        clips = [
            ClipConditions(
                r.num_frames, r.fps, r.text, r.ego, r.camera,
                None if r.layout is None else fit_layout(r.layout, *grid),
            )
            for r in requests
        ]  # fmt: skip
        return batch_conditions(clips, self.tokenizer).to(self._execution_device)

    def _size_of(self, request: Conditions) -> tuple[int, int]:
        return request.size_px or self.size_px


# diffusers 0.36 reads the classes of the parts from the annotations, and passes over those that are text.
WorldPipeline.__init__.__annotations__.update(get_type_hints(WorldPipeline.__init__))


def fit_layout(layout: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Layout maps ``(T, K, H, W)`` to ``(T, K, rows, columns)`` float16, area-averaged."""
    if layout.shape[2:] == (rows, columns):
        return layout.astype(np.float16, copy=False)
    frames = [
        cv2.resize(maps.transpose(1, 2, 0).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        for maps in layout
    ]
    return np.stack(frames).transpose(0, 3, 1, 2).astype(np.float16)

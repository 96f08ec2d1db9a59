"""What a pretrained family must supply to be fine-tuned; one module a family implements it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import Backbone
from worldgen.models.backbones.tuned.ego_injector import EgoInjector, EgoInjectorSizes, ego_features
from worldgen.models.backbones.tuned.tuned_adapter import denoiser_of
from worldgen.models.interface import sampler_options

NO_CONTROL = ""
"""Name of the control of an item that has none."""
FIXED = "fixed"
"""Name of the tensor of a given that says which latent frames are known, for families that keep them without noise."""
METADATA_KEY = "lora_adapter_metadata"
"""Where diffusers keeps the peft config of a LoRA in its file."""
EgoReader = Callable[[EgoMotion | None, Camera | None, int], torch.Tensor]
"""Ego motion of a window, its camera and its number of latent frames -> the rows that the network is driven by, all
zero without motion. It can be sent to another process."""


@dataclass(frozen=True)
class Given:
    """What the network is told of a window beside words and motion: how many first frames, and which control."""

    known: int
    control: str = NO_CONTROL

    @property
    def name(self) -> str:
        """Start of the names of its tensors in a cached window."""
        return f"{self.known}/{self.control}/"


@dataclass(frozen=True, eq=False)
class WindowPixels:
    """A training window as pixels. frames ``(T, H, W, 3)`` uint8, controls by name, the same shape."""

    frames: np.ndarray
    fps: float
    controls: Mapping[str, np.ndarray]


@dataclass(eq=False)
class TuneBatch:
    """Encoded windows of one micro-step.

    latents: ``(B, C, F, h, w)``. words: ``(B, L, D)``. given: name -> ``(B, ...)``, tensors of the family that say what
    is known of the clip. ego: ``(B, N, K)`` rows of the family's :data:`EgoReader`; None where motion is not trained.
    """

    keys: tuple[str, ...]
    latents: torch.Tensor
    words: torch.Tensor
    given: dict[str, torch.Tensor]
    ego: torch.Tensor | None = None

    def to(self, device: torch.device) -> TuneBatch:
        """The same on a device."""
        return dataclasses.replace(
            self, latents=self.latents.to(device), words=self.words.to(device),
            given={name: tensor.to(device) for name, tensor in self.given.items()},
            ego=None if self.ego is None else self.ego.to(device),
        )  # fmt: skip


class Trainable(ABC):
    """A pretrained model with its loss conventions: how windows are encoded, what the network is called with, and the
    path between data and noise.

    All families here are trained by flow matching: ``x = (1 - level) * clean + level * noise``, the network predicts
    ``noise - clean`` (Lipman et al. 2023, arXiv:2210.02747).
    """

    targets: ClassVar[tuple[str, ...]]
    """Ends of the names of the layers that get adapters by default."""
    ego_is_native: ClassVar[bool] = False
    """Whether ego motion is a condition of the family itself; else an injector adds it."""
    words_name: str = ""
    """Names a second form of the cached words."""

    def __init__(self, backbone: Backbone, *, shift: float) -> None:
        self.backbone = backbone
        self.pipeline: Any = getattr(backbone, "pipeline", None) or getattr(backbone, "omni", None)
        self.network: Any = denoiser_of(backbone)
        self.shift = shift or backbone.promise.shift
        self.device = backbone.device

    @property
    def width(self) -> int:
        """Width of the transformer's tokens."""
        config = self.network.config
        return int(config.num_attention_heads) * int(config.attention_head_dim)

    @property
    def token_px(self) -> int:
        """Side of a token in pixels."""
        return self.backbone.promise.size_multiple_px

    @property
    def hidden(self) -> int:
        """Width of its feed-forward layers."""
        return int(self.network.config.get("ffn_dim") or 4 * self.width)

    @property
    def blocks(self) -> int:
        """Number of its blocks, those of a control branch included."""
        return int(self.network.config.num_layers) + len(self.network.config.get("vace_layers") or ())

    @abstractmethod
    def encode(self, window: WindowPixels, givens: list[Given]) -> dict[str, torch.Tensor]:
        """``latents`` ``(C, F, h, w)`` of a window, and under ``Given.name`` + NAME the tensors of each given."""

    @abstractmethod
    def velocity(self, noisy: torch.Tensor, levels: torch.Tensor, batch: TuneBatch) -> torch.Tensor:
        """The network's prediction ``(B, C, F, h, w)`` float32 at noise levels ``(B,)``."""

    def note_window(  # noqa: B027  # most need none
        self, num_frames: int, size_px: tuple[int, int], fps: float, *, ego: bool
    ) -> None:
        """Told once, before anything is encoded: length, width and height, and rate of the windows, and whether ego
        motion is trained."""

    @property
    def injector_sizes(self) -> EgoInjectorSizes:
        """Of an injector for this network."""
        return EgoInjectorSizes(self.width, self.backbone.promise.frames.step)

    def ego_reader(self) -> EgoReader:
        """How ego motion reaches :meth:`velocity`."""
        return partial(_injected_rows, self.injector_sizes)

    def fixed(self, batch: TuneBatch) -> torch.Tensor | None:
        """Where latents are known and noise-free, ``(B, 1, F, 1, 1)`` bool; None where all are noisy."""
        known = batch.given.get(FIXED)
        return None if known is None else known.bool()[:, None, :, None, None]

    def part_layers(self, part: str) -> str:
        """Start of the names of the layers of a part. Raises: InputError for a part that the family lacks."""
        if part == "control":
            family = self.backbone.promise.family
            raise InputError("tune.part", part, f"model: the family {family} has no control branch")
        return ""

    def check_givens(self, givens: list[Given]) -> None:
        """Raises InputError for known frames and controls that the model does not honour."""
        promise = self.backbone.promise
        for given in givens:
            if given.known:
                promise.context_frames.check("tune.known_frames", given.known)
            elif promise.needs == ("context",):
                received = Received("0 known frames")
                raise InputError("tune.known_frames", received, f"1: the family {promise.family} continues a picture")
            name = given.control.split(":")[0]
            if name and name not in promise.controls:
                raise InputError("tune.controls", name, "of " + (", ".join(promise.controls) or "none"))

    def level(self, uniform: torch.Tensor) -> torch.Tensor:
        """Noise levels in (0, 1) of uniform numbers, with the shift of the family's sampler.

        Source: Esser et al. 2024 (arXiv:2403.03206), equation 23, as ``flow_shift`` of diffusers' schedulers.
        """
        return self.shift * uniform / (1 + (self.shift - 1) * uniform)

    def save_lora(self, folder: Path, layers: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        """Write adapter tensors and their peft config into a folder, as the pipeline of the family loads them."""
        self.pipeline.save_lora_weights(
            folder, transformer_lora_layers=layers, transformer_lora_adapter_metadata=metadata
        )

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States ``(L, D)`` of each text on the CPU."""
        return [states[0] for states in self.backbone.encode_words(texts)]

    def sheet_request(self, window: WindowPixels, text: str, given: Given) -> Conditions:
        """A request to repeat a window, without ego motion."""
        height, width = window.frames.shape[1:3]
        return Conditions(
            len(window.frames), window.fps, text=text or "a drive", camera=Camera.from_fov(width, height, 60.0),
            context=Clip(window.frames[: given.known], window.fps) if given.known else None,
            controls={given.control.split(":")[0]: window.controls[given.control]} if given.control else {},
        )  # fmt: skip

    def sheet_clip(self, request: Conditions, steps: int, injector: EgoInjector | None = None) -> Clip:
        """What the network generates now. injector: that its ego motion goes through."""
        backbone = self.backbone
        promise = backbone.promise
        options = sampler_options(promise, steps=steps, chunk=request.num_frames)
        try:
            if injector is not None:
                backbone.injector = injector
                backbone.promise = dataclasses.replace(promise, conditions=(*promise.conditions, "ego"))
            return backbone([request], options)[0]
        finally:
            backbone.injector, backbone.promise = None, promise


def _injected_rows(
    sizes: EgoInjectorSizes, ego: EgoMotion | None, camera: Camera | None, latent_frames: int
) -> torch.Tensor:
    return ego_features(ego, sizes, latent_frames)


def known_latent_frames(known: int, latent_frames: int, step: int) -> torch.Tensor:
    """1 for latent frames that ``known`` first frames fill, 0 for the others, ``(F,)`` float32."""
    count = (known - 1) // step + 1 if known else 0
    return (torch.arange(latent_frames) < count).float()


def trainable_of(backbone: Backbone, *, shift: float) -> Trainable:
    """How a loaded model is trained. Raises: InputError for a family that cannot be fine-tuned here."""
    family = backbone.promise.family
    if family == "wan_vace":
        from worldgen.training.backbones.families.wan_vace_training import WanVaceTraining

        return WanVaceTraining(backbone, shift=shift)
    if family == "wan_i2v":
        from worldgen.training.backbones.families.wan_i2v_training import WanI2VTraining

        return WanI2VTraining(backbone, shift=shift)
    if family == "cosmos3":
        from worldgen.training.backbones.families.cosmos3_training import Cosmos3Training

        return Cosmos3Training(backbone, shift=shift)
    if family == "ltx2":
        from worldgen.training.backbones.families.ltx2_training import Ltx2Training

        return Ltx2Training(backbone, shift=shift)
    raise InputError("family to fine-tune", family, "wan_vace, wan_i2v, cosmos3, ltx2")

"""How a pretrained model is fine-tuned: the part of a run's config that only ``task=backbone`` reads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from worldgen.core.errors import InputError


@dataclass(frozen=True)
class TuneOptions:
    """Values of a fine-tune of a pretrained model.

    Attributes:
        part: what gets low-rank adapters. model: the transformer's main blocks. control: its control branch only, which
            then learns to follow ``controls``.
        revision: branch, tag or commit of a hub repository.
        ego: train ego motion as a condition (``models.backbones.tuned.ego_injector``).
        require_ego: fail a run whose held-out loss is not better with true than with shuffled ego motion.
        ego_lr_scale: factor on the learning rate of the ego injector, which starts from zero.
        controls: controls to train on, each alone or as NAME:VARIANT. A clip gives those that its scene, labels or
            pixels allow; the others are left out for it.
        depth_model: folder of a depth model of transformers (Depth Anything) for the control ``depth`` of recorded
            clips; its depth is encoded once with the window. "" leaves depth out for them.
        known_frames: numbers of known first frames to train on, each a whole number of latent frames or 0; one is drawn
            for each item.
        text_dropout, ego_dropout, control_dropout: shares of items without words, ego motion or control.
        windows: windows of a clip at most (0: as many as fit one after the other).
        shift: of the noise levels, 0 for that of the model's scheduler.
        dtype: number type of the frozen weights: bfloat16, float16 or float32; "" suits the device.
        gradient_checkpointing: compute activations again in the backward pass instead of keeping them.
        sheet_steps: sampling steps of the clips on contact sheets.
        sensitivity_windows: held-out windows on which the use of ego motion is measured at the end.
        device_memory_gb: memory to plan by; 0 asks the device.
    """

    part: Literal["model", "control"] = "model"
    revision: str = ""
    ego: bool = False
    require_ego: bool = True
    ego_lr_scale: float = 10.0
    controls: tuple[str, ...] = ()
    depth_model: str = ""
    known_frames: tuple[int, ...] = (5,)
    text_dropout: float = 0.1
    ego_dropout: float = 0.1
    control_dropout: float = 0.1
    windows: int = 0
    shift: float = 0.0
    dtype: Literal["", "float32", "bfloat16", "float16"] = ""
    gradient_checkpointing: bool = True
    sheet_steps: int = 20
    sensitivity_windows: int = 32
    device_memory_gb: float = 0.0

    def __post_init__(self) -> None:
        for name in ("text_dropout", "ego_dropout", "control_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"tune.{name}", getattr(self, name), "a share from 0 to below 1")
        if not self.known_frames or min(self.known_frames) < 0 or len(set(self.known_frames)) < len(self.known_frames):
            raise InputError("tune.known_frames", self.known_frames, "different numbers of at least 0")
        for name, least, most in (
            ("windows", 0, 10_000), ("shift", 0, 100), ("sheet_steps", 1, 1000), ("ego_lr_scale", 1e-6, 1e6),
            ("sensitivity_windows", 2, 100_000), ("device_memory_gb", 0, 10_000),
        ):  # fmt: skip
            if not least <= getattr(self, name) <= most:
                raise InputError(f"tune.{name}", getattr(self, name), f"{least:g} to {most:g}")
        if self.depth_model and "depth" not in self.controls:
            raise InputError("tune.depth_model", self.depth_model, '"" unless depth is one of tune.controls')
        if self.part == "control" and not self.controls:
            raise InputError("tune.controls", self.controls, "at least one control when tune.part=control")

    @property
    def facts(self) -> dict:
        """The values that decide what a run computes, JSON-able: a continued run must share them."""
        values = dataclasses.asdict(self)
        for name in ("require_ego", "sheet_steps", "sensitivity_windows", "device_memory_gb"):
            del values[name]
        if not self.depth_model:
            del values["depth_model"]
        return values

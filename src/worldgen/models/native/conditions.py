"""Conditions as tensors: what the clips of a batch shall follow, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
import torch.export

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion

CAMERA_FEATURES = 6
DROPPABLE = ("text", "ego", "layout")
"""Conditions that :meth:`ConditionBatch.without` removes."""
DEFAULT_FOV_DEG = 70.0
"""Horizontal field of view in degrees assumed where a camera is unknown: that of a common dash camera."""


@dataclass(frozen=True, eq=False)
class ConditionBatch:
    """Conditions of B clips of F latent frames.

    text_ids ``(B, L)`` int64 and text_mask ``(B, L)`` bool (no True: no text). ego ``(B, F, 2)`` float32 speed_mps,
    yaw_rate_radps, and ego_known ``(B,)`` bool. fps ``(B,)`` float32. camera ``(B, 6)`` float32: fx/W, fy/H, cx/W,
    cy/H, height_m, pitch_rad. layout ``(B, K, F, hl, wl)`` float16 or float32 in [0, 1] or None, and layout_known
    ``(B,)`` bool.
    """

    text_ids: torch.Tensor
    text_mask: torch.Tensor
    # A name that begins with another stands before it: torch.export replaces names in the order of the fields.
    ego_known: torch.Tensor
    ego: torch.Tensor
    fps: torch.Tensor
    camera: torch.Tensor
    layout_known: torch.Tensor
    layout: torch.Tensor | None

    def to(self, device: torch.device | str) -> ConditionBatch:
        return self._each(lambda tensor: tensor.to(device))

    def __len__(self) -> int:
        return self.ego.shape[0]

    def frames(self, start: int, stop: int | None) -> ConditionBatch:
        """Only frames start..stop of the per-frame conditions (None: to the end)."""
        layout = None if self.layout is None else self.layout[:, :, start:stop]
        return replace(self, ego=self.ego[:, start:stop], layout=layout)

    def where(self, rows: torch.Tensor) -> ConditionBatch:
        """Only the clips of ``rows`` ``(B,)`` bool."""
        return self._each(lambda tensor: tensor[rows])

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> ConditionBatch:
        """The batch with a function applied to every tensor; an absent layout stays absent."""
        tensors: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {name: None if t is None else change(t) for name, t in tensors.items()}
        return ConditionBatch(**changed)

    def without(self, name: str, rows: torch.Tensor | None = None) -> ConditionBatch:
        """The batch with one condition ("text", "ego" or "layout") dropped, everywhere or in ``rows`` ``(B,)`` bool."""
        rows = torch.ones(len(self), dtype=torch.bool, device=self.ego.device) if rows is None else rows
        if name == "text":
            return replace(self, text_mask=self.text_mask & ~rows[:, None])
        if name == "ego":
            return replace(self, ego_known=self.ego_known & ~rows, ego=self.ego * ~rows[:, None, None])
        if name == "layout":
            layout = None if self.layout is None else self.layout * ~rows[:, None, None, None, None]
            return replace(self, layout_known=self.layout_known & ~rows, layout=layout)
        raise ValueError(f"condition to drop: received {name!r}, expected text, ego or layout")

    @classmethod
    def cat(cls, batches: list[ConditionBatch]) -> ConditionBatch:
        """Batches stacked along B; all or none must have a layout."""
        stacked: dict[str, Any] = {}
        for f in fields(cls):
            values = [getattr(b, f.name) for b in batches]
            stacked[f.name] = None if values[0] is None else torch.cat(values)
        return cls(**stacked)


def camera_features(camera: Camera | None) -> np.ndarray:
    """``(6,)`` float32: fx/W, fy/H, cx/W, cy/H, height_m, pitch_rad; those of a default camera where it is unknown."""
    camera = camera or Camera.from_fov(224, 128, DEFAULT_FOV_DEG)
    return np.array(
        [
            camera.fx_px / camera.width_px, camera.fy_px / camera.height_px,
            camera.cx_px / camera.width_px, camera.cy_px / camera.height_px,
            camera.height_m, camera.pitch_rad,
        ],
        np.float32,
    )  # fmt: skip


# torch.export takes arguments of registered types only.
torch.export.register_dataclass(ConditionBatch, serialized_type_name=f"{__name__}.ConditionBatch")


@dataclass(frozen=True, eq=False)
class ClipConditions:
    """Conditions of one clip before batching; None where unknown. layout: ``(T, K, hl, wl)`` float16 or float32."""

    num_frames: int
    fps: float
    text: str | None = None
    ego: EgoMotion | None = None
    camera: Camera | None = None
    layout: np.ndarray | None = None


def batch_conditions(clips: list[ClipConditions], tokenizer, *, max_tokens: int = 64) -> ConditionBatch:
    """Conditions of clips of equal length as tensors. Clips without layout get zeros where others have one.

    tokenizer: of the text encoder; None drops all text. Raises ValueError for clips of unequal length.
    """
    frames = clips[0].num_frames
    if any(c.num_frames != frames for c in clips):
        raise ValueError(f"frames of one batch: received {[c.num_frames for c in clips]}, expected equal numbers")
    has_text = torch.tensor([bool(c.text) and tokenizer is not None for c in clips])
    if tokenizer is None:
        ids = torch.zeros(len(clips), 1, dtype=torch.long)
        tokens = {"input_ids": ids, "attention_mask": ids}
    else:
        words = [c.text or "" for c in clips]
        tokens = tokenizer(words, padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
    ego = torch.stack(
        [torch.from_numpy(c.ego.to_array()) if c.ego is not None else torch.zeros(frames, 2) for c in clips]
    )
    layouts = [c.layout for c in clips if c.layout is not None]
    layout = None
    if layouts:
        shape = layouts[0].shape
        filled = [c.layout if c.layout is not None else np.zeros(shape, layouts[0].dtype) for c in clips]
        layout = torch.from_numpy(np.stack(filled)).transpose(1, 2).contiguous()
    return ConditionBatch(
        text_ids=tokens["input_ids"],
        text_mask=tokens["attention_mask"].bool() & has_text[:, None],
        ego=ego,
        ego_known=torch.tensor([c.ego is not None for c in clips]),
        fps=torch.tensor([float(c.fps) for c in clips]),
        camera=torch.from_numpy(np.stack([camera_features(c.camera) for c in clips])),
        layout=layout,
        layout_known=torch.tensor([c.layout is not None for c in clips]),
    )

"""VideoMAE and DINOv2 as feature extractors, through transformers, from weights that the user gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Dinov2Model, VideoMAEModel

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object
from worldgen.models.weights import refuse_pickles, weights_hash

CLASSES: dict[str, Any] = {"videomae": VideoMAEModel, "dinov2": Dinov2Model}
WITH_HEADS = {
    "videomae": ("VideoMAEForVideoClassification", "VideoMAEForPreTraining"),
    "dinov2": ("Dinov2ForImageClassification",),
}
"""Classes whose files hold the same backbone and a head, which is not used."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet colours, with which both families are trained."""


class FrameFeatures(torch.nn.Module):
    """One vector per clip. kind: "videomae" (mean over all patches in space and time) or "dinov2" (mean over frames of
    the class token, so the order of frames does not matter). folder: a saved model, safetensors only.

    Raises: InputError for pickles, a model of another class, and missing, extra or misshapen tensors.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, kind: str, folder: str | Path):
        super().__init__()
        folder = Path(folder).expanduser()
        refuse_pickles(folder)
        record = read_object(folder / "config.json", f"weights of {kind}", "a folder with config.json")
        stated = record.get("architectures")
        architectures = stated if isinstance(stated, list) and stated else [""]
        cls = CLASSES[kind]
        expected = (cls.__name__, *WITH_HEADS[kind])
        if architectures[0] not in expected:
            raise InputError(f"class of {kind} in {folder}", architectures[0], " or ".join(expected))
        self.kind = kind
        self.network, info = cls.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        extra = info["unexpected_keys"] if architectures[0] == cls.__name__ else ()
        wrong = sorted({str(key) for key in (*info["missing_keys"], *info["mismatched_keys"], *extra)})
        if wrong:  # transformers fills missing tensors with random numbers
            raise InputError(
                f"weights of {kind} in {folder}", Received(f"{len(wrong)} tensors that do not fit, {wrong[0]}"), "all"
            )
        self.network = self.network.float().eval()
        self.hash = weights_hash(self.network.state_dict())
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1, 1), persistent=False)

    @property
    def size(self) -> int:
        """Length of a feature vector."""
        return self.network.config.hidden_size

    @property
    def frames(self) -> int | None:
        """Frames a clip must have, or None for any number."""
        return self.network.config.num_frames if self.kind == "videomae" else None

    @property
    def side_px(self) -> int:
        """Height and width of its input pictures."""
        return self.network.config.image_size

    @torch.inference_mode()
    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """Features ``(B, D)`` of video ``(B, 3, T, H, W)`` in [-1, 1]."""
        x = ((video + 1) / 2 - self.mean) / self.std
        x = x.transpose(1, 2)  # (B, T, 3, H, W)
        if self.kind == "videomae":
            return self.network(pixel_values=x).last_hidden_state.mean(1)
        tokens = self.network(pixel_values=x.flatten(0, 1)).last_hidden_state[:, 0]
        return tokens.unflatten(0, (len(video), -1)).mean(1)

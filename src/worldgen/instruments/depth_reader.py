"""Depth of recorded frames by a pretrained model of the transformers library, for depth controls of real clips."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import parse_object
from worldgen.models.weights import refuse_pickles

BATCH = 4
NEAREST_M = 0.1
"""Depths of metric models below this are taken for this."""


@dataclass(frozen=True)
class DepthPictures:
    """How a depth model wants its pictures, the values of ``preprocessor_config.json``.

    side_px: the shorter side they are scaled to. multiple_px: of which both sides are multiples. mean, std: of the
    colours in [0, 1].
    """

    side_px: int = 518
    multiple_px: int = 14
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    @classmethod
    def of_folder(cls, folder: Path) -> DepthPictures:
        """The values of a folder; those of Depth Anything where it has none. Raises: InputError for others."""
        path = folder / "preprocessor_config.json"
        if not path.is_file():
            return cls()
        record = parse_object(path.read_bytes(), str(path), "a JSON object")
        size = record.get("size", cls.side_px)
        side = min(size.values()) if isinstance(size, dict) and size else size
        try:
            return cls(
                int(side), int(record.get("ensure_multiple_of", cls.multiple_px)),
                tuple(float(v) for v in record.get("image_mean", cls.mean)),
                tuple(float(v) for v in record.get("image_std", cls.std)),
            )  # fmt: skip
        except (TypeError, ValueError) as error:
            raise InputError(f"values of {path}", Received(json.dumps(size)), "numbers") from error


class DepthReader:
    """Reads relative inverse depth from frames; what ``clip_controls(depth=...)`` takes.

    Source of the usual model: Yang et al. 2024, "Depth Anything V2" (arXiv:2406.09414). It reads each frame by itself,
    so its scale may flicker a little from frame to frame.
    """

    def __init__(self, network: Any, pictures: DepthPictures, device: torch.device):
        self.network, self.pictures, self.device = network.eval().to(device), pictures, device
        self.metric = getattr(network.config, "depth_estimation_type", "relative") == "metric"

    @torch.inference_mode()
    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Inverse depth ``(T, H, W)`` float32, larger for nearer, of frames ``(T, H, W, 3)`` uint8 RGB.

        Of models of relative depth it has no unit; of metric ones it is 1/m.
        """
        height, width = frames.shape[1:3]
        scale = self.pictures.side_px / min(height, width)
        step = self.pictures.multiple_px
        size = [max(step, round(side * scale / step) * step) for side in (height, width)]
        mean, std = (
            torch.tensor(v, device=self.device)[:, None, None] for v in (self.pictures.mean, self.pictures.std)
        )
        parts = []
        for first in range(0, len(frames), BATCH):
            batch = torch.from_numpy(frames[first : first + BATCH]).to(self.device).permute(0, 3, 1, 2).float() / 255
            batch = F.interpolate(batch, size, mode="bicubic", antialias=True).clamp(0, 1)
            found = self.network(pixel_values=(batch - mean) / std).predicted_depth.float()
            found = F.interpolate(found[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]
            parts.append((1 / found.clamp(min=NEAREST_M) if self.metric else found.clamp(min=0)).cpu().numpy())
        return np.concatenate(parts)


def load_depth_reader(folder: str | Path, device: torch.device | str = "cpu") -> DepthReader:
    """The depth model in a folder, such as a copy of ``depth-anything/Depth-Anything-V2-Small-hf``.

    Raises: InputError for a folder without safetensors weights of a model that estimates depth.
    """
    from transformers import AutoModelForDepthEstimation

    where = Path(folder)
    if not (where / "config.json").is_file():
        raise InputError("depth model", str(folder), "a folder with config.json and safetensors weights")
    refuse_pickles(where)
    try:
        network = AutoModelForDepthEstimation.from_pretrained(where, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        expected = "a model of transformers that estimates depth, with safetensors weights"
        raise InputError("depth model", str(folder), expected) from error
    return DepthReader(network, DepthPictures.of_folder(where), torch.device(device))

"""The painter of the shipped model, loaded once in a process, for drawn clips that shall look recorded."""

from __future__ import annotations

import functools

import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.files.shipped import assets_dir
from worldgen.models.native.loading import load_painter
from worldgen.models.native.painter.scene_painter import ScenePainter, paint_frames
from worldgen.models.weights import weights_hash


def painted_clip(clip: Clip, *, seed: int) -> tuple[Clip, dict[str, str]]:
    """A drawn clip, painted, and the provenance to add: the hash of the painter's weights.

    Raises: InputError when the shipped model has no painter.
    """
    painter, name = _shipped()
    return Clip(paint_frames(painter, clip.frames, seed=seed), clip.fps), {"painter": name}


@functools.lru_cache(maxsize=1)
def _shipped() -> tuple[ScenePainter, str]:
    folder = assets_dir() / "model"
    if not (folder / "painter").is_dir():
        raise InputError("painter of the shipped model", Received("none"), "a model with a folder painter")
    torch.set_num_threads(1)  # as for drawing: sets are made by several processes
    painter = load_painter(folder)
    return painter, weights_hash(painter.state_dict())

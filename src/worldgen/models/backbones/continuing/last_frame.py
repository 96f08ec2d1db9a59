"""Continuation from one picture: spans that begin with the last frame that exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import Backbone
from worldgen.models.backbones.chunk_plan import ChunkSpan
from worldgen.models.interface import SamplerOptions
from worldgen.models.promise import FrameCounts


def last_frame_plan(num_frames: int, *, chunk: int, context: int, frames: FrameCounts) -> tuple[ChunkSpan, ...]:
    """Spans for families that are given one picture: each begins with the last frame before it, its only known one.

    chunk: frames of a span, the known one included; the last span is shorter. context: known first frames of the clip,
    at least 1. frames: lengths that the family allows for a run.

    Raises: InputError for a chunk of another length, and where the new frames do not fill whole latent frames.
    """
    assert 1 <= context < num_frames, (context, num_frames)
    frames.check("frames per chunk", chunk)
    new = num_frames - context
    if new % frames.step:
        expected = f"a multiple of {frames.step}, whole latent frames after the last known one"
        raise InputError("new frames of a clip", new, expected)
    starts = range(context - 1, num_frames - 1, chunk - 1)
    return tuple(ChunkSpan(start, min(start + chunk, num_frames), 1) for start in starts)


@dataclass(eq=False)
class LastFrameBackbone(Backbone):
    """A family that is given one picture. What moved before it the network does not see."""

    def check_more(self, request: Conditions) -> None:
        """Known frames are needed: the picture is the last of them. Raises: InputError."""
        if request.context is None:
            expected = f"known first frames: the family {self.promise.family} continues the last one"
            raise InputError("context frames", Received("none"), expected)

    def _spans(self, request: Conditions, options: SamplerOptions) -> tuple[ChunkSpan, ...]:
        context = len(request.context or ())
        return last_frame_plan(request.num_frames, chunk=options.chunk, context=context, frames=self.promise.frames)


def as_picture(frame: np.ndarray) -> Any:
    """A frame ``(H, W, 3)`` uint8 as a Pillow image."""
    from PIL import Image

    return Image.fromarray(frame)

"""A clip: the frames of a video in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError, Received


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames of one camera at a constant rate. ``len(clip)`` is T, the number of frames.

    Attributes:
        frames: ``(T, H, W, 3)`` uint8 RGB with T, H, W >= 1; the origin is the top left corner.
        fps: frames per second, > 0.

    Raises:
        InputError: for frames of another type or shape, and for a rate that is not positive.
    """

    frames: np.ndarray
    fps: float

    def __post_init__(self) -> None:
        frames = self.frames
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            got = f"{getattr(frames, 'dtype', type(frames).__name__)} {getattr(frames, 'shape', '')}"
            raise InputError("clip frames", Received(got), "uint8 (T, H, W, 3)")
        if min(frames.shape[:3]) < 1:
            raise InputError("clip frames", Received(str(frames.shape)), "at least one frame and one pixel")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError("clip fps", self.fps, "a positive number")

    def __repr__(self) -> str:
        return f"Clip({len(self)} frames of {self.width_px}x{self.height_px} at {self.fps:g} fps)"

    def __len__(self) -> int:
        return self.frames.shape[0]

    @property
    def height_px(self) -> int:
        """Height H of the frames in pixels."""
        return self.frames.shape[1]

    @property
    def width_px(self) -> int:
        """Width W of the frames in pixels."""
        return self.frames.shape[2]

    @property
    def duration_s(self) -> float:
        """Number of frames divided by the rate, in seconds."""
        return len(self) / self.fps

    def __getitem__(self, span: slice) -> Clip:
        """A contiguous part of the clip. Raises: InputError for a step other than 1, which would change the rate."""
        if not isinstance(span, slice) or span.step not in (None, 1):
            raise InputError("clip slice", span, "start:stop without a step")
        return Clip(self.frames[span], self.fps)

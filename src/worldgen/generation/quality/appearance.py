"""Measures of frames alone, or against reference frames: detail, trend of colour, blank and frozen frames."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.clip import Clip

WIDTH_PX = 224
"""Detail and flicker depend on the size of the frames, so clips are resized to one width before they are measured."""
LEAST_DETAIL = 0.3
"""Smallest detail that another is divided by, in grey levels; dense fog has little more."""
LEAST_FLICKER = 0.01
"""Smallest flicker of the rendered scene that another is divided by."""
BLANK_CONTRAST = 1.5
"""Standard deviation of grey levels below which a frame is blank; rendered unlit nights have more than 3."""
FROZEN_CHANGE = 0.05
"""Mean change of grey levels below which a frame repeats the previous frame."""
MOVING_MPS = 2.0
"""Speed from which the ego counts as moving."""


def measured_frames(clip: Clip) -> np.ndarray | None:
    """Frames ``(T, H, 224, 3)`` uint8; None for clips narrower than that, whose detail cannot be compared."""
    if clip.width_px < WIDTH_PX:
        return None
    if clip.width_px == WIDTH_PX:
        return clip.frames
    size = (WIDTH_PX, max(8, round(clip.height_px * WIDTH_PX / clip.width_px)))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip.frames])


def grey_frames(frames: np.ndarray) -> np.ndarray:
    """Brightness ``(T, H, W)`` uint8 of RGB frames."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def detail(grey: np.ndarray) -> float:
    """Mean absolute difference, in grey levels, between frames ``(T, H, W)`` uint8 and themselves blurred by 1 px."""
    return float(
        np.mean([np.abs(frame.astype(np.float32) - cv2.GaussianBlur(frame, (0, 0), 1.0)).mean() for frame in grey])
    )


def detail_ratio(frames: np.ndarray, reference: np.ndarray, *, parts: int) -> float:
    """Ratio of fine detail to that of the reference in the worst part of the clip, because clips lose detail over time.

    frames, reference: ``(T, H, W, 3)`` uint8, the same moments, cut into ``parts`` of equal length.
    """
    pairs = zip(np.array_split(grey_frames(frames), parts), np.array_split(grey_frames(reference), parts), strict=True)
    return min(detail(own) / max(detail(other), LEAST_DETAIL) for own, other in pairs)


def drift(frames: np.ndarray, reference: np.ndarray, *, times_s: np.ndarray) -> float:
    """Largest trend of mean colour or contrast that the reference does not have, in CIELAB units per second.

    frames, reference: ``(T, H, W, 3)`` uint8 RGB of the same moments ``times_s`` ``(T,)``. Slopes of least-squares
    lines.
    """
    apart = _moments(frames) - _moments(reference)
    return float(np.abs(np.polyfit(times_s - times_s.mean(), apart, 1)[0]).max())


def _moments(frames: np.ndarray) -> np.ndarray:
    """Mean lightness, green-red, blue-yellow and the spread of lightness of each frame, ``(T, 4)``."""
    labs = [cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for frame in frames]
    return np.array([[*lab.mean((0, 1)), lab[..., 0].std()] for lab in labs])


def blank_share(grey: np.ndarray) -> float:
    """Share of frames ``(T, H, W)`` uint8 without contrast."""
    return float(np.mean(grey.reshape(len(grey), -1).std(1) < BLANK_CONTRAST))


def frozen_share(grey: np.ndarray, speed_mps: np.ndarray | None) -> float | None:
    """Share of frames that repeat the previous frame while the ego moves; None when it never does or its speed is
    unknown.

    speed_mps: ``(T,)``, row i arrives at frame i.
    """
    if speed_mps is None or len(grey) < 2:
        return None
    moving = np.abs(speed_mps[1 : len(grey)]) >= MOVING_MPS
    if not moving.any():
        return None
    change = np.abs(np.diff(grey.astype(np.int16), axis=0)).reshape(len(grey) - 1, -1).mean(1)
    return float(np.mean(change[moving] < FROZEN_CHANGE))
